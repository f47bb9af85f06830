//! The value of an attribute for one request, borrowed from where it stands.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use http::HeaderValue;
use http::header::GetAll;
use jiff::SignedDuration;

use crate::template::decode;
use crate::truth::Truth;

/// What is known of one attribute.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    /// Nobody established it.
    Unknown,
    /// It is known that there is none.
    Absent,
    Bool(bool),
    Number(i64),
    Text(Cow<'a, str>),
    Texts(&'a [Box<str>]),
    Span(SignedDuration),
    Address(IpAddr),
    /// A list in a claim; each element is matched on its own.
    Claims(&'a [serde_json::Value]),
    /// Every field line of one header.
    Headers(GetAll<'a, HeaderValue>),
    /// Every value of one query parameter.
    Query(Query<'a>),
}

/// The values of one parameter of a query.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    query: &'a str,
    name: &'a str,
}

impl<'a> Fact<'a> {
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(Cow::Borrowed(text)))
    }

    pub(crate) fn bool(value: Option<bool>) -> Self {
        value.map_or(Self::Unknown, Self::Bool)
    }

    pub(crate) fn texts(value: Option<&'a [Box<str>]>) -> Self {
        value.map_or(Self::Unknown, Self::Texts)
    }

    /// A claim. Nothing and objects are no value that could be compared.
    pub(crate) fn claim(value: &'a serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => value.as_i64().map_or(Self::Unknown, Self::Number),
            Value::String(value) => Self::Text(Cow::Borrowed(value)),
            Value::Array(values) => Self::Claims(values),
            Value::Null | Value::Object(_) => Self::Unknown,
        }
    }

    /// Whether any value passes: the test sees one scalar at a time.
    pub(crate) fn any(&self, mut test: impl FnMut(&Fact<'_>) -> Truth) -> Truth {
        match self {
            Self::Unknown => Truth::Unknown,
            Self::Absent => Truth::False,
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Span(_) | Self::Address(_) => {
                test(self)
            }
            Self::Texts(values) => some(values.iter().map(|text| Fact::text(Some(text))), test),
            Self::Claims(values) => some(values.iter().map(element), test),
            Self::Headers(values) => some(values.iter().map(line), test),
            Self::Query(query) => some(query.values(), test),
        }
    }
}

impl<'a> Query<'a> {
    pub(crate) fn new(query: &'a str, name: &'a str) -> Self {
        Self { query, name }
    }

    /// Decoded values in their order; one that does not decode is unknown.
    fn values(&self) -> impl Iterator<Item = Fact<'a>> {
        self.query.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let ours = form(name).is_some_and(|name| *name == *self.name);
            ours.then(|| form(value).map_or(Fact::Unknown, Fact::Text))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }
}

/// Kleene's `any`, stopping where the answer is known.
fn some<'b>(
    values: impl Iterator<Item = Fact<'b>>,
    mut test: impl FnMut(&Fact<'_>) -> Truth,
) -> Truth {
    let mut result = Truth::False;
    for value in values {
        let known = !matches!(value, Fact::Unknown);
        result = result.or(if known { test(&value) } else { Truth::Unknown });
        if result == Truth::True {
            break;
        }
    }
    result
}

/// A list within a list has no values that could be compared.
fn element(value: &serde_json::Value) -> Fact<'_> {
    if value.is_array() { Fact::Unknown } else { Fact::claim(value) }
}

fn line(value: &HeaderValue) -> Fact<'_> {
    Fact::text(value.to_str().ok().map(str::trim))
}

/// Decodes a name or value of a form: percent escapes, and `+` for a space.
fn form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
}

/// For an operator: texts in quotes, lists in brackets, `unknown`, `absent`.
impl fmt::Display for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, values: &mut dyn Iterator<Item = Fact<'_>>| {
            f.write_str("[")?;
            for (i, value) in values.enumerate() {
                write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str("]")
        };
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Absent => f.write_str("absent"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Span(span) => write!(f, "{span:#}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Texts(values) => list(f, &mut values.iter().map(|text| Fact::text(Some(text)))),
            Self::Claims(values) => list(f, &mut values.iter().map(element)),
            Self::Headers(values) => list(f, &mut values.iter().map(line)),
            Self::Query(query) => list(f, &mut query.values()),
        }
    }
}
