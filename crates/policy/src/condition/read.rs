//! From a node to a [`Condition`]. The language is free where a fixed shape would not do, so this
//! reads the tree by hand and reports every mistake with its place.

use std::collections::HashMap;
use std::sync::Arc;

use document::{Key, Kind, Mistake, Mistakes, Node, Place};

use super::{Condition, Leaf, Named, Test, Written};
use crate::attribute::{ATTRIBUTES, Reference, quoted};
use crate::fingerprint::Fingerprint;
use crate::matcher;
use crate::suggest;

/// How deep conditions may be nested, names included.
const DEPTH_MAX: usize = 64;
/// Comparisons that one condition may have, those behind names counted each time.
const LEAVES_MAX: usize = 4_096;

/// The named conditions of a policy, each compiled when it is first named.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    entries: HashMap<&'a str, Entry<'a>>,
    /// Names that are being compiled, outermost first.
    open: Vec<&'a str>,
    /// Tests that were read, by the fingerprint of their attribute and matcher.
    tests: HashMap<u128, Arc<Test>>,
}

#[derive(Debug)]
struct Entry<'a> {
    key: &'a Key,
    node: &'a Node,
    used: bool,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Unread,
    Good(Arc<Named>, Shape),
    Bad,
}

/// What a reader of the whole policy wants to know about a condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    leaves: usize,
    depth: usize,
    /// It asks about something that was authenticated.
    pub(crate) identity: bool,
    /// Captures of the path that it asks for.
    pub(crate) segments: Vec<(Box<str>, Place)>,
}

type Read = Option<(Condition, Shape)>;

impl<'a> Names<'a> {
    /// Takes the section as it is written; names that cannot be used are mistakes.
    pub(crate) fn collect(section: Option<&'a Node>, mistakes: &mut Mistakes) -> Self {
        let mut names = Self::default();
        let Some(section) = section else { return names };
        let entries = match &section.kind {
            Kind::Map(entries) => entries,
            Kind::Null => return names,
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
                let message = format!(
                    "`conditions` wants a mapping of names, this is {}",
                    section.describe()
                );
                mistakes.push(Mistake::error("wrong-type", &section.place, message));
                return names;
            }
        };
        for (key, node) in entries {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if key.name.is_empty() || !key.name.chars().all(fits) {
                let message = format!("`{}` is no name for a condition", key.name);
                let help = "names are made of letters, digits, `-` and `_`";
                mistakes.push(Mistake::error("bad-name", &key.place, message).help(help));
            }
            let entry = Entry { key, node, used: false, state: State::Unread };
            names.entries.insert(key.name.as_str(), entry);
        }
        names
    }

    /// Reads a condition.
    pub(crate) fn read(&mut self, node: &'a Node, mistakes: &mut Mistakes) -> Read {
        let read = self.node(node, 0, mistakes)?;
        if read.1.leaves > LEAVES_MAX {
            let message = format!("the condition makes more than {LEAVES_MAX} comparisons");
            let help = "names that name names multiply: say it once";
            mistakes.push(Mistake::error("too-many", &node.place, message).help(help));
            return None;
        }
        Some(read)
    }

    /// Reads what nobody named too, so that its mistakes are reported, and warns of it.
    pub(crate) fn finish(mut self, mistakes: &mut Mistakes) {
        let mut rest: Vec<(&'a str, &'a Key)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.used)
            .map(|(name, entry)| (*name, entry.key))
            .collect();
        rest.sort_by_key(|(_, key)| &key.place);
        for (name, key) in &rest {
            let message = format!("the condition `{name}` is not used");
            let help = "name it in a `when`, or take it out";
            mistakes.push(Mistake::warning("unused-condition", &key.place, message).help(help));
        }
        for (name, key) in rest {
            self.named(name, &key.place, 0, mistakes);
        }
    }

    fn node(&mut self, node: &'a Node, depth: usize, mistakes: &mut Mistakes) -> Read {
        if depth > DEPTH_MAX {
            let message = format!("conditions are nested more than {DEPTH_MAX} deep");
            let help = "give the inner part a name, or say it flatter";
            mistakes.push(Mistake::error("too-deep", &node.place, message).help(help));
            return None;
        }
        match &node.kind {
            Kind::Text(name) => self.named(name, &node.place, depth, mistakes),
            Kind::Map(entries) if entries.is_empty() => {
                let message = "the condition is empty";
                let help = "leave `when` out for a rule that always holds";
                mistakes.push(Mistake::error("empty-condition", &node.place, message).help(help));
                None
            }
            Kind::Map(entries) => {
                // Every entry is read, so that every mistake is reported.
                let parts: Vec<Read> = entries
                    .iter()
                    .map(|(key, value)| self.entry(key, value, depth, mistakes))
                    .collect();
                match <[Read; 1]>::try_from(parts) {
                    Ok([one]) => one,
                    Err(parts) => combined(parts, Condition::All),
                }
            }
            Kind::List(_) => {
                let message = "a list does not say whether all or any of it must hold";
                let help = "write `all: [...]` or `any: [...]`";
                mistakes.push(Mistake::error("wrong-type", &node.place, message).help(help));
                None
            }
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {
                let message =
                    format!("a condition is a name or a mapping, this is {}", node.describe());
                let help = "write a name of `conditions:`, `{all: [...]}` or `{user.groups: eng}`";
                mistakes.push(Mistake::error("wrong-type", &node.place, message).help(help));
                None
            }
        }
    }

    fn entry(
        &mut self,
        key: &'a Key,
        node: &'a Node,
        depth: usize,
        mistakes: &mut Mistakes,
    ) -> Read {
        match key.name.as_str() {
            "all" => combined(self.list(key, node, depth, mistakes)?, Condition::All),
            "any" => combined(self.list(key, node, depth, mistakes)?, Condition::Any),
            "none" => combined(self.list(key, node, depth, mistakes)?, Condition::None),
            "cel" => {
                let message = "expressions (`cel`) are not available in this build";
                let help = "say it with `all`, `any`, `none` and matchers";
                mistakes.push(Mistake::error("not-available", &key.place, message).help(help));
                None
            }
            _ => self.leaf(key, node, mistakes),
        }
    }

    fn list(
        &mut self,
        key: &'a Key,
        node: &'a Node,
        depth: usize,
        mistakes: &mut Mistakes,
    ) -> Option<Vec<Read>> {
        let Kind::List(items) = &node.kind else {
            let message = format!("`{}` wants a list, this is {}", key.name, node.describe());
            let help = format!("write `{}: [...]`", key.name);
            mistakes.push(Mistake::error("wrong-type", &node.place, message).help(help));
            return None;
        };
        if items.is_empty() {
            let message = format!("`{}` has nothing in it", key.name);
            let help = "name at least one condition, or take it out";
            mistakes.push(Mistake::error("empty-list", &node.place, message).help(help));
            return None;
        }
        Some(items.iter().map(|item| self.node(item, depth.saturating_add(1), mistakes)).collect())
    }

    fn named(&mut self, name: &str, place: &Place, depth: usize, mistakes: &mut Mistakes) -> Read {
        let Some((name, entry)) = self.entries.get_key_value(name) else {
            mistakes.push(self.unknown(name, place));
            return None;
        };
        let (name, key, node, state) = (*name, entry.key, entry.node, entry.state.clone());
        if let Some(entry) = self.entries.get_mut(name) {
            entry.used = true;
        }
        if let Some(at) = self.open.iter().position(|open| *open == name) {
            let round: Vec<&str> = self.open.iter().skip(at).chain([&name]).copied().collect();
            let message = format!("the condition `{name}` names itself: {}", round.join(" > "));
            let help = "take one of these names out";
            mistakes.push(
                Mistake::error("cycle", place, message)
                    .help(help)
                    .related(&key.place, "begins here"),
            );
            return None;
        }
        let state = match state {
            State::Unread => self.compile(name, node, depth, mistakes),
            state @ (State::Good(..) | State::Bad) => state,
        };
        match state {
            State::Good(named, shape) if shape.depth.saturating_add(depth) <= DEPTH_MAX => {
                Some((Condition::Named(named), shape))
            }
            State::Good(..) => {
                let message = format!("conditions are nested more than {DEPTH_MAX} deep");
                let help = "say it flatter";
                mistakes.push(Mistake::error("too-deep", place, message).help(help));
                None
            }
            State::Bad | State::Unread => None,
        }
    }

    fn compile(
        &mut self,
        name: &'a str,
        node: &'a Node,
        depth: usize,
        mistakes: &mut Mistakes,
    ) -> State {
        self.open.push(name);
        let read = self.node(node, depth.saturating_add(1), mistakes);
        self.open.pop();
        let state = match read {
            Some((condition, mut shape)) => {
                shape.depth = shape.depth.saturating_add(1);
                State::Good(Arc::new(Named { name: name.into(), condition }), shape)
            }
            None => State::Bad,
        };
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = state.clone();
        }
        state
    }

    fn leaf(&mut self, key: &Key, node: &Node, mistakes: &mut Mistakes) -> Read {
        // What is written alike is the same test, and is read once.
        let mut alike = Fingerprint::new();
        alike.section(&key.name, Some(node));
        let test = match self.tests.get(&alike.key()) {
            Some(test) => Arc::clone(test),
            None => self.test(key, node, alike.key(), mistakes)?,
        };
        let Test { attribute, matcher: _ } = &*test;
        let segments = match attribute.attribute.name {
            "request.segment" => vec![(attribute.parameter.clone(), key.place.clone())],
            _ => vec![],
        };
        let shape = Shape { leaves: 1, depth: 0, identity: attribute.is_identity(), segments };
        let text = matcher::read::describe(node).into();
        let written = Box::new(Written { text, place: key.place.clone() });
        Some((Condition::Leaf(Leaf { test, written }), shape))
    }

    fn test(
        &mut self,
        key: &Key,
        node: &Node,
        alike: u128,
        mistakes: &mut Mistakes,
    ) -> Option<Arc<Test>> {
        let told = mistakes.len();
        let attribute = attribute(&key.name, &key.place, self, mistakes)?;
        let matcher = matcher::read::matcher(node, &attribute, mistakes)?;
        let test = Arc::new(Test { attribute, matcher });
        // One with a warning is read again, so that each place is warned of.
        if mistakes.len() == told {
            self.tests.insert(alike, Arc::clone(&test));
        }
        Some(test)
    }

    fn unknown(&self, name: &str, place: &Place) -> Mistake {
        let message = format!("there is no condition `{name}`");
        let mistake = Mistake::error("unknown-condition", place, message);
        if let Some(attribute) = Reference::find(name) {
            return mistake
                .help(format!("`{attribute}` is an attribute: write `{{{attribute}: ...}}`"));
        }
        let mut known: Vec<&str> = self.entries.keys().copied().collect();
        known.sort_unstable();
        mistake.help(suggest::among(name, known.into_iter()))
    }
}

/// The attribute of a name, or a mistake with the nearest one.
fn attribute(
    name: &str,
    place: &Place,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Option<Reference> {
    let Some(mut found) = Reference::find(name) else {
        mistakes.push(unknown_attribute(name, place, names));
        return None;
    };
    if found.attribute.name == "request.header" {
        let Ok(header) = http::HeaderName::from_bytes(found.parameter.as_bytes()) else {
            let message = format!("`{}` is no name of a header", found.parameter);
            mistakes.push(Mistake::error("bad-name", place, message));
            return None;
        };
        found.parameter = header.as_str().into();
    }
    Some(found)
}

/// That there is no such attribute, and what was perhaps meant.
pub(crate) fn unknown_attribute(name: &str, place: &Place, names: &Names<'_>) -> Mistake {
    let message = format!("there is no attribute `{name}`");
    Mistake::error("unknown-attribute", place, message).help(advice(name, names))
}

fn advice(name: &str, names: &Names<'_>) -> String {
    if names.entries.contains_key(name) {
        return format!("`{name}` is a condition: write it alone, without a value");
    }
    if name.starts_with("time.") {
        return "write `time: {days: ..., between: ..., zone: ...}`".to_owned();
    }
    if let Some(family) = ATTRIBUTES.iter().find(|a| a.parameter.is_some() && a.name == name) {
        return format!("write `{}`", family.title());
    }
    let words = ATTRIBUTES.iter().map(|a| a.name).chain(["all", "any", "none"]);
    if let Some(near) = suggest::nearest(name, words) {
        return format!("did you mean `{near}`?");
    }
    let space = |name: &'static str| name.split('.').next().unwrap_or(name);
    let own = name.split('.').next().unwrap_or_default();
    let all: Vec<String> = ATTRIBUTES
        .iter()
        .filter(|a| space(a.name) == own)
        .map(|a| format!("`{}`", a.title()))
        .collect();
    if all.is_empty() {
        let mut spaces: Vec<&str> = ATTRIBUTES.iter().map(|a| space(a.name)).collect();
        spaces.dedup();
        return format!("attributes begin with one of {}", quoted(&spaces));
    }
    format!("one of {}", all.join(", "))
}

/// Parts as one condition; nothing where one of them is bad.
fn combined(parts: Vec<Read>, build: fn(Box<[Condition]>) -> Condition) -> Read {
    let mut shape = Shape::default();
    let mut conditions = Vec::with_capacity(parts.len());
    for part in parts {
        let (condition, of) = part?;
        conditions.push(condition);
        shape.leaves = shape.leaves.saturating_add(of.leaves);
        shape.depth = shape.depth.max(of.depth.saturating_add(1));
        shape.identity |= of.identity;
        for segment in of.segments {
            if !shape.segments.contains(&segment) {
                shape.segments.push(segment);
            }
        }
    }
    Some((build(conditions.into()), shape))
}
