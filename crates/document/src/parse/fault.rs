//! Why an attempt stopped: serde's error for us, which gathers its place on the way up.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::{Id, id};
use crate::{Mistake, Node, Place};

/// An error on its way up. Boxed: it is rare, and results are everywhere.
#[derive(Debug)]
pub(crate) struct Stop(pub(super) Box<Fault>);

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    /// The innermost place; none until a value or key has seen it.
    pub(super) place: Option<Place>,
    /// The node whose type complained.
    pub(super) owner: Option<Id>,
    /// The innermost entry that can be left out.
    pub(super) entry: Option<Entry>,
    /// All nodes that it passed.
    pub(super) trail: Vec<Id>,
}

/// An entry of a mapping, or an item of a list.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: Id,
    pub(super) value: Id,
    pub(super) key: Option<String>,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum Cause {
    MissingKey(&'static str),
    UnknownKey {
        key: String,
        known: &'static [&'static str],
        suggestion: Option<&'static str>,
    },
    UnknownVariant {
        variant: String,
        known: &'static [&'static str],
        is_key: bool,
    },
    WrongType {
        expected: String,
        found: String,
        help: Option<String>,
    },
    Invalid {
        expected: String,
        found: String,
    },
    Length {
        expected: String,
        found: usize,
    },
    /// In the words of the type.
    Custom(String),
    /// A mistake that is whole but for its place.
    Known(Box<Mistake>),
    /// A stand-in does not do. What made it necessary has been reported.
    MadeUp {
        owner: Id,
        key: &'static str,
    },
}

impl Stop {
    pub(super) fn new(cause: Cause) -> Self {
        let fault = Fault { cause, place: None, owner: None, entry: None, trail: Vec::new() };
        Self(Box::new(fault))
    }

    /// The node holds something else than expected.
    pub(super) fn wrong_type(expected: impl Into<String>, node: &Node) -> Self {
        let found = node.describe().to_owned();
        Self::new(Cause::WrongType { expected: expected.into(), found, help: None }).at(node)
    }

    /// Passes a value.
    pub(super) fn at(mut self, node: &Node) -> Self {
        let fault = &mut *self.0;
        if fault.place.is_none() {
            fault.place = Some(node.place.clone());
            fault.owner = Some(id(node));
            if let Cause::WrongType { found, .. } = &mut fault.cause {
                // serde names its own types; the node knows an operator's word.
                node.describe().clone_into(found);
            }
        }
        fault.trail.push(id(node));
        self
    }

    /// Passes a key.
    pub(super) fn at_key(mut self, place: &Place) -> Self {
        self.0.place.get_or_insert_with(|| place.clone());
        self
    }

    /// Passes an entry of `owner`.
    pub(super) fn in_entry(mut self, owner: &Node, value: &Node, key: Option<&str>) -> Self {
        if self.0.entry.is_none() {
            let key = key.map(str::to_owned);
            self.0.entry = Some(Entry { owner: id(owner), value: id(value), key });
        }
        self
    }

    /// The variant was written as the key of a mapping.
    pub(super) fn variant_is_key(mut self) -> Self {
        if let Cause::UnknownVariant { is_key, .. } = &mut self.0.cause {
            *is_key = true;
        }
        self
    }

    /// Says what to write instead.
    pub(super) fn help(mut self, text: &str) -> Self {
        if let Cause::WrongType { help, .. } = &mut self.0.cause {
            *help = Some(text.to_owned());
        }
        self
    }
}

impl Cause {
    pub(super) fn mistake(&self, place: &Place) -> Mistake {
        let error = |code, message: String| Mistake::error(code, place, message);
        match self {
            Self::MissingKey(key) => error("missing-key", format!("the key `{key}` is missing")),
            Self::UnknownKey { key, known, suggestion } => error(
                "unknown-key",
                format!("unknown key `{key}`"),
            )
            .help(did_you_mean("key", *suggestion, known)),
            Self::UnknownVariant { variant, known, is_key } => {
                let (code, what) =
                    if *is_key { ("unknown-key", "key") } else { ("invalid-value", "value") };
                let suggestion = crate::suggest(variant, known.iter().copied());
                error(code, format!("unknown {what} `{variant}`"))
                    .help(did_you_mean(what, suggestion, known))
            }
            Self::WrongType { expected, found, help } => {
                let mut mistake =
                    error("wrong-type", format!("expected {expected}, found {found}"));
                mistake.help.clone_from(help);
                mistake
            }
            Self::Invalid { expected, found } => {
                error("invalid-value", format!("expected {expected}, found {found}"))
            }
            Self::Length { expected, found } => {
                error("invalid-value", format!("expected {expected}, found {found} items"))
            }
            Self::Custom(message) => error("invalid-value", message.clone()),
            Self::Known(mistake) => {
                Mistake { place: Some(place.clone()), ..Mistake::clone(mistake) }
            }
            Self::MadeUp { .. } => error("invalid-value", "this cannot be read".to_owned()),
        }
    }
}

fn did_you_mean(what: &str, suggestion: Option<&str>, known: &[&str]) -> String {
    match suggestion {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => format!("no {what} is known here"),
        None => format!("known {what}s: `{}`", known.join("`, `")),
    }
}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Cause::Custom(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = "something else".to_owned();
        Self::new(Cause::WrongType { expected: expected.to_string(), found, help: None })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("`{value}`"),
            Unexpected::Signed(value) => format!("`{value}`"),
            Unexpected::Float(value) => format!("`{value}`"),
            Unexpected::Char(value) => format!("`{value}`"),
            Unexpected::Str(value) => format!("`{value}`"),
            other => other.to_string(),
        };
        Self::new(Cause::Invalid { expected: expected.to_string(), found })
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(Cause::Length { expected: expected.to_string(), found })
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownVariant { variant: variant.to_owned(), known, is_key: false })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let suggestion = crate::suggest(key, known.iter().copied());
        Self::new(Cause::UnknownKey { key: key.to_owned(), known, suggestion })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Cause::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self::new(Cause::Custom(format!("the key `{key}` is given twice")))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.place.clone().unwrap_or_else(Place::nowhere);
        f.write_str(&self.0.cause.mistake(&place).message)
    }
}

impl std::error::Error for Stop {}
