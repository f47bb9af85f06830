//! Who asks: bearer tokens of two issuers, API tokens, service certificates, and one of them a
//! request.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use scenarios::certificates::{Authority, Leaf, Purpose};
use scenarios::tokens::{CORP, EDGE, Issuer, now_s, unsigned};
use scenarios::verbs::portcullis;
use scenarios::{Gateway, Recorder, gateway, until};
use serde_json::{Value, json};

const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: known, allow: {}, when: {user.anonymous: false}}]
  - name: robots
    hosts: [robots.gw.test]
    upstream: app
    rules: [{id: robots, allow: {}, when: {user.kind: service}}]
"#;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

const APP: &str = "https://app.gw.test/x";

#[test]
fn tokens_of_both_issuers_are_people() {
    let (gw, app) = start();
    for h2 in [false, true] {
        gw.get(APP).version(h2).expect(401).reason("no-identity");
        for issuer in [&*CORP, &*EDGE] {
            let audit = gw.get(APP).bearer(&issuer.bearer("ana")).version(h2).expect(200).audit();
            assert_eq!(audit["user.id"], "ana");
            assert_eq!(audit["auth.method"], "jwt");
            assert_eq!(app.last().header("x-portcullis-user"), Some("ana"));
        }
    }
    app.sound();
}

#[test]
fn j1_to_j12_no_hostile_token_is_a_person() {
    let (gw, app) = start();
    let good = CORP.claims("ana");
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        CORP.sign(&claims)
    };
    let without = |key: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(key);
        CORP.sign(&claims)
    };
    let header = |change: &dyn Fn(&mut Header)| {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("corp-1".to_owned());
        change(&mut header);
        CORP.sign_with(&header, &good)
    };
    let stranger = Issuer::rsa("https://corp.gw.test", "corp-1");
    let bearer = CORP.bearer("ana");
    let tampered = format!("{}x.{}", &bearer[..20], &bearer[22..]);
    let cases: Vec<(&str, String)> = vec![
        ("J1 none", unsigned(&good)),
        ("J3 RS512", header(&|h| h.alg = Algorithm::RS512)),
        ("J3 PS256", header(&|h| h.alg = Algorithm::PS256)),
        (
            "J5 jku",
            header(&|h| h.jku = Some("https://127.0.0.1:19999/jwks".to_owned()))
                .replace("corp-1", ""),
        ),
        ("J6 kid unknown", header(&|h| h.kid = Some("nobody".to_owned()))),
        ("J6 kid traversal", header(&|h| h.kid = Some("../../etc/passwd".to_owned()))),
        ("J9 expired", with("exp", json!(now_s() - 3600))),
        ("J9 exp text", with("exp", json!("4102444800"))),
        ("J9 exp null", with("exp", Value::Null)),
        ("J9 exp huge", with("exp", json!(1e300))),
        ("J9 no exp", without("exp")),
        ("J9 nbf future", with("nbf", json!(now_s() + 3600))),
        ("J9 nbf text", with("nbf", json!("0"))),
        ("J9 iat future", with("iat", json!(now_s() + 3600))),
        ("J10 iss missing", without("iss")),
        ("J10 iss array", with("iss", json!(["https://corp.gw.test"]))),
        ("J10 iss slash", with("iss", json!("https://corp.gw.test/"))),
        ("J10 iss other's", with("iss", json!("https://edge.gw.test"))),
        ("J10 iss unknown", with("iss", json!("https://nobody.test"))),
        ("J10 aud missing", without("aud")),
        ("J10 aud other", with("aud", json!("portcullis2"))),
        ("J10 aud empty list", with("aud", json!([]))),
        ("J10 aud case", with("aud", json!("Portcullis"))),
        ("J10 aud object", with("aud", json!({"a": "portcullis"}))),
        ("J10 sub missing", without("sub")),
        ("J10 sub empty", with("sub", json!(""))),
        ("J10 sub CRLF", with("sub", json!("a\r\nX-Role: admin"))),
        ("J10 sub NUL", with("sub", json!("ana\0"))),
        ("J11 typ", header(&|h| h.typ = Some("logout+jwt".to_owned()))),
        ("J2 other key, same kid", stranger.bearer("ana")),
        ("J12 tampered", tampered),
        ("J12 truncated", bearer[..bearer.len() - 1].to_owned()),
        ("J12 dots", ".".repeat(5000)),
        ("J12 two parts", bearer.rsplit_once('.').unwrap().0.to_owned()),
        ("J12 five parts", format!("{bearer}.a.b")),
        ("J12 padding", format!("{bearer}==")),
        ("J12 not a token", "letmein".to_owned()),
    ];
    for (id, token) in cases {
        for h2 in [false, true] {
            let reply = gw.get(APP).bearer(&token).version(h2).send().expect_reply();
            assert!(matches!(reply.status, 400 | 401), "{id}: {}", reply.picture());
            if reply.status == 401 {
                assert!(reply.header("www-authenticate").is_some(), "{id}: {}", reply.picture());
            }
            let record = gw.audit(reply.request_id().expect("a request id"));
            assert!(record.get("user.id").is_none(), "{id}: {record:#}");
        }
    }
    assert_eq!(app.hits(), 0, "no hostile token reached the backend");
}

#[test]
fn j13_one_credential_in_one_place() {
    let (gw, app) = start();
    let (ana, ben) = (CORP.bearer("ana"), CORP.bearer("ben"));
    gw.remember_secret(&ana);
    for h2 in [false, true] {
        let ask = || gw.get(APP).version(h2);
        for value in [format!("bearer {ana}"), format!("Bearer {ana}"), format!("BEARER {ana}")] {
            ask().header("authorization", &value).expect(200);
        }
        let hits = app.hits();
        for value in [
            format!("Bearer {ana}, Bearer {ben}"),
            format!("Bearer\t{ana}"),
            format!("Bearer  {ana}"),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Bearer {ana} x"),
            format!("Basic {ana}, Bearer {ana}"),
            format!("Bearer{ana}"),
            ana.clone(),
            format!("Bearer \"{ana}\""),
        ] {
            let status = ask().header("authorization", &value).send().status();
            assert!(matches!(status, Some(400 | 401)), "J13 {:.12}: {status:?}", value);
        }
        ask().bearer(&ana).bearer(&ana).expect(400).reason("malformed:credential");
        ask().bearer(&ana).bearer(&ben).expect(400).reason("malformed:credential");
        ask().header("authorization", "Basic dTpw").bearer(&ana).expect(400);
        gw.get(&format!("{APP}?access_token={ana}")).version(h2).expect(401);
        let form = gw.post(APP, format!("access_token={ana}")).version(h2);
        form.header("content-type", "application/x-www-form-urlencoded").expect(401);
        assert_eq!(app.hits(), hits, "J13");
    }
    app.sound();
}

#[test]
fn api_tokens_are_made_used_and_revoked_by_the_command() {
    let (gw, app) = start();
    let dir = gw.plan.world.path();
    let run = |args: &[&str]| {
        let mut all = vec!["token"];
        all.extend(args);
        all.extend(["-c", "portcullis.yaml"]);
        portcullis(dir, &all)
    };
    let made = run(&["create", "--name", "backup", "--owner", "ana", "--lifetime", "1h", "--json"])
        .expect(0);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let accepted = || gw.get(APP).bearer(token).send().status() == Some(200);
    until("the new token to be accepted", || accepted().then_some(()));
    let audit = gw.get(APP).bearer(token).expect(200).audit();
    assert_eq!(audit["auth.method"], "api-token");
    assert_eq!(app.last().header("authorization"), None, "the token was forwarded");

    // J15: one character less, one more, one other, and another case.
    let mut other = token.to_owned();
    let last = other.pop().unwrap();
    other.push(if last == 'A' { 'B' } else { 'A' });
    let upper = token.to_uppercase();
    for wrong in [&token[..token.len() - 1], &format!("{token}A"), &other, &upper] {
        gw.get(APP).bearer(wrong).expect(401);
    }
    let state = scenarios::verbs::run(
        std::path::Path::new("/bin/grep"),
        dir,
        &["-r", "-F", "-l", token, "."],
    );
    assert_eq!(state.stdout, "", "the token is kept somewhere in the clear");

    let listed = run(&["list"]).expect(0);
    assert!(
        listed.stdout.contains("backup") && !listed.stdout.contains(token),
        "{}",
        listed.stdout
    );
    run(&["revoke", id]).expect(0);
    until("the revoked token to be refused", || (!accepted()).then_some(()));
    gw.get(APP).bearer(token).expect(401);
}

#[test]
fn a_service_is_who_its_certificate_says() {
    let (gw, app) = start();
    for h2 in [false, true] {
        let robot = gw.get("https://robots.gw.test/x").as_service("robot").version(h2);
        let audit = robot.expect(200).audit();
        assert_eq!(audit["user.id"], "spiffe://gw.test/robot");
        assert_eq!(audit["auth.method"], "client-certificate");
        assert_eq!(app.last().header("x-portcullis-user"), Some("spiffe://gw.test/robot"));
        // A device's certificate names a device, not a caller.
        gw.get(APP).on_device("laptop").version(h2).expect(401);
        // Two credentials that disagree.
        gw.get(APP).as_service("robot").as_user("ana").version(h2).expect(400);
    }
    app.sound();
}

#[test]
fn x1_x8_a_certificate_that_is_not_fit_is_nobody() {
    let (gw, app) = start();
    let world = &gw.plan.world;
    let good = Leaf::client("robot", "spiffe://gw.test/robot");
    let day = 86_400;
    let stranger = Authority::new("services CA");
    let two = Leaf {
        uri: vec!["spiffe://gw.test/robot".into(), "spiffe://gw.test/other".into()],
        ..good.clone()
    };
    let cases = [
        ("expired", world.services.issue(&good.clone().valid(-2 * day, -day))),
        ("not yet valid", world.services.issue(&good.clone().valid(day, 2 * day))),
        ("other authority of the same name", stranger.issue(&good)),
        (
            "server purpose",
            world.services.issue(&Leaf { purpose: Purpose::Server, ..good.clone() }),
        ),
        ("no purpose", world.services.issue(&Leaf { purpose: Purpose::Unsaid, ..good.clone() })),
        ("any purpose", world.services.issue(&Leaf { purpose: Purpose::Any, ..good.clone() })),
        ("is an authority", world.services.issue(&Leaf { authority: true, ..good.clone() })),
        ("common name alone", world.services.issue(&Leaf { uri: vec![], ..good.clone() })),
        ("two names", world.services.issue(&two)),
        ("of a backend", world.backends.issue(&good)),
        ("of a device", world.devices.issue(&good)),
    ];
    for (what, pair) in &cases {
        for h2 in [false, true] {
            let outcome = gw.get("https://robots.gw.test/x").certificate(pair).version(h2).send();
            let status = outcome.status();
            assert!(matches!(status, None | Some(400 | 401 | 403)), "X1 {what}: {outcome:?}");
        }
    }
    assert_eq!(app.hits(), 0, "X1: no unfit certificate reached the backend");
}

#[test]
fn a_certificate_that_expires_on_a_live_connection_is_nobody_from_then_on() {
    let (gw, _app) = start();
    let short = Leaf::client("robot", "spiffe://gw.test/robot").valid(-60, 5);
    let pair = gw.plan.world.services.issue(&short);
    let dial = scenarios::tls::Dial { certificate: Some(pair), ..gw.dial().to("robots.gw.test") };
    let mut connection = scenarios::h1::Connection::open(&dial).unwrap();
    let head = b"GET /x HTTP/1.1\r\nHost: robots.gw.test\r\n\r\n";
    assert_eq!(connection.ask(head).status(), Some(200));
    let refused = scenarios::wait::within(Duration::from_secs(30), || {
        let outcome = connection.ask(head);
        (outcome.status() != Some(200)).then_some(outcome)
    });
    let outcome = refused.expect("the expired certificate to be refused");
    assert!(matches!(outcome.status(), None | Some(401 | 403)), "{outcome:?}");
}
