//! What may be done: rules over HTTP, and the same decision from the command line.

use scenarios::verbs::portcullis;
use scenarios::{Gateway, Recorder, gateway};
use serde_json::Value;

const POLICY: &str = r#"
  weekend: {time: {days: sat-sun, zone: UTC}}
  strong: {auth.mfa: true}
"#;

const ROUTES: &str = r#"
  - name: payroll
    hosts: [payroll.gw.test]
    upstream: app
    rules:
      - id: eng-reads
        allow: {methods: [GET, HEAD], paths: ["/reports/**"]}
        when: {user.groups: eng}
      - id: admins-approve
        allow: {methods: [POST], paths: ["/runs/{id}/approve"]}
        when: {all: [{user.groups: admin}, {none: [{user.id: mallory}]}]}
        help: Ask finance-it for the approver role.
      - id: own-page
        allow: {paths: ["/users/{user.id}/**"]}
        when: {user.anonymous: false}
      - id: never-secrets
        deny: {paths: ["/reports/secret/**"]}
      - id: strong-only
        allow: {paths: ["/vault/**"]}
        when: {all: [{user.groups: eng}, strong]}
      - id: on-weekends
        allow: {paths: ["/weekend"]}
        when: {all: [{user.groups: eng}, weekend]}
      - id: would-deny
        deny: {paths: ["/reports/shadow"]}
        mode: shadow
"#;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_policy(POLICY).with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

#[test]
fn rules_decide_by_person_method_and_path() {
    let (gw, app) = start();
    let url = |path: &str| format!("https://payroll.gw.test{path}");
    for h2 in [false, true] {
        let get = |path: &str| gw.get(&url(path)).version(h2);
        get("/reports/q3").as_user("ana").expect(200).rule("eng-reads");
        get("/reports/q3").as_user("ben").expect(403).reason("no-rule-allows");
        get("/reports/q3").expect(401).reason("no-identity");
        gw.post(&url("/reports/q3"), "x")
            .as_user("ana")
            .version(h2)
            .expect(403)
            .reason("no-rule-allows");
        get("/reports/secret/x").as_user("ana").expect(403).reason("denied:never-secrets");
        gw.post(&url("/runs/7/approve"), "")
            .as_user("ada")
            .version(h2)
            .expect(200)
            .rule("admins-approve");
        gw.post(&url("/runs/7/x/approve"), "").as_user("ada").version(h2).expect(403);
        gw.post(&url("/runs/7/approve"), "").as_user("ana").version(h2).expect(403);
        get("/users/ben/page").as_user("ben").expect(200).rule("own-page");
        get("/users/ana/page").as_user("ben").expect(403);
        get("/nothing").as_user("ana").expect(403).reason("no-rule-allows");
        let refused =
            get("/vault/x").as_user("ana").expect(401).reason("step-up-required").into_reply();
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("insufficient_user_authentication"), "RFC 9470: {challenge}");
        let shadow = get("/reports/shadow").as_user("ana").expect(200).audit();
        assert_eq!(shadow["decision.shadow"]["rule"], "would-deny", "{shadow:#}");
    }
    app.sound();
}

#[test]
fn an_empty_body_is_empty_for_the_backend() {
    let (gw, app) = start();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for h2 in [false, true] {
            for _ in 0..2 {
                let ask = gw.request(method, "https://payroll.gw.test/users/ben/x").version(h2);
                ask.body("").as_user("ben").expect(200);
                let ask = gw.request(method, "https://payroll.gw.test/users/ben/x").version(h2);
                ask.as_user("ben").expect(200);
                app.sound();
            }
        }
    }
}

#[test]
fn a_refusal_is_told_in_the_client_s_language() {
    let (gw, _app) = start();
    for h2 in [false, true] {
        let get = || gw.get("https://payroll.gw.test/reports/q3").as_user("ben").version(h2);
        let api = get().header("accept", "application/json").expect(403).into_reply();
        assert_eq!(api.header("content-type"), Some("application/problem+json"));
        let problem = api.json();
        for key in ["type", "title", "status", "reason", "request_id"] {
            assert!(!problem[key].is_null(), "no `{key}`: {}", api.picture());
        }
        assert_eq!(problem["request_id"], api.request_id().unwrap());
        assert_eq!(problem["status"], 403);

        let page = get()
            .header("accept", "text/html,application/xhtml+xml")
            .header("sec-fetch-mode", "navigate");
        let page = page.header("sec-fetch-dest", "document").expect(403).into_reply();
        assert!(
            page.header("content-type").unwrap().starts_with("text/html"),
            "{}",
            page.picture()
        );
        assert!(page.text().contains(page.request_id().unwrap()), "{}", page.picture());

        let grpc = gw.post("https://payroll.gw.test/pkg.Service/Call", "\0\0\0\0\0").version(h2);
        let grpc = grpc
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .as_user("ben")
            .send();
        let grpc = grpc.expect_reply();
        assert_eq!(grpc.status, 200, "{}", grpc.picture());
        assert_eq!(grpc.header("grpc-status"), Some("7"), "{}", grpc.picture());

        for reply in [&api, &page, &grpc] {
            assert_eq!(reply.header("server"), None);
            let text = reply.picture();
            for inner in ["eng-reads", "127.0.0.1:", "recorder", "pingora", "Pingora", "internal"] {
                assert!(!text.contains(inner), "`{inner}` leaks: {text}");
            }
        }
    }
}

#[test]
fn f9_an_unknown_path_and_a_forbidden_one_look_alike() {
    let (gw, _app) = start();
    let strip = |path: &str| {
        let reply = gw
            .get(&format!("https://payroll.gw.test{path}"))
            .as_user("ben")
            .expect(403)
            .into_reply();
        let id = reply.request_id().unwrap().to_owned();
        let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        (reply.text().replace(&id, ""), names)
    };
    assert_eq!(strip("/reports/q3"), strip("/nothing/at/all"));
}

#[test]
fn explain_says_what_the_gateway_does_and_why() {
    let (gw, _app) = start();
    let explain = |args: &[&str]| {
        let mut all = vec!["explain", "-c", "portcullis.yaml", "--json"];
        all.extend(args);
        let done = portcullis(gw.plan.world.path(), &all);
        let json: Value = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", done.stdout, done.stderr));
        json
    };
    let has = |json: &Value, text: &str| json.to_string().contains(text);
    let url = "https://payroll.gw.test/reports/q3";
    let allowed = explain(&["--method", "GET", "--url", url, "--user", "ana", "--groups", "eng"]);
    assert!(has(&allowed, "allow") && has(&allowed, "eng-reads"), "{allowed:#}");
    let denied = explain(&["--method", "GET", "--url", url, "--user", "ben", "--groups", "sales"]);
    assert!(has(&denied, "no-rule-allows") && has(&denied, "user.groups"), "{denied:#}");
    // The door is the same: what the gateway refuses, `explain` refuses.
    let url = "https://payroll.gw.test/x/..%2freports/q3";
    let refused = ["explain", "-c", "portcullis.yaml", "--url", url];
    let refused = portcullis(gw.plan.world.path(), &refused);
    assert!(refused.code != 0, "{refused:?}");
    refused.says("malformed:escape");
    // By hour.
    let at = |time: &str| {
        let url = "https://payroll.gw.test/weekend";
        explain(&[
            "--method", "GET", "--url", url, "--user", "ana", "--groups", "eng", "--at", time,
        ])
    };
    assert_eq!(at("2026-11-21T12:00:00Z")["outcome"], "allow");
    assert_eq!(at("2026-11-24T12:00:00Z")["outcome"], "deny");
}
