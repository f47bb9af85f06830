//! P21, P22: the decision on what came in is the decision on what the backend got.
//!
//! Targets are generated from a seed. Each is sent over HTTP/1.1 and HTTP/2 to a strict backend and
//! to one whose profile admits `;` and encoded slashes, by somebody who may not see `/admin`.
//!
//! 1. What passes is asked again with the target that the backend received: the same rule must
//!    allow it, and the backend must receive it unchanged.
//! 2. The backend's target, read as several kinds of backend read it, is nowhere that another rule
//!    guards.
//! 3. Both versions of HTTP come to the same end, where both can say the target.
//!
//! `DIFFERENTIAL_TARGETS` says how many (default 2,000), `DIFFERENTIAL_SEED` from which seed.

#[path = "differential/ask.rs"]
mod ask;
#[path = "differential/generate.rs"]
mod generate;
#[path = "differential/read.rs"]
mod read;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ask::{End, H1, H2};
use scenarios::{Gateway, Recorder, gateway};

/// Each area has a rule of its own, so that the rule names the area. The lax backend's rules are
/// the same under other names.
const AREAS: &str = r#"
      - {id: public, allow: {paths: ["/public", "/public/**"]}}
      - {id: api, allow: {paths: ["/api/{id}", "/api/{id}/items/**"]}}
      - {id: own, allow: {paths: ["/users/{user.id}/**"]}}
      - {id: admins-only, deny: {paths: ["/admin", "/admin/**"]}, when: {none: [{user.groups: admin}]}}
      - {id: rest, allow: {paths: ["/", "/rest/**", "/ADMIN/**"]}}
"#;

struct Tally {
    sent: AtomicUsize,
    passed: AtomicUsize,
    refused: AtomicUsize,
    rewritten: AtomicUsize,
    differences: Mutex<Vec<String>>,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn start() -> (Gateway, Recorder, Recorder) {
    let plan = gateway();
    let strict = Recorder::start(&plan.world, "strict");
    let lax = Recorder::start(&plan.world, "lax");
    let routes = format!(
        "\n  - name: strict\n    hosts: [strict.gw.test]\n    upstream: strict\n    rules:{AREAS}  \
         - name: lax\n    hosts: [lax.gw.test]\n    upstream: lax\n    rules:{}",
        AREAS.replace("{id: ", "{id: lax-")
    );
    let (strict_at, lax_at) = (strict.address, lax.address);
    let gw = plan
        .with_routes(&routes)
        .with_upstream("strict", strict_at, "")
        .with_upstream("lax", lax_at, "    paths: {parameters: true, danger_encoded_slash: true}\n")
        // Millions of records would only be read back: the audit has scenarios of its own.
        .section("audit", "  file: /dev/null\n")
        .start();
    (gw, strict, lax)
}

#[test]
fn p21_p22_what_was_decided_is_what_was_forwarded() {
    let (targets, seed) = (number("DIFFERENTIAL_TARGETS", 2000), number("DIFFERENTIAL_SEED", 22));
    let (gw, strict, lax) = start();
    let tally = Tally {
        sent: AtomicUsize::new(0),
        passed: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        rewritten: AtomicUsize::new(0),
        differences: Mutex::default(),
    };
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let host = if worker % 2 == 0 { "strict.gw.test" } else { "lax.gw.test" };
            let (gw, tally) = (&gw, &tally);
            let backend = if worker % 2 == 0 { &strict } else { &lax };
            let share = targets / 4 + u64::from(worker < targets % 4);
            scope.spawn(move || {
                compare(gw, host, backend, (seed.wrapping_add(worker), share), tally)
            });
        }
    });
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let differences = tally.differences.lock().unwrap();
    println!(
        "{targets} targets from seed {seed}, h1 and h2, in {:?}: {} requests, {} passed ({} rewritten), {} refused, {} differences",
        began.elapsed(),
        count(&tally.sent),
        count(&tally.passed),
        count(&tally.rewritten),
        count(&tally.refused),
        differences.len()
    );
    assert!(
        differences.is_empty(),
        "seed {seed}: {:#?}",
        &differences[..differences.len().min(20)]
    );
    assert!(
        count(&tally.passed) * 20 > count(&tally.sent),
        "hardly anything passes: nothing is tested"
    );
    assert!(count(&tally.rewritten) > 0 && count(&tally.refused) > 0);
    strict.sound();
    lax.sound();
    gw.assert_clean();
}

/// How many targets are on their way at once over one HTTP/2 connection.
const BATCH: usize = 32;

fn compare(gw: &Gateway, host: &'static str, backend: &Recorder, part: (u64, u64), tally: &Tally) {
    let (seed, mut left) = part;
    let mut generate = generate::Generator::new(seed);
    let (mut h1, mut h2) = (H1::new(gw, host), H2::new(gw, host));
    let differ = |what: String| tally.differences.lock().unwrap().push(what);
    while left > 0 {
        let count = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
        left -= count as u64;
        let batch: Vec<String> = (0..count).map(|_| generate.target()).collect();
        let over_h2 = h2.ask(&batch);
        for (target, second) in batch.iter().zip(over_h2) {
            let first = h1.ask(target);
            tally.sent.fetch_add(2, Ordering::Relaxed);
            for (end, version) in [(&first, "h1"), (&second, "h2")] {
                match end {
                    End::Passed { rule, received } => {
                        tally.passed.fetch_add(1, Ordering::Relaxed);
                        judge(&mut h1, tally, &differ, (host, version, target), (rule, received));
                    }
                    End::Refused(_) => drop(tally.refused.fetch_add(1, Ordering::Relaxed)),
                    End::Odd(what) => differ(format!("{version} {host} {target:?}: {what}")),
                }
            }
            if !same(&first, &second) && read::both_can_say(target) {
                differ(format!("{host} {target:?}: h1 {first:?}, h2 {second:?}"));
            }
        }
        backend.forget();
    }
}

fn judge(
    h1: &mut H1<'_>,
    tally: &Tally,
    differ: &impl Fn(String),
    asked: (&str, &str, &str),
    got: (&str, &str),
) {
    let (host, version, target) = asked;
    let (rule, received) = got;
    if received != target {
        tally.rewritten.fetch_add(1, Ordering::Relaxed);
        tally.sent.fetch_add(1, Ordering::Relaxed);
        match h1.ask(received) {
            End::Passed { rule: again, received: unchanged } => {
                if again != rule || unchanged != received {
                    differ(format!(
                        "{version} {host} {target:?}: {rule} sent {received:?}; that is {again}, sent {unchanged:?}"
                    ));
                }
            }
            other => differ(format!(
                "{version} {host} {target:?}: {rule} sent {received:?}; that is {other:?}"
            )),
        }
    }
    for (reader, path) in read::readings(received, host.starts_with("lax")) {
        if let Some(area) = read::area(&path)
            && area != rule.trim_start_matches("lax-")
        {
            differ(format!(
                "{version} {host} {target:?}: {rule} sent {received:?}; {reader} reads {path:?}: {area}"
            ));
        }
    }
}

/// Whether two ends are one: status classes may differ in the refusal's number, not in the outcome.
fn same(first: &End, second: &End) -> bool {
    match (first, second) {
        (End::Passed { rule: a, received: x }, End::Passed { rule: b, received: y }) => {
            a == b && x == y
        }
        (End::Refused(a), End::Refused(b)) => a == b || *a == 400 && *b == 0,
        _ => false,
    }
}
