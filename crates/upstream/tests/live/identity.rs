//! Who is spoken to (X12).

use std::path::Path;

use openssl::ssl::{SslAcceptorBuilder, SslVerifyMode, SslVersion};
use upstream::Unverified;

use super::authority::{DAY, Leaf, Pair};
use super::backend::Backend;
use super::now;
use super::site::{Refused, Site, dir};

const SPIFFE: &str = "spiffe://example.com/payroll";

/// An upstream `payroll` at this backend with these settings of TLS.
fn payroll(dir: &Path, backend: &Backend, tls: &str) -> Site {
    let address = backend.address;
    let text = format!(
        "upstreams:\n  - {{name: payroll, endpoints: [\"{address}\"], tls: {{ca: ca.crt, {tls}}}}}\n"
    );
    Site::new(dir, &text)
}

/// Asks a backend with this certificate, under these settings.
async fn ask(root: &Pair, pair: &Pair, tls: &str) -> (Result<String, Refused>, Backend) {
    let dir = dir();
    root.write(dir.path(), "ca");
    let backend = Backend::start(pair).await;
    let site = payroll(dir.path(), &backend, tls);
    (site.get("payroll").await, backend)
}

#[tokio::test]
async fn x12_who_is_right_is_answered_and_who_is_not_gets_no_byte() {
    let root = Pair::root("root");
    let other = Pair::root("other");
    let good = Leaf::named("payroll.internal");
    let spiffe = Leaf { uris: vec![SPIFFE], ..Leaf::nameless("payroll") };
    let name = "server_name: payroll.internal";
    let id = format!("server_name: payroll.internal, spiffe_id: \"{SPIFFE}\"");
    let address = "server_name: 127.0.0.1";
    let here = vec!["127.0.0.1".parse().unwrap()];
    let self_signed = Pair::root("payroll.internal");
    let cases: [(&str, Pair, &str, bool); 17] = [
        ("right name", root.issue(&good), name, true),
        (
            "wildcard",
            root.issue(&Leaf::named("*.internal.test")),
            "server_name: a.internal.test",
            true,
        ),
        ("right id", root.issue(&spiffe), &id, true),
        (
            "right address",
            root.issue(&Leaf { addresses: here.clone(), ..good.clone() }),
            address,
            true,
        ),
        ("wrong name", root.issue(&Leaf::named("wiki.internal")), name, false),
        (
            "name only in the common name",
            root.issue(&Leaf::nameless("payroll.internal")),
            name,
            false,
        ),
        (
            "wildcard over two labels",
            root.issue(&Leaf::named("*.internal")),
            "server_name: a.b.internal",
            false,
        ),
        ("wrong authority", other.issue(&good), name, false),
        ("self-signed", self_signed, name, false),
        ("expired", root.issue(&Leaf { from: -9 * DAY, to: -DAY, ..good.clone() }), name, false),
        ("not yet valid", root.issue(&Leaf { from: DAY, ..good.clone() }), name, false),
        ("may sign others", root.issue(&Leaf { signs: true, ..good.clone() }), name, false),
        ("no id", root.issue(&good), &id, false),
        (
            "another id",
            root.issue(&Leaf { uris: vec!["spiffe://example.com/wiki"], ..good.clone() }),
            &id,
            false,
        ),
        (
            "two ids",
            root.issue(&Leaf { uris: vec![SPIFFE, "spiffe://example.com/b"], ..good.clone() }),
            &id,
            false,
        ),
        ("right id, wrong authority", other.issue(&spiffe), &id, false),
        ("address as a name", root.issue(&Leaf::named("127.0.0.1")), address, false),
    ];
    for (what, pair, tls, expected) in cases {
        let (answer, backend) = ask(&root, &pair, tls).await;
        assert_eq!(answer.is_ok(), expected, "{what}: {answer:?}");
        assert_eq!(backend.requests(), usize::from(expected), "{what}");
    }
}

#[tokio::test]
async fn the_operator_is_told_who_answered_instead() {
    let root = Pair::root("root");
    let pair = root.issue(&Leaf { uris: vec!["spiffe://example.com/wiki"], ..Leaf::nameless("w") });
    let tls = format!("server_name: p.internal, spiffe_id: \"{SPIFFE}\"");
    let (answer, _) = ask(&root, &pair, &tls).await;
    let Err(Refused::Unverified(unverified)) = answer else { panic!("{answer:?}") };
    assert_eq!(unverified.reason(), policy::Reason::UpstreamUnverified);
    let text = unverified.to_string();
    assert!(text.contains(SPIFFE) && text.contains("spiffe://example.com/wiki"), "{text}");
}

#[tokio::test]
async fn a_backend_that_asks_for_a_certificate_gets_the_gateways_or_nothing() {
    let root = Pair::root("root");
    let pair = root.issue(&Leaf::named("payroll.internal"));
    let dir = dir();
    root.write(dir.path(), "ca");
    root.issue(&Leaf::nameless("gateway")).write(dir.path(), "gateway");
    let demanding = |builder: &mut SslAcceptorBuilder| {
        let verify = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        builder.set_verify_callback(verify, |_, _| true);
    };
    let backend = Backend::with(&pair, demanding).await;
    let name = "server_name: payroll.internal";
    let known =
        payroll(dir.path(), &backend, &format!("{name}, cert: gateway.crt, key: gateway.key"));
    assert_eq!(known.get("payroll").await.unwrap(), "gateway");
    let unknown = payroll(dir.path(), &backend, name);
    assert!(unknown.get("payroll").await.is_err());
    assert_eq!(backend.requests(), 1);
}

#[tokio::test]
async fn old_versions_and_weak_ciphers_are_refused() {
    let root = Pair::root("root");
    let pair = root.issue(&Leaf::named("payroll.internal"));
    let dir = dir();
    root.write(dir.path(), "ca");
    let name = "server_name: payroll.internal";

    let modern = Backend::with(&pair, |builder| {
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    })
    .await;
    assert!(payroll(dir.path(), &modern, name).get("payroll").await.is_ok());

    let old = Backend::with(&pair, |builder| {
        builder.set_security_level(0);
        builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
        builder.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    })
    .await;
    assert!(payroll(dir.path(), &old, name).get("payroll").await.is_err());

    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let key = openssl::pkey::PKey::from_rsa(rsa).unwrap();
    let weak = Backend::with(&root.issue_for(&Leaf::named("payroll.internal"), key), |builder| {
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        builder.set_cipher_list("ECDHE-RSA-AES128-SHA").unwrap();
    })
    .await;
    let answer = payroll(dir.path(), &weak, name).get("payroll").await;
    assert!(
        matches!(answer, Err(Refused::Unverified(Unverified::WeakCipher("ECDHE-RSA-AES128-SHA")))),
        "{answer:?}"
    );
    assert_eq!(old.requests() + weak.requests(), 0);
}

#[tokio::test]
async fn a_kept_connection_is_asked_again() {
    let root = Pair::root("root");
    let pair = root.issue(&Leaf::named("payroll.internal"));
    let dir = dir();
    root.write(dir.path(), "ca");
    let backend = Backend::start(&pair).await;
    let site = payroll(dir.path(), &backend, "server_name: payroll.internal");
    site.get("payroll").await.unwrap();
    let later = now() + jiff::SignedDuration::from_hours(24 * 40);
    let answer = site.get_at("payroll", later).await;
    assert!(matches!(answer, Err(Refused::Unverified(Unverified::Expired(_)))), "{answer:?}");
    assert_eq!((backend.connections(), backend.requests()), (1, 1));
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_so_is_not_knowing() {
    let root = Pair::root("root");
    let other = Pair::root("other");
    let pair = root.issue(&Leaf { serial: 42, ..Leaf::named("payroll.internal") });
    let backend = Backend::start(&pair).await;
    let month = 30 * DAY;
    let cases = [
        ("not on the list", root.crl(&[7, 41], month), "none"),
        ("on the list", root.crl(&[7, 42], month), "revoked"),
        ("on an overdue list", root.crl(&[42], -DAY), "revoked"),
        ("an overdue list", root.crl(&[7], -DAY), "stale"),
        ("a list of another authority", other.crl(&[7], month), "no-list"),
    ];
    for (what, crl, expected) in cases {
        let dir = dir();
        let both = [root.certificate.to_pem().unwrap(), other.certificate.to_pem().unwrap()];
        std::fs::write(dir.path().join("ca.crt"), both.concat()).unwrap();
        std::fs::write(dir.path().join("ca.crl"), crl).unwrap();
        let site = payroll(dir.path(), &backend, "server_name: payroll.internal, crl: ca.crl");
        let found = match site.get("payroll").await {
            Ok(_) => "none",
            Err(Refused::Unverified(Unverified::Revoked(serial))) => {
                assert_eq!(serial, "2a", "{what}");
                "revoked"
            }
            Err(Refused::Unverified(Unverified::StaleList { .. })) => "stale",
            Err(Refused::Unverified(Unverified::NoList(_))) => "no-list",
            Err(cause) => panic!("{what}: {cause:?}"),
        };
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(backend.requests(), 1);
}

#[tokio::test]
async fn the_two_ways_down_are_taken_only_where_they_are_named() {
    let dir = dir();
    let rogue = Backend::start(&Pair::root("rogue")).await;
    let plain = Backend::plaintext().await;
    let (rogue_at, plain_at) = (rogue.address, plain.address);
    let text = format!(
        "upstreams:
  - {{name: lax, endpoints: [\"{rogue_at}\"], danger_unverified: true}}
  - {{name: plain, endpoints: [\"{plain_at}\"], danger_plaintext: true}}
"
    );
    let site = Site::new(dir.path(), &text);
    assert_eq!(site.get("lax").await.unwrap(), "nobody");
    assert_eq!(site.get("plain").await.unwrap(), "plain");
    let codes: Vec<_> = site.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["danger-unverified", "danger-plaintext"]);
}
