//! M1 to M4, M8 and M9: methods, preflights, upgrades that are none, bodies. (M5 to M7 need a
//! backend that misbehaves: `upstream.rs`.)

use scenarios::h2::fields;
use scenarios::house::House;
use scenarios::reply::Outcome;
use scenarios::tokens::CORP;

#[test]
fn m1_m2_only_known_methods_are_served() {
    let house = House::start();
    for method in
        ["get", "GeT", "FOO", "G=ET", "TRACE", "TRACK", "PRI", "CONNECT", "PROPFIND", "QUERY"]
    {
        for h2 in [false, true] {
            let outcome = house
                .gw
                .request(method, "https://app.gw.test/public/m")
                .header("x-secret-probe", "mirror-me")
                .as_user("ada")
                .version(h2)
                .send();
            match &outcome {
                Outcome::Answer(reply) => {
                    assert!(matches!(reply.status, 400 | 405), "M1 {method}: {}", reply.picture());
                    assert!(!reply.text().contains("mirror-me"), "M2 {method} is echoed");
                }
                Outcome::Reset(_) => assert!(h2, "M1 {method}: {outcome:?}"),
                Outcome::Closed(_) => assert_eq!(method, "PRI", "M1: {outcome:?}"),
            }
        }
    }
    for head in [
        "GET\0 /public/m HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "GET  /public/m HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        " GET /public/m HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "CONNECT app.gw.test:443 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "CONNECT open.gw.test:443 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
    ] {
        let outcome = house.raw(head.as_bytes());
        let status = outcome.status();
        assert!(matches!(status, Some(400 | 405)), "M1/M2 {head:?}: {outcome:?}");
    }
    // RFC 8441, which nobody offered.
    let mut extended = fields("CONNECT", "app.gw.test", "/public/m");
    extended.push((b":protocol".to_vec(), b"websocket".to_vec()));
    let outcome = house.raw_h2(&extended, None);
    assert!(matches!(outcome, Outcome::Reset(_)) || outcome.status() == Some(405), "{outcome:?}");
    assert_eq!(house.hits(), 0, "M1/M2: no backend was reached");
    house.sound();
}

#[test]
fn m1_a_method_is_what_the_request_line_says() {
    let house = House::start_with(|plan| {
        plan.with_routes(
            r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: read, allow: {}}
      - {id: no-post, deny: {methods: [POST]}}
"#,
        )
    });
    for h2 in [false, true] {
        let post = || house.gw.post("https://app.gw.test/x?_method=GET", "").version(h2);
        for name in
            ["x-http-method-override", "x-method-override", "x-http-method", "x-original-method"]
        {
            post().header(name, "GET").expect(403).reason("denied:no-post");
        }
        // The other way round: an allowed method stays what it is for the backend too.
        house
            .gw
            .get("https://app.gw.test/x")
            .header("x-http-method-override", "POST")
            .version(h2)
            .expect(200);
        assert_eq!(house.app.last().method, "GET");
        assert_eq!(
            house.app.last().header("x-http-method-override"),
            None,
            "H12: override forwarded"
        );
    }
    house.sound();
}

#[test]
fn m3_head_is_decided_as_get_and_has_no_body() {
    let house = House::start();
    for h2 in [false, true] {
        for (path, user, status) in [
            ("/public/a", None, 200),
            ("/x", None, 401),
            ("/admin", Some("ben"), 403),
            ("/admin", Some("ada"), 200),
        ] {
            for method in ["GET", "HEAD"] {
                let request = house.gw.request(method, &format!("https://app.gw.test{path}"));
                let request =
                    user.into_iter().fold(request, |r, user| r.bearer(&CORP.bearer(user)));
                let checked = request.version(h2).expect(status);
                assert!(method == "GET" || checked.body.is_empty(), "M3: a HEAD with a body");
            }
        }
    }
    house.sound();
}

#[test]
fn m4_a_preflight_without_credentials_stays_outside() {
    let house = House::start();
    for h2 in [false, true] {
        house
            .gw
            .request("OPTIONS", "https://app.gw.test/api")
            .header("origin", "https://evil.test")
            .header("access-control-request-method", "PUT")
            .version(h2)
            .expect(401);
        house.gw.request("OPTIONS", "https://app.gw.test").raw_target("*").version(h2).expect(400);
    }
    assert_eq!(house.hits(), 0);
    house.sound();
}

#[test]
fn m8_nothing_is_upgraded_to_h2c() {
    let house = House::start();
    let outcome = house.raw(
        b"GET /public/m8 HTTP/1.1\r\nHost: app.gw.test\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    );
    match outcome.status() {
        Some(200) => {
            let seen = house.app.last();
            for name in ["upgrade", "http2-settings"] {
                assert_eq!(seen.header(name), None, "M8: {name} was forwarded");
            }
        }
        status => assert_eq!(status, Some(400), "{outcome:?}"),
    }
    let before = house.hits();
    let outcome = house.raw(scenarios::frames::PREFACE);
    assert!(matches!(outcome.status(), None | Some(400 | 405 | 505)), "M8: {outcome:?}");
    assert_eq!(house.hits(), before);
    house.sound();
}

#[test]
fn m9_a_body_beyond_the_limit_is_refused_however_it_is_framed() {
    let house = House::start_with(|plan| plan.with_server("  limits: {body_bytes_max: 10KiB}\n"));
    let (small, large) = (vec![b'a'; 9 << 10], vec![b'a'; 48 << 10]);
    for h2 in [false, true] {
        let post = |body: &[u8]| house.gw.post("https://app.gw.test/public/m9", body).version(h2);
        post(&small).expect(200);
        assert_eq!(house.app.last().body.len(), small.len());
        // Over h2 the body has no length of its own.
        post(&large).expect(413).reason("too-large");
    }
    let mut chunked =
        b"POST /public/m9 HTTP/1.1\r\nHost: app.gw.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..48 {
        chunked.extend(b"400\r\n");
        chunked.extend([b'a'; 1024]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let outcome = house.raw(&chunked);
    assert!(matches!(outcome.status(), Some(413) | None), "M9 chunked: {outcome:?}");
    for seen in house.app.seen() {
        assert!(seen.body.len() <= 10 << 10, "M9: {} bytes passed", seen.body.len());
    }
    house.sound();
}
