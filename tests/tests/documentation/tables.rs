//! The tables of `docs/metrics.md` and `docs/policy.md` against those of the code.

use std::collections::{BTreeMap, BTreeSet};

use policy::ATTRIBUTES;
use policy::attribute::{Kind, Supply};
use scenarios::{Recorder, gateway};

use super::page;

type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// Name to kind and labels, as the page tells them.
fn of_page() -> Families {
    let mut families = Families::new();
    for (_, cells) in page::rows(&page::text("docs/metrics.md"), "family") {
        let name = page::quoted(&cells[0]).remove(0);
        let labels = page::quoted(&cells[2]).into_iter().collect();
        let again = families.insert(name.clone(), (cells[1].clone(), labels));
        assert!(again.is_none(), "`{name}` stands in two rows");
    }
    families
}

/// The table in the test of the metrics' contract, which compares it with what is registered.
fn of_contract() -> Families {
    let source = page::text("crates/metrics/tests/contract.rs");
    let (_, rest) = source.split_once("const FAMILIES").expect("the table");
    let (_, rest) = rest.split_once("= &[").expect("its beginning");
    let (table, _) = rest.split_once("\n];").expect("its end");
    let texts: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
    let mut families = Families::new();
    let mut texts = texts.into_iter().peekable();
    while let Some(name) = texts.next() {
        let kind = texts.next().expect("a kind");
        let mut labels = BTreeSet::new();
        while let Some(label) = texts.next_if(|text| !text.starts_with("portcullis_")) {
            labels.insert(label.to_owned());
        }
        families.insert(name.to_owned(), (kind.to_owned(), labels));
    }
    families
}

#[test]
fn the_families_are_those_that_are_registered() {
    let (page, contract) = (of_page(), of_contract());
    assert!(contract.len() > 20, "the contract could not be read: {contract:?}");
    for (name, family) in &contract {
        assert_eq!(page.get(name), Some(family), "`{name}` in docs/metrics.md");
    }
    let invented: Vec<_> = page.keys().filter(|name| !contract.contains_key(*name)).collect();
    assert!(invented.is_empty(), "nobody registers {invented:?}");
}

#[test]
fn a_running_gateway_serves_no_other_families() {
    let routes =
        "  - {name: app, hosts: [app.gw.test], upstream: app, rules: [{id: a, allow: {}}]}\n";
    let plan = gateway().with_routes(routes);
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    gw.get("https://app.gw.test/x").as_user("ana").expect(200);
    gw.wait_for_records(1);
    let (page, text) = (of_page(), gw.admin("/metrics").text());
    let metrics_page = page::text("docs/metrics.md");
    let mut seen = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a kind");
        if name.starts_with("portcullis_") {
            assert_eq!(page.get(name).map(|(kind, _)| kind.as_str()), Some(kind), "{name}");
            seen += 1;
        } else {
            assert!(metrics_page.contains(&format!("`{name}`")), "`{name}` is not on the page");
        }
    }
    assert!(seen > 5, "{text}");
}

#[test]
fn the_keys_of_the_audit_record_are_those_that_are_written() {
    let source = page::text("crates/gateway/src/audit.rs");
    let renamed = source.split("rename = \"").skip(1).filter_map(|rest| rest.split('"').next());
    let page = page::text("docs/audit.md");
    let rows = page::rows(&page, "key");
    let told: BTreeSet<String> =
        rows.iter().flat_map(|(_, cells)| page::quoted(&cells[0])).collect();
    for key in renamed {
        assert!(told.contains(key), "`{key}` is not in docs/audit.md");
    }
    for key in &told {
        let written = [format!("rename = \"{key}\""), format!("pub(crate) {key}:")];
        assert!(written.into_iter().any(|text| source.contains(&text)), "nobody writes `{key}`");
    }
    assert!(told.len() > 30, "{told:?}");
}

#[test]
fn the_attributes_are_those_of_the_policy() {
    let rows = ATTRIBUTES.iter().map(|attribute| {
        let (kind, supply) = (kind(attribute.kind), supply(attribute.supply));
        format!("| `{}` | {kind} | {supply} | {} |", attribute.title(), attribute.doc)
    });
    let head = ["| attribute | type | supplied by | is |", "| --- | --- | --- | --- |"];
    let table: Vec<String> = head.into_iter().map(str::to_owned).chain(rows).collect();
    let (table, page) = (table.join("\n"), page::text("docs/policy.md"));
    assert!(page.contains(&table), "the table in docs/policy.md has to be\n\n{table}\n");
    let told = page::rows(&page, "attribute").len();
    assert_eq!(told, ATTRIBUTES.len(), "rows in docs/policy.md");
}

#[test]
fn the_codes_of_mistakes_are_given_somewhere() {
    let mut sources = String::new();
    let mut open = ["policy", "document", "gateway"]
        .map(|name| page::root().join("crates").join(name).join("src"))
        .to_vec();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    let rows = page::rows(&page::text("docs/policy.md"), "code");
    let codes: Vec<String> = rows.iter().flat_map(|(_, cells)| page::quoted(&cells[0])).collect();
    for code in &codes {
        assert!(sources.contains(&format!("\"{code}\"")), "nobody gives `{code}`");
    }
    assert!(codes.len() > 20, "{codes:?}");
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Number { min, max } => format!("{min} to {max}"),
        Kind::Text | Kind::Lower | Kind::Upper => "text".to_owned(),
        Kind::Texts => "texts".to_owned(),
        Kind::Word(words) if words.len() > 10 => "a method".to_owned(),
        Kind::Word(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Span => "length of time".to_owned(),
        Kind::Version => "version".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Any => "true or false, a whole number, text or texts".to_owned(),
        Kind::Window => "window".to_owned(),
    }
}

fn supply(supply: Supply) -> &'static str {
    match supply {
        Supply::Nothing => "nothing",
        Supply::Login => "login",
        Supply::StepUp => "step-up",
        Supply::Device => "device",
        Supply::AnyDevice => "device, if none is known",
        Supply::Posture => "posture",
    }
}
