//! Twenty-four hours of behaviour in a minute: the server's certificate, the client authorities,
//! the inventory, the policy and the keys of the issuer are replaced under load. Nothing that
//! should have passed failed, nothing that should have failed passed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use scenarios::certificates::{Authority, Leaf};
use scenarios::h2::{self, Fields};
use scenarios::tls::Dial;
use scenarios::tokens::{CORP, Issuer};
use scenarios::world::inventory;
use scenarios::{Gateway, Outcome, Recorder, gateway, until};

fn routes(ben: &str) -> String {
    format!(
        r#"
  - name: staff
    hosts: [staff.gw.test]
    upstream: app
    rules: [{{id: eng, allow: {{}}, when: {{user.groups: eng}}}}]
  - name: ben
    hosts: [ben.gw.test]
    upstream: app
    rules: [{{id: ben, {ben}: {{}}, when: {{user.id: ben}}}}]
  - name: trusted
    hosts: [trusted.gw.test]
    upstream: app
    rules: [{{id: trusted, allow: {{}}, when: {{all: [{{user.groups: eng}}, {{device.compliant: true}}]}}}}]
"#
    )
}

/// What the load asks, and what must come of it.
struct Ask {
    what: &'static str,
    host: &'static str,
    bearer: RwLock<String>,
    dial: RwLock<Dial>,
    /// How often the expectation changed, and the expectation: none while a change is on its way,
    /// when either answer is right.
    expect: RwLock<(usize, Option<bool>)>,
}

struct Load {
    asks: Vec<Ask>,
    stop: AtomicBool,
    done: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    fn ask(&self, what: &str) -> &Ask {
        self.asks.iter().find(|ask| ask.what == what).unwrap()
    }

    /// Asks in turn, on kept and on new connections, over both versions, until told to stop.
    fn run(&self, h2: bool, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while !self.stop.load(Ordering::Relaxed) {
            let ask = &self.asks[random.usize(0..self.asks.len())];
            let before = *ask.expect.read().unwrap();
            let (dial, bearer) =
                (ask.dial.read().unwrap().clone(), ask.bearer.read().unwrap().clone());
            let outcomes = several(&dial, ask.host, &bearer, h2, random.usize(1..6));
            let after = *ask.expect.read().unwrap();
            self.done.fetch_add(outcomes.len(), Ordering::Relaxed);
            if before != after {
                continue;
            }
            for outcome in outcomes {
                let passed = outcome.status() == Some(200);
                if before.1.is_some_and(|expected| expected != passed) {
                    self.wrong.lock().unwrap().push(format!(
                        "{} (h2: {h2}): expected {:?}, got {:?}",
                        ask.what,
                        before.1,
                        outcome.reply().map_or_else(|| format!("{outcome:?}"), |r| r.picture())
                    ));
                }
            }
        }
    }
}

/// A few requests on one connection.
fn several(dial: &Dial, host: &str, bearer: &str, h2: bool, count: usize) -> Vec<Outcome> {
    let closed = |error: std::io::Error| vec![Outcome::Closed(error.to_string())];
    if h2 {
        let mut fields: Fields = h2::fields("GET", host, "/x");
        fields.push((b"authorization".to_vec(), format!("Bearer {bearer}").into_bytes()));
        match h2::Connection::open(dial) {
            Ok(mut connection) => (0..count).map(|_| connection.ask(&fields, None)).collect(),
            Err(error) => closed(error),
        }
    } else {
        let head =
            format!("GET /x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {bearer}\r\n\r\n");
        match scenarios::h1::Connection::open(dial) {
            Ok(mut connection) => {
                let mut outcomes = Vec::new();
                for _ in 0..count {
                    let outcome = connection.ask(head.as_bytes());
                    let refused = outcome.status() != Some(200);
                    outcomes.push(outcome);
                    // A refusal may close the connection: the next one is asked anew.
                    if refused {
                        break;
                    }
                }
                outcomes
            }
            Err(error) => closed(error),
        }
    }
}

#[test]
fn everything_is_replaced_under_load_and_no_request_is_decided_wrongly() {
    let plan = gateway().with_routes(&routes("allow"));
    let app = Recorder::start(&plan.world, "app");
    let mut gw = plan.with_backend("app", &app).start();
    let ask = |what, host: &'static str, user: &str, dial: Dial, expect: bool| Ask {
        what,
        host,
        bearer: RwLock::new(CORP.bearer(user)),
        dial: RwLock::new(dial.to(host)),
        expect: RwLock::new((0, Some(expect))),
    };
    let laptop = Dial { certificate: Some(gw.plan.world.device("laptop")), ..gw.dial() };
    let load = Load {
        asks: vec![
            ask("ana", "staff.gw.test", "ana", gw.dial(), true),
            ask("ben at staff", "staff.gw.test", "ben", gw.dial(), false),
            ask("ben", "ben.gw.test", "ben", gw.dial(), true),
            ask("laptop", "trusted.gw.test", "ana", laptop, true),
            ask("no device", "trusted.gw.test", "ana", gw.dial(), false),
        ],
        stop: AtomicBool::new(false),
        done: AtomicUsize::new(0),
        wrong: Mutex::default(),
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let load = &load;
            scope.spawn(move || load.run(worker % 2 == 1, worker));
        }
        // The scope must end even if a step fails: the workers stop first.
        let steps = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..2 {
                steps(&mut gw, &load);
            }
        }));
        load.stop.store(true, Ordering::Relaxed);
        if let Err(panic) = steps {
            std::panic::resume_unwind(panic);
        }
    });
    let wrong = load.wrong.lock().unwrap();
    let done = load.done.load(Ordering::Relaxed);
    println!(
        "{done} requests in {:?} under ten replacements, {} decided wrongly",
        began.elapsed(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{} of {done}: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    assert!(done > 200, "{done} requests are no load");
    app.sound();
}

/// One day: each thing is replaced once, and back.
fn steps(gw: &mut Gateway, load: &Load) {
    let pki = gw.plan.world.pki();

    // 1. The server's certificate.
    let serial =
        || gw.dial().to("staff.gw.test").connect().unwrap().ssl().peer_certificate().unwrap();
    let before = serial().serial_number().to_bn().unwrap();
    gw.plan.world.front.issue(&Leaf::server(&scenarios::world::NAMES)).write(&pki, "gateway");
    until("the new certificate", || {
        (serial().serial_number().to_bn().unwrap() != before).then_some(())
    });

    // 2. The inventory: the laptop falls out of compliance and returns.
    change(load, &[("laptop", false)], || gw.plan.world.write("devices.yaml", &inventory("false")));
    change(load, &[("laptop", true)], || gw.plan.world.write("devices.yaml", &inventory("true")));

    // 3. The policy: ben loses his route and gets it back.
    change(load, &[("ben", false)], || {
        gw.plan.set("routes", &routes("deny"));
        gw.reload();
    });
    change(load, &[("ben", true)], || {
        gw.plan.set("routes", &routes("allow"));
        gw.reload();
    });

    // 4. The issuer's keys: the new key joins, its tokens are used, the old key leaves and returns.
    let next = Issuer::rsa("https://corp.gw.test", "corp-2");
    let both = serde_json::json!({"keys": [CORP.jwk(), next.jwk()]}).to_string();
    gw.plan.world.write("corp.jwks.json", &both);
    until("the new key", || passes(&gw.dial(), "staff.gw.test", &next.bearer("ana")).then_some(()));
    let people = |pass| [("ana", pass), ("ben", pass), ("laptop", pass)];
    change(load, &people(false), || gw.plan.world.write("corp.jwks.json", &next.jwks()));
    change(load, &people(true), || gw.plan.world.write("corp.jwks.json", &CORP.jwks()));

    // 5. The devices' authority: another takes over, the old one's certificates count no more.
    let old = gw.plan.world.devices.clone();
    let new = Authority::new("devices CA 2");
    change(load, &[("laptop", false)], || drop(new.write(&pki, "devices-ca")));
    let renewed = new.issue(&Leaf::client("laptop", "urn:device:laptop"));
    let dial = Dial { certificate: Some(renewed), ..gw.dial() };
    until("the new authority's certificate", || {
        passes(&dial, "trusted.gw.test", &CORP.bearer("ana")).then_some(())
    });
    change(load, &[("laptop", true)], || drop(old.write(&pki, "devices-ca")));
}

/// Makes a change and waits for its effect on these asks: until then either answer is right for
/// them. All others are held to what they were.
fn change(load: &Load, then: &[(&str, bool)], make: impl FnOnce()) {
    let set = |what: &str, expected: Option<bool>| {
        let mut expect = load.ask(what).expect.write().unwrap();
        *expect = (expect.0 + 1, expected);
    };
    then.iter().for_each(|(what, _)| set(what, None));
    make();
    for (what, expected) in then {
        let ask = load.ask(what);
        let (dial, bearer) = (ask.dial.read().unwrap().clone(), ask.bearer.read().unwrap().clone());
        until(what, || (passes(&dial, ask.host, &bearer) == *expected).then_some(()));
        set(what, Some(*expected));
    }
    // The new state is watched for a while before the next change.
    let watched = load.done.load(Ordering::Relaxed) + 40;
    let end = Instant::now() + Duration::from_secs(10);
    while load.done.load(Ordering::Relaxed) < watched && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn passes(dial: &Dial, host: &'static str, bearer: &str) -> bool {
    several(&dial.clone().to(host), host, bearer, false, 1)[0].status() == Some(200)
}
