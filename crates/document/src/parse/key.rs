//! The deserializer over a key: text, or what a text can be read as.

use serde::de::{Deserializer, EnumAccess, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::Stop;
use super::value::{AT, HANDED, Handed, PATH};
use crate::Key;

/// A key to be read.
pub(super) struct KeyText<'a> {
    pub(super) key: &'a Key,
}

macro_rules! read_as {
    ($($method:ident $visit:ident $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            match self.key.name.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(format!(
                    concat!("expected ", $expected, " as the key, found `{}`"),
                    self.key.name
                ))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyText<'de> {
    type Error = Stop;

    read_as! {
        deserialize_bool visit_bool "true or false";
        deserialize_i8 visit_i8 "a whole number";
        deserialize_i16 visit_i16 "a whole number";
        deserialize_i32 visit_i32 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
        deserialize_u8 visit_u8 "a whole number";
        deserialize_u16 visit_u16 "a whole number";
        deserialize_u32 visit_u32 "a whole number";
        deserialize_u64 visit_u64 "a whole number";
        deserialize_f32 visit_f32 "a number";
        deserialize_f64 visit_f64 "a number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_str(&self.key.name)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if name == AT || name == PATH {
            HANDED.set(Some(Handed::Place(self.key.place.clone())));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'a> EnumAccess<'a> for KeyText<'a> {
    type Error = Stop;
    type Variant = <serde::de::value::StrDeserializer<'a, Stop> as EnumAccess<'a>>::Variant;

    fn variant_seed<V: serde::de::DeserializeSeed<'a>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Stop> {
        let name: serde::de::value::StrDeserializer<'a, Stop> =
            self.key.name.as_str().into_deserializer();
        name.variant_seed(seed)
    }
}
