//! P1 to P21: one canonical path for the decision and for the backend.

use scenarios::house::House;
use scenarios::reply::Outcome;
use scenarios::tokens::CORP;
use scenarios::{Request, gateway};

/// What becomes of a target.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// 400 with a `malformed:` reason, for everyone; the backend is not reached.
    Refused,
    /// Decided and forwarded exactly as this target.
    As(&'static str),
    /// Refused, or decided as this target: HTTP/2 cannot always say which.
    RefusedOr(&'static str),
    /// Too long.
    TooLong,
}

use Expect::{As, Refused, RefusedOr, TooLong};

/// Id, target, over h1, over h2.
const TARGETS: &[(&str, &str, Expect, Expect)] = &[
    ("P1", "/public/../admin/x", As("/admin/x"), As("/admin/x")),
    ("P1", "/public/./../admin", As("/admin"), As("/admin")),
    ("P2", "/public/%2e%2e/admin", As("/admin"), As("/admin")),
    ("P2", "/public/.%2e/admin", As("/admin"), As("/admin")),
    ("P2", "/public/%2E%2E%2Fadmin", Refused, Refused),
    ("P3", "/public/..%2fadmin", Refused, Refused),
    ("P3", "/public%2f..%2fadmin", Refused, Refused),
    ("P3", "/public/..%5cadmin", Refused, Refused),
    ("P3", "/public%5c..%5cadmin", Refused, Refused),
    ("P4", "/public/..;/admin", Refused, Refused),
    ("P4", "/public/.;/admin", Refused, Refused),
    ("P4", "/admin;x=1", Refused, Refused),
    ("P4", "/public;/../admin", Refused, Refused),
    ("P5", "//admin", As("/admin"), As("/admin")),
    ("P5", "///admin", As("/admin"), As("/admin")),
    ("P5", "/public//../admin", Refused, Refused),
    ("P6", "/\\admin", Refused, Refused),
    ("P6", "/public\\..\\admin", Refused, Refused),
    ("P6", "/public%5cadmin", Refused, Refused),
    ("P7", "/admin%00", Refused, Refused),
    ("P7", "/admin%0a", Refused, Refused),
    ("P7", "/admin%0d%0aX:%20y", Refused, Refused),
    ("P7", "/admin\u{1}", Refused, Refused),
    ("P7", "/admin\u{b}", Refused, Refused),
    ("P7", "/admin\u{1f}", Refused, Refused),
    ("P7", "/admin\u{7f}", Refused, Refused),
    ("P7", "/ad\tmin", Refused, Refused),
    ("P7", "/ad min", Refused, Refused),
    ("P8", "/%61dmin", As("/admin"), As("/admin")),
    ("P8", "/adm%69n", As("/admin"), As("/admin")),
    ("P9", "/%2561dmin", As("/%2561dmin"), As("/%2561dmin")),
    ("P9", "/%252e%252e/", As("/%252e%252e/"), As("/%252e%252e/")),
    ("P10", "/admin#", Refused, RefusedOr("/admin")),
    ("P10", "/admin#/public", Refused, RefusedOr("/admin")),
    ("P10", "/public#/../admin", Refused, RefusedOr("/public")),
    ("P11", "/admin?x=/public", As("/admin?x=/public"), As("/admin?x=/public")),
    ("P11", "/admin?/public/", As("/admin?/public/"), As("/admin?/public/")),
    ("P11", "/public?/../admin", As("/public?/../admin"), As("/public?/../admin")),
    ("P12", "/admin%3f/public", RefusedOr("/admin%3F/public"), RefusedOr("/admin%3F/public")),
    ("P12", "/admin%23", RefusedOr("/admin%23"), RefusedOr("/admin%23")),
    ("P13", "/ADMIN", As("/ADMIN"), As("/ADMIN")),
    ("P13", "/Admin", As("/Admin"), As("/Admin")),
    ("P14", "/admin/", As("/admin/"), As("/admin/")),
    ("P14", "/admin/.", As("/admin/"), As("/admin/")),
    ("P14", "/admin/./", As("/admin/"), As("/admin/")),
    ("P14", "/admin.", As("/admin."), As("/admin.")),
    ("P14", "/admin%20", As("/admin%20"), As("/admin%20")),
    ("P14", "/admin/%20", As("/admin/%20"), As("/admin/%20")),
    ("P15", "http://app.gw.test/admin", RefusedOr("/admin"), Refused),
    ("P15", "https://app.gw.test/admin", As("/admin"), Refused),
    ("P15", "HTTPS://APP.gw.test/admin", RefusedOr("/admin"), Refused),
    ("P16", "*", Refused, Refused),
    ("P16", "admin", Refused, Refused),
    ("P16", "?x", Refused, Refused),
    ("P16", "!", Refused, Refused),
    ("P17", "/%c0%ae%c0%ae/admin", Refused, Refused),
    ("P17", "/%e0%80%ae", Refused, Refused),
    ("P17", "/%", Refused, Refused),
    ("P17", "/%zz", Refused, Refused),
    ("P17", "/%2", Refused, Refused),
    ("P17", "/%ff", Refused, Refused),
    ("P18", "/\u{ff41}dmin", Refused, Refused),
    ("P18", "/%EF%BD%81dmin", As("/%EF%BD%81dmin"), As("/%EF%BD%81dmin")),
    ("P18", "/adm%C4%B1n", As("/adm%C4%B1n"), As("/adm%C4%B1n")),
];

/// Who asks, with the status of each of the three kinds of path.
const CALLERS: [Option<&str>; 3] = [None, Some("ben"), Some("ada")];

#[test]
fn p1_to_p21_each_target_is_refused_or_means_one_path() {
    let house = House::start();
    for (id, target, h1, h2) in TARGETS {
        for (expect, h2) in [(*h1, false), (*h2, true)] {
            for caller in CALLERS {
                check(&house, (id, target, expect), caller, h2);
            }
        }
    }
    house.sound();
}

#[test]
fn p19_a_long_target_is_refused() {
    let house = House::start();
    let long = [
        format!("/public/{}", "a".repeat(8193 - 8)),
        format!("/public{}", "/a".repeat(2000)),
        format!("/public?{}", "q".repeat(31 << 10)),
    ];
    for target in &long {
        for h2 in [false, true] {
            check(&house, ("P19", target, TooLong), Some("ada"), h2);
        }
    }
    house.sound();
}

#[test]
fn p20_a_path_that_is_rewritten_is_canonical_again() {
    let plan = gateway().with_routes(
        r#"
  - name: stripped
    hosts: [strip.gw.test]
    upstream: app
    strip_prefix: /app
    rules: [{id: inside, allow: {paths: ["/app", "/app/**"]}}]
"#,
    );
    let app = scenarios::Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    let ask =
        |target: &str, h2: bool| gw.get("https://strip.gw.test").raw_target(target).version(h2);
    for h2 in [false, true] {
        for (target, received) in
            [("/app/x", "/x"), ("/app", "/"), ("/app/", "/"), ("/app//evil.test/", "/evil.test/")]
        {
            ask(target, h2).expect(200);
            assert_eq!(app.last().target, received, "P20 {target}");
        }
        let hits = app.hits();
        for target in ["/app/../admin", "/app%2f..", "/app/..", "/application/x", "/x"] {
            let status = ask(target, h2).send().status();
            assert!(status.is_some_and(|s| (400..500).contains(&s)), "P20 {target}: {status:?}");
        }
        assert_eq!(app.hits(), hits, "P20: no refused target reached the backend");
    }
    app.sound();
}

#[track_caller]
fn check(house: &House, case: (&str, &str, Expect), caller: Option<&str>, h2: bool) {
    let (id, target, expect) = case;
    let what = format!("{id} {target:?} as {caller:?} (h2: {h2})");
    let before = house.hits();
    let outcome = request(house, target, caller, h2).send();
    let reached = house.hits() - before;
    match (expect, &outcome) {
        (Refused | RefusedOr(_), Outcome::Reset(_)) if h2 => assert_eq!(reached, 0, "{what}"),
        (Refused | RefusedOr(_), Outcome::Answer(reply)) if reply.status == 400 => {
            assert_eq!(reached, 0, "{what}: the backend was reached");
            let reason = reply.json()["reason"].as_str().map(str::to_owned);
            assert!(
                reason.is_none_or(|r| r.starts_with("malformed:")),
                "{what}: {}",
                reply.picture()
            );
        }
        (TooLong, Outcome::Answer(reply)) => {
            assert!(matches!(reply.status, 414 | 431), "{what}: {}", reply.picture());
            assert_eq!(reached, 0, "{what}: the backend was reached");
        }
        (As(canonical) | RefusedOr(canonical), Outcome::Answer(reply)) => {
            let status = status_of(canonical, caller);
            assert_eq!(reply.status, status, "{what}: {}", reply.picture());
            assert_eq!(reached, usize::from(status == 200), "{what}: hits");
            if status == 200 {
                assert_eq!(house.app.last().target, canonical, "{what}");
            }
        }
        _ => panic!("{what}: expected {expect:?}, got {outcome:?}"),
    }
}

fn request<'h>(house: &'h House, target: &str, caller: Option<&str>, h2: bool) -> Request<'h> {
    let request = house.gw.get("https://app.gw.test").raw_target(target).version(h2);
    caller.into_iter().fold(request, |request, user| request.bearer(&CORP.bearer(user)))
}

/// What the routes of the house say of a canonical target.
fn status_of(target: &str, caller: Option<&str>) -> u16 {
    let path = target.split('?').next().unwrap_or_default();
    let below = |top: &str| path == top || path.starts_with(&format!("{top}/"));
    match caller {
        _ if below("/public") => 200,
        None => 401,
        Some("ada") => 200,
        Some(_) if below("/admin") => 403,
        Some(_) => 200,
    }
}
