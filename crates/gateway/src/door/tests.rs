//! Attack cases by id. HTTP/1 requests are bytes that go through Pingora's own parser first, so a
//! case passes only if both agree; HTTP/2 requests are built as the h2 crate builds them.

use std::io::Cursor;
use std::sync::Arc;

use filter::Status;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri};
use pingora::protocols::http::v1::server::HttpSession;
use policy::{Reason, TlsVersion};
use proptest::prelude::*;

use super::*;
use crate::conf::LimitsConf;

const HOST: &str = "app.gw.test";

fn limits() -> Limits {
    Limits::new(&LimitsConf::default()).unwrap()
}

fn handshake(sni: Option<&str>) -> Tls {
    Tls { sni: sni.map(Into::into), version: TlsVersion::Tls13, certificate: None }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The bytes through Pingora's parser and the door, as the gateway puts them.
fn send(raw: &[u8], tls: Option<&Tls>) -> Result<Canonical, Stop> {
    let mut session = HttpSession::new(Box::new(Cursor::new(raw.to_vec())));
    match runtime().block_on(session.read_request()) {
        Ok(Some(_)) => {
            let arrival = Arrival { head: session.req_header(), raw: Some(raw), tls };
            enter(&arrival, &limits(), PathProfile::default())
        }
        Ok(None) | Err(_) => Err(unheard(raw, &limits())),
    }
}

fn h1(method: &str, target: &str, fields: &str) -> Result<Canonical, Stop> {
    let raw = format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    send(raw.as_bytes(), None)
}

/// A stream as the h2 crate hands it over; `None` where it would have been reset.
fn stream(
    method: &str,
    authority: Option<&str>,
    path: &str,
    fields: &[(&str, &[u8])],
) -> Option<RequestHeader> {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    if let Some(authority) = authority {
        parts.authority = Some(authority.parse::<Authority>().ok()?);
        parts.scheme = Some(Scheme::HTTPS);
    }
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .method(Method::from_bytes(method.as_bytes()).ok()?)
        .uri(Uri::from_parts(parts).ok()?);
    for (name, value) in fields {
        request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(RequestHeader::from(request.body(()).ok()?.into_parts().0))
}

fn h2(
    method: &str,
    authority: Option<&str>,
    path: &str,
    fields: &[(&str, &[u8])],
) -> Result<Canonical, Stop> {
    let Some(head) = stream(method, authority, path, fields) else {
        return Err(Stop::malformed(Malformed::Framing, "reset by the h2 crate"));
    };
    let tls = handshake(Some(HOST));
    let arrival = Arrival { head: &head, raw: None, tls: Some(&tls) };
    enter(&arrival, &limits(), PathProfile::default())
}

fn status(outcome: &Result<Canonical, Stop>) -> u16 {
    match outcome {
        Ok(_) => 200,
        Err(Stop::Misdirected) => 421,
        Err(Stop::Refuse(refusal)) => match refusal.status {
            Status::BadRequest => 400,
            Status::MethodNotAllowed => 405,
            Status::UriTooLong => 414,
            Status::ExpectationFailed => 417,
            Status::HeaderFieldsTooLarge => 431,
            other @ (Status::NotFound | Status::ContentTooLarge) => panic!("{other:?}"),
        },
        Err(other) => panic!("{other:?}"),
    }
}

fn reason(outcome: &Result<Canonical, Stop>) -> Option<Reason> {
    outcome.as_ref().err().and_then(Stop::reason)
}

mod fields;
mod framing;
mod hosts;
mod targets;
