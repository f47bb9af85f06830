//! WebSockets, gRPC, and bodies that are large.

use std::time::Duration;

use scenarios::h1::Connection;
use scenarios::tokens::CORP;
use scenarios::{Gateway, Recorder, Script, gateway, h2};

use super::ROUTES;

fn start(more: &str) -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let address = app.address;
    (plan.with_upstream("app", address, more).start(), app)
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: app.gw.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn read_exactly(connection: &mut Connection, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let more = connection.read_raw().unwrap();
        assert!(!more.is_empty(), "the stream ended after {} of {count} bytes", bytes.len());
        bytes.extend(more);
    }
    bytes
}

#[test]
fn a_websocket_carries_bytes_both_ways() {
    let (gw, app) = start("    response_timeout: 2s\n");
    app.on("/ws", Script::WebSocket);
    let mut connection = Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    let bearer = CORP.bearer("ana");
    let outcome =
        connection.ask(format!("{UPGRADE}Authorization: Bearer {bearer}\r\n\r\n").as_bytes());
    assert_eq!(outcome.status(), Some(101), "{outcome:?}");
    let seen = app.last();
    assert_eq!(seen.header("x-portcullis-user"), Some("ana"));
    for size in [1, 125, 70_000] {
        let frame = vec![0x82; size];
        connection.send(&frame).unwrap();
        assert_eq!(read_exactly(&mut connection, size), frame);
    }
    // Longer than the backend's response timeout: an open stream has a limit of its own.
    std::thread::sleep(Duration::from_secs(4));
    connection.send(b"still here").unwrap();
    assert_eq!(read_exactly(&mut connection, 10), b"still here");
    assert!(gw.metric_sum("portcullis_streams_active", &["app"]) >= 1.0);
    drop(connection);
    scenarios::until("the stream to be counted out", || {
        (gw.metric_sum("portcullis_streams_active", &["app"]) == 0.0).then_some(())
    });
    let records = gw.wait_for_records(1);
    assert!(
        records.iter().any(|record| record["http.response.status_code"] == 101),
        "{records:#?}"
    );
}

#[test]
fn w1_an_upgrade_without_a_right_to_it_is_refused_before_it_is_one() {
    let plan = gateway().with_routes(
        r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: eng, allow: {}, when: {user.groups: eng}}]
  - name: still
    hosts: [still.gw.test]
    upstream: app
    websocket: false
    rules: [{id: everyone, allow: {}}]
"#,
    );
    let app = Recorder::start(&plan.world, "app");
    app.on("/ws", Script::WebSocket);
    let gw = plan.with_backend("app", &app).start();
    let ask = |more: &str| {
        let mut connection = Connection::open(&gw.dial().to("app.gw.test")).unwrap();
        connection.ask(format!("{UPGRADE}{more}\r\n").as_bytes()).status()
    };
    assert_eq!(ask(""), Some(401));
    assert_eq!(ask(&format!("Authorization: Bearer {}\r\n", CORP.bearer("ben"))), Some(403));
    assert_eq!(app.hits(), 0);
    assert_eq!(ask(&format!("Authorization: Bearer {}\r\n", CORP.bearer("ana"))), Some(101));
    let mut connection = Connection::open(&gw.dial().to("still.gw.test")).unwrap();
    let upgrade = UPGRADE.replace("app.gw.test", "still.gw.test");
    let outcome = connection.ask(format!("{upgrade}\r\n").as_bytes());
    assert!(outcome.status().is_some_and(|status| status != 101), "{outcome:?}");
}

#[test]
fn w5_a_handshake_that_is_none_is_refused() {
    let (gw, app) = start("");
    app.on("/ws", Script::WebSocket);
    let head = "HTTP/1.1\r\nHost: app.gw.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    for request in [
        format!("GET /ws {head}{key}Sec-WebSocket-Version: 12\r\n\r\n"),
        format!("GET /ws {head}{version}\r\n"),
        format!("GET /ws {head}{key}{key}{version}\r\n"),
        format!("GET /ws {head}{version}Sec-WebSocket-Key: short\r\n\r\n"),
        format!("POST /ws {head}{key}{version}Content-Length: 0\r\n\r\n"),
        format!("GET /ws {}{key}{version}\r\n", head.replace("1.1", "1.0")),
    ] {
        let outcome =
            Connection::open(&gw.dial().to("app.gw.test")).unwrap().ask(request.as_bytes());
        assert!(matches!(outcome.status(), Some(400 | 405 | 426)), "W5 {request}: {outcome:?}");
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn a_silent_websocket_ends_at_the_limit_that_was_set() {
    let plan = gateway().with_routes(ROUTES).with_server("  limits: {stream_idle_max: 2s}\n");
    let app = Recorder::start(&plan.world, "app");
    app.on("/ws", Script::WebSocket);
    let gw = plan.with_backend("app", &app).start();
    let mut connection = Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    assert_eq!(connection.ask(format!("{UPGRADE}\r\n").as_bytes()).status(), Some(101));
    connection.send(b"one").unwrap();
    assert_eq!(read_exactly(&mut connection, 3), b"one");
    assert!(connection.is_closed(), "a silent stream is closed");
}

#[test]
fn grpc_passes_from_h2_to_h2_with_its_trailers() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start_h2(&plan.world, "app");
    app.on("/pkg.Service/Ok", Script::Grpc(0)).on("/pkg.Service/Fails", Script::Grpc(5));
    let address = app.address;
    let gw = plan.with_upstream("app", address, "    protocol: http2\n").start();
    let message = b"\0\0\0\0\x05hello";
    let mut connection = h2::Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    for (method, status) in [("Ok", "0"), ("Fails", "5"), ("Ok", "0")] {
        let mut fields = h2::fields("POST", "app.gw.test", &format!("/pkg.Service/{method}"));
        fields.push((b"content-type".to_vec(), b"application/grpc".to_vec()));
        fields.push((b"te".to_vec(), b"trailers".to_vec()));
        fields.push((b"x-portcull-not-ours".to_vec(), b"kept".to_vec()));
        let reply = connection.ask(&fields, Some(message)).expect_reply();
        assert_eq!(reply.status, 200, "{}", reply.picture());
        assert_eq!(reply.body, message);
        let trailer =
            |name: &str| reply.trailers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(trailer("grpc-status"), Some(status), "{reply:?}");
        let seen = app.last();
        assert_eq!(seen.version, "h2");
        assert_eq!(seen.header("te"), Some("trailers"), "{:?}", seen.headers);
        assert_eq!(seen.header(":authority"), Some("app.gw.test"), "{:?}", seen.headers);
        assert_eq!(seen.header("x-portcull-not-ours"), Some("kept"));
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "what is h2 to h2 is cleaned too");
    }
    assert_eq!(app.hits(), 3);
}

#[test]
fn an_answer_that_ends_with_an_empty_frame_ends_once() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start_h2(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let mut connection = Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    for n in 0..5 {
        let head = format!("GET /n/{n} HTTP/1.1\r\nHost: app.gw.test\r\n\r\n");
        let reply = connection.ask(head.as_bytes()).expect_reply();
        assert_eq!(reply.status, 200, "{}", reply.picture());
        assert_eq!(reply.json()["target"], format!("/n/{n}"));
        assert_eq!(reply.json()["version"], "h2");
    }
}

#[test]
fn large_bodies_pass_both_ways_without_being_gathered() {
    const SIZE: usize = 64 << 20;
    let (gw, app) = start("");
    app.on("/large", Script::Large(SIZE));
    for h2 in [false, true] {
        let reply = gw.get("https://app.gw.test/large").version(h2).expect(200).into_reply();
        assert_eq!(reply.body.len(), SIZE);
    }
    let reply = gw.post("https://app.gw.test/up", vec![b'u'; SIZE]).expect(200).into_reply();
    assert_eq!(reply.json()["body_bytes"], SIZE);
    let status = std::fs::read_to_string(format!("/proc/{}/status", gw.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 200 << 10, "{peak_kib} KiB at the most");
    app.sound();
}
