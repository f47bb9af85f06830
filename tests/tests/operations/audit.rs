//! F6, F7, F10: one record for every request, and nothing secret in any.

use scenarios::frames::{Frame, kind};
use scenarios::tokens::CORP;
use scenarios::{Gateway, Recorder, Script, gateway};

use super::ROUTES;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

#[test]
fn f10_every_request_has_one_record_refused_ones_too() {
    let (gw, app) = start();
    app.on("/public/hold", Script::Hold);
    let dial = gw.dial().to("app.gw.test");
    let mut expected = 0;
    // Passed, challenged, refused by the door, refused before any filter.
    for head in [
        "GET /public/x HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "GET /a%00 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: nowhere.gw.test\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.gw.test\r\nHost: b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.gw.test\r\nbad header\r\n\r\n",
        "CONNECT app.gw.test:443 HTTP/1.1\r\nHost: app.gw.test:443\r\n\r\n",
        "TRACE /public HTTP/1.1\r\nHost: app.gw.test\r\n\r\n",
    ] {
        let mut connection = scenarios::h1::Connection::open(&dial).unwrap();
        let outcome = connection.ask(head.as_bytes());
        assert!(outcome.status().is_some(), "{head}: {outcome:?}");
        expected += 1;
        let records = gw.wait_for_records(expected);
        assert_eq!(records.len(), expected, "{head}: {records:#?}");
        let record = records.last().unwrap();
        assert_eq!(
            record["http.response.status_code"],
            outcome.status().unwrap(),
            "{head}: {record:#}"
        );
        assert!(record["decision.reason"].is_string(), "{head}: {record:#}");
    }
    // Cut by the client: h1 connection dropped, h2 stream reset.
    let mut cut = scenarios::h1::Connection::open(&dial).unwrap();
    cut.send(b"GET /public/hold/1 HTTP/1.1\r\nHost: app.gw.test\r\n\r\n").unwrap();
    let mut reset = scenarios::h2::Connection::open(&dial).unwrap();
    let fields = scenarios::h2::fields("GET", "app.gw.test", "/public/hold/2");
    let stream = reset.start(&fields, true).unwrap();
    app.wait_for(3);
    drop(cut);
    reset.frame(&Frame::new(kind::RST_STREAM, 0, stream, 8_u32.to_be_bytes())).unwrap();
    app.release();
    expected += 2;
    let records = gw.wait_for_records(expected);
    for path in ["/public/hold/1", "/public/hold/2"] {
        let of_path = records.iter().filter(|record| record["url.path"] == path).count();
        assert_eq!(of_path, 1, "{path}: {records:#?}");
    }
    gw.assert_clean();
}

#[test]
fn a_record_says_who_what_where_and_why() {
    let (gw, _app) = start();
    let record =
        gw.get("https://app.gw.test/a/%7euser?q=secret-query").as_user("ana").on_device("laptop");
    let record = record.h2().expect(200).audit();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("server.address", "app.gw.test"),
        ("url.path", "/a/~user"),
        ("http.route", "app"),
        ("user.id", "ana"),
        ("user.email", "ana@gw.test"),
        ("auth.method", "jwt"),
        ("auth.idp", "corp"),
        ("device.id", "laptop"),
        ("decision.outcome", "allow"),
        ("decision.rule", "staff"),
        ("client.address", "127.0.0.1"),
        ("upstream.name", "app"),
    ] {
        assert_eq!(record[key], value, "{key}: {record:#}");
    }
    for key in [
        "timestamp",
        "trace_id",
        "duration_ms",
        "policy.hash",
        "decision.duration_us",
        "upstream.address",
        "tls.client.subject",
        "tls.client.issuer",
        "http.request.body.size",
        "http.response.body.size",
    ] {
        assert!(!record[key].is_null(), "no `{key}`: {record:#}");
    }
    assert!(!record.to_string().contains("secret-query"), "a query value is logged: {record:#}");
}

#[test]
fn f6_nothing_that_is_sent_breaks_a_line() {
    let (gw, _app) = start();
    let evil = "a\u{1b}[2J\u{2028}\"}";
    for h2 in [false, true] {
        let url = "https://app.gw.test/public/%22%7D%7B%22x%22:1%7D";
        let ask = gw.get(url).header("user-agent", "\"}{\"x\":1}").header("cookie", "a=\"}\\n{");
        ask.version(h2).expect(200);
        drop(
            gw.get("https://app.gw.test/public")
                .raw_target(&format!("/public/{evil}"))
                .version(h2)
                .send(),
        );
        drop(gw.get("https://app.gw.test/x").sni(Some("a\"}{.test")).version(h2).send());
    }
    let mut claims = CORP.claims("ana");
    claims["sub"] = "ana\",\"decision.outcome\":\"allow".into();
    claims["name"] = evil.into();
    drop(gw.get("https://app.gw.test/x").bearer(&CORP.sign(&claims)).send());
    // Reading the records fails on a line that is not one JSON object.
    gw.wait_for_records(3);
    let text = std::fs::read_to_string(gw.audit_file()).unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{2028}'), "a control character is raw");
    assert!(!gw.output().contains('\u{1b}'), "a control character in the log");
}

#[test]
fn f7_no_secret_is_written_anywhere() {
    let (gw, _app) = start();
    let cookie = "session-cookie-value-7f3a9c";
    gw.remember_secret(cookie);
    for h2 in [false, true] {
        for bearer in [
            CORP.bearer("ana"),
            format!("{}x", CORP.bearer("ana")),
            "opaque-secret-token-1234".to_owned(),
        ] {
            let ask =
                gw.get("https://app.gw.test/x?token=query-secret-5555").version(h2).bearer(&bearer);
            drop(ask.header("cookie", &format!("__Host-portcullis={cookie}")).send());
        }
        gw.remember_secret("query-secret-5555");
        let basic = "dXNlcjpwYXNzd29yZC1zZWNyZXQ=";
        gw.remember_secret(basic);
        drop(
            gw.get("https://app.gw.test/x")
                .header("authorization", &format!("Basic {basic}"))
                .version(h2)
                .send(),
        );
    }
    gw.wait_for_records(8);
    let key = std::fs::read_to_string(gw.plan.world.pki().join("gateway.key")).unwrap();
    gw.remember_secret(key.lines().nth(1).unwrap());
    for path in ["/metrics", "/v1/config", "/readyz"] {
        let text = gw.admin(path).text();
        for secret in
            [cookie, "opaque-secret-token-1234", "query-secret-5555", key.lines().nth(1).unwrap()]
        {
            assert!(!text.contains(secret), "{path} tells a secret");
        }
    }
    gw.assert_clean();
}
