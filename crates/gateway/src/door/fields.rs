//! The fields of a head, one by one and together.
//!
//! 1. As many as the limit at most, each value counted (a cookie in ten crumbs is ten), and no more
//!    bytes than the limit in the whole head.
//! 2. No name that folds to `X-Portcullis-...`: letters and digits compared without case, whatever
//!    stands between them. A backend that turns names into variables (CGI, WSGI) folds so too.
//! 3. No name that such a backend folds to a field that frames the message (`Transfer_Encoding`).
//! 4. No control byte in a value. (That names are tokens is a property of their type.)
//! 5. `Connection` is a list of at most 8 tokens and nominates nothing that the gateway or the
//!    backend's decision rests on.
//! 6. `Expect` is one `100-continue` (RFC 9110, 10.1.1), or 417.
//! 7. One plain `Content-Length`, or one `Transfer-Encoding` that is exactly `chunked`, on HTTP/1.1.

use filter::RequestHeader;
use http::{HeaderMap, HeaderValue, header};
use policy::Malformed;

use super::fault::Fault;
use super::limits::Limits;
use super::wire::{self, Wire, has_control, is_token};

const GRPC: &[u8] = b"application/grpc";
const NOMINATIONS_MAX: usize = 8;
/// What a name, a value and what stands between and around them take on HTTP/2, at least.
const FIELD_OVERHEAD_BYTES: usize = 4;

pub(super) fn check(
    head: &RequestHeader,
    wire: Option<&Wire<'_>>,
    limits: &Limits,
) -> Result<(), Fault> {
    let headers = &head.headers;
    if headers.len() > limits.header_count {
        return Err(Fault::FieldsTooLarge("more header fields than the limit"));
    }
    let mut bytes = head.raw_path().len();
    for (name, value) in headers {
        bytes += name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES;
        check_name(name.as_str())?;
        if wire.is_none() && has_control(value.as_bytes()) {
            return Err(Fault::Malformed(Malformed::Header, "a control byte in a value"));
        }
    }
    if wire.map_or(bytes, |wire| wire.bytes) > limits.head_bytes {
        return Err(Fault::FieldsTooLarge("the head is longer than its limit"));
    }
    check_connection(headers)?;
    check_expect(headers)?;
    check_framing(head)
}

/// Whether the body is gRPC: `application/grpc`, alone, with a codec (`+proto`) or parameters.
pub(crate) fn grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    value.as_bytes().split_at_checked(GRPC.len()).is_some_and(|(kind, rest)| {
        kind.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ', ..])
    })
}

/// Whether a comma-separated field names a token.
pub(super) fn lists(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        let items = value.as_bytes().split(|byte| *byte == b',');
        items.into_iter().any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}

/// The only value of a field; `Err` where there are several.
pub(super) fn only(
    headers: &HeaderMap,
    name: header::HeaderName,
) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value),
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if is_reserved(name) {
        return Err(Fault::Malformed(Malformed::ReservedHeader, "a name of the gateway's own"));
    }
    let odd = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'-';
    if name.bytes().any(odd)
        && (folds_to(name, b"contentlength", false) || folds_to(name, b"transferencoding", false))
    {
        return Err(Fault::Malformed(Malformed::Framing, "a look-alike of a framing field"));
    }
    Ok(())
}

/// Whether a name folds to one that only the gateway sets. Almost every name differs in its first
/// letter or, after `x`, in its second.
fn is_reserved(name: &str) -> bool {
    folds_to(name, b"xportcullis", true)
}

/// Whether the letters and digits of a name are (or begin with) `word`.
fn folds_to(name: &str, word: &[u8], or_more: bool) -> bool {
    let mut folded = name.bytes().filter(u8::is_ascii_alphanumeric);
    let begins = word
        .iter()
        .all(|letter| folded.next().is_some_and(|byte| byte.eq_ignore_ascii_case(letter)));
    begins && (or_more || folded.next().is_none())
}

fn check_connection(headers: &HeaderMap) -> Result<(), Fault> {
    let connection = |detail| Err(Fault::Malformed(Malformed::Connection, detail));
    let mut count = 0_usize;
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            let Ok(text) = std::str::from_utf8(token) else {
                return connection("a nomination that is not ASCII");
            };
            if token.is_empty() || !token.iter().copied().all(is_token) {
                return connection("a nomination that is no token");
            }
            count += 1;
            if count > NOMINATIONS_MAX {
                return connection("more than eight nominations");
            }
            if is_protected(text) {
                return connection("a nomination of a field that must not be removed");
            }
        }
    }
    Ok(())
}

/// What a hop must not take off a request: who asks, for what, from where, and how it is framed.
fn is_protected(token: &str) -> bool {
    const PROTECTED: [&str; 11] = [
        "host",
        "cookie",
        "authorization",
        "content-length",
        "content-type",
        "transfer-encoding",
        "forwarded",
        "x-real-ip",
        "x-request-id",
        "traceparent",
        "tracestate",
    ];
    const FORWARDED: &str = "x-forwarded-";
    PROTECTED.iter().any(|name| name.eq_ignore_ascii_case(token))
        || token.get(..FORWARDED.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORWARDED))
        || is_reserved(token)
}

fn check_expect(headers: &HeaderMap) -> Result<(), Fault> {
    match only(headers, header::EXPECT) {
        Ok(None) => Ok(()),
        Ok(Some(value)) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        Ok(Some(_)) => Err(Fault::Expect("an expectation other than `100-continue`")),
        Err(()) => Err(Fault::Expect("more than one expectation")),
    }
}

fn check_framing(head: &RequestHeader) -> Result<(), Fault> {
    let framing = |detail| Err(Fault::Malformed(Malformed::Framing, detail));
    let Ok(length) = only(&head.headers, header::CONTENT_LENGTH) else {
        return framing("more than one length");
    };
    let Ok(coding) = only(&head.headers, header::TRANSFER_ENCODING) else {
        return framing("more than one coding");
    };
    match (length, coding) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => framing("a length and a coding"),
        (Some(length), None) => wire::length(length.as_bytes()),
        (None, Some(coding)) => wire::coding(coding.as_bytes(), head.version),
    }
}
