//! O1 to O12: one host, the one that the handshake was for.

use scenarios::h2::fields;
use scenarios::house::House;
use scenarios::reply::Outcome;

#[test]
fn o1_o2_spellings_of_a_host_are_one_host() {
    let house = House::start();
    for host in
        ["app.gw.test", "APP.gw.TEST", "app.gw.test.", "app.gw.test:443", "App.Gw.Test.:443"]
    {
        for h2 in [false, true] {
            let mut request = house.gw.get("https://app.gw.test/public/o").version(h2);
            host.clone_into(&mut request.host);
            let audit = request.expect(200).audit();
            assert_eq!(audit["server.address"], "app.gw.test", "O1/O2 {host}");
        }
    }
    for h2 in [false, true] {
        let mut request = house.gw.get("https://a.b.gw.test/").version(h2);
        "a.B.gw.test".clone_into(&mut request.host);
        request.expect(200).rule("everyone");
    }
    house.sound();
}

#[test]
fn o2_o3_what_is_no_host_is_refused() {
    let house = House::start();
    let hosts: &[&str] = &[
        "app.gw.test:",
        "app.gw.test:0443",
        "app.gw.test:99999",
        "app.gw.test:x",
        "app.gw.test:0",
        "app.gw.test/x",
        "app.gw.test?x",
        "app.gw.test#x",
        "app.gw.test, b.test",
        "app gw.test",
        "user@app.gw.test",
        "app.gw.test%00",
        "app.gw.test\\x",
        "\u{e9}.gw.test",
        "",
        "app..gw.test",
        ".gw.test",
        "[::1",
        "app.gw.test:443:443",
    ];
    for host in hosts {
        let bytes = format!("GET /public/o3 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_refused(&house.raw(bytes.as_bytes()), &format!("O3 h1 {host:?}"));
        let outcome = house.raw_h2(&fields("GET", host, "/public/o3"), None);
        assert_refused(&outcome, &format!("O3 h2 {host:?}"));
    }
    let heads: &[(&str, &str)] = &[
        ("missing", "GET /public/o3 HTTP/1.1\r\n\r\n"),
        ("missing, 1.0", "GET /public/o3 HTTP/1.0\r\n\r\n"),
        ("twice", "GET /public/o3 HTTP/1.1\r\nHost: app.gw.test\r\nHost: app.gw.test\r\n\r\n"),
        ("two", "GET /public/o3 HTTP/1.1\r\nHost: app.gw.test\r\nHost: open.gw.test\r\n\r\n"),
        ("O4", "GET http://open.gw.test/ HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
        ("O4", "GET https://open.gw.test/ HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
        ("O4", "GET https://app.gw.test@open.gw.test/ HTTP/1.1\r\nHost: app.gw.test\r\n\r\n"),
    ];
    for (what, head) in heads {
        assert_refused(&house.raw(head.as_bytes()), &format!("O3 {what}"));
    }
    assert_eq!(house.hits(), 0, "O3: no backend was reached");
    house.sound();
}

#[test]
fn o5_authority_and_host_are_one_on_h2() {
    let house = House::start();
    let with = |extra: &[&str]| {
        let mut all = fields("GET", "app.gw.test", "/public/o5");
        all.extend(extra.iter().map(|host| (b"host".to_vec(), host.as_bytes().to_vec())));
        all
    };
    assert_refused(&house.raw_h2(&with(&["open.gw.test"]), None), "O5 host differs");
    assert_refused(&house.raw_h2(&with(&["app.gw.test", "app.gw.test"]), None), "O5 two hosts");
    let mut twice = fields("GET", "app.gw.test", "/public/o5");
    twice.push((b":authority".to_vec(), b"open.gw.test".to_vec()));
    assert_refused(&house.raw_h2(&twice, None), "O5 two authorities");
    assert_eq!(house.hits(), 0);
    // Equal ones are one host; so is `host` alone.
    let reply = house.raw_h2(&with(&["app.gw.test"]), None).expect_reply();
    assert_eq!(reply.status, 200, "{}", reply.picture());
    let alone: Vec<_> =
        with(&["app.gw.test"]).into_iter().filter(|(name, _)| name != b":authority").collect();
    if let Outcome::Answer(reply) = house.raw_h2(&alone, None) {
        assert!(matches!(reply.status, 200 | 400), "{}", reply.picture());
    }
    house.sound();
}

#[test]
fn o6_o7_o12_a_connection_serves_the_name_that_it_asked_for() {
    let house = House::start();
    for h2 in [false, true] {
        for (sni, host) in [
            (Some("open.gw.test"), "mtls.gw.test"),
            (Some("mtls.gw.test"), "open.gw.test"),
            (Some("open.gw.test"), "app.gw.test"),
            (None, "mtls.gw.test"),
            (Some("127.0.0.1"), "mtls.gw.test"),
        ] {
            let url = format!("https://{host}/public/o6");
            let outcome = house.gw.get(&url).sni(sni).version(h2).send();
            let status = outcome.status();
            assert!(
                status == Some(421) || (sni != Some("open.gw.test") && status.is_none()),
                "O6/O7 {sni:?} {host} (h2: {h2}): {outcome:?}"
            );
        }
        // Spellings of the protected name have the protected name's TLS policy.
        for sni in ["mtls.gw.test.", "MTLS.GW.TEST", "x.mtls.gw.test", "X.MTLS.gw.test"] {
            let url = format!("https://{}/o7", sni.trim_end_matches('.').to_lowercase());
            let status = house.gw.get(&url).sni(Some(sni)).version(h2).send().status();
            assert!(matches!(status, None | Some(401 | 403 | 421)), "O7/O8 {sni}: {status:?}");
        }
    }
    assert_eq!(house.hits(), 0, "no backend was reached");

    let mut connection = house.h2("open.gw.test").unwrap();
    let first = connection.start(&fields("GET", "open.gw.test", "/first"), true).unwrap();
    let second = connection.start(&fields("GET", "mtls.gw.test", "/second"), true).unwrap();
    assert_eq!(connection.finish(first).status(), Some(200), "O12: stream 1");
    assert_eq!(connection.finish(second).status(), Some(421), "O12: stream 3");
    let third = connection.ask(&fields("GET", "open.gw.test", "/third"), None);
    assert_eq!(third.status(), Some(200), "O12: stream 5");
    assert_eq!(house.mtls.hits(), 0);
    house.sound();
}

#[test]
fn o8_o9_a_certificate_is_asked_for_however_the_name_is_sent() {
    let house = House::start();
    let device = house.gw.plan.world.device("laptop");
    for sni in ["mtls.gw.test", "x.mtls.gw.test", "X.MTLS.gw.test"] {
        let url = format!("https://{}/o8", sni.to_lowercase());
        house.gw.get(&url).sni(Some(sni)).certificate(&device).expect(200).rule("certified");
    }
    for segment in [1, 7, 100] {
        let mut dial = house.gw.dial().to("mtls.gw.test");
        dial.segment = Some(segment);
        let head = b"GET /o9 HTTP/1.1\r\nHost: mtls.gw.test\r\n\r\n";
        let bare = scenarios::h1::Connection::open(&dial).unwrap().ask(head);
        assert!(matches!(bare.status(), Some(401 | 403)), "O9 {segment}: {bare:?}");
        dial.certificate = Some(device.clone());
        let shown = scenarios::h1::Connection::open(&dial).unwrap().ask(head);
        assert_eq!(shown.status(), Some(200), "O9 {segment}: {shown:?}");
    }
    house.sound();
}

#[test]
fn o10_an_unknown_host_learns_nothing() {
    let house = House::start();
    for h2 in [false, true] {
        let outcome = house.gw.get("https://nowhere.gw.test/").version(h2).send();
        let reply = outcome.expect_reply();
        assert!(matches!(reply.status, 404 | 421), "O10: {}", reply.picture());
        let text = reply.picture();
        for name in ["app.gw.test", "mtls", "upstream", "internal"] {
            assert!(!text.contains(name), "O10 names {name}: {text}");
        }
    }
    assert_eq!(house.hits(), 0);
    house.sound();
}

#[track_caller]
fn assert_refused(outcome: &Outcome, what: &str) {
    let refused = match outcome {
        Outcome::Answer(reply) => reply.status == 400,
        Outcome::Reset(_) => true,
        Outcome::Closed(_) => false,
    };
    assert!(refused, "{what}: {outcome:?}");
}
