//! One test for each numbered rule of the semantics, and what follows from them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policy::{Outcome, PolicySet, Reason, Remedy};

use crate::ask::{Known, Request, decide, explain, policy};

const POLICY: &str = r#"
conditions:
  strong: {all: [{auth.mfa: true}, {auth.age: {max: 8h}}]}
rules:
  - {id: no-contractors, deny: {}, when: {user.groups: contractors}}
routes:
  - name: ledger
    hosts: [ledger.test]
    upstream: books
    rules:
      - {id: read, allow: {methods: [GET]}, when: {user.groups: eng}}
      - {id: pay, allow: {methods: [POST]}, when: {all: [{user.groups: eng}, strong]}, help: Ask for it.}
      - {id: late, deny: {methods: [POST]}, when: {time: {between: "00:00-01:00"}}, mode: shadow}
"#;

fn now() -> Timestamp {
    "2026-11-23T00:30:00Z".parse().expect("an instant")
}

fn ask(set: &Arc<PolicySet>, facts: &str, line: &str) -> policy::Decision {
    decide(set, &Known::of(facts), &Request::new(line), now())
}

#[test]
fn rule_1_nothing_is_allowed_unless_a_rule_allows_it_and_deny_wins() {
    let set = policy(POLICY);
    let outsider = ask(&set, "user: {id: bob, groups: []}", "GET https://ledger.test/");
    assert!(matches!(outsider.outcome, Outcome::Deny));
    assert_eq!(outsider.reason, Reason::NoRuleAllows);
    let both = "user: {id: con, groups: [eng, contractors]}";
    let denied = ask(&set, both, "GET https://ledger.test/");
    assert_eq!(denied.reason, Reason::Denied("no-contractors".into()));
    let nothing = policy("");
    let empty = ask(&nothing, "user: {id: ana, groups: [eng]}", "GET https://ledger.test/");
    assert_eq!(empty.reason, Reason::NoRoute);
}

#[test]
fn rule_2_an_unknown_allow_does_not_allow_and_an_unknown_deny_denies() {
    let set = policy(POLICY);
    let decision = ask(&set, "user: {id: ana}", "GET https://ledger.test/");
    assert!(matches!(decision.outcome, Outcome::Deny));
    assert_eq!(decision.reason.to_string(), "unknown:user.groups");
    assert_eq!(decision.rule.map(|rule| set.rule_name(rule)), Some("no-contractors"));
}

#[test]
fn rule_3_the_remedy_is_computed_and_carries_no_more_than_is_needed() {
    let set = policy(POLICY);
    let nobody = ask(&set, "", "POST https://ledger.test/");
    assert!(matches!(nobody.outcome, Outcome::Challenge(Remedy::Login)));
    let weak = "user: {id: ana, groups: [eng]}, auth: {mfa: true, age: 9h}";
    let stale = ask(&set, weak, "POST https://ledger.test/");
    let Outcome::Challenge(remedy) = stale.outcome else { panic!("{stale:?}") };
    let max_age = Some(Duration::from_hours(8));
    assert_eq!(remedy, Remedy::StepUp { acr: None, max_age, mfa: false });
    assert_eq!(stale.reason, Reason::StepUpRequired);
}

#[test]
fn rule_4_a_decision_names_its_rule_its_reason_and_the_policy() {
    let set = policy(POLICY);
    let decision = ask(&set, "user: {id: ana, groups: [eng]}", "GET https://ledger.test/x");
    let Outcome::Allow(permit) = &decision.outcome else { panic!("{decision:?}") };
    assert_eq!(permit.rule(), "read");
    assert_eq!(permit.upstream(), "books");
    assert_eq!(&*permit.route().name, "ledger");
    assert_eq!(permit.policy().hash(), set.hash());
    assert_eq!(set.hash().len(), 32);
    assert_ne!(set.hash(), policy(&POLICY.replace("8h", "9h")).hash());
    assert_eq!(set.hash(), policy(&format!("# a comment\n{POLICY}")).hash());
    let known = Known::of("user: {id: ana, groups: [eng]}");
    let told = explain(&set, &known, &Request::new("GET https://ledger.test/x"), now());
    assert_eq!(told.policy, set.hash());
    assert_eq!(told.rules.len(), 4, "every rule is told of: {told:?}");
}

#[test]
fn rule_5_shadow_rules_are_reported_and_change_nothing() {
    let set = policy(POLICY);
    let good = "user: {id: ana, groups: [eng]}, auth: {mfa: true, age: 1h}";
    let decision = ask(&set, good, "POST https://ledger.test/");
    assert!(matches!(decision.outcome, Outcome::Allow(_)));
    let shadow = decision.shadow.expect("a shadow");
    assert_eq!((set.rule_name(shadow.rule), shadow.would_be), ("late", "deny"));
}

#[test]
fn rule_6_every_condition_is_asked_at_every_instant() {
    let set = policy(POLICY);
    let known = Known::of("user: {id: ana, groups: [eng]}, auth: {mfa: true, age: 7h59m}");
    let facts = known.facts(now());
    let headers = http::HeaderMap::new();
    let action = policy::Action {
        method: "POST",
        host: "ledger.test",
        path: "/",
        query: None,
        headers: &headers,
        websocket: false,
        grpc: false,
    };
    let minute = jiff::SignedDuration::from_mins(1);
    assert_eq!(set.decide(&facts, &action, now()).outcome.word(), "allow");
    assert_eq!(set.decide(&facts, &action, now() + minute).outcome.word(), "allow");
    assert_eq!(set.decide(&facts, &action, now() + minute * 2).outcome.word(), "challenge");
}

#[test]
fn routes_are_found_by_host_and_path_alone() {
    let set = policy(
        "routes:\n\
         \x20 - {name: a, hosts: [a.test], upstream: u}\n\
         \x20 - {name: b, hosts: [a.test], paths: [/b/**, /c], upstream: v}\n\
         \x20 - {name: w, hosts: ['*.a.test'], upstream: w}\n",
    );
    let name = |host, path| set.route_of(host, path).map(|id| set.route(id).name.to_string());
    assert_eq!(name("a.test", "/"), Some("a".to_owned()));
    assert_eq!(name("a.test", "/b"), Some("b".to_owned()));
    assert_eq!(name("a.test", "/b/x/y"), Some("b".to_owned()));
    assert_eq!(name("a.test", "/c/"), Some("b".to_owned()));
    assert_eq!(name("a.test", "/c/x"), Some("a".to_owned()));
    assert_eq!(name("x.a.test", "/"), Some("w".to_owned()));
    assert_eq!(name("y.x.a.test", "/"), None);
    assert_eq!(name("a.test", "no-slash"), None);
    assert!(set.knows_host("x.a.test") && !set.knows_host("b.test"));
    assert_eq!(set.routes().len(), 3);
    assert_eq!(set.route_of("a.test", "/b").map(policy::RouteId::index), Some(1));
}

#[test]
fn an_explanation_tells_the_fact_that_decided_and_its_place() {
    let set = policy(POLICY);
    let known = Known::of("user: {id: ana, groups: [eng]}, auth: {mfa: true, age: 9h}");
    let told = explain(&set, &known, &Request::new("POST https://ledger.test/pay"), now());
    let text = told.to_string();
    let expected = format!(
        "\
request  POST ledger.test/pay
at       2026-11-23T00:30:00Z
route    ledger (upstream books)
outcome  challenge
reason   step-up-required
rule     pay
remedy   step-up, at most 28800 s ago
help     Ask for it.
shadow   would be deny by late
policy   {}

rule            effect         action        condition  because                                               place
pay             allow          fits          false      strong: auth.age {{max: 8h}}: is 9h                     policy.yaml:13:9
late            deny (shadow)  fits          true       time {{between: 00:00-01:00}}: is 2026-11-23T00:30:00Z  policy.yaml:14:9
no-contractors  deny           fits          false      user.groups contractors: is [\"eng\"]                   policy.yaml:6:5
read            allow          does not fit  true       user.groups eng: is [\"eng\"]                           policy.yaml:12:9
",
        set.hash()
    );
    assert_eq!(text, expected);
    let json = serde_json::to_value(&told).expect("JSON");
    assert_eq!(json["remedy"]["max_age_s"], 28_800);
    assert_eq!(json["rules"][0]["because"]["within"], "strong");
    assert_eq!(json["rules"][0]["because"]["place"], "policy.yaml:4:37");
}

#[test]
fn an_explanation_holds_no_secret() {
    let set = policy(
        "routes:\n  - name: a\n    hosts: [a.test]\n    upstream: u\n    rules:\n      \
         - {id: x, allow: {}, when: {request.header.Cookie: {starts_with: sid}}}\n",
    );
    let mut request = Request::new("GET https://a.test/");
    request.headers.insert("cookie".into(), document::OneOrMany(vec!["sid=hunter2".into()]));
    let told = explain(&set, &Known::default(), &request, now());
    assert_eq!(told.outcome, "allow");
    let all = format!("{told} {told:?} {}", serde_json::to_string(&told).expect("JSON"));
    assert!(!all.contains("hunter2"), "{all}");
}
