//! Client certificates through the filter.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::sha::sha256;
use openssl::x509::{X509, X509NameBuilder};
use policy::{AuthMethod, Binding, Certificate, SubjectKind};
use serde_json::json;

use super::world::{BEGINNING, World, certificate, changed, claims};
use crate::Authenticate;
use crate::testing::{b64, jwk, jwks, p256_key, token};
use crate::text::{from_hex, to_hex};

/// A self-signed certificate, and its fingerprint.
fn anchor(name: &str) -> (X509, String) {
    let key = p256_key();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let anchor = builder.build();
    let fingerprint = to_hex(&sha256(&anchor.to_der().unwrap()));
    (anchor, fingerprint)
}

struct Stage {
    world: World,
    filter: Authenticate,
    services: String,
    people: String,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        let ((services_ca, services), (people_ca, people)) = (anchor("services"), anchor("people"));
        let (another_ca, _) = anchor("another");
        let bundle = [another_ca.to_pem().unwrap(), services_ca.to_pem().unwrap()].concat();
        world.write("services.crt", bundle);
        world.write("people.crt", people_ca.to_pem().unwrap());
        let filter = world
            .filter(
                r"
client_certificates:
  - {ca: services.crt, user_from: san_uri, match: {prefix: 'spiffe://example.com/'}, groups: [batch, api]}
  - {ca: services.crt, user_from: san_dns, match: {regex: '[a-z]+\.svc\.example\.com'}}
  - {name: staff, ca: [people.crt], kind: human, user_from: san_email}
",
            )
            .unwrap();
        Self { world, filter, services, people }
    }

    async fn told(&self, certificate: Certificate) -> String {
        self.world.ask(&self.filter, &[], Some(certificate)).await.told()
    }
}

fn names(texts: &[&str]) -> Box<[Box<str>]> {
    texts.iter().map(|text| Box::from(*text)).collect()
}

fn uri(anchor: &str, uris: &[&str]) -> Certificate {
    Certificate { san_uri: names(uris), ..certificate(anchor) }
}

fn dns(anchor: &str, texts: &[&str]) -> Certificate {
    Certificate { san_dns: names(texts), ..certificate(anchor) }
}

fn mail(anchor: &str, texts: &[&str]) -> Certificate {
    Certificate { san_email: names(texts), ..certificate(anchor) }
}

/// X8: only the configured type of name, exactly one of it, never the common name.
#[tokio::test]
async fn x8_names() {
    let stage = Stage::new();
    let (services, people) = (stage.services.as_str(), stage.people.as_str());
    for (id, certificate, expect) in [
        ("a URI", uri(services, &["spiffe://example.com/a"]), "spiffe://example.com/a"),
        ("a URI of no match", uri(services, &["spiffe://example.org/a"]), "nobody"),
        ("no name but a common name", certificate(services), "nobody"),
        (
            "two URIs",
            uri(services, &["spiffe://example.com/a", "spiffe://example.com/b"]),
            "bad-token:certificate-ambiguous",
        ),
        (
            "two URIs, one of no match",
            uri(services, &["spiffe://example.com/a", "urn:x"]),
            "bad-token:certificate-ambiguous",
        ),
        (
            "a URI with NUL",
            uri(services, &["spiffe://example.com/a\0b"]),
            "bad-token:certificate-ambiguous",
        ),
        ("a DNS name", dns(services, &["A.svc.example.com"]), "a.svc.example.com"),
        ("a DNS name that goes on", dns(services, &["a.svc.example.com.evil.test"]), "nobody"),
        ("a DNS name within", dns(services, &["x.a.svc.example.com"]), "nobody"),
        ("another type of name", mail(services, &["ana@example.com"]), "nobody"),
        ("mail", mail(people, &["ana@EXAMPLE.com"]), "ana@example.com"),
        (
            "two mails",
            mail(people, &["ana@example.com", "ben@example.com"]),
            "bad-token:certificate-ambiguous",
        ),
        (
            "no mail",
            mail(people, &["ana@evil.test@example.com"]),
            "bad-token:certificate-ambiguous",
        ),
        ("a URI where mail is asked for", uri(people, &["spiffe://example.com/a"]), "nobody"),
        ("a device's authority", uri("ff", &["spiffe://example.com/a"]), "nobody"),
        ("no authority", uri("", &["spiffe://example.com/a"]), "nobody"),
    ] {
        assert_eq!(stage.told(certificate).await, expect, "X8 {id}");
    }
    let both = Certificate {
        san_dns: names(&["a.svc.example.com"]),
        ..uri(services, &["spiffe://example.com/a"])
    };
    assert_eq!(stage.told(both).await, "bad-token:certificate-ambiguous", "X8 two entries");
}

#[tokio::test]
async fn what_a_certificate_says() {
    let stage = Stage::new();
    let outcome = stage
        .world
        .ask(&stage.filter, &[], Some(uri(&stage.services, &["spiffe://example.com/a"])))
        .await;
    let facts = outcome.cx.facts();
    let (subject, auth) = (facts.subject().unwrap(), facts.auth().unwrap());
    assert_eq!(subject.kind, SubjectKind::Service);
    assert_eq!(subject.groups.as_ref().unwrap().join(" "), "api batch");
    assert_eq!(subject.idp.as_deref(), Some("client-certificate"));
    assert_eq!((auth.method, auth.bound), (AuthMethod::ClientCertificate, Binding::Certificate));
    assert_eq!(auth.expires_at.unwrap().as_second(), BEGINNING + 1000);
    let outcome =
        stage.world.ask(&stage.filter, &[], Some(mail(&stage.people, &["a@b.example"]))).await;
    let subject = outcome.cx.facts().subject().unwrap();
    assert_eq!((subject.kind, subject.email.as_deref()), (SubjectKind::Human, Some("a@b.example")));
    assert_eq!(subject.groups.as_deref(), Some(&[][..]));
}

/// J14: a token and a certificate that name two subjects are refused, whoever they are.
#[tokio::test]
async fn j14_two_credentials() {
    let mut world = World::new();
    let (ca, services) = anchor("services");
    let key = p256_key();
    world.write("services.crt", ca.to_pem().unwrap());
    world.write("jwks.json", jwks(&[jwk(&key, "e")]));
    let filter = world
        .filter(
            "
jwt: [{name: corp, issuer: 'https://sso.example.com', audiences: [gate], jwks: {file: jwks.json}}]
client_certificates: [{ca: services.crt, user_from: san_dns}]
",
        )
        .unwrap();
    let header = json!({"alg": "ES256", "kid": "e"});
    let digest = from_hex(&certificate("").fingerprint).unwrap();
    let bound = changed(claims("ana"), &json!({"cnf": {"x5t#S256": b64(digest)}}));
    let [ana, bound] = [claims("ana"), bound]
        .map(|claims| format!("Bearer {}", token(&header, &claims, &key)).into_bytes());
    for (id, authorization, certificate, expect) in [
        ("the same", &ana, dns(&services, &["ana"]), "ana"),
        ("another", &ana, dns(&services, &["ben"]), "malformed:credential"),
        ("a device's", &ana, dns("ff", &["ben"]), "ana"),
        ("bound to it", &bound, dns(&services, &["ben"]), "ana"),
        ("a bad token", &b"Bearer x".to_vec(), dns(&services, &["ben"]), "bad-token:malformed"),
        (
            "an ambiguous one",
            &ana,
            dns(&services, &["ana", "ben"]),
            "bad-token:certificate-ambiguous",
        ),
    ] {
        let outcome = world.ask(&filter, &[authorization], Some(certificate)).await;
        assert_eq!(outcome.told(), expect, "J14 {id}");
        if expect == "ana" {
            assert_eq!(outcome.cx.facts().auth().unwrap().method, AuthMethod::Jwt, "J14 {id}");
        }
    }
}
