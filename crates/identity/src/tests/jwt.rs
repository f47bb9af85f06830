//! Bearer JWTs of two providers whose keys are in files: headers, algorithms and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};

use super::world::{World, changed, claims};
use crate::Authenticate;
use crate::testing::{b64, ec_key, jwk, jwks, p256_key, rsa_key, signature, token, token_of};

pub(super) const SECTION: &str = "
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

/// Two providers, and their keys.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) filter: Authenticate,
    pub(super) rsa: PKey<Private>,
    pub(super) ec: PKey<Private>,
    pub(super) edge: PKey<Private>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let mut world = World::new();
        let (rsa, ec, edge) = (rsa_key(), p256_key(), PKey::generate_ed25519().unwrap());
        world.write("jwks.json", jwks(&[jwk(&rsa, "r"), jwk(&ec, "e")]));
        world.write("edge.json", jwks(&[jwk(&edge, "d")]));
        let filter = world.filter(SECTION).unwrap();
        Self { world, filter, rsa, ec, edge }
    }

    pub(super) async fn told(&self, token: &str) -> String {
        self.world.bearer(&self.filter, token).await.told()
    }

    pub(super) async fn refuses(&self, id: &str, token: &str, why: &str) {
        assert_eq!(self.told(token).await, format!("bad-token:{why}"), "{id}");
    }

    pub(super) fn rs256(&self, claims: &Value) -> String {
        token(&json!({"alg": "RS256", "kid": "r"}), claims, &self.rsa)
    }

    pub(super) fn with_header(&self, header: &Value) -> String {
        token(header, &claims("ana"), &self.rsa)
    }

    pub(super) fn edge(&self, changes: &Value) -> String {
        let base = changed(
            claims("job"),
            &json!({"iss": "https://edge.example.com", "azp": "cli", "tenant": "t2"}),
        );
        token(&json!({"alg": "EdDSA", "typ": "AT+JWT"}), &changed(base, changes), &self.edge)
    }
}

pub(super) fn good() -> Value {
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
