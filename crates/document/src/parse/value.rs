//! The deserializer over a [`Node`].
//!
//! It checks the kind of the node before it calls a visitor, so that messages speak of what an
//! operator wrote. Types of this crate ask for themselves by a name that no other deserializer
//! knows; what serde's data model has no room for (a place, a node) is handed to them past it.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde::de::{Deserializer, Visitor};

use super::State;
use super::access::{Entries, Items, One, Variant};
use super::fault::{Cause, Stop};
use crate::{Kind, Mistake, Node, Place};

/// The name by which `At` asks for its place.
pub(crate) const AT: &str = "$document::At";
/// The name by which `Node` asks for itself.
pub(crate) const NODE: &str = "$document::Node";
/// The name by which `FilePath` asks for the place of its text.
pub(crate) const PATH: &str = "$document::FilePath";
/// The name by which `OneOrMany` asks for a list.
pub(crate) const ONE_OR_MANY: &str = "$document::OneOrMany";
/// The name of the enum `SecretRef`.
pub(crate) const SECRET: &str = "$document::SecretRef";

/// What a type of this crate is given besides its value.
pub(crate) enum Handed {
    /// The place of the value.
    Place(Place),
    /// The value as it is.
    Node(Node),
}

thread_local! {
    /// Filled just before a visitor is called, and emptied by that visitor first of all: nothing
    /// else runs in between, and a visitor that another deserializer calls finds nothing.
    pub(crate) static HANDED: RefCell<Option<Handed>> = const { RefCell::new(None) };
}

/// The place that was handed over, if one was.
pub(crate) fn take_place() -> Option<Place> {
    match HANDED.take() {
        Some(Handed::Place(place)) => Some(place),
        Some(Handed::Node(_)) | None => None,
    }
}

/// A node to be read.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) node: &'a Node,
    pub(super) state: &'a State,
}

impl<'a> Value<'a> {
    fn text(self) -> Result<&'a str, Stop> {
        match &self.node.kind {
            Kind::Text(text) => Ok(text),
            Kind::Int(value) => Err(self.unquoted(&value.to_string())),
            Kind::Float(value) => Err(self.unquoted(&value.to_string())),
            Kind::Bool(value) => Err(self.unquoted(&value.to_string())),
            Kind::Null | Kind::List(_) | Kind::Map(_) => Err(Stop::wrong_type("text", self.node)),
        }
    }

    fn unquoted(self, written: &str) -> Stop {
        Stop::wrong_type("text", self.node).help(&format!("put it in quotes: `\"{written}\"`"))
    }

    fn number<V: Visitor<'a>>(
        self,
        visitor: V,
        range: RangeInclusive<i128>,
        give: fn(V, i64) -> Result<V::Value, Stop>,
    ) -> Result<V::Value, Stop> {
        let Kind::Int(value) = self.node.kind else {
            return Err(Stop::wrong_type("a whole number", self.node));
        };
        if !range.contains(&value.into()) {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            let found = format!("`{value}`");
            return Err(Stop::new(Cause::Invalid { expected, found }).at(self.node));
        }
        give(visitor, value).map_err(|stop: Stop| stop.at(self.node))
    }

    fn list<V: Visitor<'a>>(
        self,
        visitor: V,
        expected: &str,
        len: Option<usize>,
    ) -> Result<V::Value, Stop> {
        let node = self.node;
        let Kind::List(list) = &node.kind else {
            let stop = Stop::wrong_type(expected, node);
            return Err(if node.kind == Kind::Null {
                stop.help("write `[]` for none")
            } else {
                stop
            });
        };
        let mut items = Items::new(node, list, self.state);
        let value = visitor.visit_seq(&mut items).map_err(|stop: Stop| stop.at(node))?;
        match (items.left(), len) {
            (0, _) | (_, None) => Ok(value),
            (left, Some(len)) => {
                let expected = format!("a list of {len} items");
                Err(Stop::new(Cause::Length { expected, found: len + left }).at(node))
            }
        }
    }

    fn mapping<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.kind {
            Kind::Map(entries) => visitor
                .visit_map(Entries::new(node, entries, self.state))
                .map_err(|stop: Stop| stop.at(node)),
            Kind::Null => Err(Stop::wrong_type("a mapping", node).help("write `{}` for none")),
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
                Err(Stop::wrong_type("a mapping", node))
            }
        }
    }

    fn secret_by_value(self) -> Option<Stop> {
        if matches!(&self.node.kind, Kind::Map(entries) if entries.len() == 1) {
            return None;
        }
        let mistake = Mistake::error(
            "secret-by-value",
            &self.node.place,
            "a secret is not written here but by reference",
        )
        .help("write `{env: NAME}` or `{file: PATH}`");
        Some(Stop::new(Cause::Known(Box::new(mistake))).at(self.node))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty as $wide:ty;)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.number(visitor, <$type>::MIN.into()..=<$type>::MAX.into(), |visitor, value| {
                // INVARIANT: `number` has checked the range.
                visitor.$visit(<$wide>::try_from(value).unwrap_or_default())
            })
        }
    )*};
}

impl<'a> Deserializer<'a> for Value<'a> {
    type Error = Stop;

    numbers! {
        deserialize_i8 visit_i64 i8 as i64;
        deserialize_i16 visit_i64 i16 as i64;
        deserialize_i32 visit_i64 i32 as i64;
        deserialize_i64 visit_i64 i64 as i64;
        deserialize_u8 visit_u64 u8 as u64;
        deserialize_u16 visit_u64 u16 as u64;
        deserialize_u32 visit_u64 u32 as u64;
        deserialize_u64 visit_u64 u64 as u64;
    }

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        let node = self.node;
        match &node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(value) => visitor.visit_i64(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(list) => visitor.visit_seq(&mut Items::new(node, list, self.state)),
            Kind::Map(entries) => visitor.visit_map(Entries::new(node, entries, self.state)),
        }
        .map_err(|stop: Stop| stop.at(node))
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        match &self.node.kind {
            Kind::Bool(value) => {
                visitor.visit_bool(*value).map_err(|stop: Stop| stop.at(self.node))
            }
            Kind::Text(text) if matches!(text.as_str(), "yes" | "on" | "Yes" | "On") => {
                Err(Stop::wrong_type("true or false", self.node).help("write `true`"))
            }
            Kind::Text(text) if matches!(text.as_str(), "no" | "off" | "No" | "Off") => {
                Err(Stop::wrong_type("true or false", self.node).help("write `false`"))
            }
            Kind::Null
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => Err(Stop::wrong_type("true or false", self.node)),
        }
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.kind {
            Kind::Float(value) => visitor.visit_f64(value),
            Kind::Int(value) => visitor.visit_i64(value),
            Kind::Null | Kind::Bool(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                return Err(Stop::wrong_type("a number", self.node));
            }
        }
        .map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_str(self.text()?).map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor
            .visit_borrowed_bytes(self.text()?.as_bytes())
            .map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => visitor.visit_some(self),
        }
        .map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.node.kind == Kind::Null {
            return visitor.visit_unit().map_err(|stop: Stop| stop.at(self.node));
        }
        Err(Stop::wrong_type("nothing", self.node))
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match name {
            AT | PATH => HANDED.set(Some(Handed::Place(self.node.place.clone()))),
            NODE => HANDED.set(Some(Handed::Node(self.node.clone()))),
            ONE_OR_MANY => {
                return match self.node.kind {
                    Kind::List(_) => self.deserialize_seq(visitor),
                    Kind::Null
                    | Kind::Bool(_)
                    | Kind::Int(_)
                    | Kind::Float(_)
                    | Kind::Text(_)
                    | Kind::Map(_) => visitor.visit_seq(One(Some(self))),
                };
            }
            _ => {}
        }
        visitor.visit_newtype_struct(self).map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.list(visitor, "a list", None)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.list(visitor, &format!("a list of {len} items"), Some(len))
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.mapping(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if name == SECRET
            && let Some(stop) = self.secret_by_value()
        {
            return Err(stop);
        }
        Variant::new(self, known)
            .and_then(|variant| visitor.visit_enum(variant))
            .map_err(|stop: Stop| stop.at(self.node))
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }
}
