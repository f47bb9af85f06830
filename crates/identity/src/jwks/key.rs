//! One entry of a key set (RFC 7517), believed only as far as it is fit to verify with.
//!
//! 1. `use` is absent or `sig`; `key_ops` is absent or a list with `verify`.
//! 2. No private or symmetric part is in it: a key that was published with its private part is
//!    everybody's.
//! 3. `alg` is absent, or one that goes with the type of the key.
//! 4. RSA: 2048 to 8192 bits, odd, without small factors, not of the ROCA family (CVE-2017-15361);
//!    the exponent is odd, at least 3 and at most 33 bits.
//! 5. EC: P-256 or P-384, coordinates of the curve's full length, a point on the curve.
//! 6. OKP: Ed25519, 32 bytes, not of small order.
//! 7. Numbers are base64url in the shortest form.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use serde_json::{Map, Value};

use super::{Alg, KeyType, weak};
use crate::text::is_plain;

/// A key that verifies.
pub struct Key {
    kid: Option<Box<str>>,
    kind: KeyType,
    alg: Option<Alg>,
    material: DecodingKey,
}

/// Why an entry is no usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not an object with a `kty`.
    NotAKey,
    /// Its `kty` or `crv` is not known here, or symmetric.
    Type,
    /// Its `use` or `key_ops` is for something else.
    Use,
    /// Its `alg` is not known here or belongs to another type of key.
    Alg,
    /// Its `kid` is empty, too long or not plain text.
    Kid,
    /// It was published with its private part.
    Private,
    /// A number is missing or not base64url in the shortest form.
    Number,
    /// RSA of fewer than 2048 or more than 8192 bits.
    Size,
    /// An RSA exponent that is even, below 3 or beyond 33 bits.
    Exponent,
    /// An RSA modulus with small factors or of the ROCA family, or a point of small order.
    Weak,
    /// A point that is not on the curve.
    Point,
    /// Another entry has the same `kid`.
    Twice,
}

impl Key {
    /// Reads an entry.
    ///
    /// # Errors
    /// The entry breaks a rule above.
    pub fn parse(entry: &Value) -> Result<Self, Unfit> {
        let members = entry.as_object().ok_or(Unfit::NotAKey)?;
        check_use(members)?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(Unfit::Private);
        }
        let kid = kid_of(members)?;
        let (kind, material) = match text(members, "kty").ok_or(Unfit::NotAKey)? {
            "RSA" => (KeyType::Rsa, rsa(members)?),
            "EC" => ec(members)?,
            "OKP" => (KeyType::Ed25519, ed25519(members)?),
            _ => return Err(Unfit::Type),
        };
        let alg = match members.get("alg") {
            None => None,
            Some(alg) => Some(
                alg.as_str()
                    .and_then(Alg::parse)
                    .filter(|alg| alg.key_type() == kind)
                    .ok_or(Unfit::Alg)?,
            ),
        };
        Ok(Self { kid, kind, alg, material })
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it may be used with this algorithm.
    pub fn fits(&self, alg: Alg) -> bool {
        self.kind == alg.key_type() && self.alg.is_none_or(|own| own == alg)
    }

    /// Whether any of these algorithms can be used with it.
    pub fn fits_any(&self, algs: &[Alg]) -> bool {
        algs.iter().any(|alg| self.fits(*alg))
    }

    /// Whether the signature is this key's over the message. ECDSA signatures are `r` and `s` at
    /// full length; of the two values of `s` that verify, both are accepted, as RFC 7518 has it.
    pub fn verifies(&self, alg: Alg, message: &[u8], signature: &Vec<u8>) -> bool {
        self.fits(alg)
            && (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&alg.into(), &self.material)
                .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const KID_BYTES_MAX: usize = 256;
const RSA_BITS: std::ops::RangeInclusive<i32> = 2048..=8192;
const EXPONENT_BITS_MAX: i32 = 33;

fn check_use(members: &Map<String, Value>) -> Result<(), Unfit> {
    let for_signatures = members.get("use").is_none_or(|word| word == "sig");
    let for_verifying = match members.get("key_ops") {
        None => true,
        Some(Value::Array(words)) => words.iter().any(|word| word == "verify"),
        Some(_) => false,
    };
    (for_signatures && for_verifying).then_some(()).ok_or(Unfit::Use)
}

fn kid_of(members: &Map<String, Value>) -> Result<Option<Box<str>>, Unfit> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if is_plain(kid, KID_BYTES_MAX) => Ok(Some(kid.as_str().into())),
        Some(_) => Err(Unfit::Kid),
    }
}

fn rsa(members: &Map<String, Value>) -> Result<DecodingKey, Unfit> {
    let (n, e) = (unsigned(members, "n")?, unsigned(members, "e")?);
    let modulus = number(&n)?;
    if !RSA_BITS.contains(&modulus.num_bits()) {
        return Err(Unfit::Size);
    }
    let exponent = number(&e)?;
    let odd = e.last().is_some_and(|byte| byte & 1 == 1);
    if !odd || exponent.num_bits() < 2 || exponent.num_bits() > EXPONENT_BITS_MAX {
        return Err(Unfit::Exponent);
    }
    if weak::modulus(&modulus) {
        return Err(Unfit::Weak);
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

fn ec(members: &Map<String, Value>) -> Result<(KeyType, DecodingKey), Unfit> {
    let (kind, curve, length) = match text(members, "crv") {
        Some("P-256") => (KeyType::P256, Nid::X9_62_PRIME256V1, 32),
        Some("P-384") => (KeyType::P384, Nid::SECP384R1, 48),
        Some(_) | None => return Err(Unfit::Type),
    };
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    if x.len() != length || y.len() != length {
        return Err(Unfit::Number);
    }
    if !on_curve(curve, &x, &y).unwrap_or(false) {
        return Err(Unfit::Point);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    Ok((kind, DecodingKey::from_ec_der(&point)))
}

fn on_curve(curve: Nid, x: &[u8], y: &[u8]) -> Result<bool, openssl::error::ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    let (mut field, mut unused, mut as_well) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut field, &mut unused, &mut as_well, &mut *BigNumContext::new()?)?;
    // Coordinates beyond the field are another spelling of a point that has one already.
    let is_reduced = x < field && y < field;
    let point = EcKey::from_public_key_affine_coordinates(&group, &x, &y);
    Ok(is_reduced && point?.check_key().is_ok())
}

fn ed25519(members: &Map<String, Value>) -> Result<DecodingKey, Unfit> {
    if text(members, "crv") != Some("Ed25519") {
        return Err(Unfit::Type);
    }
    let x: [u8; 32] = bytes(members, "x")?.try_into().map_err(|_wrong_length| Unfit::Number)?;
    if weak::ed25519(&x) {
        return Err(Unfit::Weak);
    }
    Ok(DecodingKey::from_ed_der(&x))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unfit> {
    let text = text(members, name).ok_or(Unfit::Number)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_says_bytes_of_it| Unfit::Number)
}

fn unsigned(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unfit> {
    let bytes = bytes(members, name)?;
    if bytes.first().is_none_or(|first| *first == 0) {
        return Err(Unfit::Number);
    }
    Ok(bytes)
}

fn number(bytes: &[u8]) -> Result<BigNum, Unfit> {
    BigNum::from_slice(bytes).map_err(|_out_of_memory| Unfit::Number)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("kind", &self.kind)
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAKey => "it is not an object with a `kty`",
            Self::Type => "its `kty` or `crv` is not RSA, P-256, P-384 or Ed25519",
            Self::Use => "its `use` or `key_ops` is not for verifying",
            Self::Alg => "its `alg` is not known here or not of its type",
            Self::Kid => "its `kid` is empty, longer than 256 bytes or not plain text",
            Self::Private => "it was published with its private part: replace it",
            Self::Number => "a number of it is missing or not base64url in the shortest form",
            Self::Size => "it has fewer than 2048 or more than 8192 bits",
            Self::Exponent => "its exponent is even, below 3 or beyond 33 bits",
            Self::Weak => "it is of a family whose private keys can be found",
            Self::Point => "its point is not on the curve",
            Self::Twice => "another entry has the same `kid`",
        })
    }
}
