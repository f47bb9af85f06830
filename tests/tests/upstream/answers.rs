//! S14, M7: answers that are none, and answers that are too late.

use std::time::Duration;

use scenarios::{Gateway, Recorder, Script, gateway};

use super::{ROUTES, assert_tells_nothing};

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let address = app.address;
    let gw = plan.with_upstream("app", address, "    response_timeout: 2s\n").start();
    (gw, app)
}

#[test]
fn s14_m7_a_malformed_answer_is_502_and_its_connection_is_not_used_again() {
    let (gw, app) = start();
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    // (what, bytes, statuses that are right)
    let cases: Vec<(&str, String, &[u16])> = vec![
        ("no HTTP", "\u{1}\u{2}garbage\r\n\r\n".into(), &[502]),
        ("status that is none", "HTTP/1.1 abc Bad\r\n\r\n".into(), &[502]),
        ("a field without a colon", "HTTP/1.1 200 OK\r\nbad header\r\nContent-Length: 0\r\n\r\n".into(), &[502]),
        ("NUL in a field", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n".into(), &[502]),
        (
            "CL and TE",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".into(),
            &[200, 502],
        ),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok".into(), &[502]),
        ("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok".into(), &[502]),
        ("M7 101 unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".into(), &[502]),
        ("two answers", format!("{ok}HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"), &[200, 502]),
        ("bytes behind the answer", format!("{ok}smuggled"), &[200, 502]),
        ("204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\nsmuggled".into(), &[204, 502]),
        ("304 with a body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\nsmuggled".into(), &[304, 502]),
        ("an endless stream of 1xx", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(5000) + ok, &[200, 502]),
    ];
    for h2 in [false, true] {
        for (number, (what, bytes, statuses)) in cases.iter().enumerate() {
            let path = format!("/bad/{number}");
            app.on(&path, Script::Raw(bytes.clone().into_bytes()));
            let outcome = gw.get(&format!("https://app.gw.test{path}")).version(h2).send();
            let status = outcome.status();
            assert!(
                status.is_some_and(|s| statuses.contains(&s)),
                "S14 {what} (h2: {h2}): {outcome:?}"
            );
            let reply = outcome.expect_reply();
            if reply.status == 502 {
                assert_tells_nothing(&reply);
            }
            assert!(!reply.text().contains("smuggled"), "S14 {what}: {}", reply.picture());
            // The next request gets its own answer.
            let url = format!("https://app.gw.test/next/{number}");
            let next = gw.get(&url).version(h2).expect(200).into_reply();
            assert_eq!(next.json()["target"], format!("/next/{number}"), "S14 after {what}");
        }
    }
    app.sound();
}

#[test]
fn an_answer_that_breaks_off_is_never_whole_for_the_client() {
    let (gw, app) = start();
    for (number, bytes) in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/short/{number}");
        app.on(&path, Script::RawThenClose(bytes.as_bytes().to_vec()));
        for h2 in [false, true] {
            let outcome = gw.get(&format!("https://app.gw.test{path}")).version(h2).send();
            assert!(outcome.status() != Some(200), "{bytes:?}: {outcome:?}");
        }
    }
    let records = gw.wait_for_records(6);
    assert!(records.len() >= 6, "a cut exchange leaves its record too");
}

#[test]
fn a_slow_backend_is_504() {
    let (gw, app) = start();
    app.on("/slow", Script::Late(Duration::from_secs(6)));
    for h2 in [false, true] {
        let checked = gw.get("https://app.gw.test/slow").version(h2).expect(504);
        let record = checked.audit();
        assert_eq!(record["decision.rule"], "everyone", "{record:#}");
        assert!(record["error.type"].is_string(), "{record:#}");
        assert_tells_nothing(&checked);
    }
    gw.get("https://app.gw.test/next").expect(200);
}

#[test]
fn a_backend_that_closes_is_asked_again_only_where_that_is_safe() {
    let (gw, app) = start();
    app.on("/once", Script::CloseOnce).on("/never", Script::Close);
    // A kept connection that the backend closes under a GET: tried again or 502, never hanging.
    for h2 in [false, true] {
        let status = gw.get("https://app.gw.test/once").version(h2).send().status();
        assert!(matches!(status, Some(200 | 502)), "{status:?}");
        gw.get("https://app.gw.test/never").version(h2).expect(502);
        let before = app.hits();
        let posted = gw.post("https://app.gw.test/never", "pay 5").version(h2).expect(502);
        assert_tells_nothing(&posted);
        assert_eq!(app.hits(), before + 1, "a POST was sent twice");
    }
    app.sound();
}

#[test]
fn a_backend_that_comes_back_is_used_again() {
    let plan = gateway().with_routes(ROUTES);
    let (first, second) =
        (Recorder::start(&plan.world, "app"), Recorder::start(&plan.world, "app"));
    let gw = plan
        .with_upstream_text(&format!(
            "  - name: app
    endpoints: [\"{}\", \"{}\"]
    tls: {{ca: pki/backends-ca.crt, cert: pki/gateway-client.crt, key: pki/gateway-client.key, server_name: app.internal}}
",
            first.address, second.address
        ))
        .start();
    for _ in 0..6 {
        gw.get("https://app.gw.test/").expect(200);
    }
    assert!(first.hits() > 0 && second.hits() > 0, "{} and {}", first.hits(), second.hits());
    first.stop();
    // New connections to the first are refused: the second serves, at worst after one 502 each.
    let good =
        (0..10).filter(|_| gw.get("https://app.gw.test/").send().status() == Some(200)).count();
    assert!(good >= 5, "{good} of 10 requests were served by the endpoint that is left");
}
