//! How a token is written.
//!
//! `pcl_` `<id>` `_` `<secret>` `<checksum>`, always 66 bytes of ASCII:
//!
//! - `id`: 12 of `a-z2-7`, 60 random bits;
//! - `secret`: 43 of `0-9A-Za-z`, each drawn evenly, 256.03 random bits;
//! - `checksum`: 6 of `0-9A-Za-z`, from the SHA-256 of all that stands before it.
//!
//! There is one way to write a token: another case, another length or another alphabet is not one.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::sha::sha256;
use zeroize::Zeroizing;

/// What every token begins with, for scanners of leaked secrets and for the reader.
const PREFIX: &str = "pcl_";

/// The name of a token: not secret, safe to print.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; Self::LENGTH_BYTES]);

/// A well-formed token. Its secret cannot be printed.
pub struct Token {
    text: Zeroizing<String>,
    id: Id,
}

impl Token {
    /// The length of every token.
    pub const LENGTH_BYTES: usize =
        PREFIX.len() + Id::LENGTH_BYTES + 1 + SECRET_LENGTH_BYTES + CHECKSUM_LENGTH_BYTES;

    /// Whether this text claims to be one of ours, well-formed or not.
    pub fn claims(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a token.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::LENGTH_BYTES || !text.is_ascii() {
            return None;
        }
        let (id, rest) = text.strip_prefix(PREFIX)?.split_at_checked(Id::LENGTH_BYTES)?;
        let id = Id::parse(id)?;
        let secret = rest.strip_prefix('_')?;
        let (body, sum) = text.split_at_checked(text.len() - CHECKSUM_LENGTH_BYTES)?;
        let well_formed =
            secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) && sum == checksum(body);
        well_formed.then(|| Self { text: Zeroizing::new(text.to_owned()), id })
    }

    /// Draws a new token.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn draw() -> Result<Self, ErrorStack> {
        let id = Id::draw()?;
        let mut text = Zeroizing::new(String::with_capacity(Self::LENGTH_BYTES));
        text.push_str(PREFIX);
        text.push_str(id.as_str());
        text.push('_');
        draw_letters(LETTERS, SECRET_LENGTH_BYTES, &mut text)?;
        let sum = checksum(&text);
        text.push_str(&sum);
        Ok(Self { text, id })
    }

    /// Its name.
    pub fn id(&self) -> Id {
        self.id
    }

    /// What the store keeps of it.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }

    /// The token itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl Id {
    /// The length of every id.
    pub const LENGTH_BYTES: usize = 12;

    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::LENGTH_BYTES] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| ID_LETTERS.contains(byte)).then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    fn draw() -> Result<Self, ErrorStack> {
        let mut bytes = [0; Self::LENGTH_BYTES];
        rand_bytes(&mut bytes)?;
        // 32 letters: every byte falls on each letter equally often.
        Ok(Self(bytes.map(|byte| letter(ID_LETTERS, usize::from(byte)))))
    }
}

const SECRET_LENGTH_BYTES: usize = 43;
const CHECKSUM_LENGTH_BYTES: usize = 6;
const ID_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn letter(letters: &[u8], number: usize) -> u8 {
    letters.get(number % letters.len()).copied().unwrap_or_default()
}

/// Appends letters that are each drawn evenly: bytes beyond the last whole multiple are drawn again.
fn draw_letters(letters: &[u8], count: usize, into: &mut String) -> Result<(), ErrorStack> {
    let even_max = 256 - 256 % letters.len();
    let mut drawn = Zeroizing::new([0_u8; 64]);
    let mut missing = count;
    while missing > 0 {
        rand_bytes(drawn.as_mut_slice())?;
        for byte in drawn.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even_max) {
            if missing == 0 {
                break;
            }
            into.push(char::from(letter(letters, byte)));
            missing -= 1;
        }
    }
    Ok(())
}

fn checksum(body: &str) -> String {
    let [a, b, c, d, ..] = sha256(body.as_bytes());
    let mut number = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or_default();
    let mut text = String::with_capacity(CHECKSUM_LENGTH_BYTES);
    for _ in 0..CHECKSUM_LENGTH_BYTES {
        text.push(char::from(letter(LETTERS, number)));
        number /= LETTERS.len();
    }
    text
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!("`{text}` is not the id of a token"))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn drawn_tokens_are_read_and_differ() {
        let (one, two) = (Token::draw().unwrap(), Token::draw().unwrap());
        assert_eq!(one.expose().len(), Token::LENGTH_BYTES);
        assert_eq!(Token::parse(one.expose()).unwrap().digest(), one.digest());
        assert_ne!(one.id(), two.id());
        assert_ne!(one.digest(), two.digest());
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    /// J15: cut by one, case flipped, padded.
    #[test]
    fn j15_a_token_that_was_cut_or_changed_is_not_one() {
        let token = Token::draw().unwrap();
        let text = token.expose();
        let (cut, _) = text.split_at(text.len() - 1);
        for wrong in [
            cut.to_owned(),
            format!("{text}0"),
            format!(" {text}"),
            text.to_uppercase(),
            text.replacen("pcl_", "PCL_", 1),
            text.replacen('_', "-", 1),
            String::new(),
            "pcl_".to_owned(),
            "ä".repeat(33),
        ] {
            assert!(Token::parse(&wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_single_changed_byte_survives(at in 0..Token::LENGTH_BYTES, by in 1..=255_u8) {
            let token = Token::draw().unwrap();
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[at] ^= by;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(Token::parse(&text).is_none());
            }
        }

        #[test]
        fn reading_never_panics(text in ".*") {
            let read = Token::parse(&text);
            prop_assert!(read.is_none_or(|token| token.expose() == text));
        }
    }
}
