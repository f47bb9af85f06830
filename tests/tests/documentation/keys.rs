//! `docs/configuration.md` against the schema that the binary prints.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::verbs::portcullis;
use serde_json::Value;

use super::page;

/// Every key by its path (`server.listen[].address`), with its description.
struct Keys<'a> {
    schema: &'a Value,
    found: BTreeMap<String, String>,
}

impl Keys<'_> {
    fn walk(&mut self, node: &Value, path: &str) {
        if let Some(name) = node["$ref"].as_str() {
            // A condition holds conditions: its own keys are told once, as those of `a condition`.
            if name.ends_with("/Condition") {
                return;
            }
            let pointer = name.trim_start_matches('#');
            let schema = self.schema;
            return self.walk(schema.pointer(pointer).expect("a definition"), path);
        }
        for several in ["anyOf", "oneOf"] {
            for one in node[several].as_array().into_iter().flatten() {
                self.walk(one, path);
            }
        }
        for (key, value) in node["properties"].as_object().into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            // The rules of a route are rules.
            let key_path = match format!("{path}{dot}{key}") {
                rules if rules == "routes[].rules" => {
                    self.found.insert(rules, String::new());
                    continue;
                }
                other => other,
            };
            let description = value["description"].as_str().unwrap_or_default();
            self.found.insert(key_path.clone(), description.replace('\n', " "));
            self.walk(value, &key_path);
        }
        self.walk_inner(&node["items"], path, "[]");
        self.walk_inner(&node["additionalProperties"], path, ".<>");
    }

    fn walk_inner(&mut self, node: &Value, path: &str, more: &str) {
        if node.is_object() {
            self.walk(node, &format!("{path}{more}"));
        }
    }
}

fn schema() -> Value {
    let done = portcullis(&page::root(), &["schema"]).expect(0);
    serde_json::from_str(&done.stdout).expect("JSON")
}

fn of_schema() -> BTreeMap<String, String> {
    let schema = schema();
    let mut keys = Keys { schema: &schema, found: BTreeMap::new() };
    keys.walk(&schema, "");
    let condition = &schema["$defs"]["Condition"];
    let parts = condition["anyOf"].as_array().expect("the forms of a condition");
    for part in parts {
        for key in part["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            keys.found.insert(format!("a condition.{key}"), String::new());
        }
    }
    keys.found
}

/// Path to the cells after the key.
fn of_page() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (title, cells) in page::rows(&page::text("docs/configuration.md"), "in ") {
        let section = title.trim_start_matches("in ").trim_matches('`');
        let key = page::quoted(&cells[0]).remove(0);
        let path = match section {
            "the file" => key,
            section => format!("{section}.{key}"),
        };
        let again = found.insert(path.clone(), cells[1..].to_vec());
        assert!(again.is_none(), "`{path}` stands in two tables");
    }
    found
}

#[test]
fn every_key_stands_in_the_tables_and_nothing_else() {
    let (schema, page) = (of_schema(), of_page());
    let (schema, page): (BTreeSet<_>, BTreeSet<_>) =
        (schema.keys().collect(), page.keys().collect());
    let missing: Vec<_> = schema.difference(&page).collect();
    let invented: Vec<_> = page.difference(&schema).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:#?}");
    assert!(invented.is_empty(), "in docs/configuration.md and not in the schema: {invented:#?}");
    assert!(schema.len() > 100, "the schema could not be read: {schema:?}");
}

#[test]
fn defaults_are_those_of_the_descriptions() {
    let page = of_page();
    let mut seen = 0;
    for (path, description) in of_schema() {
        let Some((_, rest)) = description.split_once("(default") else { continue };
        let default = rest.split([')', ';']).next().unwrap_or_default();
        let default = default.trim_start_matches(':').split(", at most").next().unwrap_or_default();
        let words = |text: &str| {
            let split = text.split(|c: char| c.is_whitespace() || c == ',' || c == '`');
            split.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        // `yes` is how a description says true.
        let told =
            words(default).into_iter().map(|w| if w == "yes" { "true".to_owned() } else { w });
        let cell = &page.get(&path).unwrap_or_else(|| panic!("`{path}` is in no table"))[1];
        assert_eq!(words(cell), told.collect::<Vec<_>>(), "the default of `{path}`");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} descriptions tell a default");
}
