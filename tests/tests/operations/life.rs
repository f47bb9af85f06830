//! Reload and end.

use std::time::{Duration, Instant};

use scenarios::{Gateway, Outcome, Recorder, Script, gateway, until};

use super::ROUTES;

fn start(server: &str) -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES).with_server(server);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

const CLOSED: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: nobody, allow: {}, when: {user.id: nobody}}]
"#;

#[test]
fn a_good_file_is_in_force_and_a_bad_one_changes_nothing() {
    let (mut gw, _app) = start("");
    let url = "https://app.gw.test/public/x";
    gw.get(url).expect(200);
    gw.plan.set("routes", CLOSED);
    gw.reload();
    gw.get(url).expect(401);
    assert_eq!(gw.metric("portcullis_config_last_reload_success"), 1.0);

    // Broken: refused whole, the closed policy goes on, and everyone is told.
    let generation = gw.metric("portcullis_config_generation");
    for broken in
        ["  - {name: app, hosts: [app.gw.test], upstream: nowhere, rules: []}\n", "  - [\n"]
    {
        gw.plan.set("routes", broken);
        gw.plan.write(&gw.ports);
        gw.signal("HUP");
        until("the refused reload to be told", || {
            (gw.metric("portcullis_config_last_reload_success") == 0.0).then_some(())
        });
        assert_eq!(gw.metric("portcullis_config_generation"), generation);
        gw.get(url).expect(401);
    }
    until("the mistake in the log", || gw.output().contains("portcullis.yaml:").then_some(()));

    // Repaired without a signal: the file itself is watched.
    gw.plan.set("routes", ROUTES);
    gw.plan.write(&gw.ports);
    until("the repaired file to be in force", || {
        (gw.get(url).send().status() == Some(200)).then_some(())
    });
    assert_eq!(gw.metric("portcullis_config_last_reload_success"), 1.0);
}

#[test]
fn a_live_connection_meets_the_new_policy() {
    let (mut gw, _app) = start("");
    let dial = gw.dial().to("app.gw.test");
    let mut h1 = scenarios::h1::Connection::open(&dial).unwrap();
    let mut h2 = scenarios::h2::Connection::open(&dial).unwrap();
    let head = b"GET /public/x HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";
    let fields = scenarios::h2::fields("GET", "app.gw.test", "/public/x");
    assert_eq!(h1.ask(head).status(), Some(200));
    assert_eq!(h2.ask(&fields, None).status(), Some(200));
    gw.plan.set("routes", CLOSED);
    gw.reload();
    assert_eq!(h1.ask(head).status(), Some(401));
    assert_eq!(h2.ask(&fields, None).status(), Some(401));
}

#[test]
fn sigterm_lets_a_request_in_flight_end() {
    let (mut gw, app) = start("  drain: 20s\n");
    app.on("/public/hold", Script::Hold);
    let threads: Vec<_> = [false, true]
        .map(|h2| {
            let dial = gw.dial().to("app.gw.test");
            std::thread::spawn(move || -> Outcome {
                if h2 {
                    let fields = scenarios::h2::fields("GET", "app.gw.test", "/public/hold/2");
                    scenarios::h2::Connection::open(&dial).unwrap().ask(&fields, None)
                } else {
                    let head = b"GET /public/hold/1 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";
                    scenarios::h1::Connection::open(&dial).unwrap().ask(head)
                }
            })
        })
        .into();
    app.wait_for(2);
    gw.signal("TERM");
    until("new connections to be refused", || {
        std::net::TcpStream::connect(gw.ports.public).is_err().then_some(())
    });
    app.release();
    for thread in threads {
        let outcome = thread.join().unwrap();
        assert_eq!(outcome.status(), Some(200), "{outcome:?}");
    }
    let began = Instant::now();
    assert!(gw.stop().success(), "{}", gw.output());
    assert!(began.elapsed() < Duration::from_secs(18), "it waited though nothing was in flight");
    let records = gw.records();
    assert_eq!(records.iter().filter(|r| r["http.response.status_code"] == 200).count(), 2);
}

#[test]
fn sigterm_ends_in_the_time_that_was_set() {
    let (mut gw, app) = start("  drain: 2s\n");
    app.on("/public/hold", Script::Hold);
    let dial = gw.dial().to("app.gw.test");
    let mut connection = scenarios::h1::Connection::open(&dial).unwrap();
    connection.send(b"GET /public/hold HTTP/1.1\r\nHost: app.gw.test\r\n\r\n").unwrap();
    app.wait_for(1);
    let began = Instant::now();
    gw.stop();
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    let records = gw.records();
    let cut = records.iter().filter(|record| record["url.path"] == "/public/hold").count();
    assert_eq!(cut, 1, "the request that was cut has its record: {records:#?}");
}

#[test]
fn an_idle_gateway_ends_at_once() {
    let (mut gw, _app) = start("  drain: 30s\n");
    // An idle kept connection does not hold it up.
    let mut idle = scenarios::h1::Connection::open(&gw.dial().to("app.gw.test")).unwrap();
    assert_eq!(
        idle.ask(b"GET /public/x HTTP/1.1\r\nHost: app.gw.test\r\n\r\n").status(),
        Some(200)
    );
    let began = Instant::now();
    assert!(gw.stop().success());
    assert!(began.elapsed() < Duration::from_secs(12), "it took {:?}", began.elapsed());
}

#[test]
fn the_demo_s_verbs_know_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let verb = |args: &[&str]| scenarios::verbs::portcullis(dir.path(), args);
    for verb in ["run", "check", "explain", "pki", "token", "demo", "schema"] {
        let help = scenarios::verbs::portcullis(dir.path(), &[verb, "--help"]).expect(0);
        assert!(help.stdout.contains("Usage"), "{verb}: {}", help.stdout);
    }
    verb(&["rnu"]).expect(64);
    verb(&["check"]).expect(64);
    let schema = verb(&["schema"]).expect(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let text = schema.to_string();
    for key in ["trusted_proxies", "upstreams", "danger_plaintext", "inventory", "jwks", "routes"] {
        assert!(text.contains(key), "the schema does not know `{key}`");
    }
}
