//! F4, F5: the operator's listener and what it tells.

use scenarios::gateway::plain;
use scenarios::{Gateway, Recorder, gateway};

use super::ROUTES;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

#[test]
fn f4_nothing_of_the_operator_s_is_on_a_public_listener() {
    let (gw, app) = start();
    for h2 in [false, true] {
        for path in [
            "/metrics",
            "/debug/pprof",
            "/health",
            "/livez",
            "/readyz",
            "/config",
            "/admin",
            "/v1/config",
            "/v1/sessions",
            "/v1/explain",
            "/.portcullis/metrics",
            "/.portcullis/v1/config",
            "/.portcullis/readyz",
        ] {
            for (name, value) in
                [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "localhost")]
            {
                let url = format!("https://app.gw.test{path}");
                let reply = gw.get(&url).header(name, value).version(h2).send().expect_reply();
                assert!((400..500).contains(&reply.status), "F4 {path}: {}", reply.picture());
                assert!(!reply.text().contains("portcullis_"), "F4 {path}: {}", reply.picture());
            }
        }
        for host in ["localhost", "127.0.0.1"] {
            let mut request = gw.get("https://localhost/metrics").version(h2);
            host.clone_into(&mut request.host);
            let status = request.send().status();
            assert!(matches!(status, Some(400..500)), "F4 Host {host}: {status:?}");
        }
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn f4_the_admin_listener_answers_to_its_own_name_only() {
    let (gw, _app) = start();
    let ask = |head: &str| {
        plain(gw.ports.admin, &format!("{head}Connection: close\r\n\r\n")).map(|r| r.status)
    };
    let own = gw.ports.admin;
    assert_eq!(ask(&format!("GET /livez HTTP/1.1\r\nHost: {own}\r\n")), Some(200));
    assert_eq!(ask(&format!("GET /readyz HTTP/1.1\r\nHost: {own}\r\n")), Some(200));
    // DNS rebinding: a page of somebody else's name reaches loopback.
    let rebound = ask("GET /metrics HTTP/1.1\r\nHost: evil.test\r\n");
    assert!(matches!(rebound, Some(400 | 403 | 404 | 421)), "F4: {rebound:?}");
    let nothing = ask(&format!("GET /nothing HTTP/1.1\r\nHost: {own}\r\n"));
    assert_eq!(nothing, Some(404));
    let cors = plain(
        own,
        &format!(
            "GET /v1/config HTTP/1.1\r\nHost: {own}\r\nOrigin: https://evil.test\r\nConnection: close\r\n\r\n"
        ),
    );
    let cors = cors.unwrap();
    assert_eq!(cors.header("access-control-allow-origin"), None);
    assert!(!cors.text().contains("PRIVATE KEY"));
}

/// Every metric of the contract that has a subject in this gateway.
const METRICS: &[&str] = &[
    "portcullis_build_info",
    "portcullis_http_requests_total",
    "portcullis_http_request_duration_seconds",
    "portcullis_http_active_requests",
    "portcullis_decisions_total",
    "portcullis_filter_stops_total",
    "portcullis_decision_duration_seconds",
    "portcullis_token_verifications_total",
    "portcullis_token_cache_total",
    "portcullis_jwks_age_seconds",
    "portcullis_tls_handshakes_total",
    "portcullis_certificate_expiry_timestamp_seconds",
    "portcullis_upstream_requests_total",
    "portcullis_upstream_connect_duration_seconds",
    "portcullis_upstream_healthy",
    "portcullis_rejected_requests_total",
    "portcullis_config_generation",
    "portcullis_config_last_reload_success",
    "portcullis_config_last_reload_timestamp_seconds",
    "portcullis_posture_lookups_total",
    "process_open_fds",
    "process_resident_memory_bytes",
];

#[test]
fn the_metrics_are_those_of_the_contract() {
    let (gw, _app) = start();
    gw.get("https://app.gw.test/x").as_user("ana").on_device("laptop").expect(200);
    gw.get("https://app.gw.test/x").expect(401);
    gw.get("https://app.gw.test/a%00b").expect(400);
    let text = gw.admin("/metrics").text();
    let missing: Vec<_> = METRICS
        .iter()
        .filter(|name| !text.lines().any(|line| line.starts_with(&format!("# TYPE {name} "))))
        .collect();
    assert!(missing.is_empty(), "not exposed: {missing:?}\n{text}");
    assert!(
        gw.metric_sum(
            "portcullis_http_requests_total",
            &["route=\"app\"", "method=\"GET\"", "code=\"200\""]
        ) >= 1.0
    );
    assert!(gw.metric_sum("portcullis_decisions_total", &["outcome=\"allow\""]) >= 1.0);
    assert!(gw.metric_sum("portcullis_rejected_requests_total", &[]) >= 1.0);
    for private in ["ana", "laptop", "127.0.0.1", "/x", "gw.test\""] {
        for line in text.lines().filter(|line| line.starts_with("portcullis_")) {
            let labels = line.split('{').nth(1).unwrap_or_default();
            assert!(!labels.contains(&format!("=\"{private}\"")), "a label tells who: {line}");
        }
    }
}

#[test]
fn f5_strangers_add_no_series() {
    let (gw, _app) = start();
    let series = || {
        let text = gw.admin("/metrics").text();
        text.lines().filter(|line| line.starts_with("portcullis_")).count()
    };
    let knock = |n: usize| {
        drop(
            gw.get(&format!("https://app.gw.test/public/{n}")).version(n.is_multiple_of(2)).send(),
        );
        drop(gw.get(&format!("https://h{n}.gw.test/")).send());
        drop(gw.request(&format!("M{n}"), "https://app.gw.test/public").send());
        drop(gw.get("https://app.gw.test/x").bearer(&format!("token{n}.x.y")).send());
    };
    (0..3).for_each(knock);
    let before = series();
    (3..60).for_each(knock);
    assert_eq!(series(), before, "F5: the number of series grew");
}
