//! H and M: methods, fields, upgrades.

use super::*;

#[test]
fn m1_m2_methods_are_a_list_and_have_a_case() {
    for method in ["get", "GeT", "FOO", "TRACE", "TRACK", "PRI", "PROPFIND"] {
        for outcome in [h1(method, "/", ""), h2(method, Some(HOST), "/", &[])] {
            assert_eq!(status(&outcome), 405, "{method}");
            assert_eq!(reason(&outcome), Some(Reason::Malformed(Malformed::Method)));
        }
    }
    assert_eq!(status(&h1("CONNECT", "app.gw.test:443", "")), 405);
    assert_eq!(status(&h1("G\0T", "/", "")), 405);
    assert_eq!(status(&h1("G=ET", "/", "")), 405);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(h1(method, "/", "").unwrap().method.as_str(), method);
    }
}

#[test]
fn m5_m8_w5_only_a_whole_websocket_handshake_is_one() {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
    let whole = format!("{UPGRADE}{KEY}{VERSION}");
    assert!(h1("GET", "/", &whole).unwrap().websocket);
    assert!(h1("GET", "/", &whole.replace("websocket", "WebSocket")).unwrap().websocket);
    assert!(!h1("GET", "/", "").unwrap().websocket);
    assert!(!h1("GET", "/", &format!("{KEY}{VERSION}")).unwrap().websocket);
    for other in ["h2c", "foo", "TLS/1.0", "h2c, foo"] {
        let fields = format!("Upgrade: {other}\r\nConnection: Upgrade, HTTP2-Settings\r\n");
        assert!(!h1("GET", "/", &fields).unwrap().websocket, "{other}");
    }
    let broken = [
        format!("{UPGRADE}{VERSION}"),
        format!("{UPGRADE}{KEY}{KEY}{VERSION}"),
        format!("{UPGRADE}{KEY}Sec-WebSocket-Version: 12\r\n"),
        format!("{UPGRADE}{KEY}"),
        format!("{UPGRADE}{KEY}{VERSION}{VERSION}"),
        format!("{UPGRADE}Sec-WebSocket-Key: c2hvcnQ=\r\n{VERSION}"),
        format!("{UPGRADE}Sec-WebSocket-Key: not base64\r\n{VERSION}"),
        format!("Upgrade: websocket\r\n{KEY}{VERSION}"),
        format!("Upgrade: websocket\r\nConnection: close\r\n{KEY}{VERSION}"),
        format!("Upgrade: websocket, h2c\r\nConnection: upgrade\r\n{KEY}{VERSION}"),
        format!("Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: upgrade\r\n{KEY}{VERSION}"),
        format!("Upgrade: websocket/13\r\nConnection: upgrade\r\n{KEY}{VERSION}"),
        format!("{whole}Content-Length: 5\r\n"),
        format!("{whole}Transfer-Encoding: chunked\r\n"),
    ];
    for fields in &broken {
        let outcome = h1("GET", "/", fields);
        assert_eq!(reason(&outcome), Some(Reason::Malformed(Malformed::Upgrade)), "{fields}");
    }
    assert_eq!(status(&h1("POST", "/", &whole)), 400);
    let old = format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n{whole}\r\n");
    assert_eq!(status(&send(old.as_bytes(), None)), 400);
    let fields: &[(&str, &[u8])] = &[("upgrade", b"websocket")];
    assert_eq!(status(&h2("GET", Some(HOST), "/", fields)), 400);
    assert_eq!(status(&send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None)), 400);
}

#[test]
fn h1_h2_h3_reserved_names_in_any_spelling() {
    for name in [
        "X-Portcullis-User",
        "x-portcullis-user",
        "X-PORTCULLIS-ASSERTION",
        "X_Portcullis_User",
        "X-Portcullis_User",
        "x_portcullis_user",
        "X.Portcullis.User",
        "X--Portcullis--User",
        "XPortcullisUser",
        "_X-Portcullis-User",
        "X-Portcullis",
        "x|portcullis~user",
        "X-Port-Cullis-User",
    ] {
        for value in ["admin", ""] {
            let outcome = h1("GET", "/", &format!("{name}: {value}\r\n"));
            let expected = Some(Reason::Malformed(Malformed::ReservedHeader));
            assert_eq!(reason(&outcome), expected, "{name}");
            let name = name.to_ascii_lowercase();
            let outcome = h2("GET", Some(HOST), "/", &[(&name, value.as_bytes())]);
            assert_eq!(reason(&outcome), expected, "{name}");
        }
    }
    let twice = "X-Portcullis-User: a\r\nX-Portcullis-User: b\r\n";
    assert_eq!(status(&h1("GET", "/", twice)), 400);
    for name in ["X-Port", "X-Portculli", "Portcullis-User", "X-Auth-User", "X-Request-Id"] {
        assert_eq!(status(&h1("GET", "/", &format!("{name}: a\r\n"))), 200, "{name}");
    }
    let odd =
        [b"GET / HTTP/1.1\r\nHost: app.gw.test\r\nX-Portcullis-User", &b"\x85: a\r\n\r\n"[..]];
    assert_eq!(status(&send(&odd.concat(), None)), 400);
}

#[test]
fn h6_h7_h8_nominations() {
    for nominated in [
        "X-Portcullis-User",
        "close, x-portcullis-user",
        "X_Portcullis_User",
        "X-Forwarded-For",
        "x-forwarded-host",
        "X-FORWARDED-PROTO",
        "Forwarded",
        "Cookie",
        "authorization",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        ":authority",
        "\"x-foo\"",
        "a b",
        "a,,b",
        ",",
        "",
        "x-request-id",
        "traceparent",
        "a;b",
        "a, b, c, d, e, f, g, h, i",
        "keep-alive,\u{e9}",
    ] {
        let outcome = h1("GET", "/", &format!("Connection: {nominated}\r\n"));
        let expected = Some(Reason::Malformed(Malformed::Connection));
        assert_eq!(reason(&outcome), expected, "{nominated}");
    }
    let two = "Connection: close\r\nConnection: cookie\r\n";
    assert_eq!(status(&h1("GET", "/", two)), 400);
    for nominated in ["close", "keep-alive, Upgrade", "TE", "a, b,c ,d, e, f, g, h", "X-Foo"] {
        let outcome = h1("GET", "/", &format!("Connection: {nominated}\r\n"));
        assert_eq!(status(&outcome), 200, "{nominated}");
    }
}

#[test]
fn h12_names_that_pretend_another_request_are_only_headers() {
    for field in [
        "X-Forwarded-Uri: /public",
        "X-Original-URL: /public",
        "X-Rewrite-URL: /public",
        "X-Original-Method: GET",
        "X-HTTP-Method-Override: GET",
        "X-Method-Override: GET",
    ] {
        let request = h1("POST", "/admin?_method=GET", &format!("{field}\r\n")).unwrap();
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/admin"), "{field}");
    }
}

#[test]
fn grpc_is_its_content_type() {
    for (kind, grpc) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("Application/GRPC; charset=x", true),
        ("application/grpc-web", false),
        ("application/json", false),
    ] {
        let request = h2("POST", Some(HOST), "/", &[("content-type", kind.as_bytes())]).unwrap();
        assert_eq!(request.grpc, grpc, "{kind}");
    }
}
