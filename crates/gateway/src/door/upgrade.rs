//! Which requests ask to become a WebSocket (RFC 6455, 4.1 and 4.2.1).
//!
//! A request that names `websocket` in `Upgrade` is one whole handshake or refused: `GET`, HTTP/1.1,
//! no body, nothing else in `Upgrade`, `upgrade` in `Connection`, version 13, one key of 16 bytes.
//! Any other upgrade is no upgrade here: the request is decided as it stands, and what is forwarded
//! says nothing of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filter::RequestHeader;
use http::{HeaderMap, Method, Version, header};
use policy::Malformed;

use super::fault::Fault;
use super::fields::{lists, only};

const KEY_BYTES: usize = 16;

/// Whether this is a WebSocket's handshake.
pub(super) fn websocket(head: &RequestHeader) -> Result<bool, Fault> {
    let headers = &head.headers;
    if !names_websocket(headers) {
        return Ok(false);
    }
    let upgrade = |detail| Err(Fault::Malformed(Malformed::Upgrade, detail));
    let one = |name, value: &[u8]| {
        only(headers, name).is_ok_and(|found| {
            found.is_some_and(|found| found.as_bytes().eq_ignore_ascii_case(value))
        })
    };
    if head.method != Method::GET || head.version != Version::HTTP_11 {
        return upgrade("a WebSocket handshake that is not GET on HTTP/1.1");
    }
    if !one(header::UPGRADE, b"websocket") || !lists(headers, &header::CONNECTION, "upgrade") {
        return upgrade("a WebSocket handshake with another upgrade, or none in `Connection`");
    }
    if !one(header::SEC_WEBSOCKET_VERSION, b"13") {
        return upgrade("a WebSocket handshake of a version other than 13");
    }
    if !only(headers, header::SEC_WEBSOCKET_KEY).is_ok_and(|key| key.is_some_and(is_key)) {
        return upgrade("a WebSocket handshake without one key of 16 bytes");
    }
    if headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
    {
        return upgrade("a WebSocket handshake with a body");
    }
    Ok(true)
}

/// Whether any `Upgrade` names the protocol, with or without a version.
fn names_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| matches!(byte, b',' | b'/'))
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}

fn is_key(key: &http::HeaderValue) -> bool {
    STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}
