//! JSON without a second reading.
//!
//! 1. One object, nothing before it (no byte order mark) and nothing but space after it.
//! 2. No member twice, at any depth, compared after escapes are undone.
//! 3. Valid UTF-8, no lone surrogates.
//! 4. At most [`DEPTH_MAX`] levels.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest, the outermost object counted.
pub const DEPTH_MAX: usize = 16;

/// Reads one object.
///
/// # Errors
/// The text breaks a rule above.
pub fn object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Level(DEPTH_MAX).deserialize(&mut reader)?;
    reader.end()?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(serde_json::Error::custom("not an object"))
        }
    }
}

/// How many levels are left.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn below<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(below)?;
            if members.contains_key(&name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j12_what_is_not_one_plain_object() {
        let deep = |levels: usize| {
            format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(object(deep(DEPTH_MAX).as_bytes()).is_ok());
        let cases: [(&str, Vec<u8>); 14] = [
            ("nothing", b"".to_vec()),
            ("array", b"[{}]".to_vec()),
            ("text", b"\"a\"".to_vec()),
            ("null", b"null".to_vec()),
            ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
            ("something after", b"{}{}".to_vec()),
            ("a comma too many", b"{\"a\":1,}".to_vec()),
            ("invalid UTF-8", b"{\"a\":\"\xff\"}".to_vec()),
            ("lone surrogate", br#"{"a":"\ud800"}"#.to_vec()),
            ("twice", br#"{"a":1,"a":1}"#.to_vec()),
            ("twice by escape", br#"{"a":1,"\u0061":1}"#.to_vec()),
            ("twice below", br#"{"a":{"b":1,"b":2}}"#.to_vec()),
            ("no finite number", b"{\"a\":1e999}".to_vec()),
            ("deep", deep(DEPTH_MAX + 1).into_bytes()),
        ];
        for (name, text) in cases {
            assert!(object(&text).is_err(), "{name}");
        }
        assert!(object(deep(5_000).as_bytes()).is_err());
    }

    #[test]
    fn values_come_through() {
        let text = r#" {"a":[1,-2,1.5,true,null,"x\u00e9"],"b":{"c":{}}} "#;
        let expect: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expect);
    }
}
