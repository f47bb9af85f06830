//! Bearer JWTs of a provider whose keys are in a file: the hostile ones, and what good ones say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use policy::{Binding, SubjectKind};
use serde_json::{Value, json};

use super::world::{BEGINNING, Outcome, World, certificate, changed, claims};
use crate::Authenticate;
use crate::testing::{b64, ec_key, jwk, jwks, p256_key, rsa_key, signature, token, token_of};

const SECTION: &str = "
jwt:
  - name: corp
    issuer: https://sso.example.com
    audiences: [gate, gate-api]
    jwks: {file: jwks.json}
    algorithms: [RS256, ES256]
  - name: edge
    issuer: https://edge.example.com
    audiences: [gate]
    jwks: {file: edge.json}
    kind: service
    typ: [at+jwt]
    authorized_parties: [cli]
    required_claims: {tenant: [t1, t2]}
    groups_claim: realm_access.roles
    roles_claim: https://edge.example.com/roles
    max_age: 5m
    leeway: 10s
    danger_unverified_email: true
";

struct Stage {
    world: World,
    filter: Authenticate,
    rsa: PKey<Private>,
    ec: PKey<Private>,
    edge: PKey<Private>,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        let (rsa, ec, edge) = (rsa_key(), p256_key(), PKey::generate_ed25519().unwrap());
        world.write("jwks.json", jwks(&[jwk(&rsa, "r"), jwk(&ec, "e")]));
        world.write("edge.json", jwks(&[jwk(&edge, "d")]));
        let filter = world.filter(SECTION).unwrap();
        Self { world, filter, rsa, ec, edge }
    }

    async fn told(&self, token: &str) -> String {
        self.world.bearer(&self.filter, token).await.told()
    }

    async fn refuses(&self, id: &str, token: &str, why: &str) {
        assert_eq!(self.told(token).await, format!("bad-token:{why}"), "{id}");
    }

    fn rs256(&self, claims: &Value) -> String {
        token(&json!({"alg": "RS256", "kid": "r"}), claims, &self.rsa)
    }

    fn with_header(&self, header: &Value) -> String {
        token(header, &claims("ana"), &self.rsa)
    }

    fn edge(&self, changes: &Value) -> String {
        let base = changed(
            claims("job"),
            &json!({"iss": "https://edge.example.com", "azp": "cli", "tenant": "t2"}),
        );
        token(&json!({"alg": "EdDSA", "typ": "AT+JWT"}), &changed(base, changes), &self.edge)
    }
}

fn good() -> Value {
    claims("ana")
}

#[tokio::test]
async fn good_tokens_of_each_kind_of_key() {
    let stage = Stage::new();
    assert_eq!(stage.told(&stage.rs256(&good())).await, "ana");
    let es256 = token(&json!({"alg": "ES256", "kid": "e", "typ": "JWT"}), &good(), &stage.ec);
    assert_eq!(stage.told(&es256).await, "ana");
    let nameless = token(&json!({"alg": "ES256", "typ": "at+jwt"}), &good(), &stage.ec);
    assert_eq!(stage.told(&nameless).await, "ana");
    assert_eq!(stage.told(&stage.edge(&json!({}))).await, "job");
}

#[tokio::test]
async fn every_allowed_algorithm_verifies() {
    let (rsa, p256, p384) = (rsa_key(), p256_key(), ec_key(Nid::SECP384R1));
    let ed = PKey::generate_ed25519().unwrap();
    let mut world = World::new();
    world.write(
        "all.json",
        jwks(&[jwk(&rsa, "r"), jwk(&p256, "e"), jwk(&p384, "f"), jwk(&ed, "d")]),
    );
    let algorithms = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    let filter = world
        .filter(&format!(
            "jwt: [{{name: a, issuer: 'https://sso.example.com', audiences: [gate], \
             jwks: {{file: all.json}}, algorithms: [{algorithms}]}}]"
        ))
        .unwrap();
    for alg in algorithms.split(", ") {
        let (kid, key) = match alg {
            "ES256" => ("e", &p256),
            "ES384" => ("f", &p384),
            "EdDSA" => ("d", &ed),
            _ => ("r", &rsa),
        };
        let good = token(&json!({"alg": alg, "kid": kid}), &good(), key);
        assert_eq!(world.bearer(&filter, &good).await.told(), "ana", "{alg}");
    }
}

/// J1: no signature at all, in every spelling.
#[tokio::test]
async fn j1_none() {
    let stage = Stage::new();
    let good_signature = stage.rs256(&good()).rsplit_once('.').unwrap().1.to_owned();
    for alg in [json!("none"), json!("None"), json!("nOnE"), json!(""), json!(null), json!(0)] {
        let header = json!({"alg": alg, "kid": "r"}).to_string();
        let message = format!("{}.{}", b64(header), b64(good().to_string()));
        let id = format!("J1 {alg}");
        stage.refuses(&id, &format!("{message}.{good_signature}"), "algorithm").await;
        stage.refuses(&id, &format!("{message}.{}", b64("x")), "algorithm").await;
        stage.refuses(&id, &format!("{message}."), "malformed").await;
    }
    let message = format!("{}.{}", b64(r#"{"kid":"r"}"#), b64(good().to_string()));
    stage.refuses("J1 missing", &format!("{message}.{good_signature}"), "algorithm").await;
}

/// J2: HMAC keyed with what is public.
#[tokio::test]
async fn j2_a_public_key_is_no_secret() {
    let stage = Stage::new();
    let pem = stage.rsa.public_key_to_pem().unwrap();
    let text = String::from_utf8(pem.clone()).unwrap();
    let public = [
        pem,
        text.trim_end().as_bytes().to_vec(),
        format!(" {text}").into_bytes(),
        stage.rsa.public_key_to_der().unwrap(),
        stage.rsa.rsa().unwrap().n().to_vec(),
        STANDARD.encode(stage.rsa.public_key_to_der().unwrap()).into_bytes(),
        jwk(&stage.rsa, "r").to_string().into_bytes(),
        b" ".to_vec(),
    ];
    for (alg, digest) in [
        ("HS256", MessageDigest::sha256()),
        ("HS384", MessageDigest::sha384()),
        ("HS512", MessageDigest::sha512()),
    ] {
        for (number, secret) in public.iter().enumerate() {
            let header = json!({"alg": alg, "kid": "r"}).to_string();
            let message = format!("{}.{}", b64(header), b64(good().to_string()));
            let key = PKey::hmac(secret).unwrap();
            let mac =
                Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(message.as_bytes()).unwrap();
            stage
                .refuses(
                    &format!("J2 {alg} {number}"),
                    &format!("{message}.{}", b64(mac)),
                    "algorithm",
                )
                .await;
        }
    }
}

/// J3: an algorithm that is not allowed, though the key could do it; a key of another type.
#[tokio::test]
async fn j3_algorithms_that_are_not_allowed() {
    let stage = Stage::new();
    for alg in ["PS256", "RS384", "RS512", "PS512"] {
        stage
            .refuses(
                &format!("J3 {alg}"),
                &stage.with_header(&json!({"alg": alg, "kid": "r"})),
                "algorithm",
            )
            .await;
    }
    for alg in ["ES256K", "RS256 ", " RS256", "rs256", "RSA-OAEP", "dir", "Ed25519"] {
        let header = json!({"alg": alg, "kid": "r"});
        let token = token_of(
            header.to_string().as_bytes(),
            good().to_string().as_bytes(),
            "RS256",
            &stage.rsa,
        );
        stage.refuses(&format!("J3 {alg}"), &token, "algorithm").await;
    }
    let swapped = token(&json!({"alg": "ES256", "kid": "r"}), &good(), &stage.ec);
    stage.refuses("J3 the other key's name", &swapped, "key").await;
    let eddsa = token(&json!({"alg": "EdDSA", "kid": "d"}), &good(), &stage.edge);
    stage.refuses("J3 EdDSA", &eddsa, "algorithm").await;
}

/// J4: ECDSA signatures that are none, or not in the one form.
#[tokio::test]
async fn j4_ecdsa_signatures() {
    let stage = Stage::new();
    let header = json!({"alg": "ES256", "kid": "e"}).to_string();
    let message = format!("{}.{}", b64(header), b64(good().to_string()));
    let right = signature(message.as_bytes(), "ES256", &stage.ec);
    assert_eq!(stage.told(&format!("{message}.{}", b64(&right))).await, "ana");
    let der = Signer::new(MessageDigest::sha256(), &stage.ec)
        .unwrap()
        .sign_oneshot_to_vec(message.as_bytes())
        .unwrap();
    let mut order = openssl::bn::BigNum::new().unwrap();
    let group = openssl::ec::EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    group.order(&mut order, &mut openssl::bn::BigNumContext::new().unwrap()).unwrap();
    let n = order.to_vec_padded(32).unwrap();
    let (r, s) = right.split_at(32);
    for (id, wrong) in [
        ("zero", vec![0; 64]),
        ("r zero", [&[0; 32], s].concat()),
        ("s zero", [r, &[0; 32]].concat()),
        ("r is the order", [n.as_slice(), s].concat()),
        ("s is the order", [r, n.as_slice()].concat()),
        ("DER", der),
        ("63 bytes", right[..63].to_vec()),
        ("65 bytes", [right.as_slice(), &[0]].concat()),
        ("swapped", [s, r].concat()),
    ] {
        stage.refuses(&format!("J4 {id}"), &format!("{message}.{}", b64(wrong)), "signature").await;
    }
}

/// J5 and J8: what a header may not ask for.
#[tokio::test]
async fn j5_j8_headers_that_ask_for_more() {
    let stage = Stage::new();
    let own = rsa_key();
    let own_jwk = jwk(&own, "r");
    for (name, value) in [
        ("jwk", own_jwk.clone()),
        ("jku", json!("https://127.0.0.1:19999/jwks")),
        ("x5u", json!("https://127.0.0.1:19999/cert")),
        ("x5c", json!(["AAAA"])),
        ("jwk", json!(null)),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!("exp")),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("cty", json!("JWT")),
    ] {
        let header = json!({"alg": "RS256", "kid": "r", name: value});
        stage.refuses(&format!("J5/J8 {header}"), &stage.with_header(&header), "header").await;
        let forged = token(&header, &good(), &own);
        stage.refuses(&format!("J5 forged {name}"), &forged, "header").await;
    }
    let thumbprint = json!({"alg": "RS256", "kid": "r", "x5t": "AAAA", "extra": 1});
    assert_eq!(stage.told(&stage.with_header(&thumbprint)).await, "ana");
}

/// J6: names of keys that are none.
#[tokio::test]
async fn j6_kid() {
    let stage = Stage::new();
    let long = "k".repeat(8000);
    for kid in ["", "nobody", "../../dev/null", "' OR 1=1 --", "r\0", "R", "d", "r ", &long] {
        let token = stage.with_header(&json!({"alg": "RS256", "kid": kid}));
        stage.refuses(&format!("J6 {kid:.20}"), &token, "key").await;
    }
    for kid in [json!(1), json!(null), json!(["r"]), json!({"r": 1}), json!(true)] {
        let token = stage.with_header(&json!({"alg": "RS256", "kid": kid}));
        stage.refuses(&format!("J6 {kid}"), &token, "key").await;
    }
    let others = token(
        &json!({"alg": "EdDSA", "kid": "d"}),
        &changed(good(), &json!({"iss": "https://edge.example.com"})),
        &stage.rsa,
    );
    assert!(stage.told(&others).await.starts_with("bad-token:"));
}

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
        ("of another provider", json!({"iss": "https://sso.example.com"}), "bad-token:type"),
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
