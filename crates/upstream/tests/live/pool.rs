//! Who shares a connection, and whose turn it is.

use pingora::upstreams::peer::{ALPN, H1UpgradePolicy, Peer as _};
use upstream::Traffic;

use super::authority::{Leaf, Pair};
use super::backend::Backend;
use super::site::{Refused, Site, dir, kept, load};

#[tokio::test]
async fn x13_identities_never_share_a_connection() {
    let root = Pair::root("root");
    let other = Pair::root("other");
    let dir = dir();
    root.write(dir.path(), "ca");
    other.write(dir.path(), "other");
    // The serial numbers are equal on purpose: Pingora's pool knows nothing else of them.
    for name in ["one", "two"] {
        root.issue(&Leaf { serial: 7, ..Leaf::nameless(name) }).write(dir.path(), name);
    }
    let backend = Backend::start(&root.issue(&Leaf::named("b.internal"))).await;
    let at = backend.address;
    let upstream = |name: &str, ca: &str, client: &str| {
        format!(
            "  - {{name: {name}, endpoints: [\"{at}\"], tls: {{ca: {ca}.crt, cert: {client}.crt, \
             key: {client}.key, server_name: b.internal}}}}\n"
        )
    };
    let text = [
        "upstreams:\n".to_owned(),
        upstream("one", "ca", "one"),
        upstream("two", "ca", "two"),
        upstream("distrusts", "other", "one"),
    ]
    .concat();
    let site = Site::new(dir.path(), &text);
    for round in 0..1_000 {
        let name = if round % 2 == 0 { "one" } else { "two" };
        assert_eq!(site.get(name).await.unwrap(), name, "round {round}");
        if round % 100 == 0 {
            let refused = site.get("distrusts").await;
            assert!(matches!(refused, Err(Refused::Connect)), "{refused:?}");
        }
    }
    assert_eq!(backend.requests(), 1_000);
    assert_eq!(backend.connections(), 2 + 10);
}

#[test]
fn the_pools_key_follows_everything_that_identity_rests_on() {
    let root = Pair::root("root");
    let dir = dir();
    root.write(dir.path(), "ca");
    Pair::root("root").write(dir.path(), "twin");
    for name in ["one", "two"] {
        root.issue(&Leaf { serial: 7, ..Leaf::nameless(name) }).write(dir.path(), name);
    }
    std::fs::write(dir.path().join("a.crl"), root.crl(&[7], 1_000)).unwrap();
    std::fs::write(dir.path().join("b.crl"), root.crl(&[8], 1_000)).unwrap();
    let key = |tls: &str| {
        let text = format!("upstreams:\n  - {{name: a, endpoints: [\"127.0.0.1:9\"], {tls}}}\n");
        Site::new(dir.path(), &text).peer("a", Traffic::Plain).http.reuse_hash()
    };
    let settings = [
        "tls: {ca: ca.crt, server_name: a.internal}",
        "tls: {ca: twin.crt, server_name: a.internal}",
        "tls: {ca: ca.crt, server_name: b.internal}",
        "tls: {ca: ca.crt, server_name: a.internal, spiffe_id: \"spiffe://x/a\"}",
        "tls: {ca: ca.crt, server_name: a.internal, spiffe_id: \"spiffe://x/b\"}",
        "tls: {ca: ca.crt, server_name: a.internal, cert: one.crt, key: one.key}",
        "tls: {ca: ca.crt, server_name: a.internal, cert: two.crt, key: two.key}",
        "tls: {ca: ca.crt, server_name: a.internal, crl: a.crl}",
        "tls: {ca: ca.crt, server_name: a.internal, crl: b.crl}",
        "tls: {server_name: a.internal}, danger_unverified: true",
        "danger_unverified: true",
        "danger_plaintext: true",
    ];
    let keys: std::collections::HashSet<u64> = settings.iter().map(|tls| key(tls)).collect();
    assert_eq!(keys.len(), settings.len());
    assert_eq!(key(settings[0]), key(settings[0]));
}

#[tokio::test]
async fn endpoints_take_turns_and_a_dead_one_is_passed_over() {
    let dir = dir();
    let (one, two) = (Backend::plaintext().await, Backend::plaintext().await);
    let text = format!(
        "upstreams:\n  - {{name: a, endpoints: [\"{}\", \"{}\"], danger_plaintext: true}}\n",
        one.address, two.address
    );
    let site = Site::new(dir.path(), &text);
    for _ in 0..10 {
        site.get("a").await.unwrap();
    }
    assert_eq!((one.requests(), two.requests()), (5, 5));

    let first = site.peer("a", Traffic::Plain).pick;
    first.unreached();
    let healthy =
        |address| format!("portcullis_upstream_healthy{{endpoint=\"{address}\",upstream=\"a\"}} ");
    assert!(site.metrics.render().contains(&format!("{}0", healthy(first.address()))));
    let mut others = 0;
    while site.peer("a", Traffic::Plain).pick.address() != first.address() {
        others += 1;
    }
    // Each of its turns that it lost is one more of the other's, beside the other's own.
    assert_eq!(others, 2 * upstream::PASSED_OVER_TURNS + 1);
    first.unreached();
    first.reached();
    assert!(site.metrics.render().contains(&format!("{}1", healthy(first.address()))));
}

#[test]
fn one_endpoint_alone_is_asked_even_if_it_was_not_reached() {
    let dir = dir();
    let text = "upstreams:\n  - {name: a, endpoints: [\"127.0.0.1:9\"], danger_plaintext: true}\n";
    let site = Site::new(dir.path(), text);
    for _ in 0..3 {
        site.peer("a", Traffic::Plain).pick.unreached();
    }
    assert_eq!(site.peer("a", Traffic::Plain).pick.address().port(), 9);
}

#[test]
fn names_are_resolved_at_load_and_the_addresses_outlive_a_generation() {
    let dir = dir();
    let text = "upstreams:\n  - {name: a, endpoints: [\"localhost:9\"], danger_plaintext: true}\n";
    let site = Site::new(dir.path(), text);
    let address = site.peer("a", Traffic::Plain).pick.address();
    assert!(address.ip().is_loopback() && address.port() == 9, "{address}");

    let gone = text.replace("localhost", "gone.invalid");
    let unresolved = Site::new(dir.path(), &gone);
    assert_eq!(unresolved.warnings.last().map(|warning| warning.code), Some("no-address"));
    let fault = unresolved.upstreams.peer(&unresolved.permit("a"), Traffic::Plain).unwrap_err();
    assert_eq!(fault.reason(), policy::Reason::UpstreamUnreachable);

    let (kept, _) = kept();
    let (first, _) = load(dir.path(), text, &kept).unwrap();
    let turn = |upstreams: &upstream::Upstreams| {
        upstreams.peer(&site.permit("a"), Traffic::Plain).unwrap().pick.address()
    };
    let before = turn(&first);
    let (second, _) = load(dir.path(), text, &kept).unwrap();
    assert_eq!(turn(&second).port(), before.port());
}

#[test]
fn connections_are_dressed_for_their_traffic() {
    let root = Pair::root("root");
    let dir = dir();
    root.write(dir.path(), "ca");
    let text = "upstreams:
  - name: a
    endpoints: [\"127.0.0.1:9\"]
    tls: {ca: ca.crt, server_name: a.internal}
    connect_timeout: 2s
    response_timeout: 7s
    stream_timeout: 1h
    idle_timeout: 9s
";
    let seconds = |n| Some(std::time::Duration::from_secs(n));
    for (route, traffic, alpn, upgrade, read) in [
        ("", Traffic::Plain, ALPN::H2H1, H1UpgradePolicy::Deny, seconds(7)),
        ("", Traffic::WebSocket, ALPN::H1, H1UpgradePolicy::WebSocketOnly, seconds(3600)),
        ("websocket: false,", Traffic::WebSocket, ALPN::H2H1, H1UpgradePolicy::Deny, seconds(3600)),
        ("", Traffic::Grpc, ALPN::H2, H1UpgradePolicy::Deny, seconds(3600)),
        ("response_timeout: 3s,", Traffic::Plain, ALPN::H2H1, H1UpgradePolicy::Deny, seconds(3)),
        ("response_timeout: 3s,", Traffic::Grpc, ALPN::H2, H1UpgradePolicy::Deny, seconds(3)),
    ] {
        let site = Site::with_route(dir.path(), text, route);
        let http = site.peer("a", traffic).http;
        let options = &http.options;
        assert_eq!(options.alpn, alpn, "{route} {traffic:?}");
        assert_eq!(options.http_upstream_request_policy.h1_upgrade, upgrade, "{route} {traffic:?}");
        assert_eq!(options.read_timeout, read, "{route} {traffic:?}");
        assert_eq!(options.connection_timeout, seconds(2));
        assert_eq!(options.total_connection_timeout, seconds(2));
        assert_eq!(options.idle_timeout, seconds(9));
        assert!(options.write_timeout.is_some());
        assert!(options.verify_cert && options.verify_hostname && options.ca.is_some());
        assert_eq!(options.max_h2_streams, 100);
        assert_eq!(http.sni, "a.internal");
    }
}

#[tokio::test]
async fn the_resolver_forgets_what_is_gone_and_ends_without_names() {
    let dir = dir();
    let (kept, metrics) = kept();
    let text = |endpoint: &str| {
        format!(
            "upstreams:\n  - {{name: a, endpoints: [\"{endpoint}\"], danger_plaintext: true}}\n"
        )
    };
    load(dir.path(), &text("127.0.0.1:8"), &kept).unwrap();
    let (second, _) = load(dir.path(), &text("127.0.0.1:9"), &kept).unwrap();
    let shown = |endpoint: &str| metrics.render().contains(&format!("endpoint=\"{endpoint}\""));
    assert!(shown("127.0.0.1:8") && shown("127.0.0.1:9"));
    second.resolver().await;
    assert!(!shown("127.0.0.1:8") && shown("127.0.0.1:9"));
}
