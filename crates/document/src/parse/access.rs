//! Lists, mappings and enums, without what is left out and with what is made up.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::fault::{Cause, Stop};
use super::key::KeyText;
use super::made_up::MadeUp;
use super::value::Value;
use super::{State, id};
use crate::{Key, Kind, Node};

/// The items of a list.
pub(super) struct Items<'a> {
    owner: &'a Node,
    rest: std::slice::Iter<'a, Node>,
    state: &'a State,
}

impl<'a> Items<'a> {
    pub(super) fn new(owner: &'a Node, items: &'a [Node], state: &'a State) -> Self {
        Self { owner, rest: items.iter(), state }
    }

    /// Items that the type did not ask for.
    pub(super) fn left(self) -> usize {
        self.rest.filter(|item| !self.state.is_left_out(item)).count()
    }
}

impl<'a> SeqAccess<'a> for &mut Items<'a> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        let state = self.state;
        let Some(node) = self.rest.find(|item| !state.is_left_out(item)) else { return Ok(None) };
        seed.deserialize(Value { node, state })
            .map(Some)
            .map_err(|stop| stop.in_entry(self.owner, node, None))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A value that stands for a list of one.
pub(super) struct One<'a>(pub(super) Option<Value<'a>>);

impl<'a> SeqAccess<'a> for One<'a> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        self.0.take().map(|value| seed.deserialize(value)).transpose()
    }
}

/// The entries of a mapping.
pub(super) struct Entries<'a> {
    owner: &'a Node,
    rest: std::slice::Iter<'a, (Key, Node)>,
    made_up: std::vec::IntoIter<(&'static str, &'static str)>,
    standing_in: Option<(&'static str, &'static str)>,
    current: Option<(&'a Key, &'a Node)>,
    state: &'a State,
}

impl<'a> Entries<'a> {
    pub(super) fn new(owner: &'a Node, entries: &'a [(Key, Node)], state: &'a State) -> Self {
        let made_up = state.made_up(owner).into_iter();
        Self { owner, rest: entries.iter(), made_up, standing_in: None, current: None, state }
    }
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let state = self.state;
        self.current = None;
        if let Some((key, value)) = self.rest.find(|(_, value)| !state.is_left_out(value)) {
            self.current = Some((key, value));
            return seed.deserialize(KeyText { key }).map(Some).map_err(|stop| {
                stop.at_key(&key.place).in_entry(self.owner, value, Some(&key.name))
            });
        }
        match self.made_up.next() {
            Some((key, text)) => {
                self.standing_in = Some((key, text));
                seed.deserialize(key.into_deserializer()).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        if let Some((key, node)) = self.current.take() {
            return seed
                .deserialize(Value { node, state: self.state })
                .map_err(|stop| stop.in_entry(self.owner, node, Some(&key.name)));
        }
        let owner = id(self.owner);
        let Some((key, text)) = self.standing_in.take() else {
            return Err(Stop::new(Cause::MadeUp { owner, key: "" }));
        };
        // What a stand-in lacks is no mistake of the operator's.
        seed.deserialize(MadeUp::new(text)).map_err(|_lack| Stop::new(Cause::MadeUp { owner, key }))
    }
}

/// `variant`, or `{variant: content}`.
pub(super) struct Variant<'a> {
    name: &'a str,
    key: Option<&'a Key>,
    content: Option<&'a Node>,
    state: &'a State,
}

impl<'a> Variant<'a> {
    /// Reads the form of the node.
    pub(super) fn new(value: Value<'a>, known: &[&str]) -> Result<Self, Stop> {
        let Value { node: owner, state } = value;
        match &owner.kind {
            Kind::Text(name) => Ok(Self { name, key: None, content: None, state }),
            Kind::Map(entries) => match entries.as_slice() {
                [(key, node)] => {
                    Ok(Self { name: &key.name, key: Some(key), content: Some(node), state })
                }
                [] | [_, _, ..] => Err(Stop::new(Cause::Invalid {
                    expected: format!("one of {}", list(known)),
                    found: format!("a mapping of {} keys", entries.len()),
                })),
            },
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {
                Err(Stop::wrong_type(format!("one of {}", list(known)), owner)
                    .help("put it in quotes if it is text"))
            }
            Kind::Null | Kind::List(_) => {
                Err(Stop::wrong_type(format!("one of {}", list(known)), owner))
            }
        }
    }

    fn content(&self) -> Result<Value<'a>, Stop> {
        match self.content {
            Some(node) => Ok(Value { node, state: self.state }),
            None => Err(Stop::new(Cause::WrongType {
                expected: format!("`{}` with a value", self.name),
                found: String::new(),
                help: Some(format!("write `{{{}: ...}}`", self.name)),
            })),
        }
    }
}

/// Names in backticks.
fn list(names: &[&str]) -> String {
    format!("`{}`", names.join("`, `"))
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Stop> {
        let name: BorrowedStrDeserializer<'a, Stop> = BorrowedStrDeserializer::new(self.name);
        match seed.deserialize(name) {
            Ok(variant) => Ok((variant, self)),
            Err(stop) => Err(match self.key {
                Some(key) => stop.variant_is_key().at_key(&key.place),
                None => stop,
            }),
        }
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        match self.content {
            None | Some(Node { kind: Kind::Null, .. }) => Ok(()),
            Some(node) => Err(Stop::wrong_type(format!("`{}` without a value", self.name), node)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Stop> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'a>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        serde::Deserializer::deserialize_tuple(self.content()?, len, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        serde::Deserializer::deserialize_struct(self.content()?, "", fields, visitor)
    }
}
