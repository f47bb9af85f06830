//! Keys, key sets and tokens for the tests of this crate.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};

pub(crate) fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

pub(crate) fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(crate) fn p256_key() -> PKey<Private> {
    ec_key(Nid::X9_62_PRIME256V1)
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public half as an entry of a key set.
pub(crate) fn jwk(key: &PKey<Private>, kid: &str) -> Value {
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa().unwrap();
            json!({"kty": "RSA", "kid": kid, "n": b64(rsa.n().to_vec()), "e": b64(rsa.e().to_vec())})
        }
        Id::EC => {
            let ec = key.ec_key().unwrap();
            let (mut x, mut y) =
                (openssl::bn::BigNum::new().unwrap(), openssl::bn::BigNum::new().unwrap());
            let mut cx = BigNumContext::new().unwrap();
            ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut cx).unwrap();
            let length = i32::try_from(ec.group().degree().div_ceil(8)).unwrap();
            let crv = if length == 32 { "P-256" } else { "P-384" };
            let full = |n: &openssl::bn::BigNum| b64(n.to_vec_padded(length).unwrap());
            json!({"kty": "EC", "crv": crv, "kid": kid, "x": full(&x), "y": full(&y)})
        }
        _ => {
            let x = b64(key.raw_public_key().unwrap());
            json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
        }
    }
}

/// A key set.
pub(crate) fn jwks(entries: &[Value]) -> Vec<u8> {
    json!({"keys": entries}).to_string().into_bytes()
}

/// A token from any two texts, signed as the algorithm says.
pub(crate) fn token_of(header: &[u8], claims: &[u8], alg: &str, key: &PKey<Private>) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    let signature = signature(message.as_bytes(), alg, key);
    format!("{message}.{}", b64(signature))
}

/// A token.
pub(crate) fn token(header: &Value, claims: &Value, key: &PKey<Private>) -> String {
    let alg = header["alg"].as_str().unwrap().to_owned();
    token_of(header.to_string().as_bytes(), claims.to_string().as_bytes(), &alg, key)
}

/// A signature over any bytes.
pub(crate) fn signature(message: &[u8], alg: &str, key: &PKey<Private>) -> Vec<u8> {
    let digest = match alg.get(2..) {
        Some("384") => MessageDigest::sha384(),
        Some("512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    if key.id() == Id::ED25519 {
        return Signer::new_without_digest(key).unwrap().sign_oneshot_to_vec(message).unwrap();
    }
    let mut signer = Signer::new(digest, key).unwrap();
    if alg.starts_with("PS") {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
    }
    let signature = signer.sign_oneshot_to_vec(message).unwrap();
    if key.id() != Id::EC {
        return signature;
    }
    let pair = EcdsaSig::from_der(&signature).unwrap();
    let length = i32::try_from(key.bits().div_ceil(8)).unwrap();
    [pair.r().to_vec_padded(length).unwrap(), pair.s().to_vec_padded(length).unwrap()].concat()
}
