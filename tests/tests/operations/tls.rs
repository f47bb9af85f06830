//! Listeners: versions, certificates by name, resumption, early data, the redirect.

use std::path::Path;

use openssl::ssl::SslVersion;
use scenarios::certificates::Leaf;
use scenarios::gateway::plain;
use scenarios::tls::Dial;
use scenarios::verbs::run;
use scenarios::{Recorder, gateway};

use super::ROUTES;

#[test]
fn only_tls_1_2_and_1_3_are_spoken_and_every_name_has_its_certificate() {
    let plan = gateway().with_routes(ROUTES).with_plain_listener();
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let dial = gw.dial().to("app.gw.test");
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let tls = Dial { max_version: Some(version), ..dial.clone() }.connect().unwrap();
        assert_eq!(tls.ssl().version2(), Some(version));
    }
    assert!(Dial { max_version: Some(SslVersion::TLS1_1), ..dial.clone() }.connect().is_err());

    let reply = gw.get("https://app.gw.test/public/x").expect(200).into_reply();
    assert!(reply.header("strict-transport-security").is_some(), "{}", reply.picture());

    // The plain listener redirects and does nothing else.
    let ask = |host: &str, path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        plain(gw.ports.plain, &head).unwrap_or_default()
    };
    let moved = ask("app.gw.test", "/public/a?b=c");
    assert!(matches!(moved.status, 301 | 308), "{}", moved.picture());
    let location = moved.header("location").unwrap();
    assert!(
        location.starts_with("https://app.gw.test") && location.ends_with("/public/a?b=c"),
        "{location}"
    );
    for host in ["evil.test", "app.gw.test@evil.test", "app.gw.test/evil", ""] {
        let reply = ask(host, "/");
        let location = reply.header("location").unwrap_or_default();
        assert!(!location.contains("evil"), "O11 {host}: {}", reply.picture());
    }
    assert_eq!(app.hits(), 1);
}

#[test]
fn a_certificate_is_replaced_under_live_connections() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let dial = gw.dial().to("app.gw.test");
    let serial = || {
        let tls = dial.connect().unwrap();
        tls.ssl().peer_certificate().unwrap().serial_number().to_bn().unwrap()
    };
    let head = b"GET /public/x HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";
    let mut live = scenarios::h1::Connection::open(&dial).unwrap();
    assert_eq!(live.ask(head).status(), Some(200));
    let before = serial();
    let renewed = gw.plan.world.front.issue(&Leaf::server(&scenarios::world::NAMES));
    renewed.write(&gw.plan.world.pki(), "gateway");
    scenarios::until("the new certificate to be shown", || (serial() != before).then_some(()));
    assert_eq!(live.ask(head).status(), Some(200), "the live connection goes on");
}

#[test]
fn x5_m10_nothing_is_resumed_and_no_early_data_is_taken() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let dir = gw.plan.world.path();
    gw.plan.world.device("laptop").write(dir, "laptop");
    let address = gw.ports.public.to_string();
    let mut shown = Vec::new();
    for version in ["-tls1_2", "-tls1_3"] {
        let client = |more: &str| {
            // The request keeps the connection open until a ticket would have come.
            let script = format!(
                "printf 'GET /public/x HTTP/1.1\\r\\nHost: app.gw.test\\r\\nConnection: close\\r\\n\\r\\n' | \
                 openssl s_client -connect {address} -servername app.gw.test {version} -ign_eof {more} 2>&1"
            );
            run(Path::new("/bin/sh"), dir, &["-c", &script]).stdout
        };
        let first = client("-cert laptop.crt -key laptop.key -sess_out session.pem");
        assert!(first.contains("HTTP/1.1 200"), "{first}");
        assert!(!first.contains("Max Early Data: 1"), "M10: early data is offered: {first}");
        shown.push(true);
        if !dir.join("session.pem").exists() {
            continue;
        }
        let second = client("-sess_in session.pem");
        shown.push(false);
        assert!(second.contains("HTTP/1.1 200"), "X6: a resuming client is not served: {second}");
        assert!(
            !second.contains("\nReused, "),
            "X5: a session with a certificate was resumed: {second}"
        );
        drop(std::fs::remove_file(dir.join("session.pem")));
    }
    // A connection that showed no certificate has no device.
    let records = gw.wait_for_records(shown.len());
    for (record, shown) in records.iter().zip(shown) {
        assert_eq!(record.get("device.id").is_some(), shown, "{records:#?}");
    }
}
