//! Cookies on their way through: the gateway's own stay here, in both directions.

use filter::{RequestHeader, ResponseHeader, Stop};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::internal;

/// Names that begin so are the gateway's, in any case.
const OURS: [&[u8]; 2] = [b"__host-portcullis", b"__secure-portcullis"];

/// Joins a client's cookies into one field without the gateway's; one foreign field stays as it is.
pub(super) fn forward(head: &mut RequestHeader) -> Result<(), Stop> {
    let mut fields = head.headers.get_all(COOKIE).iter();
    let (Some(first), second) = (fields.next(), fields.next()) else { return Ok(()) };
    if second.is_none() && pairs(first).all(|pair| !is_ours(pair)) {
        return Ok(());
    }
    let joined = joined(&head.headers);
    head.remove_header(&COOKIE);
    if joined.is_empty() {
        return Ok(());
    }
    let value = HeaderValue::from_bytes(&joined).map_err(|e| internal(e.to_string()))?;
    head.insert_header("Cookie", value).map_err(|e| internal(e.to_string()))
}

/// Drops what a backend sets under the gateway's names.
pub(super) fn keep_foreign(head: &mut ResponseHeader) {
    let fields = || head.headers.get_all(SET_COOKIE).iter();
    if !fields().any(|field| is_ours(field.as_bytes())) {
        return;
    }
    let foreign: Vec<_> = fields().filter(|field| !is_ours(field.as_bytes())).cloned().collect();
    head.remove_header(&SET_COOKIE);
    for field in foreign {
        if let Err(e) = head.append_header("Set-Cookie", field) {
            log::error!("a cookie of a backend is lost: {e}");
        }
    }
}

fn joined(headers: &HeaderMap) -> Vec<u8> {
    let mut joined = Vec::new();
    for pair in headers.get_all(COOKIE).iter().flat_map(pairs).filter(|pair| !is_ours(pair)) {
        if !joined.is_empty() {
            joined.extend(b"; ");
        }
        joined.extend(pair);
    }
    joined
}

fn pairs(field: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let pairs = field.as_bytes().split(|byte| *byte == b';');
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

/// Whether a pair `name=value`, whatever follows it, has a name of the gateway's.
fn is_ours(pair: &[u8]) -> bool {
    let pair = pair.trim_ascii_start();
    OURS.iter()
        .any(|ours| pair.get(..ours.len()).is_some_and(|start| start.eq_ignore_ascii_case(ours)))
}
