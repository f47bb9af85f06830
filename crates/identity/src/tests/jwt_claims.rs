//! Times, issuers, audiences, kinds of tokens, and texts that are no token.

use serde_json::json;

use super::jwt::{Stage, good};
use super::world::{BEGINNING, changed};
use crate::testing::{b64, token, token_of};

/// J9: times of a wrong type or out of the window, to the second.
#[tokio::test]
async fn j9_times() {
    let stage = Stage::new();
    let wrong_types = [
        "\"1800000600\"",
        "null",
        "[1800000600]",
        "true",
        "{}",
        "-1",
        "1e300",
        "9223372036854775808",
        "253402300800",
    ];
    for name in ["exp", "nbf", "iat"] {
        for value in wrong_types {
            let text = changed(good(), &json!({name: null})).to_string();
            let text = format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap());
            let token =
                token_of(br#"{"alg":"RS256","kid":"r"}"#, text.as_bytes(), "RS256", &stage.rsa);
            stage.refuses(&format!("J9 {name} {value}"), &token, "claims").await;
        }
    }
    stage
        .refuses("J9 no exp", &stage.rs256(&changed(good(), &json!({"exp": null}))), "claims")
        .await;
    let at = |seconds: f64| json!(f64::from(u32::try_from(BEGINNING).unwrap()) + seconds);
    for (id, changes, expect) in [
        ("exp at the leeway", json!({"exp": BEGINNING - 30}), "bad-token:expired"),
        ("exp within the leeway", json!({"exp": BEGINNING - 29}), "ana"),
        ("exp float over", json!({"exp": at(-30.5)}), "bad-token:expired"),
        ("exp float good", json!({"exp": at(-29.5)}), "ana"),
        ("exp 0", json!({"exp": 0}), "bad-token:expired"),
        ("nbf at the leeway", json!({"nbf": BEGINNING + 30}), "ana"),
        ("nbf beyond", json!({"nbf": BEGINNING + 31}), "bad-token:not-yet-valid"),
        ("iat beyond", json!({"iat": BEGINNING + 31}), "bad-token:not-yet-valid"),
        ("iat absent", json!({"iat": null}), "ana"),
    ] {
        assert_eq!(stage.told(&stage.rs256(&changed(good(), &changes))).await, expect, "J9 {id}");
    }
}

/// J9, and the end of what is remembered: a token is over at the same second whether it was
/// verified before or not.
#[tokio::test]
async fn j9_remembered_tokens_end_too() {
    let stage = Stage::new();
    let token = stage.rs256(&changed(good(), &json!({"exp": BEGINNING + 60})));
    assert_eq!(stage.told(&token).await, "ana");
    stage.world.pass(89);
    assert_eq!(stage.told(&token).await, "ana");
    stage.world.pass(1);
    stage.refuses("J9", &token, "expired").await;
    stage.world.pass(-200);
    stage.refuses("J9 the clock went back", &token, "not-yet-valid").await;
}

/// J10: issuers and audiences that are almost right.
#[tokio::test]
async fn j10_issuers_and_audiences() {
    let stage = Stage::new();
    for issuer in [
        json!("https://sso.example.com/"),
        json!("https://sso.example.co"),
        json!("https://sso.example.com2"),
        json!("HTTPS://sso.example.com"),
        json!("http://sso.example.com"),
        json!(" https://sso.example.com"),
        json!(""),
    ] {
        let id = format!("J10 iss {issuer}");
        stage.refuses(&id, &stage.rs256(&changed(good(), &json!({"iss": issuer}))), "issuer").await;
    }
    for issuer in [json!(["https://sso.example.com"]), json!({"a": 1}), json!(1), json!(true)] {
        let id = format!("J10 iss {issuer}");
        stage.refuses(&id, &stage.rs256(&changed(good(), &json!({"iss": issuer}))), "claims").await;
    }
    stage
        .refuses("J10 no iss", &stage.rs256(&changed(good(), &json!({"iss": null}))), "claims")
        .await;
    for (audience, why) in [
        (json!("other"), "audience"),
        (json!("gat"), "audience"),
        (json!("Gate"), "audience"),
        (json!([]), "audience"),
        (json!([["gate"]]), "claims"),
        (json!({"gate": 1}), "claims"),
        (json!(7), "claims"),
    ] {
        let id = format!("J10 aud {audience}");
        stage.refuses(&id, &stage.rs256(&changed(good(), &json!({"aud": audience}))), why).await;
    }
    stage
        .refuses("J10 no aud", &stage.rs256(&changed(good(), &json!({"aud": null}))), "claims")
        .await;
    let several = changed(good(), &json!({"aud": ["other", "gate-api"]}));
    assert_eq!(stage.told(&stage.rs256(&several)).await, "ana");
    for sub in [
        json!(""),
        json!(" "),
        json!("a\0b"),
        json!("a\r\nb"),
        json!(1),
        json!(["ana"]),
        json!("s".repeat(257)),
    ] {
        let id = format!("J10 sub {sub:.20}");
        stage.refuses(&id, &stage.rs256(&changed(good(), &json!({"sub": sub}))), "claims").await;
    }
    stage
        .refuses("J10 no sub", &stage.rs256(&changed(good(), &json!({"sub": null}))), "claims")
        .await;
}

/// J11: other kinds of tokens, and tokens for other parties.
#[tokio::test]
async fn j11_other_kinds() {
    let stage = Stage::new();
    for (id, changes) in [
        ("nonce", json!({"nonce": "n"})),
        ("at_hash", json!({"at_hash": "h"})),
        ("c_hash", json!({"c_hash": "h"})),
        ("logout", json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}})),
        ("Keycloak ID", json!({"typ": "ID"})),
        ("Keycloak refresh", json!({"typ": "Refresh"})),
        ("Cognito ID", json!({"token_use": "id"})),
    ] {
        stage.refuses(&format!("J11 {id}"), &stage.rs256(&changed(good(), &changes)), "kind").await;
    }
    for typ in [
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!(""),
        json!(1),
        json!(["JWT"]),
        json!(null),
    ] {
        let header = json!({"alg": "RS256", "kid": "r", "typ": typ});
        stage.refuses(&format!("J11 typ {typ}"), &stage.with_header(&header), "type").await;
    }
    let other = changed(good(), &json!({"azp": "another-client"}));
    stage.refuses("J11 azp", &stage.rs256(&other), "authorized-party").await;
    stage
        .refuses("J11 azp", &stage.rs256(&changed(good(), &json!({"azp": ["gate"]}))), "claims")
        .await;
    assert_eq!(stage.told(&stage.rs256(&changed(good(), &json!({"azp": "gate"})))).await, "ana");
}

/// The stricter provider: `typ`, listed parties, required claims, the age of a token.
#[tokio::test]
async fn what_a_provider_may_ask_for() {
    let stage = Stage::new();
    let client = json!({"azp": null, "client_id": "cli"});
    for (id, changes, expect) in [
        ("as it should be", json!({}), "job"),
        ("client_id for azp", client, "job"),
        ("no party", json!({"azp": null}), "bad-token:claims"),
        ("another party", json!({"azp": "x"}), "bad-token:authorized-party"),
        ("no tenant", json!({"tenant": null}), "bad-token:claims"),
        ("another tenant", json!({"tenant": "t3"}), "bad-token:claims"),
        ("tenant of another type", json!({"tenant": 1}), "bad-token:claims"),
        ("one of its tenants", json!({"tenant": ["t0", "t1"]}), "job"),
        ("too old", json!({"iat": BEGINNING - 310}), "bad-token:too-old"),
        ("old", json!({"iat": BEGINNING - 309}), "job"),
        ("of no age", json!({"iat": null}), "bad-token:claims"),
        ("of another provider", json!({"iss": "https://sso.example.com"}), "bad-token:algorithm"),
    ] {
        assert_eq!(stage.told(&stage.edge(&changes)).await, expect, "{id}");
    }
    let untyped = token(
        &json!({"alg": "EdDSA"}),
        &changed(good(), &json!({"iss": "https://edge.example.com"})),
        &stage.edge,
    );
    stage.refuses("absent typ", &untyped, "type").await;
}

/// J12: texts that are not one token.
#[tokio::test]
async fn j12_texts_that_are_no_token() {
    let stage = Stage::new();
    let good_token = stage.rs256(&good());
    let header = br#"{"alg":"RS256","kid":"r"}"#;
    let sign = |header: &[u8], claims: &[u8]| token_of(header, claims, "RS256", &stage.rsa);
    let text = good().to_string();
    let body = text.strip_suffix('}').unwrap();
    let deep = format!("{body},\"x\":{}{}}}", "[".repeat(2500), "]".repeat(2500));
    let (message, tail) = good_token.rsplit_once('.').unwrap();
    let cases: Vec<(&str, String)> = vec![
        ("a claim twice", sign(header, format!("{body},\"sub\":\"eve\"}}").as_bytes())),
        (
            "a claim twice below",
            sign(header, format!("{body},\"x\":{{\"a\":1,\"a\":2}}}}").as_bytes()),
        ),
        ("a header twice", sign(br#"{"alg":"RS256","kid":"x","kid":"r"}"#, text.as_bytes())),
        ("byte order mark", sign(header, format!("\u{feff}{text}").as_bytes())),
        (
            "header with one",
            sign("\u{feff}{\"alg\":\"RS256\",\"kid\":\"r\"}".as_bytes(), text.as_bytes()),
        ),
        ("invalid UTF-8", sign(header, &[body.as_bytes(), b",\"x\":\"\xff\"}"].concat())),
        ("deep", sign(header, deep.as_bytes())),
        ("an array", sign(header, format!("[{text}]").as_bytes())),
        ("something after", sign(header, format!("{text} {{}}").as_bytes())),
        ("nested", sign(header, good_token.as_bytes())),
        ("JSON serialisation", format!("{{\"payload\":\"{}\"}}", b64(&text))),
        ("five parts", format!("{good_token}.x.y")),
        ("four parts", format!("{good_token}.x")),
        ("two parts", message.to_owned()),
        ("empty parts", "..".to_owned()),
        ("no claims", format!("{}..{tail}", b64(header))),
        ("dots", ".".repeat(16_000)),
        ("padded", format!("{good_token}=")),
        ("padded twice", format!("{good_token}==")),
        (
            "standard alphabet",
            format!("{message}.{}", tail.replace('-', "+").replace('_', "/") + "+/"),
        ),
        ("a word", "letmein".to_owned()),
    ];
    for (id, token) in cases {
        stage.refuses(&format!("J12 {id}"), &token, "malformed").await;
    }
    let large = sign(header, format!("{body},\"x\":\"{}\"}}", "x".repeat(1_000_000)).as_bytes());
    for (id, token) in [("large", large), ("many dots", ".".repeat(20_000))] {
        stage.refuses(&format!("J12 {id}"), &token, "too-large").await;
    }
}
