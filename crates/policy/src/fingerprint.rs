//! Names a policy by its source: FNV-1a over 128 bits of the tree of nodes.
//!
//! Stable across processes, machines and versions of the compiler, blind to places, comments and
//! layout. It tells versions of a policy apart in audit records; it is no secret and no proof
//! against someone who may write policies.

use document::{Kind, Node};

/// The running hash.
pub(crate) struct Fingerprint(u128);

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(OFFSET)
    }

    /// Adds a section under its name; an absent section differs from an empty one.
    pub(crate) fn section(&mut self, name: &str, node: Option<&Node>) {
        self.text(name);
        match node {
            Some(node) => self.node(node),
            None => self.bytes(b"-"),
        }
    }

    /// The number itself.
    pub(crate) fn key(&self) -> u128 {
        self.0
    }

    pub(crate) fn finish(&self) -> Box<str> {
        format!("{:032x}", self.0).into()
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Null => self.bytes(b"n"),
            Kind::Bool(value) => self.bytes(if *value { b"t" } else { b"f" }),
            Kind::Int(value) => {
                self.bytes(b"i");
                self.bytes(&value.to_le_bytes());
            }
            Kind::Float(value) => {
                self.bytes(b"d");
                self.bytes(&value.to_bits().to_le_bytes());
            }
            Kind::Text(value) => self.text(value),
            Kind::List(items) => {
                self.bytes(b"[");
                for item in items {
                    self.node(item);
                }
                self.bytes(b"]");
            }
            Kind::Map(entries) => {
                self.bytes(b"{");
                for (key, value) in entries {
                    self.text(&key.name);
                    self.node(value);
                }
                self.bytes(b"}");
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(b"s");
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn the_hash_is_the_published_one() {
        let mut empty = Fingerprint::new();
        assert_eq!(&*empty.finish(), "6c62272e07bb014262b821756295c58d");
        empty.bytes(b"a");
        assert_eq!(&*empty.finish(), "d228cb696f1a8caf78912b704e4a8964");
    }
}
