//! From the sections of a configuration to what they say, not yet what it means: shapes, keys and
//! types are checked here, names and meanings in `compile`.

use document::{At, Kind, Mistake, Mistakes, Node, OneOrMany, Place};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::set::Forwarding;
use crate::suggest;

/// A rule as written.
#[derive(Debug)]
pub(crate) struct RuleSource<'a> {
    pub(crate) place: Place,
    /// Absent where it is wrong: its mistakes are told already.
    pub(crate) shape: Option<RuleShape>,
    pub(crate) when: Option<&'a Node>,
}

/// The fixed part of a rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleShape {
    pub(crate) id: At<String>,
    #[serde(default)]
    pub(crate) allow: Option<At<ActionShape>>,
    #[serde(default)]
    pub(crate) deny: Option<At<ActionShape>>,
    /// Read from the node itself.
    #[serde(default, rename = "when")]
    _when: IgnoredAny,
    #[serde(default)]
    pub(crate) mode: Option<At<String>>,
    #[serde(default)]
    pub(crate) until: Option<At<String>>,
    #[serde(default)]
    pub(crate) help: Option<String>,
}

/// What a rule speaks of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionShape {
    #[serde(default)]
    pub(crate) methods: Option<At<OneOrMany<At<String>>>>,
    #[serde(default)]
    pub(crate) paths: Option<At<OneOrMany<At<String>>>>,
}

/// Whether a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It counts.
    Enforce,
    /// It is evaluated and reported, and changes nothing.
    Shadow,
}

/// A route as written.
#[derive(Debug)]
pub(crate) struct RouteSource<'a> {
    pub(crate) place: Place,
    /// Absent where it is wrong: its mistakes are told already.
    pub(crate) shape: Option<RouteShape>,
    pub(crate) forwarding: Forwarding,
    pub(crate) rules: Vec<RuleSource<'a>>,
}

/// The fixed part of a route.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteShape {
    pub(crate) name: At<String>,
    pub(crate) hosts: At<OneOrMany<At<String>>>,
    #[serde(default)]
    pub(crate) paths: Option<At<OneOrMany<At<String>>>>,
    pub(crate) upstream: At<String>,
    #[serde(default)]
    pub(crate) labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) mode: Option<At<String>>,
}

const ROUTE_KEYS: [&str; 7] = ["name", "hosts", "paths", "upstream", "labels", "rules", "mode"];

/// Reads a mode; one that is wrong is told and counts as `enforce`.
pub(crate) fn mode(At { value, place }: &At<String>, mistakes: &mut Mistakes) -> Mode {
    match value.as_str() {
        "enforce" => Mode::Enforce,
        "shadow" => Mode::Shadow,
        _ => {
            let message = format!("there is no mode `{value}`");
            let help = suggest::among(value, ["enforce", "shadow"].into_iter());
            mistakes.push(Mistake::error("unknown-mode", place, message).help(help));
            Mode::Enforce
        }
    }
}

/// Reads a list of rules; those that are wrong are among them, without their shape.
pub(crate) fn rules<'a>(section: Option<&'a Node>, mistakes: &mut Mistakes) -> Vec<RuleSource<'a>> {
    list(section, "rules", mistakes).iter().map(|node| rule(node, mistakes)).collect()
}

/// Reads the list of routes; those that are wrong are among them, without their shape.
pub(crate) fn routes<'a>(
    section: Option<&'a Node>,
    mistakes: &mut Mistakes,
) -> Vec<RouteSource<'a>> {
    list(section, "routes", mistakes).iter().filter_map(|node| route(node, mistakes)).collect()
}

fn list<'a>(section: Option<&'a Node>, name: &str, mistakes: &mut Mistakes) -> &'a [Node] {
    let Some(section) = section else { return &[] };
    match &section.kind {
        Kind::List(items) => items,
        Kind::Null => &[],
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => {
            let message = format!("`{name}` wants a list, this is {}", section.describe());
            let help = "begin each with `-`";
            mistakes.push(Mistake::error("wrong-type", &section.place, message).help(help));
            &[]
        }
    }
}

fn rule<'a>(node: &'a Node, mistakes: &mut Mistakes) -> RuleSource<'a> {
    RuleSource { place: node.place.clone(), shape: taken(node, mistakes), when: node.get("when") }
}

fn route<'a>(node: &'a Node, mistakes: &mut Mistakes) -> Option<RouteSource<'a>> {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("a route is a mapping, this is {}", node.describe());
        let help = "write `name`, `hosts`, `upstream` and `rules`";
        mistakes.push(Mistake::error("wrong-type", &node.place, message).help(help));
        return None;
    };
    let (mut ours, mut forwarded) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        if key.name == "rules" {
            continue;
        }
        if ROUTE_KEYS.contains(&&*key.name) {
            ours.push((key.clone(), value.clone()));
        } else if Forwarding::KEYS.contains(&&*key.name) {
            forwarded.push((key.clone(), value.clone()));
        } else {
            let message = format!("a route has no `{}`", key.name);
            let known = ROUTE_KEYS.into_iter().chain(Forwarding::KEYS.iter().copied());
            let help = suggest::among(&key.name, known);
            mistakes.push(Mistake::error("unknown-key", &key.place, message).help(help));
        }
    }
    let part = |entries| Node { kind: Kind::Map(entries), place: node.place.clone() };
    let shape: Option<RouteShape> = taken(&part(ours), mistakes);
    let forwarding: Option<Forwarding> = taken(&part(forwarded), mistakes);
    let rules = rules(node.get("rules"), mistakes);
    let forwarding = forwarding.unwrap_or_default();
    Some(RouteSource { place: node.place.clone(), shape, forwarding, rules })
}

fn taken<T: serde::de::DeserializeOwned>(node: &Node, mistakes: &mut Mistakes) -> Option<T> {
    document::parse(node).map_err(|more| mistakes.extend(more)).ok()
}
