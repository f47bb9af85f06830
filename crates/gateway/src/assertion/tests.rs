//! Assertions as a backend verifies them, with another library than the one that signs.

use std::os::unix::fs::PermissionsExt as _;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use policy::{AuthMethod, Binding, Facts};
use serde_json::Value;

use super::*;
use crate::forward::tests::fixture::{alice, context, policy, signer};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.establish_subject(Arc::new(alice())).unwrap();
    let auth = Auth {
        method: AuthMethod::Jwt,
        mfa: Some(true),
        acr: Some("2".into()),
        amr: Some(["mfa".into()].into()),
        authenticated_at: Some(at(NOW - 60)),
        session_started_at: None,
        last_seen_at: None,
        session_id: None,
        token_id: None,
        token_scopes: None,
        bound: Binding::None,
        expires_at: None,
    };
    facts.establish_auth(Arc::new(auth)).unwrap();
    let device = Device { id: Some("d7".into()), managed: Some(true), ..Device::default() };
    facts.establish_device(Arc::new(device)).unwrap();
    facts
}

/// What a backend does, for an audience; the time is not its own here.
fn verify(signer: &Signer, token: &str, audience: &str, expiry: bool) -> Result<Value, ErrorKind> {
    let jwks: JwkSet = serde_json::from_str(&signer.jwks()).unwrap();
    let kid = decode_header(token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    validation.validate_exp = expiry;
    decode(token, &key, &validation)
        .map(|data| data.claims)
        .map_err(jsonwebtoken::errors::Error::into_kind)
}

fn token(statement: &Statement) -> &str {
    statement.assertion.to_str().unwrap()
}

#[test]
fn h18_a_backend_verifies_it_for_its_route_and_its_time() {
    let (signer, policy) = (signer(), policy());
    let cx = context(facts(), "/", "app.gw.test", &policy);
    let statement = signer.statement(&cx).unwrap().unwrap();
    let claims = verify(&signer, token(&statement), "payroll", false).unwrap();
    let expected = serde_json::json!({
        "iss": "https://app.gw.test", "aud": "payroll", "iat": NOW, "exp": NOW + 60,
        "sub": "alice", "email": "alice@gw.test", "groups": ["eng", "ops"],
        "auth_method": "jwt", "acr": "2", "amr": ["mfa"], "auth_time": NOW - 60,
        "device": {"id": "d7", "managed": true, "attested": false}, "rule": "everyone",
    });
    assert_eq!(claims, expected);
    let header = decode_header(token(&statement)).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::ES256, Some("JWT")));
    let other = verify(&signer, token(&statement), "ledger", false);
    assert!(matches!(other, Err(ErrorKind::InvalidAudience)), "H18: {other:?}");
    let mut forged = token(&statement).to_owned().into_bytes();
    let inside = forged.len() - 10;
    forged[inside] = if forged[inside] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    assert!(matches!(verify(&signer, &forged, "payroll", false), Err(ErrorKind::InvalidSignature)));
}

#[test]
fn h18_it_ends_after_a_minute() {
    let signer = Signer::ephemeral(at(NOW - 3600));
    let policy = policy();
    let (subject, host) = (Arc::new(alice()), Arc::from("app.gw.test"));
    let cx = context(facts(), "/", "app.gw.test", &policy);
    // The backend's clock is the machine's, which is far from the instant of these tests.
    let old = at(1_500_000_000);
    let spoken = Spoken {
        permit: cx.permit().unwrap(),
        subject: &subject,
        auth: None,
        device: None,
        risk: None,
        host: &host,
        port: Some(8443),
        now: old,
    };
    let statement = signer.speak(spoken).unwrap();
    let verified = verify(&signer, token(&statement), "payroll", true);
    assert!(matches!(verified, Err(ErrorKind::ExpiredSignature)), "{verified:?}");
    let claims = verify(&signer, token(&statement), "payroll", false).unwrap();
    assert_eq!(claims["iss"], "https://app.gw.test:8443");
    assert_eq!(claims["exp"], 1_500_000_060);
    for absent in ["acr", "amr", "auth_time", "auth_method", "device", "risk"] {
        assert!(claims.get(absent).is_none(), "{absent} is unknown, so it is absent");
    }
}

#[test]
fn it_is_signed_once_for_the_same_facts_and_for_half_its_life() {
    let (signer, policy) = (signer(), policy());
    let cx = context(facts(), "/", "app.gw.test", &policy);
    let (subject, host) = (Arc::new(alice()), Arc::from("app.gw.test"));
    let spoken = Spoken {
        permit: cx.permit().unwrap(),
        subject: &subject,
        auth: None,
        device: None,
        risk: None,
        host: &host,
        port: None,
        now: at(NOW),
    };
    let first = signer.speak(spoken).unwrap();
    let again = |spoken: Spoken<'_>| Arc::ptr_eq(&first, &signer.speak(spoken).unwrap());
    assert!(again(Spoken { now: at(NOW + 29), ..spoken }));
    let (other_host, other_subject): (Arc<str>, _) =
        (Arc::from("other.gw.test"), Arc::new(alice()));
    assert!(!again(Spoken { host: &other_host, ..spoken }));
    assert!(!again(Spoken { subject: &other_subject, ..spoken }), "equal is not the same");
    assert!(!again(Spoken { risk: Some(10), ..spoken }));
    assert!(!again(Spoken { port: Some(8443), ..spoken }));
    assert!(!again(Spoken { now: at(NOW + 30), ..spoken }), "half of its life is over");
}

#[test]
fn keys_are_kept_and_changed_once_a_month() {
    const DAY: i64 = 86_400;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(keys::FILE);
    let fresh = KeySet::load(dir.path(), at(NOW)).unwrap();
    assert!(!path.exists(), "looking changes nothing");
    let saved = fresh.kept_up(dir.path(), at(NOW)).unwrap().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(saved.kept_up(dir.path(), at(NOW + 29 * DAY)).unwrap().is_none());
    let restored = KeySet::load(dir.path(), at(NOW + DAY)).unwrap();
    assert_eq!(restored.jwks(), saved.jwks(), "a restart keeps them");
    assert!(!saved.jwks().contains("\"d\""), "public halves only");

    let month = NOW + 30 * DAY;
    let two = restored.kept_up(dir.path(), at(month)).unwrap().unwrap();
    let kid = |set: &KeySet, seconds| {
        let token = set.signing(at(seconds)).unwrap().sign(&()).unwrap();
        decode_header(token).unwrap().kid.unwrap()
    };
    let old = kid(&saved, NOW);
    assert_eq!(kid(&two, month + 599), old, "published before it signs");
    let new = kid(&two, month + 600);
    assert_ne!(new, old);
    assert!(two.jwks().contains(&old) && two.jwks().contains(&new));
    assert!(two.kept_up(dir.path(), at(month + 600 + DAY - 1)).unwrap().is_none());
    let one = two.kept_up(dir.path(), at(month + 600 + DAY)).unwrap().unwrap();
    assert!(!one.jwks().contains(&old) && one.jwks().contains(&new));
}

#[test]
fn a_bad_file_of_keys_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(keys::FILE);
    for text in [
        "",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":[{\"created\":\"2026-01-01T00:00:00Z\",\"pem\":\"x\"}]}",
    ] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mistake = KeySet::load(dir.path(), at(NOW)).unwrap_err();
        assert_eq!(mistake.code, "bad-assertion-keys", "{text}");
        assert!(mistake.message.contains(keys::FILE) && mistake.help.is_some());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(KeySet::load(dir.path(), at(NOW)).unwrap_err().code, "assertion-keys-open");
    let gone = dir.path().join("gone");
    let fresh = KeySet::load(&gone, at(NOW)).unwrap();
    assert_eq!(fresh.kept_up(&gone, at(NOW)).unwrap_err().code, "assertion-keys-unwritable");
}
