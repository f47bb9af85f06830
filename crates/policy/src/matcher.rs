//! What a fact is compared with.
//!
//! 1. An unknown fact makes every comparison unknown, in `not` and `not_in` too; only `exists`
//!    turns unknown into an answer.
//! 2. A fact that is known to be absent equals nothing: `is` is false, `not` is true.
//! 3. A list, a repeated header and a repeated query parameter are matched value by value: `is` and
//!    `has` hold where any value does, `not` and `not_in` where none does.
//! 4. A value of another type than the one it is compared with is unknown, so that a claim that
//!    changes its type fails an `allow` and triggers a `deny`.
//! 5. Several words in one matcher all have to hold.

use std::cmp::Ordering;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use crate::attribute::fact::Fact;
use crate::template::{Segments, decode};
use crate::truth::Truth;
use crate::version::Version;
use crate::window::Window;

pub(crate) mod read;

/// A matcher, compiled.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// All of these.
    Words(Box<[Clause]>),
    /// The segment of the path at this position, decoded, is a value of the fact.
    Segment(usize),
    /// Now lies in this window.
    Window(Box<Window>),
}

/// One word and its operands.
#[derive(Debug)]
pub(crate) enum Clause {
    /// Any value equals any of these.
    Any(Box<[Operand]>),
    /// No value equals any of these.
    NotAny(Box<[Operand]>),
    /// Each of these equals some value.
    All(Box<[Operand]>),
    /// Begins with any of these.
    Prefix(Box<[Box<str>]>),
    /// Ends with any of these.
    Suffix(Box<[Box<str>]>),
    /// Matches, anywhere unless anchored.
    Pattern(Box<Regex>),
    /// At least.
    Min(Operand),
    /// At most.
    Max(Operand),
    /// At or after.
    After(Timestamp),
    /// Before.
    Before(Timestamp),
    /// Whether there is a value at all.
    Exists(bool),
}

/// A value of the policy's text, typed by its attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Bool(bool),
    Number(i64),
    Text(Box<str>),
    Span(SignedDuration),
    Version(Version),
    Network(IpNet),
}

impl Matcher {
    /// What the matcher says of a fact; of the path and the time where it speaks of these.
    pub(crate) fn test(&self, fact: &Fact<'_>, path: &str, now: Timestamp) -> Truth {
        match self {
            Self::Words(clauses) => {
                let mut result = Truth::True;
                for clause in clauses {
                    result = result.and(clause.test(fact));
                    if result == Truth::False {
                        break;
                    }
                }
                result
            }
            Self::Segment(at) => {
                let segment = Segments::of(path).and_then(|mut all| all.nth(*at)).and_then(decode);
                segment.map_or(Truth::Unknown, |segment| fact.any(|value| equals(value, &segment)))
            }
            Self::Window(window) => window.holds(now).into(),
        }
    }
}

impl Clause {
    fn test(&self, fact: &Fact<'_>) -> Truth {
        match self {
            Self::Any(operands) => any(fact, operands),
            Self::NotAny(operands) => any(fact, operands).not(),
            Self::All(operands) => operands
                .iter()
                .fold(Truth::True, |all, operand| all.and(fact.any(|value| operand.equals(value)))),
            Self::Prefix(texts) => {
                text(fact, |value| texts.iter().any(|t| value.starts_with(&**t)))
            }
            Self::Suffix(texts) => text(fact, |value| texts.iter().any(|t| value.ends_with(&**t))),
            Self::Pattern(pattern) => text(fact, |value| pattern.is_match(value)),
            Self::Min(operand) => fact.any(|value| operand.order(value, Ordering::is_ge)),
            Self::Max(operand) => fact.any(|value| operand.order(value, Ordering::is_le)),
            Self::After(instant) => fact.any(|value| when(value, |at| at >= *instant)),
            Self::Before(instant) => fact.any(|value| when(value, |at| at < *instant)),
            Self::Exists(wanted) => {
                let there = match fact {
                    Fact::Unknown | Fact::Absent => false,
                    Fact::Bool(_)
                    | Fact::Number(_)
                    | Fact::Text(_)
                    | Fact::Texts(_)
                    | Fact::Span(_)
                    | Fact::Address(_)
                    | Fact::Claims(_)
                    | Fact::Headers(_)
                    | Fact::Query(_) => true,
                };
                (there == *wanted).into()
            }
        }
    }
}

impl Operand {
    fn equals(&self, fact: &Fact<'_>) -> Truth {
        match (self, fact) {
            (Self::Bool(wanted), Fact::Bool(value)) => (wanted == value).into(),
            (Self::Number(wanted), Fact::Number(value)) => (wanted == value).into(),
            (Self::Text(wanted), value) => equals(value, wanted),
            (Self::Network(network), Fact::Address(address)) => network.contains(address).into(),
            (Self::Version(_), value) => self.order(value, Ordering::is_eq),
            (Self::Span(wanted), Fact::Span(value)) => (wanted == value).into(),
            (Self::Bool(_) | Self::Number(_) | Self::Network(_) | Self::Span(_), _) => {
                Truth::Unknown
            }
        }
    }

    fn order(&self, fact: &Fact<'_>, test: fn(Ordering) -> bool) -> Truth {
        let order = match (self, fact) {
            (Self::Number(wanted), Fact::Number(value)) => Some(value.cmp(wanted)),
            (Self::Span(wanted), Fact::Span(value)) => Some(value.cmp(wanted)),
            (Self::Version(wanted), Fact::Text(value)) => Version::compare(value, wanted),
            (
                Self::Bool(_)
                | Self::Text(_)
                | Self::Network(_)
                | Self::Number(_)
                | Self::Span(_)
                | Self::Version(_),
                _,
            ) => None,
        };
        order.map_or(Truth::Unknown, |order| test(order).into())
    }
}

fn any(fact: &Fact<'_>, operands: &[Operand]) -> Truth {
    // Lists of texts, such as groups, are the most frequent and are worth a way of their own.
    if let Fact::Texts(values) = fact {
        let is = |operand: &Operand| match operand {
            Operand::Text(wanted) => Some(values.contains(wanted)),
            Operand::Bool(_)
            | Operand::Number(_)
            | Operand::Span(_)
            | Operand::Version(_)
            | Operand::Network(_) => None,
        };
        if let Some(any) = operands.iter().try_fold(false, |any, o| Some(any || is(o)?)) {
            return any.into();
        }
    }
    fact.any(|value| {
        operands.iter().fold(Truth::False, |any, operand| any.or(operand.equals(value)))
    })
}

fn equals(fact: &Fact<'_>, wanted: &str) -> Truth {
    text(fact, |value| value == wanted)
}

fn text(fact: &Fact<'_>, test: impl Fn(&str) -> bool) -> Truth {
    fact.any(|value| match value {
        Fact::Text(value) => test(value).into(),
        Fact::Unknown
        | Fact::Absent
        | Fact::Bool(_)
        | Fact::Number(_)
        | Fact::Texts(_)
        | Fact::Span(_)
        | Fact::Address(_)
        | Fact::Claims(_)
        | Fact::Headers(_)
        | Fact::Query(_) => Truth::Unknown,
    })
}

/// An instant in a claim: RFC 3339 text, or seconds since 1970 as in a JWT.
fn when(fact: &Fact<'_>, test: impl Fn(Timestamp) -> bool) -> Truth {
    let instant = match fact {
        Fact::Text(text) => text.parse().ok(),
        Fact::Number(seconds) => Timestamp::from_second(*seconds).ok(),
        Fact::Unknown
        | Fact::Absent
        | Fact::Bool(_)
        | Fact::Texts(_)
        | Fact::Span(_)
        | Fact::Address(_)
        | Fact::Claims(_)
        | Fact::Headers(_)
        | Fact::Query(_) => None,
    };
    instant.map_or(Truth::Unknown, |instant| test(instant).into())
}
