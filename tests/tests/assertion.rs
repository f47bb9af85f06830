//! What the backend can rely on: a signed assertion that it verifies with the published keys.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use scenarios::tokens::now_s;
use scenarios::{Gateway, Recorder, gateway};
use serde_json::Value;

const ROUTES: &str = r#"
  - {name: wiki, hosts: [wiki.gw.test], upstream: app, rules: [{id: staff, allow: {}, when: {user.anonymous: false}}]}
  - {name: payroll, hosts: [payroll.gw.test], upstream: app, rules: [{id: reads, allow: {}, when: {user.anonymous: false}}]}
  - {name: open, hosts: [open.gw.test], upstream: app, rules: [{id: everyone, allow: {}}]}
"#;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

/// A backend's verifier for one route.
fn verify(keys: &JwkSet, token: &str, route: &str) -> Result<Value, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let kid = header.kid.ok_or("no kid")?;
    let key = keys.find(&kid).ok_or("unknown kid")?;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[route]);
    validation.leeway = 0;
    validation.set_required_spec_claims(&["exp", "aud", "sub"]);
    decode::<Value>(token, &key, &validation).map(|data| data.claims).map_err(|e| e.to_string())
}

fn keys(gw: &Gateway) -> JwkSet {
    let reply = gw.get("https://wiki.gw.test/.portcullis/jwks.json").expect(200).into_reply();
    assert!(!reply.text().contains("\"d\""), "a private key is published");
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn the_assertion_is_signed_for_one_route_and_one_minute() {
    let (gw, app) = start();
    let keys = keys(&gw);
    for h2 in [false, true] {
        let checked = gw
            .get("https://wiki.gw.test/x")
            .as_user("ana")
            .on_device("laptop")
            .version(h2)
            .expect(200);
        let token = app.last().header("x-portcullis-assertion").unwrap().to_owned();
        let claims = verify(&keys, &token, "wiki").unwrap();
        assert_eq!(claims["sub"], "ana");
        assert_eq!(claims["email"], "ana@gw.test");
        assert_eq!(claims["groups"], serde_json::json!(["eng"]));
        assert_eq!(claims["rule"], "staff");
        assert_eq!(claims["auth_method"], "jwt");
        assert!(claims["device"].to_string().contains("laptop"), "{claims:#}");
        let left = claims["exp"].as_i64().unwrap() - now_s();
        assert!((1..=60).contains(&left), "{left} s left");
        assert_eq!(app.last().header("x-request-id"), checked.request_id());
        assert!(app.last().header("traceparent").is_some_and(|trace| trace.len() == 55));
        // Another route's backend does not take it.
        assert!(verify(&keys, &token, "payroll").is_err(), "H18: audience");
    }
    // An assertion is made anew for another person, route or device.
    let token = |url: &str, user: &str| {
        gw.get(url).as_user(user).expect(200);
        app.last().header("x-portcullis-assertion").unwrap().to_owned()
    };
    let ana = token("https://wiki.gw.test/x", "ana");
    let ben = token("https://wiki.gw.test/x", "ben");
    let payroll = token("https://payroll.gw.test/x", "ana");
    assert_eq!(verify(&keys, &ben, "wiki").unwrap()["sub"], "ben");
    assert_eq!(verify(&keys, &payroll, "payroll").unwrap()["sub"], "ana");
    assert_eq!(verify(&keys, &ana, "wiki").unwrap()["sub"], "ana");
    assert!(
        verify(&keys, &ana, "wiki")
            .unwrap()
            .get("device")
            .is_none_or(|d| !d.to_string().contains("laptop"))
    );
}

#[test]
fn h18_a_client_cannot_send_an_assertion_back() {
    let (gw, app) = start();
    gw.get("https://wiki.gw.test/x").as_user("ana").expect(200);
    let token = app.last().header("x-portcullis-assertion").unwrap().to_owned();
    let hits = app.hits();
    gw.get("https://wiki.gw.test/x").header("x-portcullis-assertion", &token).expect(400);
    // Nor is it a bearer token of the gateway's.
    gw.get("https://wiki.gw.test/x").bearer(&token).expect(401);
    assert_eq!(app.hits(), hits);
    // A tampered one is none.
    let (head, signature) = token.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    assert!(verify(&keys(&gw), &format!("{head}.{flipped}{}", &signature[1..]), "wiki").is_err());
}

#[test]
fn the_keys_outlive_a_restart() {
    let (mut gw, app) = start();
    gw.get("https://wiki.gw.test/x").as_user("ana").expect(200);
    let token = app.last().header("x-portcullis-assertion").unwrap().to_owned();
    let state = gw.plan.world.path().join("state");
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&state), 0o700, "the state directory is the gateway's alone");
    let mut files = vec![state];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_eq!(mode(&path) & 0o077, 0, "others may read {}", path.display());
        }
    }
    assert!(gw.stop().success());
    let mut process = gw.plan.launch();
    scenarios::until("the gateway to come back", || {
        assert!(process.ended().is_none(), "{}", process.output());
        gateway::admin(gw.ports.admin, "/readyz").filter(|reply| reply.status == 200)
    });
    verify(&keys(&gw), &token, "wiki").expect("the keys are the same after a restart");
    process.signal("TERM");
    process.wait();
}

#[test]
fn nobody_is_asserted_where_nobody_asked() {
    let (gw, app) = start();
    gw.get("https://open.gw.test/x").expect(200);
    let seen = app.last();
    for name in
        ["x-portcullis-user", "x-portcullis-email", "x-portcullis-groups", "x-portcullis-device"]
    {
        assert_eq!(seen.header(name), None, "{name}");
    }
    if let Some(token) = seen.header("x-portcullis-assertion") {
        assert!(verify(&keys(&gw), token, "open").map_or(true, |claims| claims["sub"].is_null()));
    }
}
