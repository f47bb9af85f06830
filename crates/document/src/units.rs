//! Values with a unit: durations as `15m`, sizes as `64KiB`, paths relative to their file.

use std::path::PathBuf;

/// A length of time, written `500ms`, `30s`, `15m`, `12h`, `7d` or as a sum (`1h30m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// A number of bytes, written `512B`, `64KiB`, `1MiB`, `2GiB` or as a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A path, made absolute or relative to the working directory by joining it to the directory of
/// the file in which it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilePath(pub PathBuf);

/// One value or a list of them: `ca: a.crt` and `ca: [a.crt, b.crt]` are the same to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> { todo!() }
}
impl<T: schemars::JsonSchema> schemars::JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> { T::schema_name() }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema { todo!() }
}

macro_rules! stub { ($($t:ty),*) => {$(
    impl<'de> serde::Deserialize<'de> for $t {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> { todo!() }
    }
    impl schemars::JsonSchema for $t {
        fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($t).into() }
        fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema { todo!() }
    }
)*} }
stub!(Duration, Size, FilePath);
