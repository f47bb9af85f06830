//! Which credential counts, what is remembered, and what a good token says.

use policy::{Binding, SubjectKind};
use serde_json::{Value, json};

use super::jwt::{SECTION, Stage, good};
use super::world::{BEGINNING, Outcome, World, certificate, changed};
use crate::testing::{b64, jwk, jwks, token, token_of};

/// J13: headers; and a malformed one is 400.
#[tokio::test]
async fn j13_one_credential_of_one_header() {
    let stage = Stage::new();
    let good = stage.rs256(&good());
    let bearer = format!("Bearer {good}");
    let both = format!("{bearer}, {bearer}");
    let told = async |values: &[&[u8]]| stage.world.ask(&stage.filter, values, None).await;
    for value in [bearer.replace("Bearer", "bearer"), bearer.replace("Bearer", "BEARER")] {
        assert_eq!(told(&[value.as_bytes()]).await.told(), "ana");
    }
    for values in [
        &[bearer.as_bytes(), bearer.as_bytes()][..],
        &[b"Basic x", bearer.as_bytes()],
        &[both.as_bytes()],
    ] {
        let outcome = told(values).await;
        assert_eq!(outcome.told(), "malformed:credential");
        assert!(matches!(outcome.result, Err(filter::Stop::Refuse(_))));
    }
    let anonymous = told(&[]).await;
    assert_eq!(
        (anonymous.told().as_str(), anonymous.cx.consumed_authorization()),
        ("nobody", false)
    );
    let basic = told(&[b"Basic dXNlcjpwYXNz"]).await;
    assert_eq!((basic.told().as_str(), basic.cx.consumed_authorization()), ("nobody", false));
    assert!(told(&[bearer.as_bytes()]).await.cx.consumed_authorization());
    assert!(told(&[b"Bearer x"]).await.cx.consumed_authorization());
    let nothing = World::new().filter("{}").unwrap();
    let outcome = stage.world.ask(&nothing, &[bearer.as_bytes()], None).await;
    assert_eq!((outcome.told().as_str(), outcome.cx.consumed_authorization()), ("nobody", false));
}

/// J16: tokens that differ are told apart, however much of them is the same.
#[tokio::test]
async fn j16_remembered_tokens_are_told_apart() {
    let stage = Stage::new();
    let (a, b) = (changed(good(), &json!({"scope": "a"})), changed(good(), &json!({"scope": "b"})));
    let (a, b) = (stage.rs256(&a), stage.rs256(&b));
    let scopes = async |token: &str| {
        let outcome = stage.world.bearer(&stage.filter, token).await;
        outcome.cx.facts().auth().unwrap().token_scopes.clone().unwrap().join(" ")
    };
    for _ in 0..3 {
        assert_eq!(scopes(&a).await, "a");
        assert_eq!(scopes(&b).await, "b");
    }
    let (message_a, _) = a.rsplit_once('.').unwrap();
    let (_, signature_b) = b.rsplit_once('.').unwrap();
    stage.refuses("J16", &format!("{message_a}.{signature_b}"), "signature").await;
    let text = stage.world.services.metrics.render();
    assert!(text.contains("portcullis_token_cache_total{result=\"hit\"} 4"), "{text}");
    assert!(text.contains("portcullis_token_cache_total{result=\"miss\"} 3"), "{text}");
    assert!(
        text.contains("portcullis_token_verifications_total{provider=\"corp\",result=\"ok\"} 2")
    );
    assert!(text.contains(
        "portcullis_token_verifications_total{provider=\"corp\",result=\"signature\"} 1"
    ));
}

/// A key that is taken out of the file takes its tokens with it, remembered or not; so does a
/// provider that changed.
#[tokio::test]
async fn remembered_tokens_end_with_their_key_and_their_configuration() {
    let mut stage = Stage::new();
    let token = stage.rs256(&good());
    assert_eq!(stage.told(&token).await, "ana");
    stage.filter = stage.world.filter(SECTION).unwrap();
    assert_eq!(stage.told(&token).await, "ana");
    let text = stage.world.services.metrics.render();
    assert!(
        text.contains("portcullis_token_cache_total{result=\"hit\"} 1"),
        "kept across generations"
    );

    stage.filter = stage.world.filter(&SECTION.replace("[gate, gate-api]", "[gate-api]")).unwrap();
    stage.refuses("another audience", &token, "audience").await;

    stage.world.write("jwks.json", jwks(&[jwk(&stage.ec, "e")]));
    stage.filter = stage.world.filter(SECTION).unwrap();
    stage.refuses("the key is gone", &token, "key").await;
}

fn facts(outcome: &Outcome) -> (&policy::Subject, &policy::Auth) {
    let facts = outcome.cx.facts();
    (facts.subject().unwrap(), facts.auth().unwrap())
}

#[tokio::test]
async fn what_a_token_says() {
    let stage = Stage::new();
    let rich = json!({
        "preferred_username": "ana.b", "groups": ["eng", "adm", "eng"], "roles": "auditor", "jti": "j1",
        "acr": "gold", "amr": ["pwd", "otp"], "auth_time": BEGINNING - 60, "scope": "b a", "dept": {"id": 7},
    });
    let outcome = stage.world.bearer(&stage.filter, &stage.rs256(&changed(good(), &rich))).await;
    let (subject, auth) = facts(&outcome);
    assert_eq!(subject.name.as_deref(), Some("ana.b"));
    assert_eq!(subject.email.as_deref(), Some("ana@example.com"));
    assert_eq!(subject.groups.as_ref().unwrap().join(" "), "adm eng");
    assert_eq!(subject.roles.as_ref().unwrap().join(" "), "auditor");
    assert_eq!((subject.kind, subject.idp.as_deref()), (SubjectKind::Human, Some("corp")));
    assert_eq!(subject.claims["dept"]["id"], 7);
    assert_eq!((auth.mfa, auth.acr.as_deref()), (Some(true), Some("gold")));
    assert_eq!(auth.token_id.as_deref(), Some("j1"));
    assert_eq!(auth.token_scopes.as_ref().unwrap().join(" "), "a b");
    assert_eq!(auth.authenticated_at.unwrap().as_second(), BEGINNING - 60);
    assert_eq!(auth.expires_at.unwrap().as_second(), BEGINNING + 600);
    assert_eq!(auth.bound, Binding::None);

    let poor = json!({
        "groups": ["eng", 1], "email_verified": null, "amr": "pwd", "auth_time": BEGINNING + 3600,
        "acr": 1, "jti": 5, "preferred_username": "a\nb",
    });
    let outcome = stage.world.bearer(&stage.filter, &stage.rs256(&changed(good(), &poor))).await;
    let (subject, auth) = facts(&outcome);
    assert_eq!(
        (&subject.groups, &subject.roles, &subject.name, &subject.email),
        (&None, &None, &None, &None)
    );
    assert_eq!(
        (auth.mfa, &auth.acr, &auth.token_id, &auth.token_scopes),
        (Some(false), &None, &None, &None)
    );
    assert_eq!(auth.authenticated_at, None);

    let nested = json!({"realm_access": {"roles": ["r"]}, "https://edge.example.com/roles": ["x"], "email_verified": null});
    let outcome = stage.world.bearer(&stage.filter, &stage.edge(&nested)).await;
    let (subject, auth) = facts(&outcome);
    assert_eq!(subject.groups.as_ref().unwrap().join(" "), "r");
    assert_eq!(subject.roles.as_ref().unwrap().join(" "), "x");
    assert_eq!((subject.kind, auth.mfa), (SubjectKind::Service, None));
    assert_eq!(subject.email.as_deref(), Some("job@example.com"), "danger_unverified_email");
}

/// J19: what counts as verified.
#[tokio::test]
async fn j19_addresses_count_when_they_are_verified() {
    let stage = Stage::new();
    for (verified, expect) in [
        (json!(true), true),
        (json!(false), false),
        (json!(null), false),
        (json!("true"), false),
        (json!(1), false),
    ] {
        let claims = changed(good(), &json!({"email_verified": verified}));
        let outcome = stage.world.bearer(&stage.filter, &stage.rs256(&claims)).await;
        assert_eq!(facts(&outcome).0.email.is_some(), expect, "J19 {verified}");
    }
    let unverified = stage.edge(&json!({"email_verified": false}));
    let outcome = stage.world.bearer(&stage.filter, &unverified).await;
    assert_eq!(facts(&outcome).0.email, None, "J19 false is false for everybody");
}

/// RFC 8705 and RFC 9449: a token that is bound is good with what it is bound to alone.
#[tokio::test]
async fn bound_tokens() {
    let stage = Stage::new();
    let presented = certificate("aa");
    let digest = crate::text::from_hex(&presented.fingerprint).unwrap();
    let bound = |cnf: Value| stage.rs256(&changed(good(), &json!({"cnf": cnf})));
    let ask = async |token: &str, certificate| {
        stage.world.ask(&stage.filter, &[format!("Bearer {token}").as_bytes()], certificate).await
    };
    let token = bound(json!({"x5t#S256": b64(digest)}));
    // Twice: verified, and then remembered.
    for _ in 0..2 {
        let outcome = ask(&token, Some(presented.clone())).await;
        assert_eq!(outcome.told(), "ana");
        assert_eq!(facts(&outcome).1.bound, Binding::Certificate);
        let mut other = presented.clone();
        other.fingerprint = "ef".repeat(32).into();
        assert_eq!(ask(&token, Some(other)).await.told(), "bad-token:binding");
        assert_eq!(ask(&token, None).await.told(), "bad-token:binding");
    }
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": b64(digest), "jkt": "x"}),
        json!({"x5t#S256": b64([1; 31])}),
        json!({"x5t#S256": 1}),
        json!({"x5t#S256": format!("{}=", b64(digest))}),
        json!({"kid": "x"}),
        json!({}),
    ] {
        let told = ask(&bound(cnf.clone()), Some(presented.clone())).await.told();
        assert_eq!(told, "bad-token:binding", "{cnf}");
    }
    assert_eq!(ask(&bound(json!("x")), Some(presented)).await.told(), "bad-token:claims");
}

/// F7: whatever is wrong with it, nothing of a token is in what is said of it.
#[tokio::test]
async fn nothing_of_a_token_is_told() {
    let stage = Stage::new();
    let secret = "s3cr3t-s3cr3t";
    let claims =
        changed(good(), &json!({"sub": format!("{secret}\0"), "iss": "https://sso.example.com"}));
    for token in [
        stage.rs256(&claims),
        format!("{secret}.{secret}.{secret}"),
        token(&json!({"alg": "RS256", "kid": secret}), &good(), &stage.rsa),
        token(&json!({"alg": "RS256", "typ": secret}), &good(), &stage.rsa),
        token_of(secret.as_bytes(), secret.as_bytes(), "RS256", &stage.rsa),
    ] {
        let outcome = stage.world.bearer(&stage.filter, &token).await;
        let told = format!("{:?}", outcome.result.unwrap_err());
        assert!(!told.contains(secret), "{told}");
    }
}
