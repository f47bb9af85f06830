//! The authority as its callers see it.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test")]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use jiff::Timestamp;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{
    CrlStatus, ReasonCode, X509, X509Crl, X509ExtendedKeyUsage, X509KeyUsage, X509PurposeId,
    X509Req, X509StoreContext,
};
use pki::{
    Authority, Constraints, Digest, Error, ExtendedUse, KeyType, Leaf, NameConstraints, Options,
    Reason, Serial, Template, Use, Version,
};

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn authority() -> Authority {
    Authority::create("Test devices", &Options::default(), now()).unwrap()
}

/// Whether OpenSSL accepts the chain for a purpose at an instant.
fn accepts(root: &X509, leaf: &X509, purpose: X509PurposeId, at: Timestamp) -> bool {
    let mut param = X509VerifyParam::new().unwrap();
    param.set_time(at.as_second());
    param.set_purpose(purpose).unwrap();
    param.set_flags(X509VerifyFlags::X509_STRICT).unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(root.clone()).unwrap();
    store.set_param(&param).unwrap();
    let store: X509Store = store.build();
    X509StoreContext::new()
        .unwrap()
        .init(&store, leaf, &Stack::new().unwrap(), openssl::x509::X509StoreContextRef::verify_cert)
        .unwrap()
}

#[test]
fn a_server_certificate_serves_and_does_nothing_else() {
    let mut ca = authority();
    let issued = ca.issue(&Leaf::server("wiki.example.com"), now()).unwrap();
    let leaf = &issued.certificate;
    assert!(accepts(ca.certificate(), leaf, X509PurposeId::SSL_SERVER, now()));
    assert!(!accepts(ca.certificate(), leaf, X509PurposeId::SSL_CLIENT, now()));
    assert!(!accepts(ca.certificate(), leaf, X509PurposeId::SSL_SERVER, now() + 91 * DAY));
    assert_eq!(leaf.version(), 2);
    assert_eq!(leaf.key_usage().unwrap(), X509KeyUsage::DIGITAL_SIGNATURE);
    assert_eq!(leaf.extended_key_usage().unwrap(), X509ExtendedKeyUsage::SSL_SERVER);
    assert_eq!(leaf.pathlen(), None);
    let names = leaf.subject_alt_names().unwrap();
    assert_eq!(names[0].dnsname(), Some("wiki.example.com"));
    assert_eq!(
        leaf.authority_key_id().unwrap().as_slice(),
        ca.certificate().subject_key_id().unwrap().as_slice()
    );
    assert!(issued.key.public_eq(&leaf.public_key().unwrap()));
}

#[test]
fn every_kind_of_name_and_key_is_carried() {
    for key_type in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa(2048)] {
        let options = Options { key_type, ..Options::default() };
        let mut ca = Authority::create("Any", &options, now()).unwrap();
        let leaf = Leaf::workload("spiffe://example.com/payroll")
            .email("ana@example.com")
            .ip("::1".parse().unwrap())
            .key_type(key_type);
        let issued = ca.issue(&leaf, now()).unwrap();
        let names = issued.certificate.subject_alt_names().unwrap();
        assert!(names.iter().any(|n| n.uri() == Some("spiffe://example.com/payroll")));
        assert!(names.iter().any(|n| n.email() == Some("ana@example.com")));
        assert!(names.iter().any(|n| n.ipaddress().is_some_and(|ip| ip.len() == 16)));
        for purpose in [X509PurposeId::SSL_SERVER, X509PurposeId::SSL_CLIENT] {
            assert!(accepts(ca.certificate(), &issued.certificate, purpose, now()), "{key_type:?}");
        }
        let subject = issued.certificate.subject_name();
        let common_name = subject.entries_by_nid(Nid::COMMONNAME).next().unwrap();
        assert_eq!(common_name.data().to_string().unwrap(), "payroll");
        let end = now() + 30 * DAY;
        let list = X509Crl::from_pem(&ca.crl(now(), end).unwrap()).unwrap();
        assert!(list.verify(&ca.certificate().public_key().unwrap()).unwrap(), "{key_type:?}");
    }
}

#[test]
fn a_leaf_ends_with_its_authority_and_not_after() {
    let options = Options { lifetime: 10 * DAY, ..Options::default() };
    let mut ca = Authority::create("Short", &options, now()).unwrap();
    let issued = ca.issue(&Leaf::server("a.test"), now() + 5 * DAY).unwrap();
    assert_eq!(issued.not_after, now() + 10 * DAY);
    let late = ca.issue(&Leaf::server("a.test"), now() + 10 * DAY).unwrap_err();
    assert!(matches!(late, Error::Ended(at) if at == now() + 10 * DAY), "{late}");
}

#[test]
fn names_are_asked_for() {
    let mut ca = authority();
    assert!(matches!(ca.issue(&Leaf::client("a"), now()), Err(Error::NoName)));
    for bad in ["", "a b", "a\0b", "a\nb", "ä.test"] {
        let error = ca.issue(&Leaf::client("a").dns(bad), now()).unwrap_err();
        assert!(matches!(error, Error::BadName(_)), "{bad:?}: {error}");
    }
    assert_eq!(ca.list().count(), 0, "what was refused is not listed");
}

#[test]
fn name_constraints_bind_what_is_below() {
    let name_constraints = Some(NameConstraints {
        dns: vec!["example.com".into()],
        uri_hosts: vec!["example.com".into()],
        email_hosts: vec!["example.com".into()],
    });
    let options = Options { name_constraints, ..Options::default() };
    let mut ca = Authority::create("Narrow", &options, now()).unwrap();
    let mut check = |leaf: Leaf, good: bool| {
        let issued = ca.issue(&leaf, now()).unwrap();
        let root = ca.certificate();
        assert_eq!(
            accepts(root, &issued.certificate, X509PurposeId::SSL_CLIENT, now()),
            good,
            "{:?}",
            leaf.names
        );
    };
    check(Leaf::client("a").dns("wiki.example.com"), true);
    check(Leaf::client("a").dns("wiki.example.org"), false);
    check(Leaf::workload("spiffe://example.com/a"), true);
    check(Leaf::workload("spiffe://example.org/a"), false);
    check(Leaf::client("a").email("ana@example.com"), true);
    check(Leaf::client("a").email("ana@evil.test"), false);
}

#[test]
fn a_request_brings_its_key_and_not_its_names() {
    let mut ca = authority();
    let key = KeyType::P256.generate().unwrap();
    let signed = |by: &PKey<openssl::pkey::Private>| {
        let mut name = openssl::x509::X509Name::builder().unwrap();
        name.append_entry_by_text("CN", "root").unwrap();
        let mut request = X509Req::builder().unwrap();
        request.set_subject_name(&name.build()).unwrap();
        request.set_pubkey(&key).unwrap();
        request.sign(by, MessageDigest::sha256()).unwrap();
        request.build().to_pem().unwrap()
    };
    let leaf = Leaf::client("laptop").dns("laptop.example.com");
    let certificate = ca.issue_request(&signed(&key), &leaf, now()).unwrap().certificate;
    assert!(certificate.public_key().unwrap().public_eq(&key));
    let subject = certificate.subject_name().entries().next().unwrap();
    assert_eq!(subject.data().to_string().unwrap(), "laptop");

    let other = KeyType::P256.generate().unwrap();
    let error = ca.issue_request(&signed(&other), &leaf, now()).unwrap_err();
    assert!(error.to_string().contains("not by its own key"), "{error}");
    let error = ca.issue_request(b"garbage", &leaf, now()).unwrap_err();
    assert!(error.to_string().contains("PKCS #10"), "{error}");
}

#[test]
fn a_request_with_a_weak_key_is_refused() {
    let key = KeyType::Rsa(1024).generate().unwrap();
    let mut request = X509Req::builder().unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    let pem = request.build().to_pem().unwrap();
    let error = authority().issue_request(&pem, &Leaf::server("a.test"), now()).unwrap_err();
    assert!(error.to_string().contains("2048"), "{error}");
}

#[test]
fn a_revocation_is_listed_with_its_reason() {
    let mut ca = authority();
    let lost = ca.issue(&Leaf::server("lost.test"), now()).unwrap();
    let kept = ca.issue(&Leaf::server("kept.test"), now()).unwrap();
    let old = ca.issue(&Leaf::server("old.test"), now()).unwrap();
    let at = now() + DAY;
    ca.revoke(&lost.serial, Reason::KeyCompromise, at).unwrap();
    ca.revoke(&old.serial, Reason::Unspecified, at).unwrap();
    let pem = ca.crl(at, at + 7 * DAY).unwrap();
    let list = X509Crl::from_pem(&pem).unwrap();
    assert!(list.verify(&ca.certificate().public_key().unwrap()).unwrap());
    let CrlStatus::Revoked(entry) = list.get_by_cert(&lost.certificate) else {
        panic!("the lost certificate is not listed")
    };
    let (critical, reason) = entry.extension::<ReasonCode>().unwrap().unwrap();
    assert_eq!((critical, reason.get_i64().unwrap()), (false, 1));
    assert!(matches!(list.get_by_cert(&kept.certificate), CrlStatus::NotRevoked));
    let CrlStatus::Revoked(entry) = list.get_by_cert(&old.certificate) else {
        panic!("the old certificate is not listed")
    };
    assert!(entry.extension::<ReasonCode>().unwrap().is_none());

    let again = ca.revoke(&lost.serial, Reason::Superseded, at).unwrap_err();
    assert!(matches!(again, Error::AlreadyRevoked(_)), "{again}");
    let unknown = ca.revoke(&Serial::parse("1").unwrap(), Reason::Superseded, at).unwrap_err();
    assert!(matches!(unknown, Error::Unknown(_)), "{unknown}");
}

#[test]
fn a_list_grows_in_number_and_forgets_what_ended_long_ago() {
    let mut ca = authority();
    let leaf = ca.issue(&Leaf::server("a.test").lifetime(DAY), now()).unwrap();
    ca.revoke(&leaf.serial, Reason::Superseded, now()).unwrap();
    let mut listed = |at: Timestamp, number: u32| {
        let list = X509Crl::from_pem(&ca.crl(at, at + DAY).unwrap()).unwrap();
        let (_, found) = list.extension::<openssl::x509::extension::CrlNumber>().unwrap().unwrap();
        assert_eq!(found.to_bn().unwrap(), openssl::bn::BigNum::from_u32(number).unwrap());
        list.get_revoked().map_or(0, openssl::stack::StackRef::len)
    };
    assert_eq!(listed(now(), 1), 1);
    assert_eq!(listed(now() + 20 * DAY, 2), 1);
    assert_eq!(listed(now() + 40 * DAY, 3), 0);
}

#[test]
fn renewal_keeps_names_and_purpose() {
    let mut ca = authority();
    let leaf = Leaf::workload("spiffe://example.com/a").lifetime(30 * DAY);
    let old = ca.issue(&leaf, now()).unwrap();
    let later = now() + 20 * DAY;
    let same = ca.renew(&old.certificate, None, None, later).unwrap();
    assert_ne!(same.serial, old.serial);
    assert_eq!(same.not_after, later + 30 * DAY);
    assert!(same.certificate.public_key().unwrap().public_eq(&old.key));
    let names = same.certificate.subject_alt_names().unwrap();
    assert_eq!(names[0].uri(), Some("spiffe://example.com/a"));
    let fresh = KeyType::P256.generate().unwrap();
    let other = ca.renew(&old.certificate, Some(&fresh), Some(DAY), later).unwrap();
    assert!(other.certificate.public_key().unwrap().public_eq(&fresh));
    assert_eq!(other.not_after, later + DAY);

    ca.revoke(&old.serial, Reason::KeyCompromise, later).unwrap();
    let revoked = ca.renew(&old.certificate, None, None, later).unwrap_err();
    assert!(matches!(revoked, Error::AlreadyRevoked(_)), "{revoked}");
    let stranger = authority().issue(&leaf, now()).unwrap();
    let unknown = ca.renew(&stranger.certificate, None, None, later).unwrap_err();
    assert!(matches!(unknown, Error::Unknown(_)), "{unknown}");
}

#[test]
fn a_directory_holds_all_of_it_privately() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("deep/devices");
    let mut ca = authority();
    let before = ca.issue(&Leaf::server("before.test"), now()).unwrap();
    ca.save(&place).unwrap();
    let after = ca.issue(&Leaf::server("after.test"), now()).unwrap();
    for (file, mode) in [(".", 0o700), ("ca.key", 0o600), ("ca.crt", 0o644), ("index.jsonl", 0o600)]
    {
        let found = std::fs::metadata(place.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{file}");
    }
    let mut again = Authority::load(&place).unwrap();
    let listed: Vec<_> = again.list().map(|e| e.serial.clone()).collect();
    assert_eq!(listed, [before.serial.clone(), after.serial.clone()]);
    again.revoke(&before.serial, Reason::Superseded, now()).unwrap();
    ca.revoke(&after.serial, Reason::Superseded, now()).unwrap();
    let both = Authority::load(&place).unwrap();
    assert_eq!(both.list().filter(|e| e.revoked.is_some()).count(), 2, "two writers, one index");
    assert!(matches!(authority().save(&place), Err(Error::Exists(_))));
}

#[test]
fn a_directory_that_is_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Authority::load(dir.path()).unwrap_err();
    assert!(missing.to_string().contains("ca.crt`"), "{missing}");
    authority().save(dir.path()).unwrap();
    let other = KeyType::P256.generate().unwrap();
    pki::write_private(&dir.path().join("ca.key"), &other.private_key_to_pem_pkcs8().unwrap())
        .unwrap();
    let mixed = Authority::load(dir.path()).unwrap_err();
    assert!(mixed.to_string().contains("another certificate"), "{mixed}");
}

#[test]
fn a_leaf_is_no_authority() {
    let issued = authority().issue(&Leaf::server("a.test"), now()).unwrap();
    let error = Authority::from_parts(issued.certificate, issued.key).unwrap_err();
    assert!(matches!(error, Error::NotAnAuthority(_)), "{error}");
}

/// Every bad certificate that tests of a verifier need can be made, and is bad in that way alone.
#[test]
fn templates_make_bad_certificates() {
    let ca = authority();
    let key = KeyType::P256.generate().unwrap();
    let good = Template::leaf(&Leaf::server("a.test"), now());
    let make = |change: &dyn Fn(&mut Template)| {
        let mut template = good.clone();
        change(&mut template);
        ca.danger_sign(&template, &key).unwrap()
    };
    let serves = |leaf: &X509| accepts(ca.certificate(), leaf, X509PurposeId::SSL_SERVER, now());
    assert!(serves(&make(&|_| {})));
    assert!(!serves(&make(&|t| t.not_after = now() - DAY)), "expired");
    assert!(!serves(&make(&|t| t.not_before = now() + DAY)), "not yet valid");
    assert!(!serves(&make(&|t| t.key_usage = Some(vec![Use::CrlSign]))), "wrong key usage");

    let none = make(&|t| t.extended_key_usage = None);
    assert_eq!(none.extended_key_usage(), None);
    let any = make(&|t| t.extended_key_usage = Some(vec![ExtendedUse::Any]));
    assert_eq!(any.extended_key_usage(), Some(X509ExtendedKeyUsage::ANYEKU));
    let ca_leaf = make(&|t| {
        t.constraints = Some(Constraints { authority: true, path_length: Some(3) });
    });
    assert_eq!(ca_leaf.pathlen(), Some(3));
    let v1 = make(&|t| t.version = Version::V1);
    assert_eq!((v1.version(), v1.subject_alt_names().is_none()), (0, true));
    let nameless = make(&|t| t.names = pki::Names::default());
    assert!(nameless.subject_alt_names().is_none());
    let sha1 = make(&|t| t.digest = Digest::Sha1);
    let algorithm = sha1.signature_algorithm().object().nid();
    assert_eq!(algorithm, Nid::ECDSA_WITH_SHA1);
    let weak = KeyType::Rsa(1024).generate().unwrap();
    let weak = ca.danger_sign(&good, &weak).unwrap();
    assert_eq!(weak.public_key().unwrap().bits(), 1024);
    let serial = Some(Serial::parse("1").unwrap());
    let one = make(&|t| t.serial = serial.clone());
    assert_eq!(pki::serial_of(&one).unwrap().as_str(), "1");
    let upn = make(&|t| t.names.upns = vec!["ana@corp".into()]);
    assert!(upn.to_text().unwrap().windows(8).any(|w| w == b"ana@corp"));
    assert_eq!(ca.list().count(), 0);
}
