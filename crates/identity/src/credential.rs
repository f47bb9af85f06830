//! The one credential of a request's `Authorization` header.
//!
//! 1. There is at most one `Authorization` header, and no control byte in it.
//! 2. A header is a scheme and one space and the rest (RFC 9110, section 11.4); schemes are the
//!    same in any case.
//! 3. `Bearer` has one token: not empty, no space in it, so `Bearer a, Bearer b` is two
//!    credentials, and refused. Whatever else a token is made of is for its verification to judge.
//! 4. Another scheme is no credential of ours: it names nobody here, and it is not taken away from
//!    the backend.
//! 5. Tokens in the query or in a body are not looked for.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::fault::Fault;

/// The bearer token of a request, if it has one.
///
/// # Errors
/// The header is not one well-formed credential.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::Header("the request has two `Authorization` headers"));
    }
    let bytes = value.as_bytes();
    // Without an early end the loop is one of whole registers.
    if bytes.iter().fold(false, |found, byte| found | byte.is_ascii_control()) {
        return Err(Fault::Header("`Authorization` has a control byte"));
    }
    let (scheme, rest) = match bytes.iter().position(|byte| *byte == b' ') {
        Some(space) => bytes.split_at(space),
        None => (bytes, [].as_slice()),
    };
    if scheme.is_empty() || !scheme.iter().all(|byte| is_token_byte(*byte)) {
        return Err(Fault::Header("`Authorization` has no scheme"));
    }
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let token = rest.strip_prefix(b" ").unwrap_or_default();
    if token.is_empty() || token.contains(&b' ') {
        return Err(Fault::Header("`Bearer` is not followed by one space and one token"));
    }
    // What is not text is no token of any kind; the empty text says so where tokens are read.
    Ok(Some(str::from_utf8(token).unwrap_or_default()))
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<String>, Fault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        bearer(&headers).map(|token| token.map(str::to_owned))
    }

    /// J13: one well-formed header counts.
    #[test]
    fn j13_one_credential() {
        for (value, expect) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER a.b-c_d~e+f/g=", Some("a.b-c_d~e+f/g=")),
            ("Bearer a,b", Some("a,b")),
            ("Bearer {\"payload\":\"x\"}", Some("{\"payload\":\"x\"}")),
            ("Basic dXNlcjpwYXNz", None),
            ("Negotiate", None),
            ("DPoP abc", None),
            ("BearerX abc", None),
            ("Digest username=\"a\", realm=\"b\"", None),
        ] {
            assert_eq!(read(&[value.as_bytes()]).unwrap().as_deref(), expect, "{value}");
        }
        assert_eq!(read(&[]), Ok(None));
        for values in [
            &[b"Bearer a".as_slice(), b"Bearer a"][..],
            &[b"Bearer a", b"Basic b"],
            &[b"Basic b", b"Bearer a"],
            &[b"Basic a", b"Basic b"],
            &[b"Bearer a", b""],
            &[b""],
            &[b" "],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Bearer  a"],
            &[b"Bearer a "],
            &[b"Bearer\ta"],
            &[b"Bearer a\tb"],
            &[b"Bearer a, Bearer b"],
            &[b"Bearer a,Bearer b"],
            &[b" Bearer a"],
            &[b"B\xc3\xa4rer a"],
            &[b"Bearer, a"],
        ] {
            assert!(matches!(read(values), Err(Fault::Header(_))), "{values:?}");
        }
        assert_eq!(read(&[b"Bearer \xff\xfe"]).unwrap().as_deref(), Some(""));
    }
}
