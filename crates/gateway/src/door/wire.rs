//! The head of an HTTP/1 request as the socket gave it (RFC 9112, 2 to 5), judged more strictly
//! than the parser that reads it.
//!
//! 1. Lines end in CRLF: no bare LF, no bare CR; at most one empty line before the first.
//! 2. The request line is `method SP target SP version`, its target printable ASCII without `#`.
//! 3. A field's name is a token right before its colon; a line that begins with whitespace (a folded
//!    value) is refused, and so is a control byte other than a tab in a value.
//! 4. A length or a coding stands alone: once, not both, and without padding around its value. A
//!    length is plain digits; a coding is `chunked`, and on HTTP/1.1 only.
//! 5. What follows the head's empty line is not looked at.

use http::Version;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use policy::Malformed;

use super::fault::Fault;

/// What is said of bytes that stop before their empty line.
pub(super) const NO_END: Fault = Fault::Malformed(Malformed::Framing, "the head has no end");

/// Digits that always fit: more than an exabyte needs no body limit to be refused.
const LENGTH_DIGITS_MAX: usize = 18;

/// A head whose lines are unambiguous.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    /// The method, a token.
    pub(super) method: &'a [u8],
    /// The target, printable ASCII.
    pub(super) target: &'a [u8],
    /// Bytes of the head, its last empty line included.
    pub(super) bytes: usize,
    /// How many fields it has.
    pub(super) fields: usize,
    /// The value of `Host`, where it has one and no more.
    pub(super) host: Option<&'a [u8]>,
}

impl<'a> Wire<'a> {
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, Fault> {
        let mut lines = Lines { rest: raw };
        let mut first = lines.next()?;
        if first.is_empty() {
            first = lines.next()?;
        }
        if first.is_empty() {
            return framing("more than one empty line before the request");
        }
        let (method, target, version) = request_line(first)?;
        let (mut fields, mut framed, mut hosts, mut host) = (0_usize, 0_usize, 0_usize, None);
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = field(line)?;
            fields += 1;
            if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str().as_bytes()) {
                framed += 1;
                length(unpadded(value)?)?;
            } else if name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes()) {
                framed += 1;
                coding(unpadded(value)?, version)?;
            } else if name.eq_ignore_ascii_case(HOST.as_str().as_bytes()) {
                hosts += 1;
                host = Some(value.trim_ascii());
            }
        }
        if framed > 1 {
            return framing("more than one length or coding");
        }
        let host = host.filter(|_| hosts == 1);
        Ok(Self { method, target, bytes: raw.len() - lines.rest.len(), fields, host })
    }
}

/// Whether a length is plain digits that fit (RFC 9110, 8.6).
pub(super) fn length(value: &[u8]) -> Result<(), Fault> {
    match value {
        b"0" => Ok(()),
        [b'1'..=b'9', rest @ ..]
            if rest.len() < LENGTH_DIGITS_MAX && rest.iter().all(u8::is_ascii_digit) =>
        {
            Ok(())
        }
        _ => framing("a length that is not plain digits"),
    }
}

/// Whether a coding is one that both sides of the gateway read alike (RFC 9112, 6.1).
pub(super) fn coding(value: &[u8], version: Version) -> Result<(), Fault> {
    if !value.eq_ignore_ascii_case(b"chunked") {
        return framing("a coding other than `chunked`");
    }
    if version != Version::HTTP_11 {
        return framing("a coding on a version that has none");
    }
    Ok(())
}

/// Whether a byte may stand in a token (RFC 9110, 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).is_some_and(|token| *token)
}

/// Whether a field's value holds a control byte other than a tab. Folded without an early exit, so
/// that it is a few vector instructions a line.
pub(super) fn has_control(value: &[u8]) -> bool {
    value
        .iter()
        .fold(0_u8, |seen, byte| seen | u8::from(matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f)))
        != 0
}

/// Lines that end in CRLF, without it.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a [u8], Fault> {
        let Some((line, rest)) =
            memchr::memchr(b'\n', self.rest).and_then(|end| self.rest.split_at_checked(end + 1))
        else {
            return Err(NO_END);
        };
        self.rest = rest;
        match line {
            [line @ .., b'\r', b'\n'] => Ok(line),
            _ => framing("a line that ends in a bare line feed"),
        }
    }
}

fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], Version), Fault> {
    let target = |detail| Err(Fault::Malformed(Malformed::Target, detail));
    let Some((method, rest)) = split(line, memchr::memchr(b' ', line)) else {
        return target("a request line without a target");
    };
    if method.is_empty() || !method.iter().copied().all(is_token) {
        return Err(Fault::Method("the method is no token"));
    }
    let Some((path, version)) = split(rest, memchr::memrchr(b' ', rest)) else {
        return Err(Fault::Malformed(Malformed::Version, "a request line without a version"));
    };
    let version = match version {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        _ => return Err(Fault::Malformed(Malformed::Version, "not HTTP/1.0 or 1.1")),
    };
    if path.is_empty() {
        return target("an empty target");
    }
    if !path.iter().all(u8::is_ascii_graphic) {
        return Err(Fault::Malformed(Malformed::ControlByte, "a byte that no target may hold"));
    }
    if path.contains(&b'#') {
        return Err(Fault::Malformed(Malformed::Fragment, "a fragment in the target"));
    }
    Ok((method, path, version))
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let header = |detail| Err(Fault::Malformed(Malformed::Header, detail));
    let end = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    match (name, rest) {
        ([], [b' ' | b'\t', ..]) => framing("a folded line"),
        ([], _) => header("a field without a name"),
        ([..], [b':', value @ ..]) if !has_control(value) => Ok((name, value)),
        ([..], _) if line.contains(&b'\r') => framing("a carriage return inside a line"),
        ([..], [b':', ..]) => header("a control byte in a value"),
        ([..], [b' ' | b'\t', ..]) => framing("whitespace before a colon"),
        ([..], [_, ..]) => header("a name that is no token"),
        ([..], []) => header("a line without a colon"),
    }
}

/// The value of a field that frames the message: nothing but one space may stand around it.
fn unpadded(value: &[u8]) -> Result<&[u8], Fault> {
    let bare = value.strip_prefix(b" ").unwrap_or(value);
    if bare.is_empty() || bare.trim_ascii().len() != bare.len() {
        return framing("padding around a length or coding");
    }
    Ok(bare)
}

/// What stands before and after the byte at `at`.
fn split(bytes: &[u8], at: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, from) = bytes.split_at_checked(at?)?;
    from.split_first().map(|(_, after)| (before, after))
}

fn framing<T>(detail: &'static str) -> Result<T, Fault> {
    Err(Fault::Malformed(Malformed::Framing, detail))
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, with a byte for an index")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut letters: &[u8] = b"!#$%&'*+-.^_`|~0123456789\
        ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while let [letter, rest @ ..] = letters {
        table[*letter as usize] = true;
        letters = rest;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn what(raw: &[u8]) -> Option<Malformed> {
        match Wire::read(raw) {
            Ok(_) => None,
            Err(Fault::Malformed(what, _)) => Some(what),
            Err(Fault::Method(_)) => Some(Malformed::Method),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn s8_s9_s10_lines_names_and_versions() {
        use Malformed::{ControlByte, Fragment, Framing, Header, Method, Target, Version};
        let cases: &[(&[u8], Option<Malformed>)] = &[
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
            (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
            (b"GET / HTTP/1.1\r\nHost:a\r\nX: \xe9\tb \r\n\r\nbody\n\r", None),
            (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Framing)),
            (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\nHost: a\n\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\n X: a\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nX : a\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nX\t: a\r\n\r\n", Some(Framing)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", Some(Framing)),
            (b"", Some(Framing)),
            (b"GET / HTTP/1.1\r\n: a\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.1\r\nX\x85: a\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.1\r\nX\x00: a\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.1\r\nX: a\x00\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.1\r\nX\r\n\r\n", Some(Header)),
            (b"GET / HTTP/1.2\r\n\r\n", Some(Version)),
            (b"GET / HTTP/2.0\r\n\r\n", Some(Version)),
            (b"GET / HTTP/1.1 \r\n\r\n", Some(Version)),
            (b"GET / http/1.1\r\n\r\n", Some(Version)),
            (b"GET /\r\n\r\n", Some(Version)),
            (b"GET\r\n\r\n", Some(Target)),
            (b"GET  HTTP/1.1\r\n\r\n", Some(Target)),
            (b"GET  / HTTP/1.1\r\n\r\n", Some(ControlByte)),
            (b"GET /a b HTTP/1.1\r\n\r\n", Some(ControlByte)),
            (b"GET /a\tb HTTP/1.1\r\n\r\n", Some(ControlByte)),
            (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", Some(ControlByte)),
            (b"GET /a#b HTTP/1.1\r\n\r\n", Some(Fragment)),
            (b"G\x00T / HTTP/1.1\r\n\r\n", Some(Method)),
            (b" GET / HTTP/1.1\r\n\r\n", Some(Method)),
        ];
        for (raw, expected) in cases {
            assert_eq!(what(raw), *expected, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn s1_s2_s3_s4_lengths_and_codings_stand_alone() {
        for (lines, passes) in [
            ("Content-Length: 5", true),
            ("content-length:5", true),
            ("Transfer-Encoding: chunked", true),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", false),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", false),
            ("Content-Length: 5\r\nContent-Length: 5", false),
            ("TRANSFER-ENCODING: chunked\r\ntransfer-encoding: identity", false),
            ("Content-Length: 5 ", false),
            ("Content-Length:  5", false),
            ("Content-Length:\t5", false),
            ("Content-Length: ", false),
            ("Transfer-Encoding: \tchunked", false),
            ("Transfer-Encoding: chunked\x0b", false),
            ("Transfer-Encoding : chunked", false),
        ] {
            let raw = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
            assert_eq!(Wire::read(raw.as_bytes()).is_ok(), passes, "{lines:?}");
        }
    }

    #[test]
    fn what_follows_the_head_is_not_counted() {
        let wire = Wire::read(b"PUT /x HTTP/1.1\r\nHost: a\r\n\r\nbare\nbody").unwrap();
        assert_eq!((wire.method, wire.target, wire.bytes), (&b"PUT"[..], &b"/x"[..], 28));
    }
}
