//! What is wrong with files, and what a reload keeps.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x9_a_bad_file_never_replaces_a_good_one() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let conf = listener(&files, "gw.test", Some(files.asking(&ca)));
    let mut server = Server::start(&conf).await;
    let pem = ca.cert.to_pem().unwrap();
    for (what, bytes) in
        [("empty", &b""[..]), ("truncated", &pem[..pem.len() / 2]), ("garbage", b"\xff\x00")]
    {
        files.put("ca.crt", bytes);
        let mistakes = server.reload(&conf).unwrap_err();
        assert!(mistakes[0].place.is_some(), "{what}: {mistakes:?}");
        assert_eq!(server.present("gw.test", &alice).await, Ok("good"), "{what}");
        let stranger = Recipe::client().self_signed();
        assert_eq!(server.present("gw.test", &stranger).await, Ok("untrusted"), "{what}");
    }
    std::fs::remove_file(&conf.client_certificates.as_ref().unwrap().value.ca.0[0].value.0)
        .unwrap();
    let mistakes = server.reload(&conf).unwrap_err();
    assert_eq!(mistakes[0].code, "unreadable-file");
    assert!(mistakes[0].message.contains("ca.crt"));
}

#[test]
fn mistakes_are_named_and_placed() {
    let (files, ca) = (Files::new(), root());
    let count = AtomicUsize::new(0);
    let one = |recipe: Recipe| {
        let file = format!("one{}", count.fetch_add(1, Ordering::SeqCst));
        vec![files.certificate(&file, &recipe.self_signed())]
    };
    let good = || Recipe::server("gw.test");
    let swapped = {
        let mut pair = files.certificate("pair", &good().self_signed());
        pair.value.key = files.certificate("other", &good().self_signed()).value.key;
        vec![pair]
    };
    let missing = {
        let mut pair = files.certificate("gone", &good().self_signed());
        pair.value.key.value.0.set_extension("nowhere");
        vec![pair]
    };
    let asking = |change: fn(&mut ClientCertificatesConf)| {
        let mut asking = files.asking(&ca);
        change(&mut asking);
        Some(asking)
    };
    let leaf = Recipe::client().signed_by(&ca);
    let leaf_as_ca = files.put("leaf.crt", &leaf.cert.to_pem().unwrap());
    let middle = Recipe::authority("Middle").signed_by(&ca);
    let middle_only = files.put("only.crt", &middle.cert.to_pem().unwrap());
    let with_ca = |path: &document::At<document::FilePath>| {
        let mut asking = files.asking(&ca);
        asking.ca.0 = vec![path.clone()];
        Some(asking)
    };
    let cases = [
        ("key-mismatch", swapped, None),
        ("unreadable-file", missing, None),
        ("certificate-expired", one(Recipe { ends: NOW - 1, ..good() }), None),
        ("certificate-not-yet-valid", one(Recipe { begins: NOW + 60, ..good() }), None),
        ("weak-key", one(Recipe { key: rsa(1024), ..good() }), None),
        ("certificate-without-names", one(Recipe { names: None, ..good() }), None),
        ("no-certificate", Vec::new(), None),
        ("empty-ca", one(good()), asking(|asking| asking.ca.0.clear())),
        ("bad-host", one(good()), asking(|asking| asking.hosts = Some(vec![at("a b".into())]))),
        ("not-an-authority", one(good()), with_ca(&leaf_as_ca)),
        ("authority-without-root", one(good()), with_ca(&middle_only)),
    ];
    for (code, certificates, clients) in cases {
        let mistakes = TlsSnapshot::load(&conf(certificates, clients), pki::now()).unwrap_err();
        assert!(mistakes.iter().any(|m| m.code == code), "{code}: {mistakes:?}");
    }
}

#[test]
fn warnings_expiries_and_files() {
    let (files, ca) = (Files::new(), root());
    let ending = Recipe { ends: NOW + 13 * DAY, ..Recipe::server("gw.test") }.self_signed();
    let mut asking = files.asking(&ca);
    asking.hosts = Some(vec![at("payroll.test".to_owned())]);
    asking.crl.0 =
        vec![files.put("ca.crl", &crl(&ca, NOW - 9 * DAY, NOW - 1, &[]).to_pem().unwrap())];
    let conf = conf(vec![files.certificate("server", &ending)], Some(asking));
    let (snapshot, warnings) = TlsSnapshot::load(&conf, pki::now()).unwrap();
    let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
    for code in ["certificate-expiring", "host-without-certificate", "crl-expired", "key-open"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
    assert_eq!(snapshot.files().len(), 4);
    assert!(snapshot.covers("gw.test") && !snapshot.covers("payroll.test"));
    let roles: Vec<_> =
        snapshot.expiries().iter().map(|e| (e.role, e.not_after.as_second())).collect();
    assert_eq!(roles, [("listener", NOW + 13 * DAY), ("client-authority", NOW + 3650 * DAY)]);
    let ages = snapshot.revocation_ages();
    let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
    let listener = ListenerTls::new(snapshot, clock, Arc::new(|_| ()));
    let metrics = metrics::Metrics::new("0", "0").unwrap();
    report([listener].iter(), &metrics, pki::now());
    let text = metrics.render();
    for line in [
        format!("{{name=\"gw.test\",role=\"listener\"}} {}", NOW + 13 * DAY),
        format!("{{issuer=\"CN=Devices Root,O=Acme\"}} {}", 9 * DAY),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(
        ages,
        [("CN=Devices Root,O=Acme".into(), Timestamp::from_second(NOW - 9 * DAY).unwrap())]
    );
}
