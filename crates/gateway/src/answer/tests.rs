//! Every stop in every form.

use std::time::Duration;

use policy::Malformed;

use super::*;

static METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

fn asking(form: Form) -> Asking<'static> {
    Asking { id: RequestId(0xabc), form, head: false, version: Version::HTTP_11, allow: &METHODS }
}

fn challenge(reason: Reason, remedy: Remedy) -> Stop {
    let help = Some("Ask <finance-it>.".into());
    Stop::Challenge(Challenge { reason, remedy, help, detail: "inside".into() })
}

fn step_up(acr: Option<&str>) -> Remedy {
    let max_age = Some(Duration::from_mins(5));
    Remedy::StepUp { acr: acr.map(Into::into), max_age, mfa: true }
}

fn refuse(status: Status, reason: Reason) -> Stop {
    Stop::Refuse(Refusal { status, reason, detail: "inside".into() })
}

/// A stop with its status, its word and its gRPC status.
fn stops() -> Vec<(Stop, u16, &'static str, &'static str)> {
    let malformed = Reason::Malformed(Malformed::Framing);
    let method = Reason::Malformed(Malformed::Method);
    let wait = Wait { retry_after: Duration::from_millis(1500), detail: "inside".into() };
    vec![
        (refuse(Status::BadRequest, malformed), 400, "malformed:framing", "3"),
        (refuse(Status::NotFound, Reason::NoRoute), 404, "no-route", "5"),
        (refuse(Status::MethodNotAllowed, method), 405, "malformed:method", "3"),
        (refuse(Status::ContentTooLarge, Reason::TooLarge), 413, "too-large", "8"),
        (refuse(Status::UriTooLong, Reason::TooLarge), 414, "too-large", "8"),
        (
            refuse(Status::ExpectationFailed, Reason::Malformed(Malformed::Expect)),
            417,
            "malformed:expect",
            "3",
        ),
        (refuse(Status::HeaderFieldsTooLarge, Reason::TooLarge), 431, "too-large", "8"),
        (challenge(Reason::NoIdentity, Remedy::Login), 401, "no-identity", "16"),
        (challenge(Reason::StepUpRequired, step_up(None)), 401, "step-up-required", "16"),
        (challenge(Reason::DeviceUnknown, Remedy::Device), 403, "device-unknown", "7"),
        (challenge(Reason::PostureStale, Remedy::Posture), 403, "posture-stale", "7"),
        (Stop::bad_token("expired", "inside"), 401, "bad-token:expired", "16"),
        (Stop::deny(Reason::Denied("no-risk".into()), "inside"), 403, "denied:no-risk", "7"),
        (
            Stop::deny(Reason::Unknown("user.groups".into()), "inside"),
            403,
            "unknown:user.groups",
            "7",
        ),
        (Stop::deny(Reason::NoRuleAllows, "inside"), 403, "no-rule-allows", "7"),
        (Stop::Misdirected, 421, "misdirected", "14"),
        (Stop::Wait(wait), 429, "rate-limited", "8"),
        (Stop::down("jwks", "inside"), 503, "dependency-down:jwks", "14"),
    ]
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn closes(response: &Response<Bytes>) -> bool {
    header(response, "connection") == "close"
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[track_caller]
fn guarded(response: &Response<Bytes>) {
    assert_eq!(header(response, "cache-control"), "no-store");
    assert_eq!(header(response, "x-content-type-options"), "nosniff");
    assert_eq!(header(response, "referrer-policy"), "no-referrer");
    assert_eq!(header(response, "x-request-id"), "00000000000000000000000000000abc");
    let policy = header(response, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!response.headers().contains_key("server"));
}

#[test]
fn f9_programs_get_a_problem_document_without_details() {
    for (stop, status, reason, _) in stops() {
        let response = answer(&stop, &asking(Form::Problem));
        assert_eq!(response.status(), status, "{reason}");
        assert_eq!(header(&response, "content-type"), "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem["reason"], reason);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], "00000000000000000000000000000abc");
        assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:portcullis:")));
        assert!(!text(&response).contains("inside"));
        let length = response.body().len().to_string();
        assert_eq!(header(&response, "content-length"), length);
        guarded(&response);
    }
}

#[test]
fn f9_people_get_a_page_without_details() {
    for (stop, status, reason, _) in stops() {
        let response = answer(&stop, &asking(Form::Page));
        assert_eq!(response.status(), status, "{reason}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        let page = text(&response);
        for part in [reason, "00000000000000000000000000000abc", "<html lang=\"en\">", "<h1>"] {
            assert!(page.contains(part), "{part} in {page}");
        }
        for absent in ["inside", "<script", "http://", "https://", "<img", "<link"] {
            assert!(!page.contains(absent), "{absent} in {page}");
        }
        guarded(&response);
    }
}

#[test]
fn the_page_escapes_and_its_style_is_the_one_that_the_policy_names() {
    let stop = challenge(Reason::NoIdentity, Remedy::Login);
    let response = answer(&stop, &asking(Form::Page));
    let page = text(&response);
    assert!(page.contains("Ask &lt;finance-it&gt;."), "{page}");
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let digest = STANDARD.encode(openssl::sha::sha256(style.as_bytes()));
    assert!(header(&response, "content-security-policy").contains(&digest));
}

#[test]
fn grpc_gets_trailers_alone() {
    for (stop, _, reason, status) in stops() {
        let mut asking = asking(Form::Grpc);
        asking.version = Version::HTTP_2;
        let response = answer(&stop, &asking);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/grpc");
        assert_eq!(header(&response, "grpc-status"), status, "{reason}");
        assert!(header(&response, "grpc-message").starts_with(reason));
        assert!(response.body().is_empty() && !closes(&response));
        guarded(&response);
    }
    let odd = Stop::deny(Reason::Denied("100 %\u{e9}".into()), "");
    let response = answer(&odd, &asking(Form::Grpc));
    assert!(header(&response, "grpc-message").starts_with("denied:100 %25%C3%A9: "));
}

#[test]
fn a_401_says_how() {
    let bearer = r#"Bearer realm="portcullis""#;
    let weak = format!(r#"{bearer}, error="insufficient_user_authentication""#);
    for (stop, expected) in [
        (challenge(Reason::NoIdentity, Remedy::Login), bearer.to_owned()),
        (challenge(Reason::SessionExpired, Remedy::Login), bearer.to_owned()),
        (Stop::bad_token("expired", ""), format!(r#"{bearer}, error="invalid_token""#)),
        (challenge(Reason::StepUpRequired, step_up(None)), format!(r#"{weak}, max_age="300""#)),
        (
            challenge(Reason::StepUpRequired, step_up(Some("phr\" \r\nphrh"))),
            format!(r#"{weak}, acr_values="phr phrh", max_age="300""#),
        ),
        (challenge(Reason::DeviceUnknown, Remedy::Device), String::new()),
        (Stop::deny(Reason::NoRuleAllows, ""), String::new()),
    ] {
        for form in [Form::Problem, Form::Page] {
            let response = answer(&stop, &asking(form));
            assert_eq!(header(&response, "www-authenticate"), expected, "{stop:?}");
        }
    }
    let stop = challenge(Reason::StepUpRequired, step_up(Some("phr")));
    let response = answer(&stop, &asking(Form::Problem));
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let told = (&problem["remedy"], &problem["acr_values"], &problem["max_age"], &problem["mfa"]);
    let expected = ("step-up".into(), "phr".into(), 300.into(), true.into());
    assert_eq!(told, (&expected.0, &expected.1, &expected.2, &expected.3));
    assert_eq!(problem["help"], "Ask <finance-it>.");
}

#[test]
fn m2_405_lists_and_429_and_503_say_when() {
    for (stop, status, _, _) in stops() {
        let response = answer(&stop, &asking(Form::Problem));
        assert_eq!(header(&response, "allow"), if status == 405 { "GET, HEAD" } else { "" });
        let retry = match status {
            429 => "2",
            503 => "5",
            _ => "",
        };
        assert_eq!(header(&response, "retry-after"), retry, "{status}");
    }
}

#[test]
fn s1_s12_a_connection_is_not_used_after_a_request_that_is_not_well_formed() {
    for (stop, status, _, _) in stops() {
        let response = answer(&stop, &asking(Form::Problem));
        assert_eq!(closes(&response), matches!(status, 400 | 413 | 417 | 431), "{status}");
        let mut asking = asking(Form::Problem);
        asking.version = Version::HTTP_2;
        assert!(!answer(&stop, &asking).headers().contains_key(CONNECTION), "{status}");
    }
}

#[test]
fn m3_a_head_gets_no_body_and_its_length() {
    let mut asking = asking(Form::Page);
    asking.head = true;
    let response = answer(&Stop::Misdirected, &asking);
    assert!(response.body().is_empty());
    assert_ne!(header(&response, "content-length"), "0");
}

#[test]
fn a_whole_answer_keeps_what_it_says_and_gains_the_rest() {
    let mut whole = Response::new(Bytes::from_static(b"own"));
    *whole.status_mut() = StatusCode::FOUND;
    whole.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
    whole.headers_mut().insert("x-request-id", HeaderValue::from_static("other"));
    let response = answer(&Stop::Answer(Box::new(whole)), &asking(Form::Problem));
    assert_eq!((response.status().as_u16(), text(&response)), (302, "own"));
    assert_eq!(header(&response, "cache-control"), "private");
    assert_eq!(header(&response, "x-request-id"), "00000000000000000000000000000abc");
    assert_eq!(header(&response, "referrer-policy"), "no-referrer");
}

#[test]
fn failures_that_are_not_stops() {
    let asking = asking(Form::Problem);
    let header = Stop::malformed(Malformed::Header, "");
    for (response, status, reason) in [
        (
            upstream_failure(&Reason::UpstreamUnreachable, false, &asking),
            502,
            "upstream-unreachable",
        ),
        (
            upstream_failure(&Reason::UpstreamUnreachable, true, &asking),
            504,
            "upstream-unreachable",
        ),
        (upstream_failure(&Reason::UpstreamUnverified, false, &asking), 502, "upstream-unverified"),
        (body_too_large(&asking), 413, "too-large"),
        (internal(&asking), 500, "internal"),
        (unheard(&header, asking.id, asking.allow), 400, "malformed:header"),
    ] {
        assert_eq!(response.status(), status, "{reason}");
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem["reason"], reason);
        guarded(&response);
    }
    assert!(closes(&unheard(&header, asking.id, asking.allow)));
}

#[test]
fn an_answer_as_bytes_parses_as_itself() {
    let response = unheard(
        &Stop::malformed(Malformed::Header, ""),
        RequestId(0xabc),
        &HeaderValue::from_static("GET"),
    );
    let wire = to_http1(&response);
    let wire = std::str::from_utf8(&wire).unwrap();
    let (head, body) = wire.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: close") && !head.contains('\0'));
    assert_eq!(body.as_bytes(), &response.body()[..]);
}
