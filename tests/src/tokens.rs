//! The identity providers of the test world: what they publish and what they sign.
//!
//! `corp` signs RS256, `edge` signs ES256. Claims are plain JSON, so that a scenario can make any
//! of them wrong, and headers too.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use serde_json::{Value, json};

/// Seconds that a token of [`Issuer::bearer`] is good for.
pub const LIFETIME_S: i64 = 600;

/// One identity provider.
pub struct Issuer {
    /// Its `iss`.
    pub name: &'static str,
    kid: String,
    key: Key,
}

enum Key {
    Rsa(Rsa<Private>),
    Ec(EcKey<Private>),
}

/// Signs RS256; issuer `https://corp.gw.test`.
pub static CORP: LazyLock<Issuer> = LazyLock::new(|| Issuer::rsa("https://corp.gw.test", "corp-1"));
/// Signs ES256; issuer `https://edge.gw.test`.
pub static EDGE: LazyLock<Issuer> = LazyLock::new(|| Issuer::ec("https://edge.gw.test", "edge-1"));

/// Groups of the people of the test world.
pub fn groups_of(user: &str) -> &'static [&'static str] {
    match user {
        "ana" => &["eng"],
        "ada" => &["admin", "eng"],
        _ => &[],
    }
}

/// The present second.
pub fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Issuer {
    /// A new issuer with an RSA key.
    pub fn rsa(name: &'static str, kid: &str) -> Self {
        Self { name, kid: kid.to_owned(), key: Key::Rsa(Rsa::generate(2048).unwrap()) }
    }

    /// A new issuer with a P-256 key.
    pub fn ec(name: &'static str, kid: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self { name, kid: kid.to_owned(), key: Key::Ec(EcKey::generate(&group).unwrap()) }
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::Rsa(_) => Algorithm::RS256,
            Key::Ec(_) => Algorithm::ES256,
        }
    }

    /// Its public key as a member of a JWK set.
    pub fn jwk(&self) -> Value {
        match &self.key {
            Key::Rsa(rsa) => json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
                "n": b64(&rsa.n().to_vec()), "e": b64(&rsa.e().to_vec()),
            }),
            Key::Ec(ec) => {
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                let mut context = BigNumContext::new().unwrap();
                ec.public_key()
                    .affine_coordinates(ec.group(), &mut x, &mut y, &mut context)
                    .unwrap();
                let pad = |n: &BigNum| b64(&n.to_vec_padded(32).unwrap());
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                    "x": pad(&x), "y": pad(&y),
                })
            }
        }
    }

    /// The text of its JWK set.
    pub fn jwks(&self) -> String {
        json!({"keys": [self.jwk()]}).to_string()
    }

    /// A good token of this person.
    pub fn bearer(&self, user: &str) -> String {
        self.sign(&self.claims(user))
    }

    /// The claims of a good token of this person, to change.
    pub fn claims(&self, user: &str) -> Value {
        json!({
            "iss": self.name, "aud": "portcullis", "sub": user, "groups": groups_of(user),
            "email": format!("{user}@gw.test"), "email_verified": true,
            "iat": now_s() - 5, "nbf": now_s() - 5, "exp": now_s() + LIFETIME_S,
        })
    }

    /// Signs these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm());
        header.kid = Some(self.kid.clone());
        self.sign_with(&header, claims)
    }

    /// Signs these claims under this header.
    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        let key = match &self.key {
            Key::Rsa(rsa) => EncodingKey::from_rsa_pem(&rsa.private_key_to_pem().unwrap()),
            Key::Ec(ec) => {
                let key = openssl::pkey::PKey::from_ec_key(ec.clone()).unwrap();
                EncodingKey::from_ec_pem(&key.private_key_to_pem_pkcs8().unwrap())
            }
        };
        jsonwebtoken::encode(header, claims, &key.unwrap()).unwrap()
    }
}

/// A token that nobody signed (`alg: none`).
pub fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", b64(br#"{"alg":"none","typ":"JWT"}"#), b64(claims.to_string().as_bytes()))
}

/// Base64url without padding.
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a token, unverified.
pub fn peek(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap_or_default()).unwrap_or(Value::Null)
}
