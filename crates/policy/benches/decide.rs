//! How long a decision takes, and a load, at several sizes of the policy.
//!
//! Each route has one host and ten rules; a rule asks for a method, a path, a group, more than one
//! factor, a managed device and an hour of the day. The request is one that only the last rule of
//! its route allows. `cargo bench -p policy`; every figure is the least of several rounds.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use document::{Key, Kind, Node, Place};
use jiff::Timestamp;
use policy::{
    Action, Auth, AuthMethod, Binding, Device, Facts, PolicySet, Source, Subject, SubjectKind,
};

/// Short rounds, and many: one that nothing else interrupted is among them on a busy machine too.
const ROUNDS: usize = 300;
const DECISIONS: u32 = 2_000;

fn main() {
    println!(
        "{:>8} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "routes", "rules", "load ms", "allow ns", "deny ns", "login ns"
    );
    // Without `--bench` it is being run as a test, to see that it still works.
    let whole = std::env::args().any(|argument| argument == "--bench");
    let sizes = [(10, 10), (100, 10), (1_000, 10), (10_000, 10), (1, 10_000)];
    for (routes, rules) in sizes.into_iter().take(if whole { sizes.len() } else { 1 }) {
        measure(routes, rules);
    }
}

fn measure(routes: usize, rules: usize) {
    let source = policy(routes, rules);
    let begun = Instant::now();
    let Ok((set, _)) =
        PolicySet::compile(Source { conditions: None, rules: None, routes: Some(&source) })
    else {
        println!("the policy does not compile");
        return;
    };
    let load = begun.elapsed();
    let last = rules - 1;
    let hosts: Vec<String> = (0..routes).map(|route| format!("app{route}.example.com")).collect();
    let path = format!("/part{last}/things/17");
    let member = facts(&["everyone", "staff", &format!("g{last}")]);
    let other = facts(&["everyone", "staff"]);
    let nobody = Facts::default();
    let allow = time(&set, &member, &hosts, &path);
    let deny = time(&set, &other, &hosts, &path);
    let login = time(&set, &nobody, &hosts, &path);
    let ms = load.as_secs_f64() * 1e3;
    println!("{routes:>8} {rules:>8} {ms:>12.1} {allow:>12.0} {deny:>12.0} {login:>12.0}");
}

/// Nanoseconds for one decision, each on another route.
fn time(set: &Arc<PolicySet>, facts: &Facts, hosts: &[String], path: &str) -> f64 {
    let headers = http::HeaderMap::new();
    let now = Timestamp::from_second(1_795_400_000).unwrap_or_default();
    let mut least = f64::MAX;
    let mut host = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        // A stride that is prime to the number of hosts: every route before any again.
        for _ in 0..DECISIONS {
            host = (host + 7_919) % hosts.len();
            let action = Action {
                method: "POST",
                host: hosts.get(host).map_or("", String::as_str),
                path,
                query: None,
                headers: &headers,
                websocket: false,
                grpc: false,
            };
            black_box(set.decide(black_box(facts), black_box(&action), now));
        }
        least = least.min(begun.elapsed().as_secs_f64() * 1e9 / f64::from(DECISIONS));
    }
    least
}

fn facts(groups: &[&str]) -> Facts {
    let mut facts = Facts::default();
    let groups = groups.iter().map(|group| Box::from(*group)).collect();
    let subject = Subject {
        id: "ana".into(),
        name: None,
        email: Some("ana@example.com".into()),
        groups: Some(groups),
        roles: None,
        kind: SubjectKind::Human,
        idp: Some("corp".into()),
        claims: serde_json::Map::new(),
    };
    let auth = Auth {
        method: AuthMethod::Oidc,
        mfa: Some(true),
        acr: None,
        amr: None,
        authenticated_at: None,
        session_started_at: None,
        last_seen_at: None,
        session_id: None,
        token_id: None,
        token_scopes: None,
        bound: Binding::None,
        expires_at: None,
    };
    let device = Device { known: Some(true), managed: Some(true), ..Device::default() };
    let established = facts
        .establish_subject(Arc::new(subject))
        .and_then(|()| facts.establish_auth(Arc::new(auth)))
        .and_then(|()| facts.establish_device(Arc::new(device)));
    assert!(established.is_ok(), "each group once");
    facts
}

fn policy(routes: usize, rules: usize) -> Node {
    list((0..routes).map(|route| {
        map([
            ("name", text(&format!("app{route}"))),
            ("hosts", text(&format!("app{route}.example.com"))),
            ("upstream", text("apps")),
            ("rules", list((0..rules).map(|number| rule(route, number)))),
        ])
    }))
}

fn rule(route: usize, number: usize) -> Node {
    let window = map([
        ("days", text("mon-fri")),
        ("between", text("00:00-24:00")),
        ("zone", text("Asia/Taipei")),
    ]);
    map([
        ("id", text(&format!("r{route}-{number}"))),
        (
            "allow",
            map([
                ("methods", list([text("GET"), text("POST")].into_iter())),
                ("paths", text(&format!("/part{number}/**"))),
            ]),
        ),
        (
            "when",
            map([
                ("user.groups", text(&format!("g{number}"))),
                ("auth.mfa", node(Kind::Bool(true))),
                ("device.managed", node(Kind::Bool(true))),
                ("time", window),
            ]),
        ),
    ])
}

fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    let key = |name: &str| Key { name: name.to_owned(), place: place() };
    node(Kind::Map(entries.into_iter().map(|(name, value)| (key(name), value)).collect()))
}

fn list(items: impl Iterator<Item = Node>) -> Node {
    node(Kind::List(items.collect()))
}

fn text(text: &str) -> Node {
    node(Kind::Text(text.to_owned()))
}

fn node(kind: Kind) -> Node {
    Node { kind, place: place() }
}

fn place() -> Place {
    Place { file: Path::new("bench").into(), line: 1, column: 1 }
}
