//! Small rules about text that comes from outside.

/// Whether a text can stand in a header, a log line and an audit record without surprise: not
/// empty, at most `bytes_max` bytes, no control characters, no line or paragraph separators, no
/// characters that reorder what is around them, and no space at either end.
pub(crate) fn is_plain(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(|c| c.is_control() || is_deceptive(c))
}

/// 32 bytes as 64 lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
    })
}

/// The other way, for lower-case digits alone.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().try_fold(0_u8, |sum, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some(sum << 4 | value)
        })?;
    }
    Some(bytes)
}

/// Separators, and what changes the direction or hides in the middle of a word.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text() {
        for good in ["alice", "Åsa Öst", "spiffe://example.com/a b", "日本"] {
            assert!(is_plain(good, 32), "{good}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a\nb",
            "a\0",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{202e}a",
            "\u{feff}a",
            "a\u{200b}b",
        ] {
            assert!(!is_plain(bad, 32), "{bad:?}");
        }
        assert!(!is_plain("abc", 2));
    }

    #[test]
    fn hexadecimal_both_ways() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 7).unwrap());
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        assert_eq!(from_hex(&to_hex(&bytes).to_uppercase()), None);
        assert_eq!(from_hex("00"), None);
    }
}
