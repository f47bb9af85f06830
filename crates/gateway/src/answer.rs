//! A refusal becomes bytes here and nowhere else.
//!
//! 1. Each [`Stop`] has one status; a [`Remedy`] of logging in or stepping up is 401, of the device
//!    or its posture 403, because no credential would help.
//! 2. The form is what the caller can read: a page for a navigation, trailers alone for gRPC, and
//!    `application/problem+json` (RFC 9457) for everything else ([`Asking`]).
//! 3. The client learns the reason's word, the rule's help, the remedy and the request's name, and
//!    nothing of what the operator's `detail` says.
//! 4. 401 says how to authenticate (RFC 6750, RFC 9470), 405 what is allowed, 429 and 503 when to
//!    come back.
//! 5. Every answer forbids caching, sniffing, framing and referrers, and names its request. None
//!    names its software.
//! 6. After a request that is not well-formed an HTTP/1 connection is not used again: where it
//!    begins and ends is no longer certain. Such an answer says `Connection: close`.
//!
//! The gateway, which owns the session, writes what is returned here.

mod asking;
mod challenge;
mod form;
mod words;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use filter::{Challenge, Denial, Failure, Refusal, RequestId, Status, Stop, Wait};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use policy::{Reason, Remedy};

pub use asking::{Asking, Form, navigates};

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The reason of a body that did not come.
pub(crate) const BODY_TIMEOUT: &str = "body-timeout";

/// When to come back after something was out of reach.
const RETRY_SECONDS: u64 = 5;

/// What the client is told.
#[derive(Debug)]
struct Said<'a> {
    status: StatusCode,
    reason: Reason,
    help: Option<&'a str>,
    remedy: Option<&'a Remedy>,
    retry_after: Option<u64>,
}

/// The answer to a request that a filter, the door or the policy stopped.
pub fn answer(stop: &Stop, asking: &Asking<'_>) -> Response<Bytes> {
    let said = match stop {
        Stop::Refuse(Refusal { status, reason, detail: _ }) => {
            Said::plain(status_of(*status), reason)
        }
        Stop::Challenge(Challenge { reason, remedy, help, detail: _ }) => Said {
            help: help.as_deref(),
            remedy: Some(remedy),
            ..Said::plain(challenge::status(remedy), reason)
        },
        Stop::Deny(Denial { reason, help, detail: _ }) => {
            Said { help: help.as_deref(), ..Said::plain(StatusCode::FORBIDDEN, reason) }
        }
        Stop::Misdirected => Said::plain(StatusCode::MISDIRECTED_REQUEST, &Reason::Misdirected),
        Stop::Wait(Wait { retry_after, detail: _ }) => Said {
            retry_after: Some(
                retry_after.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
            ),
            ..Said::plain(StatusCode::TOO_MANY_REQUESTS, &Reason::RateLimited)
        },
        Stop::Fail(Failure { reason: reason @ Reason::Internal, detail: _ }) => {
            Said::plain(StatusCode::INTERNAL_SERVER_ERROR, reason)
        }
        Stop::Fail(Failure { reason, detail: _ }) => Said {
            retry_after: Some(RETRY_SECONDS),
            ..Said::plain(StatusCode::SERVICE_UNAVAILABLE, reason)
        },
        Stop::Answer(whole) => {
            let mut response = Response::clone(whole);
            guard(response.headers_mut(), asking.id);
            return response;
        }
    };
    say(&said, asking)
}

/// The answer where a backend could not be reached, was not who it should be, or was too slow: 502,
/// or 504 where `timeout`.
pub fn upstream_failure(reason: &Reason, timeout: bool, asking: &Asking<'_>) -> Response<Bytes> {
    let status = if timeout { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    say(&Said::plain(status, reason), asking)
}

/// The answer to a body that outgrew its limit (413).
pub fn body_too_large(asking: &Asking<'_>) -> Response<Bytes> {
    say(&Said::plain(StatusCode::PAYLOAD_TOO_LARGE, &Reason::TooLarge), asking)
}

/// The answer to a body that did not come (408).
pub fn body_too_slow(asking: &Asking<'_>) -> Response<Bytes> {
    say(&Said::plain(StatusCode::REQUEST_TIMEOUT, &Reason::Custom(BODY_TIMEOUT)), asking)
}

/// The answer to a fault of the gateway's own (500).
pub fn internal(asking: &Asking<'_>) -> Response<Bytes> {
    say(&Said::plain(StatusCode::INTERNAL_SERVER_ERROR, &Reason::Internal), asking)
}

/// The answer to a request that Pingora refused before any hook. `allow` is as for [`Asking::of`].
pub fn unheard(stop: &Stop, id: RequestId, allow: &HeaderValue) -> Response<Bytes> {
    let mut response = answer(stop, &Asking { allow, ..Asking::blind(id) });
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A page of the gateway's own that shows facts, each group under its name; what is not known is
/// left out.
pub fn facts_page(title: &str, facts: &serde_json::Value, id: RequestId) -> Response<Bytes> {
    let mut response = form::facts(title, facts)
        .unwrap_or_else(|| content(facts.to_string(), StatusCode::OK, "application/json"));
    guard(response.headers_mut(), id);
    response
}

/// An answer as the bytes of HTTP/1.1.
pub fn to_http1(response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status();
    let phrase = status.canonical_reason().unwrap_or_default();
    let mut wire = format!("HTTP/1.1 {} {phrase}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        wire.extend_from_slice(name.as_str().as_bytes());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(response.body());
    wire
}

impl Said<'_> {
    fn plain(status: StatusCode, reason: &Reason) -> Self {
        Self { status, reason: reason.clone(), help: None, remedy: None, retry_after: None }
    }

    /// Whether the request was such that its end is uncertain.
    fn closes(&self) -> bool {
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => false,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => true,
            _ => matches!(self.reason, Reason::Malformed(_)),
        }
    }
}

fn status_of(status: Status) -> StatusCode {
    match status {
        Status::BadRequest => StatusCode::BAD_REQUEST,
        Status::NotFound => StatusCode::NOT_FOUND,
        Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Status::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Status::UriTooLong => StatusCode::URI_TOO_LONG,
        Status::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
        Status::HeaderFieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
}

fn say(said: &Said<'_>, asking: &Asking<'_>) -> Response<Bytes> {
    let mut response = match asking.form {
        Form::Grpc => form::grpc(said),
        Form::Page => form::page(said, asking.id).unwrap_or_else(|| form::problem(said, asking.id)),
        Form::Problem => form::problem(said, asking.id),
    };
    let length = response.body().len();
    let headers = response.headers_mut();
    if asking.form != Form::Grpc {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if said.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, challenge::header(&said.reason, said.remedy));
        }
        if said.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, asking.allow.clone());
        }
        if let Some(seconds) = said.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
    }
    if said.closes() && asking.version != Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    guard(headers, asking.id);
    if asking.head {
        *response.body_mut() = Bytes::new();
    }
    response
}

/// What every answer says, unless it has said it itself.
pub(crate) fn guard(headers: &mut HeaderMap, id: RequestId) {
    let fixed = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CONTENT_SECURITY_POLICY, SECURITY_POLICY.clone()),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Nothing may be loaded or run; the page's own style is known by its digest.
static SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(openssl::sha::sha256(form::STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What is said of the content.
fn content(body: impl Into<Bytes>, status: StatusCode, kind: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;
