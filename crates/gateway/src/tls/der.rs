//! Reading DER (X.690) where the TLS library does not show what is needed.
//!
//! 1. Definite lengths of at most four octets, single-octet tags: all that a certificate or a
//!    revocation list uses. Anything else ends the reading.
//! 2. Borrowed throughout: nothing is copied, nothing can be longer than what was given.

/// Boolean.
pub(super) const BOOLEAN: u8 = 0x01;
/// Integer.
pub(super) const INTEGER: u8 = 0x02;
/// Bit string.
pub(super) const BIT_STRING: u8 = 0x03;
/// Octet string.
pub(super) const OCTET_STRING: u8 = 0x04;
/// Object identifier.
pub(super) const OID: u8 = 0x06;
/// UTF-8 string.
pub(super) const UTF8_STRING: u8 = 0x0c;
/// Printable string.
pub(super) const PRINTABLE_STRING: u8 = 0x13;
/// IA5 string.
pub(super) const IA5_STRING: u8 = 0x16;
/// Time with two digits of the year.
pub(super) const UTC_TIME: u8 = 0x17;
/// Time with four digits of the year.
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// Sequence.
pub(super) const SEQUENCE: u8 = 0x30;
/// Set.
pub(super) const SET: u8 = 0x31;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(&'a [u8]);

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    /// Its tag.
    pub(super) tag: u8,
    /// Its content.
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// Begins at the first octet.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the one element that the bytes are.
    pub(super) fn only(bytes: &'a [u8], tag: u8) -> Option<Self> {
        let mut der = Self(bytes);
        let content = der.take(tag)?;
        der.is_empty().then_some(Self(content))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag that comes next.
    pub(super) fn peek(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element; `None` at the end and where the bytes are not DER.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let start = self.0;
        let (&tag, rest) = start.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets.iter().fold(0_usize, |sum, &o| (sum << 8) | usize::from(o));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = start.get(..start.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, content, whole })
    }

    /// The content of the next element, where it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.next().map(|element| element.content)
    }
}

/// An unsigned integer's octets without leading zeros; `None` where it is negative or empty.
pub(super) fn unsigned(content: &[u8]) -> Option<&[u8]> {
    let first = *content.first()?;
    if first & 0x80 != 0 {
        return None;
    }
    let zeros = content.iter().take_while(|&&octet| octet == 0).count();
    content.get(zeros..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_whole_and_nothing_else() {
        let mut der = Der::new(&[0x02, 0x01, 0x05, 0x04, 0x00]);
        assert_eq!(der.take(INTEGER), Some(&[5][..]));
        assert_eq!(der.take(INTEGER), None, "an octet string comes next");
        assert_eq!(der.take(OCTET_STRING), Some(&[][..]));
        assert!(der.is_empty());
        for bad in [&[0x02][..], &[0x02, 0x80], &[0x02, 0x05, 1], &[0x1f, 0x01, 0], &[0x02, 0x85]] {
            assert!(Der::new(bad).next().is_none(), "{bad:?}");
        }
        let mut long = vec![0x04, 0x81, 0x80];
        long.extend([7; 128]);
        assert_eq!(Der::new(&long).next().map(|e| e.content.len()), Some(128));
    }

    #[test]
    fn integers_lose_their_leading_zeros() {
        assert_eq!(unsigned(&[0, 0x80]), Some(&[0x80][..]));
        assert_eq!(unsigned(&[0]), Some(&[][..]));
        assert_eq!(unsigned(&[0x80]), None);
        assert_eq!(unsigned(&[]), None);
    }
}
