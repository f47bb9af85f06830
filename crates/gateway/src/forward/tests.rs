//! Tables of what goes on and what does not, over real contexts with real permits.

pub(crate) mod fixture;

use std::sync::Arc;

use policy::{Device, Network, Subject};

use self::fixture::{ID, ID_HEX, Request, alice, all, signer, wire};
use super::*;

#[test]
fn h1_h2_identity_is_never_the_client_s() {
    for name in ["X-Portcullis-User", "x-portcullis-user", "X-PORTCULLIS-USER"] {
        for value in ["admin", ""] {
            Request::new().check(&[(name, value)], "x-portcullis-user", &["alice"]);
            Request::new().check(&[(name, value), (name, value)], "x-portcullis-user", &["alice"]);
            Request::anonymous().check(&[(name, value)], "x-portcullis-user", &[]);
        }
    }
    Request::new().check(&[], "x-portcullis-email", &["alice@gw.test"]);
    Request::new().check(&[], "x-portcullis-groups", &["eng,ops"]);
}

#[test]
fn h3_h17_other_spellings_and_other_gateways_names_are_gone() {
    let names = [
        "X_Portcullis_User",
        "X-Portcullis_User",
        "x_portcullis_user",
        "X.Portcullis.User",
        "X-Portcullis-Anything",
        "X_PORTCULLIS-Assertion",
        "Forwarded",
        "X-Forwarded-Uri",
        "X_Forwarded_For",
        "X-Forwarded-Prefix",
        "X-Forwarded-Client-Cert",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Client-Cert",
        "Client-Cert-Chain",
        "X-SSL-Client-Cert",
        "X-Client-Cert",
        "SSL_CLIENT_S_DN",
        "Ssl-Client-Verify",
        "Expect",
        "Proxy",
        "tracestate",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-Method",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X.Http.Method.Override",
        "Proxy-Authorization",
        "Upgrade",
        "Connection",
    ];
    for keep in [false, true] {
        let mut request = Request::new();
        request.forwarding.danger_underscore_headers = keep;
        for name in names {
            request.check(&[(name, "mallory")], name, &[]);
        }
        let kept: &[&str] = if keep { &["1"] } else { &[] };
        request.check(&[("app_token", "1")], "app_token", kept);
        request.check(&[("x-ssl", "1"), ("x-app.token", "2")], "x-app.token", &["2"]);
    }
}

#[test]
fn h5_no_groups_is_no_header_or_an_empty_one() {
    let with = |groups: Option<&[&str]>| {
        let mut request = Request::anonymous();
        let groups = groups.map(|groups| groups.iter().map(|group| (*group).into()).collect());
        request.facts.establish_subject(Arc::new(Subject { groups, ..alice() })).unwrap();
        request
    };
    let spoofed = [("X-Portcullis-Groups", "admin")];
    with(None).check(&spoofed, "x-portcullis-groups", &[]);
    with(Some(&[])).check(&spoofed, "x-portcullis-groups", &[""]);
    with(Some(&["a,admin", "b c", "d\r\nX: y", "ü%"])).check(
        &spoofed,
        "x-portcullis-groups",
        &["a%2Cadmin,b%20c,d%0D%0AX:%20y,%C3%BC%25"],
    );
}

#[test]
fn h4_an_anonymous_request_asserts_nothing() {
    for name in [
        "X-Portcullis-Assertion",
        "X-Portcullis-User",
        "X-Portcullis-Email",
        "X-Portcullis-Groups",
        "X-Portcullis-Device",
    ] {
        Request::anonymous().check(&[(name, "x")], name, &[]);
    }
    let mut request = Request::anonymous();
    let device = Device { id: Some("laptop-7".into()), ..Device::default() };
    request.facts.establish_device(Arc::new(device)).unwrap();
    request.check(&[("X-Portcullis-Device", "x")], "x-portcullis-device", &["laptop-7"]);
    request.check(&[], "x-portcullis-assertion", &[]);
}

#[test]
fn h9_h10_addresses_come_from_the_connection_and_trusted_proxies() {
    let spoofed = [("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")];
    Request::new().check(&spoofed, "x-forwarded-for", &["198.51.100.7"]);
    Request::new().check(&spoofed, "forwarded", &[]);
    Request::new().check(&[("X-Forwarded-Proto", "http")], "x-forwarded-proto", &["https"]);
    Request::new().check(&[("X-Forwarded-Host", "evil")], "x-forwarded-host", &["app.gw.test"]);
    let mut proxied = Request { peer: "10.0.0.1:1", ..Request::new() };
    let network = Network {
        ip: "1.2.3.4".parse().unwrap(),
        direct: false,
        tls_version: None,
        country: None,
        asn: None,
    };
    proxied.facts.establish_network(network).unwrap();
    for (sent, expected) in [
        ("1.2.3.4", "1.2.3.4, 10.0.0.1"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4, 10.0.0.1"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4, 10.0.0.9, 10.0.0.1"),
        ("1.2.3.4, ::ffff:10.0.0.9,10.0.0.8", "1.2.3.4, 10.0.0.9, 10.0.0.8, 10.0.0.1"),
    ] {
        proxied.check(&[("X-Forwarded-For", sent)], "x-forwarded-for", &[expected]);
    }
}

#[test]
fn h12_what_was_decided_is_what_goes() {
    let request = Request::new();
    let head = request.goes(&[("X-Original-URL", "/admin"), ("Host", "evil.test")]).unwrap();
    assert_eq!(head.method, "GET");
    assert_eq!(head.raw_path(), b"/a/b?x=1");
    assert_eq!(all(&head, "host"), ["app.gw.test"]);
    let port = Request { port: Some(8443), ..Request::new() };
    port.check(&[("Host", "APP.gw.test:8443")], "host", &["app.gw.test:8443"]);
    port.check(&[], "x-forwarded-host", &["app.gw.test:8443"]);
    let mut rewritten = Request::new();
    rewritten.forwarding.rewrite_host = true;
    rewritten.check(&[("Host", "app.gw.test")], "host", &["payroll.internal"]);
    rewritten.check(&[], "x-forwarded-host", &["app.gw.test"]);
}

#[test]
fn h15_credentials_and_cookies() {
    let token = [("Authorization", "Bearer x")];
    let used = Request { consumed: true, ..Request::new() };
    let mut passed = Request { consumed: true, ..Request::new() };
    passed.forwarding.pass_authorization = true;
    used.check(&token, "authorization", &[]);
    passed.check(&token, "authorization", &["Bearer x"]);
    Request::new().check(&token, "authorization", &["Bearer x"]);
    let ours = "__Host-portcullis=s3cret";
    for (fields, expected) in [
        (vec!["a=1; b=2"], vec!["a=1; b=2"]),
        (vec![ours], vec![]),
        (vec!["a=1; __Host-portcullis=x; b=2"], vec!["a=1; b=2"]),
        (vec!["b=2", ours, "a=1"], vec!["b=2; a=1"]),
        (vec!["__HOST-Portcullis-login.7=x;__Secure-portcullis=y;c=\"1,2\""], vec!["c=\"1,2\""]),
        (vec![" __Host-portcullis =x; portcullis=theirs"], vec!["portcullis=theirs"]),
        (vec!["a=__Host-portcullis"], vec!["a=__Host-portcullis"]),
    ] {
        let sent: Vec<_> = fields.iter().map(|field| ("Cookie", *field)).collect();
        Request::new().check(&sent, "cookie", &expected);
    }
}

#[test]
fn h16_a_backend_says_nothing_in_our_name() {
    let mut head = ResponseHeader::build(200, None).unwrap();
    for (name, value) in [
        ("X-Portcullis-User", "x"),
        ("x_portcullis_assertion", "x"),
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "__Host-portcullis=evil; Path=/"),
        ("Set-Cookie", "__secure-PORTCULLIS-x=evil"),
        ("Set-Cookie", "b=2"),
        ("Server", "nginx"),
        ("X-Request-Id", "theirs"),
    ] {
        head.append_header(name.to_owned(), value).unwrap();
    }
    let hsts = HeaderValue::from_static("max-age=31536000");
    downstream_head(&mut head, Some(&hsts), ID);
    let all = |head: &ResponseHeader, name| {
        let values = head.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(&head, "set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(all(&head, "server"), ["nginx"]);
    assert_eq!(all(&head, "x-request-id"), [ID_HEX]);
    assert_eq!(all(&head, "strict-transport-security"), ["max-age=31536000"]);
    assert!(!head.headers.contains_key("x-portcullis-user"));
    assert!(!head.headers.contains_key("x_portcullis_assertion"));
    let mut theirs = ResponseHeader::build(200, None).unwrap();
    theirs.insert_header("Strict-Transport-Security", "max-age=1").unwrap();
    downstream_head(&mut theirs, Some(&hsts), ID);
    assert_eq!(all(&theirs, "strict-transport-security"), ["max-age=1"]);
}

#[test]
fn p20_a_prefix_is_taken_off_by_whole_segments() {
    for (target, prefix, expected) in [
        ("/app/x?y=1", "/app", Some("/x?y=1")),
        ("/app", "/app", Some("/")),
        ("/app?q", "/app/", Some("/?q")),
        ("/app/", "/app", Some("/")),
        ("/application", "/app", Some("/application")),
        ("/app%2f..", "/app", Some("/app%2f..")),
        ("/other", "/app", Some("/other")),
        ("/x", "/", Some("/x")),
        ("/app//evil.test/", "/app", None),
        ("/app/../admin", "/app", None),
    ] {
        let target = target.parse().unwrap();
        let stripped = target::stripped(&target, prefix).ok().map(|t| t.to_string());
        assert_eq!(stripped.as_deref(), expected, "{target} without {prefix}");
    }
    let mut request = Request::new();
    request.forwarding.strip_prefix = Some("/a".to_owned());
    assert_eq!(request.goes(&[]).unwrap().raw_path(), b"/b?x=1");
}

#[test]
fn traces_are_carried_on_or_begun() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let valid = format!("00-{trace}-b7ad6b7169203331-01");
    let begun = (ID_HEX, "00");
    let carried = (trace, "01");
    let check = |sent: &[(&str, &str)], expected: (&str, &str), state: &[&str]| {
        let head = Request::new().goes(sent).unwrap();
        let got = all(&head, "traceparent");
        assert_eq!(got.len(), 1);
        let parts: Vec<_> = got[0].split('-').collect();
        let [version, trace, span, flags] = parts[..] else { panic!("{got:?}") };
        assert_eq!((version, (trace, flags)), ("00", expected), "{sent:?}");
        assert_eq!(span.len(), 16);
        assert!(span != "b7ad6b7169203331" && span != "0000000000000000", "a span of ours");
        assert_eq!(all(&head, "tracestate"), state, "{sent:?}");
    };
    check(&[], begun, &[]);
    check(&[("traceparent", &valid)], carried, &[]);
    check(
        &[("traceparent", &valid), ("tracestate", "a=1"), ("tracestate", "b=2")],
        carried,
        &["a=1,b=2"],
    );
    let long = format!("a={}", "x".repeat(512));
    check(&[("traceparent", &valid), ("tracestate", &long)], carried, &[]);
    check(&[("tracestate", "a=1")], begun, &[]);
    for bad in [
        valid.to_ascii_uppercase().as_str(),
        &valid.replace("00-", "01-"),
        &valid.replace("b7ad6b7169203331", "0000000000000000"),
        &valid.replace(trace, "00000000000000000000000000000000"),
        &format!("{valid}-x"),
        &valid.replace('b', "g"),
        "",
    ] {
        check(&[("traceparent", bad), ("tracestate", "a=1")], begun, &[]);
    }
    check(&[("traceparent", &valid), ("traceparent", &valid)], begun, &[]);
    let mut cx = Request::new().context();
    let mut headers = http::HeaderMap::new();
    adopt(&headers, &mut cx);
    assert_eq!(trace_id(&cx), None);
    headers.insert("traceparent", valid.parse().unwrap());
    adopt(&headers, &mut cx);
    assert_eq!(trace_id(&cx), Some(trace));
}

#[test]
fn a_websocket_keeps_its_upgrade_and_a_retry_is_the_same() {
    let socket = Request { websocket: true, ..Request::new() };
    let sent = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-App", "1")];
    socket.check(&sent, "upgrade", &["websocket"]);
    socket.check(&sent, "connection", &["Upgrade"]);
    let request = Request::new();
    let (cx, signer) = (request.context(), signer());
    let onward = Onward { forwarding: &request.forwarding, server_name: "payroll.internal" };
    let make = || {
        let mut head = RequestHeader::build("GET", b"/a/b?x=1", None).unwrap();
        upstream_head(&mut head, &cx, onward, &signer).unwrap();
        wire(&head)
    };
    assert_eq!(make(), make());
}
