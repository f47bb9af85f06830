//! Who asks, as far as the form of an answer depends on it.
//!
//! 1. gRPC by its content type.
//! 2. A navigation by `Sec-Fetch-Mode: navigate`; where a client sends no `Sec-Fetch-*` at all, by
//!    an `Accept` that names `text/html` before or above JSON. Only `GET` and `HEAD` navigate.
//! 3. Everything else is a program.

use filter::{RequestHeader, RequestId};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::door;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The request's name.
    pub id: RequestId,
    /// What the caller can read.
    pub form: Form,
    /// Whether only the head is wanted.
    pub head: bool,
    /// The version of HTTP.
    pub version: Version,
    /// The methods that are served.
    pub allow: &'a HeaderValue,
}

/// What a caller can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// HTML.
    Page,
    /// `application/problem+json`.
    Problem,
    /// A gRPC status.
    Grpc,
}

static NO_METHODS: HeaderValue = HeaderValue::from_static("");

impl<'a> Asking<'a> {
    /// Reads a request's head. `allow` is what [`door::Limits::allow`] gives.
    pub fn of(id: RequestId, head: &RequestHeader, allow: &'a HeaderValue) -> Self {
        let form = if door::is_grpc(&head.headers) {
            Form::Grpc
        } else if navigates(&head.method, &head.headers) {
            Form::Page
        } else {
            Form::Problem
        };
        Self { id, form, head: head.method == Method::HEAD, version: head.version, allow }
    }

    /// A request of which nothing is known.
    pub fn blind(id: RequestId) -> Self {
        let form = Form::Problem;
        Self { id, form, head: false, version: Version::HTTP_11, allow: &NO_METHODS }
    }

    /// Whether it is a browser's navigation.
    pub fn navigates(&self) -> bool {
        self.form == Form::Page
    }
}

/// Whether a request is a browser's navigation.
pub fn navigates(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None if ["sec-fetch-site", "sec-fetch-dest"].iter().any(|n| headers.contains_key(*n)) => {
            false
        }
        None => prefers_html(headers),
    }
}

/// Whether `Accept` names HTML, and no JSON before it at the same or a higher weight.
fn prefers_html(headers: &HeaderMap) -> bool {
    let mut best: Option<(u16, bool)> = None;
    let lines = headers.get_all(ACCEPT);
    for item in lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','))
    {
        let mut parts = item.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let html =
            ["text/html", "application/xhtml+xml"].iter().any(|k| kind.eq_ignore_ascii_case(k));
        let json = kind.to_ascii_lowercase().ends_with("json");
        let weight = parts.find_map(weight).unwrap_or(1000);
        if (html || json) && weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, html));
        }
    }
    best.is_some_and(|(_, html)| html)
}

/// A weight of RFC 9110, 12.4.2, in thousandths.
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 {
        return Some(0);
    }
    let thousandths = format!("{whole}{fraction:0<3}").parse().unwrap_or(0);
    Some(u16::min(thousandths, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, fields: &[(&'static str, &str)], form: Form) {
        let mut head = RequestHeader::build(method, b"/", None).unwrap();
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        let asking = Asking::of(RequestId(1), &head, &NO_METHODS);
        assert_eq!(asking.form, form, "{method} {fields:?}");
        assert_eq!(asking.head, method == "HEAD");
    }

    #[test]
    fn only_a_navigation_gets_a_page() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        check("GET", &[("sec-fetch-mode", "navigate")], Form::Page);
        check("HEAD", &[("sec-fetch-mode", "navigate")], Form::Page);
        check("POST", &[("sec-fetch-mode", "navigate")], Form::Problem);
        check("GET", &[("sec-fetch-mode", "cors"), ("accept", BROWSER)], Form::Problem);
        check("GET", &[("sec-fetch-site", "same-origin"), ("accept", BROWSER)], Form::Problem);
        check("GET", &[("accept", BROWSER)], Form::Page);
        check("GET", &[("accept", "*/*")], Form::Problem);
        check("GET", &[], Form::Problem);
        check("GET", &[("accept", "application/json, text/html")], Form::Problem);
        check("GET", &[("accept", "text/html, application/json")], Form::Page);
        check("GET", &[("accept", "text/html;q=0.5, application/json;q=0.9")], Form::Problem);
        check(
            "GET",
            &[("accept", "application/json;q=0.5"), ("accept", "text/html;q=0.51")],
            Form::Page,
        );
        check("GET", &[("accept", "text/html;q=0")], Form::Problem);
        check("GET", &[("accept", "text/html;q=x")], Form::Problem);
        check("POST", &[("accept", BROWSER)], Form::Problem);
    }

    #[test]
    fn grpc_gets_grpc() {
        check("POST", &[("content-type", "application/grpc+proto")], Form::Grpc);
        check("POST", &[("content-type", "application/grpc-web")], Form::Problem);
    }
}
