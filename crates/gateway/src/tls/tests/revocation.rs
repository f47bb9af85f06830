//! Revocation lists, and live connections that are asked again.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x3_revocation_lists() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let middle = Recipe { serial: "77", ..Recipe::authority("Middle") }.signed_by(&ca);
    let bob = Recipe { serial: "20", ..Recipe::client() }.signed_by(&middle);
    let current = |serials: &[&str]| crl(&ca, NOW - DAY, NOW + DAY, serials).to_pem().unwrap();
    let ended = crl(&ca, NOW - 2 * DAY, NOW - 1, &["2b"]).to_pem().unwrap();
    let both = [current(&["01"]), crl(&middle, NOW - DAY, NOW + DAY, &["20"]).to_pem().unwrap()];
    for (what, list, soft, who, expected) in [
        ("not on the list", current(&["2b", "ff01"]), false, &alice, "good"),
        ("on the list", current(&["2b", "1f"]), false, &alice, "revoked"),
        ("on the list, soft", current(&["1f"]), true, &alice, "revoked"),
        (
            "in DER",
            crl(&ca, NOW - DAY, NOW + DAY, &["1f"]).to_der().unwrap(),
            false,
            &alice,
            "revoked",
        ),
        ("a list that ended", ended.clone(), false, &alice, "revocation-unknown"),
        ("a list that ended, soft", ended.clone(), true, &alice, "good"),
        ("no list of the intermediate", current(&[]), false, &bob, "revocation-unknown"),
        ("the intermediate revoked", current(&["77"]), true, &bob, "revoked"),
        ("revoked by the intermediate", both.concat(), false, &bob, "revoked"),
    ] {
        let mut asking = files.asking(&ca);
        asking.ca.0.push(files.put("middle.crt", &middle.cert.to_pem().unwrap()));
        // An intermediate alone is no anchor, so both stand in one file.
        let together = [ca.cert.to_pem().unwrap(), middle.cert.to_pem().unwrap()].concat();
        asking.ca.0 = vec![files.put("ca.crt", &together)];
        asking.crl.0 = vec![files.put("ca.crl", &list)];
        asking.danger_soft_crl = soft;
        let mut server = Server::start(&listener(&files, "gw.test", Some(asking))).await;
        assert_eq!(server.present("gw.test", who).await, Ok(expected), "{what}");
    }
}

#[test]
fn x3_lists_that_are_not_believed() {
    let (files, ca) = (Files::new(), root());
    let impostor = Recipe::authority("Devices Root").self_signed();
    let stranger = Recipe::authority("Stranger").self_signed();
    let delta =
        crl_with(&ca, NOW - DAY, NOW + DAY, &[], Some(pki::raw("2.5.29.27", true, &[2, 1, 1])));
    for (what, bytes, code) in [
        ("empty", Vec::new(), "bad-crl"),
        (
            "garbage",
            b"-----BEGIN X509 CRL-----
AAAA
-----END X509 CRL-----"
                .to_vec(),
            "bad-crl",
        ),
        ("delta", delta.to_pem().unwrap(), "bad-crl"),
        (
            "same name, other key",
            crl(&impostor, NOW, NOW + DAY, &[]).to_pem().unwrap(),
            "crl-of-another",
        ),
        ("stranger", crl(&stranger, NOW, NOW + DAY, &[]).to_pem().unwrap(), "crl-of-another"),
    ] {
        let mut asking = files.asking(&ca);
        asking.crl.0 = vec![files.put("ca.crl", &bytes)];
        let mistakes =
            TlsSnapshot::load(&listener(&files, "gw.test", Some(asking)), pki::now()).unwrap_err();
        assert!(mistakes.iter().any(|m| m.code == code), "{what}: {mistakes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_x5_live_connections_are_asked_again() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let mut asking = files.asking(&ca);
    asking.crl.0 =
        vec![files.put("ca.crl", &crl(&ca, NOW - DAY, NOW + 2 * DAY, &[]).to_pem().unwrap())];
    let conf = listener(&files, "gw.test", Some(asking));
    let mut server = Server::start(&conf).await;
    let mut client =
        Client::new().presenting(&alice).connect(server.address, "gw.test").await.unwrap();
    let connection = server.next().await.unwrap();
    let word_at =
        |seconds: i64| match connection.certificate_now(Timestamp::from_second(seconds).unwrap()) {
            Ok(Some(facts)) => facts.revocation_data_at.map_or("good", |_| "checked"),
            Ok(None) => "none",
            Err(fault) => fault.kind.word(),
        };
    assert_eq!(word_at(NOW), "checked");
    assert_eq!(
        word_at(NOW + 2 * DAY),
        "revocation-unknown",
        "the list ends before the certificate"
    );
    files.put("ca.crl", &crl(&ca, NOW, NOW + 90 * DAY, &[]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW + 2 * DAY), "checked", "a renewed list is enough");
    assert_eq!(word_at(NOW + 31 * DAY), "expired", "X5: expiry ends a live connection");
    files.put("ca.crl", &crl(&ca, NOW + 1, NOW + 90 * DAY, &["1f"]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW), "revoked", "X4");
    files.put("ca.crl", &crl(&ca, NOW + 2, NOW + 90 * DAY, &[]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW), "checked", "and back");
    let other = Recipe::authority("Devices Root").self_signed();
    let mut asking = files.asking(&other);
    asking.crl.0.clear();
    server.reload(&listener(&files, "gw.test", Some(asking))).unwrap();
    assert_eq!(word_at(NOW), "untrusted", "X5: the authority was replaced");
    let seen = connection.seen("192.0.2.7:1".parse().unwrap(), pki::now());
    assert!(seen.client.tls.as_ref().unwrap().certificate.is_none());
    assert_eq!(seen.fault.unwrap().reason(), policy::Reason::CertificateUntrusted);
    assert!(client.echo(), "the connection itself goes on");
}
