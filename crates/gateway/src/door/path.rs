//! A path's one canonical form.
//!
//! 1. It holds `/`, what RFC 3986 (3.3) admits raw in a segment, and escapes in upper case.
//! 2. Unreserved octets (2.3) are never escaped: they are decoded, once. A decoded `%` stays
//!    escaped, so nothing is ever decoded twice.
//! 3. Escapes hide no control byte and are UTF-8 (RFC 3629: no overlong forms, no surrogates).
//! 4. Dot segments are resolved, empty segments merged, and a path that ends in either keeps its
//!    last slash. `..` never climbs over the root and never stands in a path with empty segments.
//! 5. Where a profile admits `;`, `%2F` or `%5C`, and around `%3B`, no part between them is `.` or
//!    `..`, and the part before the first is not empty: a backend that cuts or splits there finds
//!    no dot segment and no empty one.
//! 6. A canonical path is its own canonical form; one that arrives so is not copied.

use std::borrow::Cow;

use policy::Malformed;
use upstream::paths::PathProfile;

use super::fault::Fault;
use super::limits::Limits;

/// Makes a path canonical.
pub(super) fn canonical<'a>(
    path: &'a str,
    limits: &Limits,
    profile: PathProfile,
) -> Result<Cow<'a, str>, Fault> {
    if path.len() > limits.path_bytes {
        return Err(Fault::TargetTooLong("the path is longer than its limit"));
    }
    let Some(tail) = path.strip_prefix('/') else {
        return Err(Fault::Malformed(Malformed::Target, "the path does not begin with a slash"));
    };
    if memchr::memchr_iter(b'/', path.as_bytes()).count() > limits.path_segments {
        return Err(Fault::TargetTooLong("the path has more segments than its limit"));
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let resolved = resolve(tail, profile)?;
    if resolved.len() > limits.path_bytes {
        return Err(Fault::TargetTooLong("the path is longer than its limit once escaped"));
    }
    Ok(if resolved == path { Cow::Borrowed(path) } else { Cow::Owned(resolved) })
}

/// Whether two bytes after a `%` are hexadecimal: the octet that they stand for.
pub(super) fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some((digit(high)? << 4) | digit(low)?)
}

/// One look at a path that is canonical in the common way; what it does not know is resolved.
fn is_plain(path: &[u8]) -> bool {
    let mut rest = path;
    loop {
        rest = match rest {
            [] => return true,
            [b'/', b'/', ..] | [b'/', b'.'] | [b'/', b'.', b'/' | b'.', ..] => return false,
            [b'/', tail @ ..] => tail,
            [b'%', high, low, tail @ ..] if is_kept_plainly(*high, *low) => tail,
            [byte, tail @ ..] if is_segment_byte(*byte) => tail,
            _ => return false,
        }
    }
}

/// An upper-case escape of an octet that is only data: printable ASCII that is neither unreserved
/// nor something that a profile or a backend could take for a separator.
fn is_kept_plainly(high: u8, low: u8) -> bool {
    !high.is_ascii_lowercase()
        && !low.is_ascii_lowercase()
        && octet(high, low).is_some_and(|octet| {
            matches!(octet, 0x20..=0x7e)
                && !is_unreserved(octet)
                && !matches!(octet, b'/' | b'\\' | b';')
        })
}

fn resolve(tail: &str, profile: PathProfile) -> Result<String, Fault> {
    // Its last byte is a slash whenever a segment begins.
    let mut out = String::with_capacity(tail.len() + 8);
    out.push('/');
    let (mut empty, mut climbed) = (false, false);
    let mut segments = tail.split('/').peekable();
    while let Some(raw) = segments.next() {
        let start = out.len();
        Segment { out: &mut out, profile, part: start, parts: 0 }.write(raw)?;
        match out.get(start..).unwrap_or_default() {
            "" => empty |= segments.peek().is_some(),
            "." => out.truncate(start),
            ".." => {
                climbed = true;
                out.truncate(start);
                climb(&mut out)?;
            }
            _ if segments.peek().is_some() => out.push('/'),
            _ => {}
        }
    }
    if empty && climbed {
        return Err(dots("`..` in a path with empty segments"));
    }
    Ok(out)
}

/// Takes the last segment off a path that ends in a slash.
fn climb(out: &mut String) -> Result<(), Fault> {
    out.pop();
    match out.rfind('/') {
        Some(parent) => {
            out.truncate(parent + 1);
            Ok(())
        }
        None => Err(dots("`..` climbs over the root")),
    }
}

/// Writes one segment in canonical form.
struct Segment<'a> {
    out: &'a mut String,
    profile: PathProfile,
    /// Where the part since the last parameter or encoded separator begins.
    part: usize,
    /// How many parts have ended.
    parts: usize,
}

impl Segment<'_> {
    fn write(mut self, raw: &str) -> Result<(), Fault> {
        let mut rest = raw.as_bytes();
        loop {
            rest = match rest {
                [] => break,
                [b'%', high, low, tail @ ..] => {
                    let octet = octet(*high, *low).ok_or_else(bad_escape)?;
                    if octet >= 0x80 { self.utf8(rest)? } else { self.escaped(octet, tail)? }
                }
                [byte, tail @ ..] => {
                    self.raw(*byte)?;
                    tail
                }
            }
        }
        if self.parts > 0 { self.end_part() } else { Ok(()) }
    }

    fn raw(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b';' if self.profile.parameters => self.separator(";"),
            b';' => Err(Fault::Malformed(Malformed::PathParameter, "`;` in the path")),
            b'%' => Err(bad_escape()),
            b'\\' => Err(Fault::Malformed(Malformed::Backslash, "a backslash in the path")),
            b'#' => Err(Fault::Malformed(Malformed::Fragment, "a fragment in the path")),
            _ if is_segment_byte(byte) => {
                self.out.push(char::from(byte));
                Ok(())
            }
            0x21..=0x7e => {
                self.escape(byte);
                Ok(())
            }
            _ => Err(Fault::Malformed(Malformed::ControlByte, "a byte that no path may hold")),
        }
    }

    fn escaped<'r>(&mut self, octet: u8, tail: &'r [u8]) -> Result<&'r [u8], Fault> {
        match octet {
            0x00..=0x1f | 0x7f => Err(escape("an escaped control byte")),
            b'/' if self.profile.danger_encoded_slash => self.separator("%2F").map(|()| tail),
            b'/' => Err(escape("an escaped slash")),
            b'\\' if self.profile.danger_encoded_backslash => self.separator("%5C").map(|()| tail),
            b'\\' => Err(escape("an escaped backslash")),
            b';' => self.separator("%3B").map(|()| tail),
            _ if is_unreserved(octet) => {
                self.out.push(char::from(octet));
                Ok(tail)
            }
            _ => {
                self.escape(octet);
                Ok(tail)
            }
        }
    }

    /// Keeps the escapes of one character outside ASCII.
    fn utf8<'r>(&mut self, rest: &'r [u8]) -> Result<&'r [u8], Fault> {
        let bad = || escape("escapes that are not UTF-8");
        let mut character = [0_u8; 4];
        let mut tail = rest;
        for length in 1..=character.len() {
            let [b'%', high, low, after @ ..] = tail else { return Err(bad()) };
            tail = after;
            let octet = octet(*high, *low).ok_or_else(bad_escape)?;
            if let Some(slot) = character.get_mut(length - 1) {
                *slot = octet;
            }
            let so_far = character.get(..length).unwrap_or_default();
            match std::str::from_utf8(so_far) {
                Ok(_) => {
                    for octet in so_far {
                        self.escape(*octet);
                    }
                    return Ok(tail);
                }
                Err(fault) if fault.error_len().is_some() => return Err(bad()),
                Err(_) => {}
            }
        }
        Err(bad())
    }

    fn escape(&mut self, octet: u8) {
        let digit = |nibble: u8| match nibble {
            0..=9 => char::from(b'0' + nibble),
            _ => char::from(b'A' + nibble - 10),
        };
        self.out.extend(['%', digit(octet >> 4), digit(octet & 0x0f)]);
    }

    fn separator(&mut self, written: &str) -> Result<(), Fault> {
        self.end_part()?;
        self.parts += 1;
        self.out.push_str(written);
        self.part = self.out.len();
        Ok(())
    }

    fn end_part(&self) -> Result<(), Fault> {
        match self.out.get(self.part..).unwrap_or_default() {
            "." | ".." => Err(dots("a dot segment beside a parameter or an encoded separator")),
            "" if self.parts == 0 => Err(dots("nothing before a parameter or encoded separator")),
            _ => Ok(()),
        }
    }
}

/// RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986, 3.3, without `;`.
fn is_segment_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@'
        )
}

fn dots(detail: &'static str) -> Fault {
    Fault::Malformed(Malformed::DotSegment, detail)
}

fn escape(detail: &'static str) -> Fault {
    Fault::Malformed(Malformed::Escape, detail)
}

fn bad_escape() -> Fault {
    escape("`%` without two hexadecimal digits")
}

#[cfg(test)]
mod tests;
