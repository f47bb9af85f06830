//! An issuer of tokens in place of single sign-on: three people, one key.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde_json::json;

use super::trouble::Trouble;

const ISSUER: &str = "https://issuer.demo.test";
const AUDIENCE: &str = "portcullis-demo";
const KEY_ID: &str = "demo-1";
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

struct Person {
    id: &'static str,
    name: &'static str,
    groups: &'static [&'static str],
    methods: &'static [&'static str],
}

const PEOPLE: [Person; 3] = [
    Person {
        id: "ana",
        name: "Ana Alvarez",
        groups: &["finance", "finance-admins"],
        methods: &["pwd", "otp", "mfa"],
    },
    Person { id: "ben", name: "Ben Bauer", groups: &["engineering"], methods: &["pwd"] },
    Person { id: "cleo", name: "Cleo Chen", groups: &[], methods: &["pwd"] },
];

/// Makes the key and its JWK set where they are missing, and a new token of each person.
pub(super) fn make(issuer: &Path, tokens: &Path, now: Timestamp) -> Result<(), Trouble> {
    let file = issuer.join("issuer.key");
    if !file.exists() {
        let key = PKey::from_rsa(Rsa::generate(2048)?)?;
        pki::write_private(&file, &pki::private_key_pem(&key)?)?;
    }
    let pem = std::fs::read(&file).map_err(Trouble::file(&file))?;
    let rsa = Rsa::private_key_from_pem(&pem)?;
    let number = |n: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(n.to_vec());
    let key = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
        "n": number(rsa.n()), "e": number(rsa.e()),
    });
    let set = json!({"keys": [key]}).to_string();
    pki::write_public(&issuer.join("jwks.json"), set.as_bytes())?;
    let key = EncodingKey::from_rsa_pem(&pem)?;
    for person in &PEOPLE {
        let token = token(person, &key, now)?;
        pki::write_private(&tokens.join(format!("{}.jwt", person.id)), token.as_bytes())?;
    }
    Ok(())
}

fn token(person: &Person, key: &EncodingKey, now: Timestamp) -> Result<String, Trouble> {
    let Person { id, name, groups, methods } = person;
    let now = now.as_second();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": id, "name": name,
        "email": format!("{id}@demo.test"), "email_verified": true,
        "groups": groups, "amr": methods, "auth_time": now,
        "iat": now, "nbf": now, "exp": now + LIFETIME.as_secs(),
    });
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(KEY_ID.to_owned());
    Ok(jsonwebtoken::encode(&header, &claims, key)?)
}
