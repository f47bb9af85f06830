//! A hash for tables whose keys are the operator's: eight bytes at a time, without a secret.
//!
//! Nobody outside can put a key into these tables, so nobody can make their keys collide; what a
//! client sends is only looked up, and found only where the text itself is equal.

use std::hash::{BuildHasher, Hasher};

/// Makes [`Quick`] hashers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Build;

/// The running hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quick(u64);

const FACTOR: u64 = 0xf135_7aea_2e62_a9c5;

/// The hash of a text.
pub(crate) fn of(text: &str) -> u32 {
    let mut hasher = Quick::default();
    hasher.write(text.as_bytes());
    let whole = hasher.finish();
    // The upper half, where a product mixes best.
    u32::try_from(whole >> 32).unwrap_or_default()
}

impl BuildHasher for Build {
    type Hasher = Quick;

    fn build_hasher(&self) -> Quick {
        Quick::default()
    }
}

impl Quick {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
        // The length tells apart what differs in zero bytes only.
        self.word(last ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, byte: u8) {
        self.word(byte.into());
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}
