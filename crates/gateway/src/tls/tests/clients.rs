//! Client certificates: what becomes facts, and what is never believed.

use super::pki::Authority;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_becomes_facts_once() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let sans = [
        name(0x81, b"alice@acme.test"),
        name(0x82, b"Laptop.ACME.test"),
        name(0x86, b"spiffe://acme.test/laptop/7"),
        upn(b"alice@corp.acme.test"),
    ];
    let alice = Recipe {
        names: Some(names(&sans)),
        purposes: Some("clientAuth,serverAuth"),
        serial: "00ab",
        ..Recipe::client()
    };
    let alice = alice.signed_by(&ca);
    let client = Client::new().presenting(&alice).connect(server.address, "GW.test").await;
    let connection = server.next().await.unwrap();
    let facts = connection.certificate_now(pki::now()).unwrap().unwrap();
    assert_eq!(&*facts.subject, "CN=alice,O=Acme");
    assert_eq!(&*facts.issuer, "CN=Devices Root,O=Acme");
    assert_eq!(facts.san_email.as_ref(), &["alice@acme.test".into()]);
    assert_eq!(facts.san_dns.as_ref(), &["laptop.acme.test".into()]);
    assert_eq!(facts.san_upn.as_ref(), &["alice@corp.acme.test".into()]);
    assert_eq!(facts.spiffe_id.as_deref(), Some("spiffe://acme.test/laptop/7"));
    assert_eq!(facts.trust_domain.as_deref(), Some("acme.test"));
    assert_eq!(&*facts.serial, "ab");
    assert_eq!(facts.not_after.as_second(), NOW + 30 * DAY);
    assert_eq!(facts.revocation_data_at, None);
    let digest = |cert: &X509| pem::hex(&cert.digest(MessageDigest::sha256()).unwrap());
    assert_eq!(*facts.fingerprint, digest(&alice.cert));
    assert_eq!(*facts.anchor, digest(&ca.cert));
    assert_eq!(connection.sni(), Some("gw.test"));
    assert_eq!(connection.version(), policy::TlsVersion::Tls13);
    assert!(connection.cipher().starts_with("TLS_"));

    let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let first = connection.seen(peer, pki::now());
    let again = connection.seen(peer, pki::now());
    assert!(Arc::ptr_eq(&first.client, &again.client), "one client a connection");
    assert_eq!(first.client.peer, peer);
    assert!(first.fault.is_none());
    drop(client);
}

/// What is wrong with a certificate, and the word for it.
fn unfit_clients(ca: &Identity) -> Vec<(&'static str, Identity, &'static str)> {
    let good = Recipe::client;
    let other = Recipe::authority("Another Root").self_signed();
    let impostor = Recipe::authority("Devices Root").self_signed();
    let by_ca = |recipe: Recipe| recipe.signed_by(ca);
    let usage = Some(&["keyEncipherment"][..]);
    vec![
        ("expired", by_ca(Recipe { ends: NOW - 1, ..good() }), "expired"),
        ("not yet valid", by_ca(Recipe { begins: NOW + DAY, ..good() }), "expired"),
        ("wrong authority", good().signed_by(&other), "untrusted"),
        ("same name, other key", good().signed_by(&impostor), "untrusted"),
        ("self-signed", good().self_signed(), "untrusted"),
        (
            "purpose of a server",
            by_ca(Recipe { purposes: Some("serverAuth"), ..good() }),
            "untrusted",
        ),
        ("no purpose", by_ca(Recipe { purposes: None, ..good() }), "unfit"),
        (
            "any purpose",
            by_ca(Recipe { purposes: Some("anyExtendedKeyUsage"), ..good() }),
            "untrusted",
        ),
        (
            "an authority",
            by_ca(Recipe {
                ca: Authority::Yes,
                usage: Some(&["keyCertSign", "digitalSignature"]),
                ..good()
            }),
            "unfit",
        ),
        ("usage without signatures", by_ca(Recipe { usage, ..good() }), "untrusted"),
        ("version 1", by_ca(Recipe { version: 0, ..good() }), "unfit"),
        ("RSA of 1024 bits", by_ca(Recipe { key: rsa(1024), ..good() }), "untrusted"),
        ("SHA-1", by_ca(Recipe { digest: Some(MessageDigest::sha1()), ..good() }), "untrusted"),
        ("no name", by_ca(Recipe { names: None, ..good() }), "unfit"),
        ("serial zero", by_ca(Recipe { serial: "0", ..good() }), "unfit"),
        ("negative serial", by_ca(Recipe { serial: "-5", ..good() }), "unfit"),
        (
            "serial of 21 octets",
            by_ca(Recipe { serial: "010203040506070809101112131415161718192021", ..good() }),
            "unfit",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x1_unfit_certificates_are_never_believed() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let good = Recipe::client().signed_by(&ca);
    assert_eq!(server.present("gw.test", &good).await, Ok("good"));
    for (what, identity, expected) in unfit_clients(&ca) {
        let judged = server
            .tls
            .snapshot()
            .trust()
            .unwrap()
            .verify(std::slice::from_ref(&identity.cert), pki::now());
        assert!(judged.is_err(), "{what}");
        let left = ErrorStack::get();
        assert!(left.errors().is_empty(), "{what} leaves {left} to the thread's next connection");
        let seen = server.present("gw.test", &identity).await;
        assert!(seen == Ok(expected) || seen == Err("handshake"), "{what}: {seen:?}");
    }
    let none = Client::new().connect(server.address, "gw.test").await;
    assert!(none.is_some(), "X1: optional means that a client without one connects");
    assert_eq!(word(&server.next().await.unwrap()), "none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x1_keys_of_other_kinds() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let ed25519 = openssl::pkey::PKey::generate_ed25519().unwrap();
    for (what, key, good) in [
        ("RSA of 2048 bits", rsa(2048), true),
        ("P-384", ec(Nid::SECP384R1), true),
        ("P-521", ec(Nid::SECP521R1), true),
        ("Ed25519", ed25519, true),
        ("P-192", ec(Nid::X9_62_PRIME192V1), false),
        ("secp256k1", ec(Nid::SECP256K1), false),
        ("brainpool", ec(Nid::BRAINPOOL_P256R1), false),
    ] {
        let identity = Recipe { key, ..Recipe::client() }.signed_by(&ca);
        let seen = server.present("gw.test", &identity).await;
        assert_eq!(seen == Ok("good"), good, "{what}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_chains() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let middle = Recipe::authority("Devices Issuing").signed_by(&ca);
    let last = Recipe { ca: Authority::Last, ..Recipe::authority("Last") }.signed_by(&ca);
    let beyond = Recipe::authority("Beyond").signed_by(&last);
    let constraints = Some("permitted;email:acme.test");
    let narrow = Recipe { constraints, ..Recipe::authority("Narrow") }.signed_by(&ca);
    let foreign =
        Recipe { names: Some(names(&[name(0x81, b"eve@evil.test")])), ..Recipe::client() };
    let mut deep = vec![ca.clone()];
    for _ in 0..7 {
        let above = deep.last().unwrap().clone();
        deep.push(Recipe::authority("Deep").signed_by(&above));
    }
    let cases: [(&str, Identity, Vec<&Identity>, Word); 7] = [
        ("with its intermediate", Recipe::client().signed_by(&middle), vec![&middle], "good"),
        ("without its intermediate", Recipe::client().signed_by(&middle), vec![], "untrusted"),
        ("path length", Recipe::client().signed_by(&beyond), vec![&beyond, &last], "untrusted"),
        ("inside name constraints", Recipe::client().signed_by(&narrow), vec![&narrow], "good"),
        ("outside name constraints", foreign.signed_by(&narrow), vec![&narrow], "untrusted"),
        (
            "too deep",
            Recipe::client().signed_by(&deep[7]),
            deep[1..].iter().rev().collect(),
            "untrusted",
        ),
        (
            "a leaf that issues",
            Recipe::client().signed_by(&Recipe::client().signed_by(&ca)),
            vec![],
            "untrusted",
        ),
    ];
    for (what, leaf, chain, expected) in cases {
        let client = Client::new().presenting(&leaf).with_chain(&chain);
        let connected = client.connect(server.address, "gw.test").await;
        assert_eq!(server.next().await.as_ref().map(word), Some(expected), "{what}");
        drop(connected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x8_names_that_can_be_read_in_two_ways() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    for (what, list, expected) in [
        ("NUL in a mail address", vec![name(0x81, b"alice@acme.test\0.evil.test")], "unfit"),
        ("NUL in a principal name", vec![upn(b"alice\0@evil.test")], "unfit"),
        ("line end in a URI", vec![name(0x86, b"spiffe://a.test/x\ny")], "unfit"),
        ("UTF-8 where ASCII must be", vec![name(0x82, "bücher.test".as_bytes())], "unfit"),
        ("blank", vec![name(0x82, b"a b.test")], "unfit"),
        ("empty", vec![name(0x82, b"")], "unfit"),
        ("one good, one bad", vec![name(0x81, b"a@acme.test"), name(0x82, b"\x01")], "unfit"),
        ("principal name of another type", vec![name(0xa0, &[6, 1, 1, 0xa0, 2, 0x0c, 0])], "good"),
        (
            "two mail addresses",
            vec![name(0x81, b"a@acme.test"), name(0x81, b"b@acme.test")],
            "good",
        ),
    ] {
        let identity = Recipe { names: Some(names(&list)), ..Recipe::client() }.signed_by(&ca);
        let seen = server.present("gw.test", &identity).await;
        assert_eq!(seen, Ok(expected), "{what}");
    }
    let two = vec![name(0x86, b"spiffe://a.test/x"), name(0x86, b"spiffe://a.test/y")];
    let svid = Recipe { purposes: Some("clientAuth,serverAuth"), ..Recipe::client() };
    let identity = Recipe { names: Some(names(&two)), ..svid }.signed_by(&ca);
    let facts = leaf::facts(&identity.cert).unwrap();
    assert_eq!(facts.spiffe_id, None, "two URIs are no SPIFFE id");
    assert_eq!(facts.san_uri.len(), 2);
}
