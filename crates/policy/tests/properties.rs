//! What holds of every policy, on policies and facts that are made up.
//!
//! Rules are drawn from a small world of groups, factors and device facts, so that they meet the
//! facts often. Conditions that speak of absence itself (`exists`, `user.anonymous`,
//! `cert.present`) are left out: with them, a fact less may well allow more.

use std::sync::Arc;

use jiff::Timestamp;
use policy::{Outcome, PolicySet, Remedy};
use proptest::prelude::*;

use crate::ask::{Behaviour, Known, Request, User, decide, explain, policy};

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().expect("an instant")
}

fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "{user.groups: a}",
        "{user.groups: b}",
        "{user.groups: {not_in: [a, c]}}",
        "{user.groups: {has_all: [a, b]}}",
        "{user.email_domain: x.test}",
        "{user.kind: human}",
        "{auth.mfa: true}",
        "{auth.mfa: false}",
        "{auth.age: {max: 1h}}",
        "{auth.age: {min: 30m}}",
        "{device.managed: true}",
        "{device.compliant: {not: false}}",
        "{device.posture_age: {max: 15m}}",
        "{network.ip: 10.0.0.0/8}",
        "{risk.score: {min: 50}}",
        "{request.method: POST}",
        "{attr.x: true}",
        "{request.header.x-role: admin}",
    ])
    .prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        (prop::sample::select(vec!["all", "any", "none"]), prop::collection::vec(inner, 1..4))
            .prop_map(|(word, parts)| format!("{{{word}: [{}]}}", parts.join(", ")))
    })
}

#[derive(Clone, Debug)]
struct Made {
    allow: bool,
    shadow: bool,
    methods: &'static str,
    paths: &'static str,
    when: String,
    global: bool,
}

fn rule() -> impl Strategy<Value = Made> {
    let methods = prop::sample::select(vec!["", "methods: GET", "methods: [POST, GET]"]);
    let paths = prop::sample::select(vec![
        "",
        "paths: /a/**",
        "paths: [/a/*, /b]",
        "paths: '/{user.id}/x'",
    ]);
    (any::<bool>(), prop::bool::weighted(0.15), methods, paths, condition(), any::<bool>())
        .prop_map(|(allow, shadow, methods, paths, when, global)| Made {
            // One in two is too many denials for anything to be allowed.
            allow: allow || when.len() % 3 != 0,
            shadow,
            methods,
            paths,
            when,
            global,
        })
}

fn rules() -> impl Strategy<Value = Vec<Made>> {
    prop::collection::vec(rule(), 1..7)
}

fn known() -> impl Strategy<Value = Known> {
    let optional =
        |words: Vec<&'static str>| prop::option::weighted(0.8, prop::sample::select(words));
    let user = optional(vec![
        "id: u, groups: [a]",
        "id: u, groups: [a, b], email: u@x.test",
        "id: u, groups: [b, c]",
        "id: a, groups: []",
        "id: u",
        "id: s, kind: service, groups: [a]",
    ]);
    let auth = optional(vec![
        "mfa: true, age: 10m",
        "mfa: false, age: 2h",
        "mfa: true, age: 45m, acr: gold",
        "method: api-token",
        "age: 10m",
    ]);
    let device = optional(vec![
        "known: true, managed: true, compliant: true, posture_age: 5m, os: macos",
        "known: true, managed: false, compliant: true, posture_age: 20m, os: windows",
        "known: true, managed: true, compliant: false",
        "known: false",
    ]);
    let rest = optional(vec![
        "network: {ip: 10.1.1.1}, risk: {score: 10}, attr: {x: true}",
        "network: {ip: 192.0.2.1}, risk: {score: 60}, attr: {x: false}",
        "risk: {score: 10}",
    ]);
    (user, auth, device, rest).prop_map(|(user, auth, device, rest)| {
        let group = |name: &str, text: Option<&str>| text.map(|text| format!("{name}: {{{text}}}"));
        let parts = [
            group("user", user),
            group("auth", auth.filter(|_| user.is_some())),
            group("device", device),
            rest.map(str::to_owned),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Known::of(&parts.join(", "))
    })
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT"]);
    let path = prop::sample::select(vec!["/", "/a", "/a/x", "/b", "/b/", "/a/x/y"]);
    (method, path, any::<bool>()).prop_map(|(method, path, role)| {
        let mut request = Request::new(&format!("{method} https://h.test{path}"));
        if role {
            request.headers.insert("x-role".into(), document::OneOrMany(vec!["admin".into()]));
        }
        request
    })
}

/// A policy of these rules, each named by its number and so independent of its place.
fn build<'a>(rules: impl Iterator<Item = &'a (usize, Made)>) -> Arc<PolicySet> {
    let (mut global, mut own) = (String::new(), String::new());
    for (number, made) in rules {
        let effect = if made.allow { "allow" } else { "deny" };
        let mode = if made.shadow { ", mode: shadow" } else { "" };
        let action: Vec<&str> =
            [made.methods, made.paths].into_iter().filter(|part| !part.is_empty()).collect();
        let action = action.join(", ");
        let when = &made.when;
        let line = format!("- {{id: r{number}, {effect}: {{{action}}}, when: {when}{mode}}}\n");
        if made.global {
            global.extend(["  ", &line]);
        } else {
            own.extend(["      ", &line]);
        }
    }
    policy(&format!(
        "rules:\n{global}routes:\n  - name: h\n    hosts: [h.test]\n    upstream: u\n    rules:\n{own}"
    ))
}

fn numbered(rules: &[Made]) -> Vec<(usize, Made)> {
    rules.iter().cloned().enumerate().collect()
}

fn told(set: &Arc<PolicySet>, known: &Known, request: &Request) -> String {
    let decision = decide(set, known, request, now());
    let rule = decision.rule.map(|rule| set.rule_name(rule).to_owned());
    let shadow = decision.shadow.map(|s| (set.rule_name(s.rule).to_owned(), s.would_be));
    let remedy = match &decision.outcome {
        Outcome::Challenge(remedy) => format!("{remedy:?}"),
        Outcome::Allow(_) | Outcome::Deny => String::new(),
    };
    format!("{} {remedy} {} {rule:?} {shadow:?}", decision.outcome.word(), decision.reason)
}

fn allows(set: &Arc<PolicySet>, known: &Known, request: &Request) -> bool {
    matches!(decide(set, known, request, now()).outcome, Outcome::Allow(_))
}

proptest! {

    #[test]
    fn the_order_of_rules_never_matters(
        (rules, shuffled) in rules().prop_flat_map(|rules| {
            let rules = numbered(&rules);
            (Just(rules.clone()), Just(rules).prop_shuffle())
        }),
        known in known(),
        request in request(),
    ) {
        let (one, other) = (build(rules.iter()), build(shuffled.iter()));
        prop_assert_eq!(told(&one, &known, &request), told(&other, &known, &request));
    }

    #[test]
    fn a_deny_more_never_widens(
        rules in rules(), more in rule(), known in known(), request in request(),
    ) {
        let mut rules = numbered(&rules);
        let before = allows(&build(rules.iter()), &known, &request);
        rules.push((rules.len(), Made { allow: false, ..more }));
        let after = allows(&build(rules.iter()), &known, &request);
        prop_assert!(before || !after);
    }

    #[test]
    fn an_allow_less_never_widens(rules in rules(), known in known(), request in request()) {
        let rules = numbered(&rules);
        let before = allows(&build(rules.iter()), &known, &request);
        let without: Vec<_> = rules.iter().filter(|(n, r)| *n > 0 || !r.allow).cloned().collect();
        let after = allows(&build(without.iter()), &known, &request);
        prop_assert!(before || !after);
    }

    #[test]
    fn a_fact_less_never_widens(rules in rules(), known in known(), request in request()) {
        let set = build(numbered(&rules).iter());
        let before = allows(&set, &known, &request);
        let less = |take: &dyn Fn(&mut Known)| {
            let mut known = known.clone();
            take(&mut known);
            allows(&set, &known, &request)
        };
        let after = [
            less(&|k| k.user = None),
            less(&|k| if let Some(user) = &mut k.user { user.groups = None }),
            less(&|k| if let Some(user) = &mut k.user { user.email = None }),
            less(&|k| k.auth = None),
            less(&|k| if let Some(auth) = &mut k.auth { auth.mfa = None }),
            less(&|k| if let Some(auth) = &mut k.auth { auth.age = None }),
            less(&|k| k.device = None),
            less(&|k| if let Some(device) = &mut k.device { device.compliant = None }),
            less(&|k| if let Some(device) = &mut k.device { device.posture_age = None }),
            less(&|k| k.network = None),
            less(&|k| k.risk = None),
            less(&|k| k.attr.clear()),
        ];
        prop_assert!(before || after.iter().all(|allowed| !allowed), "{after:?}");
    }

    #[test]
    fn an_explanation_says_what_the_decision_says(
        rules in rules(), known in known(), request in request(),
    ) {
        let set = build(numbered(&rules).iter());
        let decision = decide(&set, &known, &request, now());
        let told = explain(&set, &known, &request, now());
        prop_assert_eq!(told.outcome, decision.outcome.word());
        prop_assert_eq!(&told.reason, &decision.reason.to_string());
        prop_assert_eq!(told.rules.len(), rules.len());
        // The rules alone give the outcome back, where no remedy comes into it.
        let counts = |effect: &str, value: &str| told.rules.iter().any(|rule| {
            rule.effect == effect
                && rule.mode == "enforce"
                && rule.action == "true"
                && rule.condition == value
        });
        let stopped = counts("deny", "true") || counts("deny", "unknown");
        let allowed = counts("allow", "true") && !stopped;
        prop_assert_eq!(allowed, told.outcome == "allow");
    }

    #[test]
    fn a_shadow_rule_changes_nothing_but_the_report(
        rules in rules(), known in known(), request in request(),
    ) {
        let rules = numbered(&rules);
        let with = build(rules.iter());
        let without = build(rules.iter().filter(|(_, rule)| !rule.shadow));
        let strip = |text: String| text.rsplit_once(' ').map(|(a, _)| a.to_owned());
        let outcome = |set| strip(told(set, &known, &request).replace(", ", ","));
        prop_assert_eq!(outcome(&with), outcome(&without));
    }

    #[test]
    fn a_remedy_that_is_followed_leads_on(
        rules in rules(), known in known(), request in request(),
    ) {
        let set = build(numbered(&rules).iter());
        let mut known = known;
        let mut asked: Vec<Remedy> = Vec::new();
        loop {
            let decision = decide(&set, &known, &request, now());
            let remedy = match decision.outcome {
                Outcome::Challenge(remedy) => remedy,
                Outcome::Allow(_) => break,
                Outcome::Deny => {
                    prop_assert!(asked.is_empty(), "{asked:?} led to {}", decision.reason);
                    break;
                }
            };
            let kind = std::mem::discriminant(&remedy);
            prop_assert!(asked.iter().all(|past| std::mem::discriminant(past) != kind));
            known = match &remedy {
                // Whom a login brings is not the policy's to know; rules may contradict each other
                // so that it can be nobody.
                Remedy::Login => {
                    let led = |next: &Known| rank(&decide(&set, next, &request, now()).outcome);
                    let Some(next) = logins(&known).into_iter().max_by_key(led) else { break };
                    if led(&next) == 0 {
                        break;
                    }
                    next
                }
                Remedy::StepUp { .. } => stepped_up(&known),
                Remedy::Device => on_a_device(&known),
                Remedy::Posture => reported(&known),
            };
            asked.push(remedy);
        }
    }

    #[test]
    fn where_a_remedy_would_help_it_is_offered(
        rules in rules(), known in known(), request in request(),
    ) {
        let set = build(numbered(&rules).iter());
        let decision = decide(&set, &known, &request, now());
        if matches!(decision.outcome, Outcome::Deny) {
            let mut all = vec![known.clone()];
            if known.user.is_none() {
                all.extend(logins(&known));
            } else if can_step_up(&known) {
                all.push(stepped_up(&known));
            }
            let devices: Vec<Known> = all.iter().map(on_a_device).collect();
            let reports: Vec<Known> =
                all.iter().filter(|k| knows_device(k)).map(reported).collect();
            let both: Vec<Known> = reports.iter().map(on_a_device).collect();
            for next in all.iter().chain(&devices).chain(&reports).chain(&both) {
                prop_assert!(!allows(&set, next, &request), "{next:?}");
            }
        }
    }
}

/// How good an outcome is.
fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Allow(_) => 2,
        Outcome::Challenge(_) => 1,
        Outcome::Deny => 0,
    }
}

/// Everyone of the world who could log in.
fn logins(known: &Known) -> Vec<Known> {
    let mut all = Vec::new();
    for groups in ["", "a", "b", "c", "a, b", "a, c", "b, c", "a, b, c"] {
        for id in ["u", "a", "b"] {
            for (kind, email) in [("human", "x.test"), ("human", "y.test"), ("service", "x.test")] {
                let groups = groups.split(", ").filter(|name| !name.is_empty());
                let user = User {
                    id: id.into(),
                    name: None,
                    email: Some(format!("u@{email}")),
                    groups: Some(groups.map(str::to_owned).collect()),
                    roles: None,
                    kind: Some(kind.into()),
                    idp: None,
                    claims: serde_json::Map::new(),
                };
                let next = stepped_up(&Known { user: Some(user), ..known.clone() });
                for score in [10, 60] {
                    let risk = Behaviour { score, signals: vec![] };
                    let risk = next.risk.clone().unwrap_or(risk);
                    all.push(Known { risk: Some(risk), ..next.clone() });
                }
            }
        }
    }
    all
}

fn can_step_up(known: &Known) -> bool {
    let human = known.user.as_ref().is_some_and(|user| user.kind.as_deref() != Some("service"));
    let token = known.auth.as_ref().is_some_and(|a| a.method.as_deref() == Some("api-token"));
    human && !token
}

fn knows_device(known: &Known) -> bool {
    known.device.as_ref().is_some_and(|device| device.known == Some(true))
}

fn stepped_up(known: &Known) -> Known {
    let mut known = known.clone();
    let auth = known.auth.get_or_insert_default();
    auth.mfa = Some(true);
    auth.age = Some(document::Duration(std::time::Duration::ZERO));
    known
}

/// On a good device: another one where none is known, the same in order where one is.
fn on_a_device(known: &Known) -> Known {
    let mut next = known.clone();
    let device = next.device.get_or_insert_default();
    device.known = Some(true);
    device.managed = Some(true);
    device.compliant = Some(true);
    device.attested = true;
    if knows_device(known) { next } else { reported(&next) }
}

fn reported(known: &Known) -> Known {
    let mut known = known.clone();
    if let Some(device) = &mut known.device {
        device.posture_age = Some(document::Duration(std::time::Duration::ZERO));
    }
    known
}
