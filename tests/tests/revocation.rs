//! X3, X4: a revoked certificate is nobody, on new connections and on live ones; a list that ended
//! vouches for nobody. The authority is the gateway's own, driven by its command.

use std::path::Path;

use scenarios::certificates::Pair;
use scenarios::plan::Ports;
use scenarios::tls::Dial;
use scenarios::verbs::{Done, portcullis};
use scenarios::{Gateway, Plan, Recorder, gateway, h1, h2, until};

const ROUTES: &str = r#"
  - name: robots
    hosts: [robots.gw.test]
    upstream: app
    rules: [{id: robots, allow: {}, when: {user.kind: service}}]
"#;

const IDENTITY: &str = "  client_certificates:
    - {ca: robots/ca.crt, kind: service, user_from: san_uri}
";

fn pki(dir: &Path, args: &[&str]) -> Done {
    portcullis(dir, &[&["pki"], args, &["--dir", "robots"]].concat()).expect(0)
}

/// An authority made by the command, with two services.
fn plan() -> Plan {
    let plan = gateway()
        .with_routes(ROUTES)
        .section("identity", IDENTITY)
        .section("devices", "")
        .asking("mode: optional, ca: robots/ca.crt, crl: robots/ca.crl");
    let dir = plan.world.path();
    pki(dir, &["init", "--name", "robots CA"]);
    for name in ["good", "stolen"] {
        pki(dir, &["issue", "--service", &format!("spiffe://gw.test/{name}"), "--out", name]);
    }
    plan
}

fn dial(gw: &Gateway, name: &str) -> Dial {
    let certificate = Some(Pair::read(gw.plan.world.path(), name));
    Dial { certificate, ..gw.dial() }.to("robots.gw.test")
}

const HEAD: &[u8] = b"GET /x HTTP/1.1\r\nHost: robots.gw.test\r\n\r\n";

fn status(dial: &Dial) -> Option<u16> {
    h1::Connection::open(dial).ok().and_then(|mut connection| connection.ask(HEAD).status())
}

#[test]
fn x3_x4_a_revoked_certificate_is_nobody_at_once() {
    let plan = plan();
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let (good, stolen) = (dial(&gw, "good"), dial(&gw, "stolen"));
    let fields = h2::fields("GET", "robots.gw.test", "/x");
    let mut live_h1 = h1::Connection::open(&stolen).unwrap();
    let mut live_h2 = h2::Connection::open(&stolen).unwrap();
    assert_eq!(live_h1.ask(HEAD).status(), Some(200));
    assert_eq!(live_h2.ask(&fields, None).status(), Some(200));
    assert_eq!(app.last().header("x-portcullis-user"), Some("spiffe://gw.test/stolen"));
    assert_eq!(status(&good), Some(200));

    let dir = gw.plan.world.path();
    pki(dir, &["revoke", "--cert", "stolen.crt", "--reason", "key-compromise"]);
    until("the revoked certificate to be refused", || (status(&stolen) != Some(200)).then_some(()));
    let hits = app.hits();
    let refused = |status: Option<u16>| matches!(status, None | Some(401 | 403));
    assert!(refused(status(&stolen)));
    assert!(refused(live_h1.ask(HEAD).status()), "X4: the live h1 connection goes on");
    assert!(refused(live_h2.ask(&fields, None).status()), "X4: the live h2 connection goes on");
    assert_eq!(app.hits(), hits);
    assert_eq!(status(&good), Some(200), "the other certificate is as good as before");
}

#[test]
fn x3_a_list_that_ended_vouches_for_nobody() {
    let plan = plan();
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let good = dial(&gw, "good");
    assert_eq!(status(&good), Some(200));
    pki(gw.plan.world.path(), &["crl", "--next-update", "5s"]);
    until("the ended list to count", || (status(&good) != Some(200)).then_some(()));
    pki(gw.plan.world.path(), &["crl"]);
    until("the new list to count", || (status(&good) == Some(200)).then_some(()));
}

#[test]
fn x3_a_list_that_is_none_or_another_s_is_refused_at_start() {
    let other = plan();
    let foreign = std::fs::read_to_string(other.world.path().join("robots/ca.crl")).unwrap();
    for (what, list) in [("empty", ""), ("garbage", "no list\n"), ("another's", foreign.as_str())] {
        let plan = plan();
        plan.world.write("robots/ca.crl", list);
        plan.write(&Ports::free());
        let done = portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
        assert!(matches!(done.code, 1 | 78), "{what}: {done:?}");
        done.says("ca.crl");
    }
    let plan = plan();
    std::fs::remove_file(plan.world.path().join("robots/ca.crl")).unwrap();
    plan.write(&Ports::free());
    portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]).refused().says("ca.crl");
}
