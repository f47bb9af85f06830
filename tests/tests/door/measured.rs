//! Every row of what Pingora alone lets through, with what the gateway makes of it. Rows that are
//! a whole family of their own (paths, hosts, framing) are only touched here.

use std::time::{Duration, Instant};

use scenarios::h2::{Fields, fields};
use scenarios::house::House;
use scenarios::reply::Outcome;

fn get(target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: app.gw.test\r\n{more}\r\n")
}

#[test]
fn measured_rows_over_h1() {
    let house = House::start();
    let many: String = (0..101).map(|n| format!("X-Field-{n}: {n}\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "a".repeat(33 << 10));
    // (row, request, statuses, whether the backend may see it)
    let rows: Vec<(&str, String, &[u16], bool)> = vec![
        ("space in target", get("/public/a b", ""), &[400], false),
        ("tab in target", get("/public/a\tb", ""), &[400], false),
        ("vertical tab in target", get("/public/a\x0b", ""), &[400], false),
        ("quote in target", get("/public/a\"<>b", ""), &[200, 400], true),
        ("fragment", get("/public/a#x", ""), &[400], false),
        ("asterisk with GET", get("*", ""), &[400], false),
        ("no slash", get("public", ""), &[400], false),
        ("8-bit in target", get("/public/\u{e9}", ""), &[400], false),
        ("userinfo in Host", "GET /public HTTP/1.1\r\nHost: a@app.gw.test\r\n\r\n".into(), &[400], false),
        ("no Host", "GET /public HTTP/1.1\r\n\r\n".into(), &[400], false),
        ("HTTP/1.0, no Host", "GET /public HTTP/1.0\r\n\r\n".into(), &[400], false),
        ("bare LF head", "GET /public HTTP/1.1\nHost: app.gw.test\n\n".into(), &[400], false),
        (
            "TE and CL",
            "POST /public HTTP/1.1\r\nHost: app.gw.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            &[400],
            false,
        ),
        (
            "GET with a body",
            "GET /public HTTP/1.1\r\nHost: app.gw.test\r\nContent-Length: 3\r\n\r\nabc".into(),
            &[200, 400],
            true,
        ),
        ("underscore name", get("/public", "X_Portcullis_User: mallory\r\n"), &[400], false),
        ("Connection: X-Forwarded-For", get("/public", "Connection: X-Forwarded-For\r\n"), &[400], false),
        ("Upgrade: foo", get("/public", "Connection: Upgrade\r\nUpgrade: foo\r\n"), &[200, 400], true),
        ("TRACE", "TRACE /public HTTP/1.1\r\nHost: app.gw.test\r\n\r\n".into(), &[405], false),
        ("FOO", "FOO /public HTTP/1.1\r\nHost: app.gw.test\r\n\r\n".into(), &[403, 405], false),
        ("CONNECT", "CONNECT app.gw.test:443 HTTP/1.1\r\nHost: app.gw.test:443\r\n\r\n".into(), &[400, 405], false),
        ("101 fields", get("/public", &many), &[431], false),
        ("33 KiB of fields", get("/public", &large), &[431], false),
    ];
    for (row, bytes, statuses, may_pass) in rows {
        let before = house.hits();
        let outcome = house.raw(bytes.as_bytes());
        let status = outcome.status();
        assert!(status.is_some_and(|s| statuses.contains(&s)), "{row}: {outcome:?}");
        assert!(may_pass || house.hits() == before, "{row}: the backend was reached");
        let reply = outcome.expect_reply();
        assert_eq!(reply.header("server"), None, "{row}: {}", reply.picture());
        assert!(reply.request_id().is_some(), "{row}: no request id: {}", reply.picture());
    }
    for seen in house.app.seen() {
        assert_eq!(seen.header("upgrade"), None, "an upgrade that is none was forwarded");
    }
    house.sound();
}

#[test]
fn measured_rows_over_h2() {
    let house = House::start();
    let with = |path: &str, more: &[(&str, &str)]| -> Fields {
        let mut all = fields("GET", "app.gw.test", path);
        all.extend(more.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())));
        all
    };
    let scheme = |scheme: &str| -> Fields {
        let set = |(name, value): (Vec<u8>, Vec<u8>)| match &name[..] {
            b":scheme" => (name, scheme.into()),
            _ => (name, value),
        };
        with("/public", &[]).into_iter().map(set).collect()
    };
    let without = |gone: &str| -> Fields {
        with("/public", &[]).into_iter().filter(|(name, _)| name != gone.as_bytes()).collect()
    };
    let many: Vec<(String, String)> = (0..101).map(|n| (format!("x-{n}"), n.to_string())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let crumbs: Vec<(&str, &str)> = (0..101).map(|_| ("cookie", "a=b")).collect();
    let large = "a".repeat(33 << 10);
    let rows: Vec<(&str, Fields, &[u16])> = vec![
        ("host differs from authority", with("/public", &[("host", "open.gw.test")]), &[400]),
        ("path without slash", with("public", &[]), &[400]),
        ("absolute path", with("https://app.gw.test/public", &[]), &[400]),
        ("path with space", with("/public/a b", &[]), &[400]),
        ("transfer-encoding", with("/public", &[("transfer-encoding", "chunked")]), &[400]),
        ("connection", with("/public", &[("connection", "keep-alive")]), &[400]),
        ("upper-case name", with("/public", &[("X-Upper", "1")]), &[400]),
        ("LF in value", with("/public", &[("x-a", "a\nb")]), &[400]),
        ("scheme http on TLS", scheme("http"), &[400]),
        ("scheme file", scheme("file"), &[400]),
        ("no path", without(":path"), &[400]),
        ("no method", without(":method"), &[400]),
        ("no scheme", without(":scheme"), &[400]),
        ("no authority, no host", without(":authority"), &[400]),
        ("underscore name", with("/public", &[("x_portcullis_user", "mallory")]), &[400]),
        ("101 fields", with("/public", &many), &[431]),
        ("101 cookie crumbs", with("/public", &crumbs), &[431]),
        ("33 KiB of fields", with("/public", &[("x-large", &large)]), &[431]),
    ];
    for (row, fields, statuses) in rows {
        let outcome = house.raw_h2(&fields, None);
        let fits = match &outcome {
            Outcome::Answer(reply) => statuses.contains(&reply.status),
            Outcome::Reset(_) => true,
            Outcome::Closed(_) => false,
        };
        assert!(fits, "{row}: {outcome:?}");
    }
    assert_eq!(house.hits(), 0, "no backend was reached: {:?}", house.app.seen());
    house.sound();
}

#[test]
fn a_slow_head_meets_its_deadline() {
    let house = House::start_with(|plan| {
        plan.with_server("  limits: {header_time_max: 2s, idle_max: 3s}\n")
    });
    // One byte now and then keeps a per-read timer alive for ever; a deadline is absolute.
    let mut connection = house.h1("app.gw.test").unwrap();
    let head = get("/public/slow", &format!("X-Slow: {}\r\n", "a".repeat(200)));
    let began = Instant::now();
    let mut cut = false;
    for byte in head.as_bytes() {
        if connection.send(&[*byte]).is_err() {
            cut = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
        if began.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    let outcome = connection.read(false);
    let refused = cut || !matches!(outcome.status(), Some(200));
    assert!(refused, "the head was taken after {:?}: {outcome:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(25), "cut only after {:?}", began.elapsed());

    // A second head on a kept connection has the same deadline.
    let mut connection = house.h1("app.gw.test").unwrap();
    assert_eq!(connection.ask(get("/public/one", "").as_bytes()).status(), Some(200));
    connection.send(b"GET /public/two HTTP/1.1\r\nHost: app").unwrap();
    let began = Instant::now();
    let outcome = connection.read(false);
    assert!(outcome.status() != Some(200), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(25), "cut only after {:?}", began.elapsed());
    assert_eq!(house.hits(), 1);
    house.sound();
}
