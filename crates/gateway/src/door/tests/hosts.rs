//! O: hosts and handshakes.

use super::*;

#[test]
fn o1_o2_hosts_normalise() {
    for host in ["APP.gw.TEST", "app.gw.test.", "app.gw.test:443", "App.gw.test.:443"] {
        let raw = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let first = send(raw.as_bytes(), None).unwrap();
        let second = h2("GET", Some(host), "/", &[]).unwrap();
        assert_eq!((&*first.host, &*second.host), (HOST, HOST), "{host}");
        assert_eq!(first.port, host.ends_with("443").then_some(443));
    }
    let request = h2("GET", None, "/", &[("host", b"App.gw.test")]).unwrap();
    assert_eq!(&*request.host, HOST);
}

#[test]
fn o2_o3_o5_hosts_that_are_none() {
    for host in [
        "app.gw.test:",
        "app.gw.test:0443",
        "app.gw.test:99999",
        "app.gw.test:x",
        "app.gw.test/x",
        "app.gw.test?x",
        "app.gw.test#x",
        "b.test, app.gw.test",
        "a b",
        "user@app.gw.test",
        "app.gw.test%00",
        "\u{e9}.test",
        "",
    ] {
        let raw = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(status(&send(raw.as_bytes(), None)), 400, "{host:?}");
        assert_eq!(status(&h2("GET", Some(host), "/", &[])), 400, "{host:?}");
        assert_eq!(status(&h2("GET", None, "/", &[("host", host.as_bytes())])), 400, "{host:?}");
    }
    for raw in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.gw.test\r\nHost: app.gw.test\r\n\r\n",
    ] {
        assert_eq!(status(&send(raw.as_bytes(), None)), 400, "{raw:?}");
    }
    assert_eq!(status(&h2("GET", None, "/", &[])), 400);
    assert_eq!(status(&h2("GET", Some(HOST), "/", &[("host", b"admin")])), 400);
    assert_eq!(status(&h2("GET", Some(HOST), "/", &[("host", b"app.gw.test")])), 200);
    let two: &[(&str, &[u8])] = &[("host", b"app.gw.test"), ("host", b"app.gw.test")];
    assert_eq!(status(&h2("GET", None, "/", two)), 400);
}

#[test]
fn o6_o7_o12_the_handshake_names_the_host() {
    let raw = b"GET / HTTP/1.1\r\nHost: MTLS.gw.test.\r\n\r\n";
    for (sni, expected) in
        [(Some("mtls.gw.test"), 200), (Some("open.gw.test"), 421), (Some(""), 421), (None, 421)]
    {
        let tls = handshake(sni);
        assert_eq!(status(&send(raw, Some(&tls))), expected, "{sni:?}");
    }
    let ip = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    assert_eq!(status(&send(ip, Some(&handshake(None)))), 421);
    assert_eq!(status(&h2("GET", Some("mtls.gw.test"), "/", &[])), 421);
    // A host that is no host is refused before it is misdirected.
    assert_eq!(status(&h2("GET", Some("a_b.test"), "/", &[])), 400);
}

#[test]
fn the_scheme_is_the_connections() {
    let mut head = stream("GET", Some(HOST), "/", &[]).unwrap();
    let tls = handshake(Some(HOST));
    for (scheme, tls, passes) in
        [("https", Some(&tls), true), ("http", Some(&tls), false), ("https", None, false)]
    {
        head.set_uri(format!("{scheme}://{HOST}/").parse().unwrap());
        let arrival = Arrival { head: &head, raw: None, tls };
        let outcome = enter(&arrival, &limits(), PathProfile::default());
        assert_eq!(outcome.is_ok(), passes, "{scheme}");
    }
}

#[test]
fn a_canonical_request_shares_its_host_with_the_handshake() {
    let tls = handshake(Some(HOST));
    let raw = format!("GET /a/b?c HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let request = send(raw.as_bytes(), Some(&tls)).unwrap();
    assert!(tls.sni.is_some_and(|sni| Arc::ptr_eq(&sni, &request.host)));
}
