//! Who the backend must be. No byte of a request is sent to another.

use std::net::SocketAddr;

use scenarios::certificates::{Authority, Leaf, Pair};
use scenarios::recorder::Transport;
use scenarios::{Gateway, Plan, Recorder, gateway};

use super::{ROUTES, assert_tells_nothing};

struct Bad {
    what: &'static str,
    backend: Recorder,
    name: String,
    reason: &'static str,
}

fn host(number: usize) -> String {
    format!("bad{number}.gw.test")
}

/// One gateway with a route and an upstream for each bad backend.
fn start(
    make: impl FnOnce(&Plan) -> Vec<(&'static str, Recorder, &'static str)>,
) -> (Gateway, Vec<Bad>) {
    let mut plan = gateway();
    let mut bad = Vec::new();
    let mut routes = ROUTES.to_owned();
    for (number, (what, backend, reason)) in make(&plan).into_iter().enumerate() {
        routes.push_str(&format!(
            "  - {{name: bad{number}, hosts: [{}], upstream: bad{number}, rules: [{{id: e{number}, allow: {{}}}}]}}\n",
            host(number)
        ));
        bad.push(Bad { what, backend, name: format!("bad{number}"), reason });
    }
    let app = Recorder::start(&plan.world, "app");
    plan = plan.with_backend("app", &app).with_routes(&routes);
    for Bad { backend, name, .. } in &bad {
        plan = plan.with_upstream_text(&upstream(name, backend.address));
    }
    let gw = plan.start();
    gw.get("https://app.gw.test/").expect(200);
    (gw, bad)
}

/// Every bad upstream is expected to be `app.internal`, `spiffe://gw.test/app`.
fn upstream(name: &str, address: SocketAddr) -> String {
    format!(
        "  - name: {name}
    endpoints: [\"{address}\"]
    response_timeout: 3s
    connect_timeout: 3s
    tls: {{ca: pki/backends-ca.crt, cert: pki/gateway-client.crt, key: pki/gateway-client.key, server_name: app.internal, spiffe_id: \"spiffe://gw.test/app\"}}
"
    )
}

#[test]
fn x12_a_backend_that_is_not_who_it_should_be_gets_nothing() {
    let (gw, bad) = start(|plan| {
        let world = &plan.world;
        let mut good = Leaf::server(&["app.internal"]);
        good.uri.push("spiffe://gw.test/app".into());
        let stranger = Authority::new("backends CA");
        let mutual =
            |pair: &Pair| Recorder::with(Transport::Mutual, pair, world.backends.cert(), false);
        let day = 86_400;
        let other = |uri: &str| Leaf { uri: vec![uri.into()], ..good.clone() };
        let unverified = "upstream-unverified";
        vec![
            (
                "expired",
                mutual(&world.backends.issue(&good.clone().valid(-2 * day, -day))),
                unverified,
            ),
            (
                "not yet valid",
                mutual(&world.backends.issue(&good.clone().valid(day, 2 * day))),
                unverified,
            ),
            ("another authority", mutual(&stranger.issue(&good)), unverified),
            (
                "another workload",
                mutual(&world.backends.issue(&other("spiffe://gw.test/wiki"))),
                unverified,
            ),
            (
                "another trust domain",
                mutual(&world.backends.issue(&other("spiffe://evil.test/app"))),
                unverified,
            ),
            (
                "a longer id",
                mutual(&world.backends.issue(&other("spiffe://gw.test/app/x"))),
                unverified,
            ),
            (
                "no SPIFFE id",
                mutual(&world.backends.issue(&Leaf { uri: vec![], ..good.clone() })),
                unverified,
            ),
            (
                "two SPIFFE ids",
                mutual(&world.backends.issue(&Leaf {
                    uri: vec!["spiffe://gw.test/app".into(), "spiffe://gw.test/b".into()],
                    ..good.clone()
                })),
                unverified,
            ),
            ("a client's certificate", mutual(&world.service("app")), unverified),
        ]
    });
    for (number, bad) in bad.iter().enumerate() {
        for h2 in [false, true] {
            let url = format!("https://{}/secret", host(number));
            let reply = gw.post(&url, "secret").version(h2).send().expect_reply();
            assert_eq!(reply.status, 502, "X12 {}: {}", bad.what, reply.picture());
            assert_tells_nothing(&reply);
            let record = gw.audit(reply.request_id().unwrap());
            let told = format!("{} {}", record["decision.reason"], record["error.type"]);
            assert!(told.contains(bad.reason), "X12 {}: {record:#}", bad.what);
        }
        assert_eq!(bad.backend.hits(), 0, "X12 {}: a request was sent", bad.what);
    }
}

#[test]
fn a_backend_that_speaks_something_else_is_502_or_504() {
    let (gw, bad) = start(|plan| {
        let world = &plan.world;
        let pair = world.backend("app");
        let with = |transport| Recorder::with(transport, &pair, world.backends.cert(), false);
        let down = with(Transport::Mutual);
        down.stop();
        let refusing = Recorder::with(Transport::Mutual, &pair, world.devices.cert(), false);
        vec![
            ("down", down, "upstream-unreachable"),
            ("plaintext", with(Transport::Plain), "upstream-un"),
            ("garbage", with(Transport::Garbage), "upstream-un"),
            ("silent", with(Transport::Silent), "upstream-un"),
            ("TLS 1.1", with(Transport::Outdated), "upstream-un"),
            ("does not know the gateway", refusing, "upstream-un"),
        ]
    });
    for (number, bad) in bad.iter().enumerate() {
        for h2 in [false, true] {
            let url = format!("https://{}/secret", host(number));
            let reply = gw.post(&url, "secret").version(h2).send().expect_reply();
            assert!(matches!(reply.status, 502 | 504), "{}: {}", bad.what, reply.picture());
            assert_tells_nothing(&reply);
            let record = gw.audit(reply.request_id().unwrap());
            let told = format!("{} {}", record["decision.reason"], record["error.type"]);
            assert!(told.contains(bad.reason), "{}: {record:#}", bad.what);
        }
        assert_eq!(bad.backend.hits(), 0, "{}: a request was sent", bad.what);
    }
}

#[test]
fn a_backend_that_asks_for_no_certificate_is_served_over_verified_tls() {
    let plan = gateway().with_routes(ROUTES);
    let pair = plan.world.backend("app");
    let app = Recorder::with(Transport::ServerOnly, &pair, plan.world.backends.cert(), false);
    let gw = plan.with_backend("app", &app).start();
    gw.get("https://app.gw.test/").expect(200);
    assert_eq!(app.last().client, None);
}

#[test]
fn the_backend_knows_the_gateway_by_its_certificate() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    gw.get("https://app.gw.test/").expect(200);
    assert_eq!(app.last().client.as_deref(), Some("gateway"));
    // Nobody else is let in, not even with another certificate of the house.
    let mut dial = gw.dial().to_unverified("app.internal");
    dial.address = app.address;
    dial.trust = gw.plan.world.backends.cert().clone();
    for certificate in [None, Some(gw.plan.world.device("laptop"))] {
        dial.certificate = certificate;
        let outcome = scenarios::h1::Connection::open(&dial)
            .map(|mut connection| connection.ask(b"GET / HTTP/1.1\r\nHost: app.internal\r\n\r\n"));
        assert!(outcome.is_err() || outcome.is_ok_and(|o| o.status().is_none()), "knocked in");
    }
    assert_eq!(app.hits(), 1);
}

#[test]
fn a_replaced_trust_store_counts_for_pooled_connections_too() {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    let gw = plan.with_backend("app", &app).start();
    gw.get("https://app.gw.test/").expect(200);
    // The authority behind the pooled connection is trusted no more.
    let other = Authority::new("other backends CA");
    other.write(&gw.plan.world.pki(), "backends-ca");
    gw.reload();
    let hits = app.hits();
    gw.get("https://app.gw.test/").expect(502);
    assert_eq!(app.hits(), hits, "a connection of the old trust was used");
    gw.plan.world.backends.write(&gw.plan.world.pki(), "backends-ca");
    gw.reload();
    gw.get("https://app.gw.test/").expect(200);
}
