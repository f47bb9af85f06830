//! The three forms of an answer.

use std::sync::LazyLock;

use bytes::Bytes;
use filter::RequestId;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use minijinja::{Environment, context};
use policy::Remedy;
use serde::Serialize;

use super::words::{self, Words};
use super::{Said, challenge, content};

/// The page's style; the security policy names it by its digest.
pub(super) const STYLE: &str = include_str!("page.css");

const PAGE: &str = "page.html";
const FACTS: &str = "facts.html";

/// The page, parsed once. A template that does not parse is found by a test; on a request's way it
/// would leave the problem document.
static PAGES: LazyLock<Option<Environment<'static>>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.add_template(PAGE, include_str!("page.html")).ok()?;
    pages.add_template(FACTS, include_str!("facts.html")).ok()?;
    Some(pages)
});

/// RFC 9457, with the members of this gateway.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: String,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr_values: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa: Option<bool>,
}

/// A page for people.
pub(super) fn page(said: &Said<'_>, id: RequestId) -> Option<Response<Bytes>> {
    let Words { title, what, next } = words::of(&said.reason);
    let next = said.remedy.map_or(next, words::remedy);
    let page = PAGES.as_ref()?.get_template(PAGE).ok()?;
    let text = page
        .render(context! {
            style => STYLE,
            status => said.status.as_u16(),
            title => title,
            what => what,
            help => said.help,
            next => next,
            reason => said.reason.to_string(),
            request_id => id.to_string(),
        })
        .ok()?;
    Some(content(text, said.status, "text/html; charset=utf-8"))
}

/// A page of facts, one line each; what is not known is left out.
pub(super) fn facts(title: &str, facts: &serde_json::Value) -> Option<Response<Bytes>> {
    let mut rows = Vec::new();
    lines("", facts, &mut rows);
    let rows: Vec<minijinja::Value> = rows
        .into_iter()
        .map(|(name, value)| minijinja::Value::from_pairs([("name", name), ("value", value)]))
        .collect();
    let page = PAGES.as_ref()?.get_template(FACTS).ok()?;
    let text = page.render(context! { style => STYLE, title, rows }).ok()?;
    Some(content(text, StatusCode::OK, "text/html; charset=utf-8"))
}

/// Flattens a mapping into names and texts.
fn lines(name: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    use serde_json::Value;
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                lines(format!("{name} {member}").trim(), value, rows);
            }
        }
        Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            rows.push((name.to_owned(), texts.join(", ")));
        }
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => rows.push((name.to_owned(), value.to_string())),
    }
}

/// A document for programs.
pub(super) fn problem(said: &Said<'_>, id: RequestId) -> Response<Bytes> {
    let Words { title, what, next: _ } = words::of(&said.reason);
    let (acr_values, max_age, mfa) = match said.remedy {
        Some(Remedy::StepUp { acr, max_age, mfa }) => {
            (acr.as_deref(), max_age.map(|age| age.as_secs()), mfa.then_some(true))
        }
        Some(Remedy::Login | Remedy::Device | Remedy::Posture) | None => (None, None, None),
    };
    let problem = Problem {
        kind: format!("urn:portcullis:reason:{}", said.reason.class()),
        title,
        status: said.status.as_u16(),
        detail: what,
        reason: said.reason.to_string(),
        request_id: id.to_string(),
        help: said.help,
        remedy: said.remedy.map(challenge::word),
        acr_values,
        max_age,
        mfa,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    content(body, said.status, "application/problem+json")
}

/// Trailers alone: a status of gRPC in a response that is otherwise 200 and empty.
pub(super) fn grpc(said: &Said<'_>) -> Response<Bytes> {
    let mut response = content(Bytes::new(), StatusCode::OK, "application/grpc");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(grpc_status(said)));
    let message = format!("{}: {}", said.reason, words::of(&said.reason).what);
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&message)) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}

/// The status codes of gRPC that stand for what is said in HTTP.
fn grpc_status(said: &Said<'_>) -> u16 {
    const DEADLINE_EXCEEDED: u16 = 4;
    const NOT_FOUND: u16 = 5;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const INVALID_ARGUMENT: u16 = 3;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match said.status {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        | StatusCode::TOO_MANY_REQUESTS => RESOURCE_EXHAUSTED,
        StatusCode::MISDIRECTED_REQUEST
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT => DEADLINE_EXCEEDED,
        status if status.is_client_error() => INVALID_ARGUMENT,
        _ => INTERNAL,
    }
}

/// As `grpc-message` is written: printable ASCII without `%` as it is, every other octet escaped.
fn percent_encoded(text: &str) -> String {
    let plain = |octet: u8| matches!(octet, 0x20..=0x7e) && octet != b'%';
    let written = |octet: u8| match char::from(octet) {
        letter if plain(octet) => String::from(letter),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(written).collect()
}
