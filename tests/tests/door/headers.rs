//! H1 to H17: what the backend is told of the caller is the gateway's word alone. (H18 is
//! `assertion.rs`.)

use scenarios::house::House;
use scenarios::{Recorder, Script, gateway};

const OURS: [&str; 5] = [
    "X-Portcullis-User",
    "X-Portcullis-Email",
    "X-Portcullis-Groups",
    "X-Portcullis-Device",
    "X-Portcullis-Assertion",
];

#[test]
fn h1_h2_h3_no_spelling_of_our_names_enters() {
    let house = House::start();
    let mut names: Vec<String> = Vec::new();
    for name in OURS {
        names.extend([
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace('-', "_"),
        ]);
        names.extend([
            name.replacen('-', "_", 1),
            name.replacen('-', ".", 1),
            name.replacen('-', "--", 1),
        ]);
        names.push(name.to_lowercase().replace('-', "_"));
    }
    names.push("X-Portcullis-Anything".to_owned());
    for h2 in [false, true] {
        for name in &names {
            for value in ["admin", ""] {
                let checked = house
                    .gw
                    .get("https://app.gw.test/x")
                    .as_user("ana")
                    .header(name, value)
                    .version(h2)
                    .expect(400);
                checked.reason("malformed:reserved-header");
            }
        }
        let twice = house.gw.get("https://app.gw.test/x").as_user("ana").version(h2);
        twice
            .header(OURS[0], "a")
            .header(OURS[0], "b")
            .expect(400)
            .reason("malformed:reserved-header");
    }
    for raw in [
        "X-Portcullis-User\u{85}: admin",
        "X-Portcullis-User : admin",
        "\u{a0}X-Portcullis-User: admin",
    ] {
        let outcome = house.raw(
            format!("GET /public/h3 HTTP/1.1\r\nHost: app.gw.test\r\n{raw}\r\n\r\n").as_bytes(),
        );
        assert_eq!(outcome.status(), Some(400), "H3 {raw:?}: {outcome:?}");
    }
    assert_eq!(house.hits(), 0, "no backend was reached");
    house.sound();
}

#[test]
fn h4_our_names_are_refused_on_every_way() {
    let house = House::start();
    for h2 in [false, true] {
        for name in OURS {
            let ways = [
                house.gw.get("https://app.gw.test/public/h4"),
                house.gw.request("OPTIONS", "https://app.gw.test/x"),
                house.gw.get("https://app.gw.test/.portcullis/whoami"),
                house.gw.get("https://app.gw.test/x"),
                house.gw.get("https://app.gw.test/admin").as_user("ben"),
            ];
            for way in ways {
                way.header(name, "ada").version(h2).expect(400);
            }
        }
    }
    for name in OURS {
        let upgrade = house.gw.get("https://app.gw.test/public/ws").header("upgrade", "websocket");
        let upgrade = upgrade.header("connection", "Upgrade").header("sec-websocket-version", "13");
        upgrade
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header(name, "ada")
            .expect(400);
    }
    assert_eq!(house.hits(), 0);
    house.sound();
}

#[test]
fn h1_h5_the_backend_sees_one_identity_and_it_is_ours() {
    let house = House::start();
    for h2 in [false, true] {
        house.gw.get("https://app.gw.test/x").as_user("ana").version(h2).expect(200);
        let seen = house.app.last();
        assert_eq!(seen.all("x-portcullis-user"), ["ana"], "H1");
        assert_eq!(seen.all("x-portcullis-email"), ["ana@gw.test"]);
        assert_eq!(seen.all("x-portcullis-groups"), ["eng"]);
        assert_eq!(seen.all("x-portcullis-assertion").len(), 1);
        assert_eq!(seen.assertion()["sub"], "ana");
        assert_eq!(seen.all("host"), ["app.gw.test"]);
        assert_eq!(seen.all("x-request-id").len(), 1);

        house.gw.get("https://app.gw.test/x").as_user("ben").version(h2).expect(200);
        let groups = house.app.last().header("x-portcullis-groups").map(str::to_owned);
        assert!(groups.is_none_or(|groups| groups.is_empty()), "H5: ben has no groups");

        house.gw.get("https://app.gw.test/public/x").version(h2).expect(200);
        assert_eq!(house.app.last().header("x-portcullis-user"), None, "H4: nobody asked");
    }
    house.sound();
}

#[test]
fn h6_h7_h8_connection_nominates_nothing_that_counts() {
    let house = House::start();
    let mut refused = vec!["a, b, c, d, e, f, g, h, i, j, k, l".to_owned()];
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Cookie",
        "Authorization",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        ":authority",
        "X-Request-Id",
        "traceparent",
    ] {
        refused.extend([name.to_owned(), format!("close, {}", name.to_lowercase())]);
    }
    for nomination in &refused {
        let ask =
            house.gw.get("https://app.gw.test/x").as_user("ana").header("connection", nomination);
        ask.expect(400).reason("malformed:connection");
    }
    assert_eq!(house.hits(), 0);
    for nomination in [
        "close, X-Portcullis-User",
        "close, x-portcullis-user",
        "X-PORTCULLIS-ASSERTION",
        "\"x-portcullis-user\"",
        "x-portcullis-user, x-portcullis-groups",
    ] {
        let ask =
            house.gw.get("https://app.gw.test/x").as_user("ana").header("connection", nomination);
        match ask.send().status() {
            Some(400) => {}
            Some(200) => {
                assert_eq!(house.app.last().all("x-portcullis-user"), ["ana"], "H6 {nomination}")
            }
            other => panic!("H6 {nomination}: {other:?}"),
        }
    }
    house.sound();
}

#[test]
fn h9_h12_h13_h17_what_a_stranger_forwards_is_not_believed() {
    let house = House::start_with(|plan| {
        plan.with_routes(
            r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: public, allow: {paths: ["/public/**"]}}
      - {id: office, allow: {paths: ["/office/**"]}, when: {network.ip: 10.9.9.0/24}}
"#,
        )
    });
    let spoofed = [
        ("x-forwarded-for", "10.9.9.9"),
        ("forwarded", "for=10.9.9.9;host=admin;proto=https"),
        ("x-real-ip", "10.9.9.9"),
        ("true-client-ip", "10.9.9.9"),
        ("cf-connecting-ip", "10.9.9.9"),
        ("x-client-ip", "10.9.9.9"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "80"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-uri", "/public/x"),
        ("x-original-url", "/public/x"),
        ("x-rewrite-url", "/public/x"),
        ("x-original-method", "POST"),
        ("x-ssl-client-cert", "c"),
        ("x-client-cert", "c"),
        ("x-forwarded-client-cert", "c"),
        ("client-cert", "c"),
        ("ssl_client_s_dn", "CN=ada"),
        ("x-forwarded-ssl", "off"),
        ("x-forwarded-server", "s"),
    ];
    for h2 in [false, true] {
        let office = house.gw.get("https://app.gw.test/office/x").version(h2);
        let refused = spoofed.iter().fold(office, |r, (name, value)| r.header(name, value));
        refused.expect(403);
        let public = house.gw.get("https://app.gw.test/public/x").version(h2);
        let passed =
            spoofed.iter().fold(public, |r, (name, value)| r.header(name, value)).expect(200);
        assert_eq!(passed.audit()["client.address"], "127.0.0.1", "H9");
        let seen = house.app.last();
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "H9");
        assert_eq!(seen.all("x-forwarded-proto"), ["https"], "H9");
        assert_eq!(seen.all("x-forwarded-host"), ["app.gw.test"], "H9");
        for (name, value) in spoofed {
            assert!(!seen.all(name).contains(&value), "H9/H12/H17: {name} was forwarded");
        }
        for agent in ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
            let probe = house.gw.get("https://app.gw.test/office/x").header("user-agent", agent);
            probe.version(h2).expect(403);
        }
    }
    house.sound();
}

#[test]
fn h10_h11_a_trusted_proxy_is_believed_from_the_right() {
    let house = House::start_with(|plan| {
        plan.with_server("  trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\n").with_routes(
            r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: everyone, allow: {paths: ["/public/**"]}}
      - {id: office, allow: {paths: ["/office/**"]}, when: {network.ip: 1.2.3.0/24}}
"#,
        )
    });
    let ask = |xff: &str, path: &str| house.gw.get(path).header("x-forwarded-for", xff);
    let (public, office) = ("https://app.gw.test/public/h", "https://app.gw.test/office/h");
    for (xff, address) in [
        ("1.2.3.4, 10.0.0.9", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        let audit = ask(xff, public).expect(200).audit();
        assert_eq!(audit["client.address"], address, "H10 {xff}");
    }
    ask("1.2.3.4", office).expect(200);
    ask("1.2.3.4, 6.6.6.6", office).expect(403);
    let long = "9.9.9.9, ".repeat(1200);
    for xff in [
        "unknown",
        "1.2.3.4, unknown",
        "1.2.3.4, [::1]:80x",
        "1.2.3.4 x",
        "1.2.3.4, _hidden",
        &long,
    ] {
        let status = ask(xff, office).send().status();
        assert!(matches!(status, Some(400 | 403)), "H11 {xff:.40}: {status:?}");
    }
    house.sound();
}

#[test]
fn h14_each_value_of_a_header_is_looked_at() {
    let house = House::start_with(|plan| {
        plan.with_routes(
            r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: everyone, allow: {}}
      - {id: no-admin-role, deny: {}, when: {request.header.x-role: admin}}
"#,
        )
    });
    for h2 in [false, true] {
        let ask = || house.gw.get("https://app.gw.test/x").version(h2);
        ask().header("x-role", "user").expect(200);
        ask()
            .header("x-role", "user")
            .header("x-role", "admin")
            .expect(403)
            .reason("denied:no-admin-role");
        ask().header("x-role", "admin").header("x-role", "user").expect(403);
    }
    house.sound();
}

#[test]
fn h15_h16_credentials_and_our_cookies_end_at_the_gateway() {
    let plan = gateway().with_routes(
        r#"
  - {name: app, hosts: [app.gw.test], upstream: app, rules: [{id: staff, allow: {}, when: {user.anonymous: false}}]}
  - {name: pass, hosts: [pass.gw.test], upstream: app, pass_authorization: true, rules: [{id: everyone, allow: {}}]}
"#,
    );
    let app = Recorder::start(&plan.world, "app");
    app.on(
        "/cookies",
        Script::Raw(
            b"HTTP/1.1 200 OK\r\nServer: secretd/1.2\r\nX-Powered-By: magic\r\nSet-Cookie: __Host-portcullis=evil; Path=/\r\n\
            Set-Cookie: mine=1\r\nX-Portcullis-User: ada\r\nContent-Length: 2\r\n\r\nok"
                .to_vec(),
        ),
    );
    let gw = plan.with_backend("app", &app).start();
    for h2 in [false, true] {
        let ask = gw.get("https://app.gw.test/x").as_user("ana").version(h2);
        ask.header("cookie", "a=1; __Host-portcullis=session; b=2").expect(200);
        let seen = app.last();
        assert_eq!(seen.header("authorization"), None, "H15: the bearer was forwarded");
        assert_eq!(seen.all("cookie"), ["a=1; b=2"], "H15: cookies and their order");

        gw.get("https://pass.gw.test/x").header("authorization", "Basic dTpw").version(h2).send();
        let reply = gw
            .get("https://app.gw.test/cookies")
            .as_user("ana")
            .version(h2)
            .expect(200)
            .into_reply();
        assert_eq!(reply.all("set-cookie"), ["mine=1"], "H16: {}", reply.picture());
        assert_eq!(reply.header("x-portcullis-user"), None, "H16");
    }
    // Crumbs are one cookie again.
    let crumbs = gw.get("https://app.gw.test/x").as_user("ana").h2();
    crumbs.header("cookie", "a=1").header("cookie", "b=2").expect(200);
    assert_eq!(app.last().all("cookie"), ["a=1; b=2"]);
    app.sound();
}
