//! The families, their labels, and the text that a scrape gets.
#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics::Metrics;

/// Name, kind and labels of every family that has a subject.
const FAMILIES: &[(&str, &str, &[&str])] = &[
    ("portcullis_build_info", "gauge", &["revision", "version"]),
    ("portcullis_certificate_expiry_timestamp_seconds", "gauge", &["name", "role"]),
    ("portcullis_config_generation", "gauge", &[]),
    ("portcullis_config_last_reload_success", "gauge", &[]),
    ("portcullis_config_last_reload_timestamp_seconds", "gauge", &[]),
    ("portcullis_decision_duration_seconds", "histogram", &[]),
    ("portcullis_decisions_total", "counter", &["outcome", "reason", "route"]),
    ("portcullis_filter_stops_total", "counter", &["filter", "stop"]),
    ("portcullis_http_active_requests", "gauge", &["route"]),
    ("portcullis_http_request_duration_seconds", "histogram", &["route"]),
    ("portcullis_http_requests_total", "counter", &["code", "method", "route"]),
    ("portcullis_jwks_age_seconds", "gauge", &["provider"]),
    ("portcullis_posture_lookups_total", "counter", &["result", "source"]),
    ("portcullis_rejected_requests_total", "counter", &["cause"]),
    ("portcullis_revocation_data_age_seconds", "gauge", &["issuer"]),
    ("portcullis_shadow_decisions_total", "counter", &["enforced", "route", "rule", "shadow"]),
    ("portcullis_streams_active", "gauge", &["kind", "route"]),
    ("portcullis_streams_ended_total", "counter", &["cause", "kind", "route"]),
    (
        "portcullis_tls_handshakes_total",
        "counter",
        &["client_certificate", "listener", "result", "version"],
    ),
    ("portcullis_token_cache_total", "counter", &["result"]),
    ("portcullis_token_verifications_total", "counter", &["provider", "result"]),
    ("portcullis_upstream_connect_duration_seconds", "histogram", &["upstream"]),
    ("portcullis_upstream_healthy", "gauge", &["endpoint", "upstream"]),
    ("portcullis_upstream_requests_total", "counter", &["result", "upstream"]),
];

fn metrics() -> Metrics {
    Metrics::new("1.2.3", "abc").expect("the families are registered")
}

/// Every call once.
fn used() -> Metrics {
    let metrics = metrics();
    let route = metrics.route("payroll");
    route.began();
    route.finished("GET", 200, Duration::from_millis(3));
    route.ended();
    route.decided("allow", "allowed");
    route.shadow("night", "allow", "deny");
    route.stream_began("websocket");
    route.stream_ended("websocket", "client");
    let upstream = metrics.upstream("ledger");
    upstream.finished("ok");
    upstream.connected(Duration::from_millis(2));
    upstream.healthy("10.0.0.5:8443", true);
    metrics.decision_duration.observe(3e-6);
    metrics.filter_stop("identity", "challenge");
    metrics.token_verifications("corp", "ok").inc();
    metrics.token_cache("hit").inc();
    metrics.jwks_age("corp").set(1.5);
    metrics.posture_lookups("inventory", "found").inc();
    metrics.handshake("0.0.0.0:443", "1.3", "ok", "none");
    metrics.certificate_expiry("listener", "gate", 1_800_000_000);
    metrics.revocation_age("devices").set(60.0);
    metrics.rejected("malformed");
    metrics.reloaded(true, 1, 1_700_000_000);
    metrics
}

/// One line of a scrape.
#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads a line, or panics.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("an end of labels")),
    };
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
    let mut pairs = BTreeMap::new();
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").expect("a label");
        let mut text = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().expect("an end of the value") {
                (at, '"') => break at + 1,
                (_, '\\') => match letters.next().expect("an escape") {
                    (_, 'n') => text.push('\n'),
                    (_, other) => text.push(other),
                },
                (_, other) => text.push(other),
            }
        };
        pairs.insert(label.to_owned(), text);
        rest = after.get(end..).expect("a rest");
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let value = value.replace("+Inf", "inf").parse().expect("a number");
    Sample { name: name.to_owned(), labels: pairs, value }
}

fn samples(metrics: &Metrics) -> Vec<Sample> {
    metrics.render().lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// The value of a series by `name{label="value",...}` with the labels sorted.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let wanted = sample(&format!("{series} 0"));
    let found =
        samples(metrics).into_iter().find(|s| s.name == wanted.name && s.labels == wanted.labels);
    found.map(|sample| sample.value)
}

#[test]
fn the_families_are_those_of_the_contract() {
    let text = used().render();
    let kinds: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE portcullis_"))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (format!("portcullis_{name}"), kind.to_owned()))
        .collect();
    let expected: BTreeSet<_> =
        FAMILIES.iter().map(|(name, kind, _)| ((*name).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(kinds, expected);
    for (name, ..) in FAMILIES {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

#[test]
fn the_labels_are_those_of_the_contract() {
    let metrics = used();
    for (name, kind, labels) in FAMILIES {
        let series =
            if *kind == "histogram" { format!("{name}_count") } else { (*name).to_owned() };
        let found: Vec<_> = samples(&metrics).into_iter().filter(|s| s.name == series).collect();
        assert!(!found.is_empty(), "{series} has no series");
        for sample in found {
            assert_eq!(
                sample.labels.keys().map(String::as_str).collect::<Vec<_>>(),
                *labels,
                "{name}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_there_too() {
    let metrics = metrics();
    for name in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
        assert!(value(&metrics, name).is_some(), "{name}");
    }
}

#[test]
fn each_call_counts_where_it_says() {
    let metrics = used();
    for (series, expected) in [
        (r#"portcullis_build_info{version="1.2.3",revision="abc"}"#, 1.0),
        (r#"portcullis_http_requests_total{route="payroll",method="GET",code="200"}"#, 1.0),
        (r#"portcullis_http_request_duration_seconds_bucket{route="payroll",le="0.005"}"#, 1.0),
        (r#"portcullis_http_request_duration_seconds_bucket{route="payroll",le="0.0025"}"#, 0.0),
        (r#"portcullis_http_active_requests{route="payroll"}"#, 0.0),
        (r#"portcullis_decisions_total{route="payroll",outcome="allow",reason="allowed"}"#, 1.0),
        (
            r#"portcullis_shadow_decisions_total{route="payroll",rule="night",enforced="allow",shadow="deny"}"#,
            1.0,
        ),
        (r#"portcullis_streams_active{route="payroll",kind="websocket"}"#, 0.0),
        (r#"portcullis_streams_ended_total{route="payroll",kind="websocket",cause="client"}"#, 1.0),
        (r#"portcullis_filter_stops_total{filter="identity",stop="challenge"}"#, 1.0),
        (r#"portcullis_upstream_healthy{upstream="ledger",endpoint="10.0.0.5:8443"}"#, 1.0),
        (r#"portcullis_jwks_age_seconds{provider="corp"}"#, 1.5),
        (
            r#"portcullis_certificate_expiry_timestamp_seconds{role="listener",name="gate"}"#,
            1_800_000_000.0,
        ),
        ("portcullis_config_generation", 1.0),
        ("portcullis_config_last_reload_success", 1.0),
        ("portcullis_config_last_reload_timestamp_seconds", 1_700_000_000.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
}

#[test]
fn strangers_cannot_make_series() {
    let metrics = metrics();
    let route = metrics.route("-");
    for n in 0..2_000_u16 {
        route.finished(&format!("X{n}"), n, Duration::ZERO);
    }
    let requests =
        samples(&metrics).into_iter().filter(|s| s.name == "portcullis_http_requests_total");
    let (mut series, mut total) = (BTreeSet::new(), 0.0);
    for sample in requests {
        assert_eq!(sample.labels["method"], "OTHER");
        series.insert(sample.labels["code"].clone());
        total += sample.value;
    }
    assert!((total - 2_000.0).abs() < 0.5, "{total}");
    assert_eq!(series.len(), 502, "100 to 599, `-` and `OTHER`");
    assert!(series.contains("-") && series.contains("OTHER"));
}

#[test]
fn a_route_keeps_its_counts_from_one_generation_to_the_next() {
    let metrics = metrics();
    let old = metrics.route("a");
    old.began();
    old.finished("GET", 200, Duration::ZERO);
    let new = metrics.route("a");
    metrics.retain_routes(&["a"]);
    new.finished("GET", 200, Duration::ZERO);
    old.ended();
    let series = r#"portcullis_http_requests_total{route="a",method="GET",code="200"}"#;
    assert_eq!(value(&metrics, series), Some(2.0));
    assert_eq!(value(&metrics, r#"portcullis_http_active_requests{route="a"}"#), Some(0.0));
}

#[test]
fn series_of_what_is_gone_are_removed() {
    let metrics = used();
    metrics.route("-").finished("GET", 404, Duration::ZERO);
    metrics.route("stays").finished("GET", 200, Duration::ZERO);
    metrics.retain_routes(&["stays"]);
    metrics.retain_upstreams(&["other"]);
    metrics.retain_providers(&["other"]);
    metrics.retain_issuers(&["other"]);
    metrics.certificate_expiry("upstream", "gate", 7);
    metrics.retain_certificates("listener", &["other"]);
    let samples = samples(&metrics);
    let named = |label: &str| {
        samples.iter().filter_map(|s| s.labels.get(label).cloned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(named("route"), ["-".to_owned(), "stays".to_owned()].into());
    assert_eq!(named("upstream"), BTreeSet::new());
    assert_eq!(named("provider"), BTreeSet::new());
    assert_eq!(named("issuer"), BTreeSet::new());
    assert_eq!(named("role"), ["upstream".to_owned()].into());
}

#[test]
fn only_endpoints_of_the_same_upstream_are_removed() {
    let metrics = metrics();
    let (a, b) = (metrics.upstream("a"), metrics.upstream("b"));
    for upstream in [&a, &b] {
        upstream.healthy("1", true);
        upstream.healthy("2", false);
    }
    a.retain_endpoints(&["2"]);
    let healthy = |upstream: &str, endpoint: &str| {
        let labels = format!(r#"{{upstream="{upstream}",endpoint="{endpoint}"}}"#);
        value(&metrics, &format!("portcullis_upstream_healthy{labels}"))
    };
    assert_eq!(healthy("a", "1"), None);
    assert_eq!(healthy("a", "2"), Some(0.0));
    assert_eq!(healthy("b", "1"), Some(1.0));
}

#[test]
fn names_of_any_kind_are_escaped() {
    let metrics = metrics();
    let name = "a\"b\\c\nd é";
    metrics.route(name).finished("GET", 200, Duration::ZERO);
    let found: BTreeSet<_> =
        samples(&metrics).into_iter().filter_map(|s| s.labels.get("route").cloned()).collect();
    assert_eq!(found, [name.to_owned()].into());
}

#[test]
fn two_gateways_fit_in_one_process() {
    let (a, b) = (metrics(), metrics());
    a.rejected("malformed");
    let series = r#"portcullis_rejected_requests_total{cause="malformed"}"#;
    assert_eq!(value(&a, series), Some(1.0));
    assert_eq!(value(&b, series), None);
}

#[test]
fn ten_thousand_routes_are_resolved_quickly() {
    let metrics = metrics();
    for n in 0..10_000 {
        metrics.route(&format!("r{n}")).finished("GET", 200, Duration::ZERO);
    }
    let requests =
        samples(&metrics).into_iter().filter(|s| s.name == "portcullis_http_requests_total");
    assert_eq!(requests.count(), 10_000);
}
