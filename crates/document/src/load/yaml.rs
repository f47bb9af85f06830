//! One YAML text as a tree of [`Node`]s.
//!
//! 1. `true` and `false` are the only booleans: `yes`, `no`, `on` and `off` are text.
//! 2. A quoted scalar is text. So are `0755` and `1_000`, which YAML dialects read differently.
//! 3. A key is text, as it was written. A key that a mapping has already is a mistake.
//! 4. A value that is written once and used in several places (`*name`) stands where it was
//!    written. How much aliases may repeat is bounded, and so are depth and number of nodes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use crate::{Key, Kind, Mistake, Mistakes, Node, Place};

/// Deepest nesting of one file. Everything that walks a tree recurses at most so deep; the parser
/// takes about 30 KiB of stack a level where it is not optimised, of the 2 MiB that a thread has.
const DEPTH_MAX: usize = 32;
/// Nodes of one file: ten thousand routes of ten rules are about two million.
const NODES_MAX: usize = 8_000_000;

/// Reads one text.
///
/// # Errors
/// It is not YAML (one mistake, where reading stopped), or keys repeat (one mistake each).
pub(super) fn read(file: &Arc<Path>, text: &str) -> Result<Node, Mistakes> {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => {
            let mut mistakes = Mistakes::new();
            let node = node(file, raw, &mut mistakes);
            if mistakes.is_empty() { Ok(node) } else { Err(mistakes) }
        }
        Err(error) => Err(vec![syntax(file, &error)]),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        // Repeated keys are found below, all of them, each with the place of the first.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    }
}

fn syntax(file: &Arc<Path>, error: &Error) -> Mistake {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let mut inner = error;
    while let Error::AliasError { error, .. } | Error::WithSnippet { error, .. } = inner {
        inner = error;
    }
    let message = UserMessageFormatter.format_message(inner);
    let mistake = Mistake::error("yaml", &place(file, location), format!("not YAML: {message}"));
    match inner {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            mistake.help("the file is larger or deeper than a configuration may be: split it")
        }
        _ => mistake,
    }
}

fn place(file: &Arc<Path>, location: Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    Place {
        file: Arc::clone(file),
        line: number(location.line()),
        column: number(location.column()),
    }
}

fn node(file: &Arc<Path>, raw: Spanned<Raw>, mistakes: &mut Mistakes) -> Node {
    let Spanned { value, referenced: _, defined } = raw;
    let place = place(file, defined);
    let kind = match value {
        Raw::Null => Kind::Null,
        Raw::Bool(b) => Kind::Bool(b),
        Raw::Int(n) => Kind::Int(n),
        Raw::TooLarge(n) => {
            let message = format!("the whole number `{n}` is too large");
            mistakes.push(
                Mistake::error("invalid-value", &place, message)
                    .help(format!("the largest is `{}`; quote it if it is text", i64::MAX)),
            );
            Kind::Null
        }
        Raw::Float(n) => Kind::Float(n),
        Raw::Text(text) => Kind::Text(text),
        Raw::List(items) => {
            Kind::List(items.into_iter().map(|item| node(file, item, mistakes)).collect())
        }
        Raw::Map(entries) => Kind::Map(mapping(file, entries, mistakes)),
    };
    Node { kind, place }
}

fn mapping(
    file: &Arc<Path>,
    entries: Vec<(Spanned<String>, Spanned<Raw>)>,
    mistakes: &mut Mistakes,
) -> Vec<(Key, Node)> {
    let mut seen = std::collections::HashMap::with_capacity(entries.len());
    let mut mapping = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let key = Key { name: key.value, place: place(file, key.defined) };
        let value = node(file, value, mistakes);
        if let Some(first) = seen.get(&key.name) {
            mistakes.push(
                Mistake::error(
                    "duplicate-key",
                    &key.place,
                    format!("the key `{}` is given twice", key.name),
                )
                .help("remove one of the two")
                .related(first, "first given here"),
            );
            continue;
        }
        seen.insert(key.name.clone(), key.place.clone());
        mapping.push((key, value));
    }
    mapping
}

/// What the parser gives, before repeated keys are looked for.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    TooLarge(u64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::TooLarge(value), Raw::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
