//! What an outside reviewer found, each as a case: the clock of a head, requests that end before
//! any hook, and listeners that change places.

use std::time::Duration;

use scenarios::h2::Fields;
use scenarios::{Gateway, Recorder, gateway, h1, h2, until, wait::within};

const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: ana, allow: {}, when: {user.id: ana}}]
  - name: laptops
    hosts: [laptops.gw.test]
    upstream: app
    rules: [{id: laptop, allow: {}, when: {all: [{user.id: ana}, {device.managed: true}]}}]
"#;

const HEAD_TIME: Duration = Duration::from_secs(1);

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES).with_server("  limits: {header_time_max: 1s}\n");
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

/// Lets time pass: what is tested is a clock.
fn pass(time: Duration) {
    assert!(within(time, || None::<()>).is_none());
}

/// Empty lines before a head counted as its end, and its clock never started.
#[test]
fn d1_empty_lines_do_not_stop_the_clock_of_a_head() {
    let (gw, app) = start();
    for lead in ["", "\r\n", "\r\n\r\n", "\n\n"] {
        let dial = gw.dial().to("app.gw.test");
        let mut slow = h1::Connection::open(&dial).unwrap();
        slow.send(format!("{lead}GET / HTTP/1.1\r\nX: ").as_bytes()).unwrap();
        // The harness gives up on a read long after the gateway must have closed.
        let _refused_or_closed = slow.read(false);
        assert!(slow.is_closed(), "{lead:?}: still open");
    }
    assert_eq!(app.hits(), 0);
}

/// The clock of a refused request ran on, and cut the next one on its connection.
#[test]
fn a_head_has_a_clock_of_its_own() {
    let (gw, _app) = start();
    let mut kept = h1::Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    for round in 0..2 {
        kept.send(b"GET /x HTTP/1.1\r\nHost: app").unwrap();
        pass(HEAD_TIME / 4);
        kept.send(b".gw.test\r\n\r\n").unwrap();
        assert_eq!(kept.read(false).status(), Some(401), "request {round}");
        pass(HEAD_TIME + HEAD_TIME / 4);
    }
}

/// An HTTP/2 request that Pingora refused before any hook left no record.
#[test]
fn m2_a_refused_stream_has_its_record() {
    let (gw, app) = start();
    let tunnel: Fields =
        vec![(b":method".into(), b"CONNECT".into()), (b":authority".into(), b"a.test:1".into())];
    let mut connection = h2::Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    assert_eq!(connection.ask(&tunnel, None).status(), Some(405));
    let records = gw.wait_for_records(1);
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["http.response.status_code"], 405);
    assert_eq!(records[0]["http.request.method"], "CONNECT");
    assert_eq!(records[0]["decision.outcome"], "refuse");
    assert_eq!(app.hits(), 0);
}

/// After `server.listen` had changed, the second reload gave a listener what belongs to another.
#[test]
fn listeners_keep_what_is_theirs_wherever_they_stand() {
    let (gw, _app) = start();
    let ask = || gw.get("https://laptops.gw.test/x").as_user("ana").on_device("laptop");
    ask().expect(200);
    let text = gw.plan.text(&gw.ports);
    let lax = "  listen:\n    - address: 127.0.0.1:9\n      tls: {certificates: [{cert: \
               pki/gateway.crt, key: pki/gateway.key}]}\n";
    for round in ["# one", "# two", "# three"] {
        let before = gw.metric("portcullis_config_generation");
        let changed = text.replacen("  listen:\n", lax, 1) + round;
        gw.plan.world.write("portcullis.yaml", &changed);
        until("the next generation", || {
            (gw.metric("portcullis_config_generation") > before).then_some(())
        });
        ask().expect(200);
        assert!(gw.admin("/v1/config").text().contains("127.0.0.1:9"), "{round}: unsaid");
    }
}
