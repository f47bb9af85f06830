//! A set of keys at one instant.

use openssl::sha::sha256;
use serde_json::Value;

use super::{Alg, Key, Unfit};
use crate::strict;

/// How many entries a set may have.
pub const KEYS_MAX: usize = 100;

/// Usable keys, each by its own name.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    version: u128,
}

/// An entry that is no usable key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its `kid`, made printable, or its place in the list.
    pub name: String,
    /// Why.
    pub why: Unfit,
}

impl KeySet {
    /// Reads a set. A set without a usable key is one: nothing verifies with it.
    ///
    /// # Errors
    /// The text is not a key set at all; the error says why.
    pub fn parse(text: &[u8]) -> Result<(Self, Vec<Skipped>), String> {
        let set = strict::object(text).map_err(|error| format!("it is not plain JSON: {error}"))?;
        let entries = match set.get("keys") {
            Some(Value::Array(entries)) if entries.len() <= KEYS_MAX => entries,
            Some(Value::Array(entries)) => {
                return Err(format!("it has {} keys, more than {KEYS_MAX}", entries.len()));
            }
            Some(_) | None => return Err("it has no list `keys`".to_owned()),
        };
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (place, entry) in entries.iter().enumerate() {
            let parsed =
                if is_twice(entries, entry) { Err(Unfit::Twice) } else { Key::parse(entry) };
            match parsed {
                Ok(key) => keys.push(key),
                Err(why) => skipped.push(Skipped { name: name_of(entry, place), why }),
            }
        }
        let digest = sha256(text);
        let version = digest.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        Ok((Self { keys, version }, skipped))
    }

    /// The key for a token: the one of this name if it fits the algorithm; without a name, the one
    /// key that fits, if there is exactly one.
    pub fn find(&self, kid: Option<&str>, alg: Alg) -> Option<&Key> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.fits(alg) && kid.is_none_or(|kid| key.kid() == Some(kid)));
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }

    /// Whether a key of this name is there, whatever it fits.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// Its keys that fit none of these algorithms, by name.
    pub fn outside(&self, algs: &[Alg]) -> impl Iterator<Item = &str> {
        let outside = self.keys.iter().filter(|key| !key.fits_any(algs));
        outside.map(|key| key.kid().unwrap_or("(without a name)"))
    }

    /// Its keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Differs from that of any other set.
    pub fn version(&self) -> u128 {
        self.version
    }
}

/// Told by the name alone: a second entry spoils the first even if it is not usable itself.
fn is_twice(entries: &[Value], entry: &Value) -> bool {
    let kid = entry.get("kid").and_then(Value::as_str);
    kid.is_some()
        && entries.iter().filter(|other| other.get("kid").and_then(Value::as_str) == kid).count()
            > 1
}

fn name_of(entry: &Value, place: usize) -> String {
    match entry.get("kid").and_then(Value::as_str) {
        Some(kid) => {
            let short: String = kid.chars().take(NAME_CHARS_MAX).collect();
            format!("`{}`", short.escape_debug())
        }
        None => format!("number {}", place + 1),
    }
}

const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use serde_json::json;

    use super::*;
    use crate::testing::{b64, ec_key, jwk, jwks, p256_key, rsa_key};

    fn with(mut entry: Value, changes: &[(&str, Value)]) -> Value {
        for (name, value) in changes {
            entry[*name] = value.clone();
        }
        entry
    }

    fn one(entry: Value) -> Result<(), Unfit> {
        let (set, skipped) = KeySet::parse(&jwks(&[entry])).unwrap();
        match skipped.first() {
            None => {
                assert_eq!(set.keys().len(), 1);
                Ok(())
            }
            Some(skipped) => {
                assert!(set.keys().is_empty());
                Err(skipped.why)
            }
        }
    }

    #[test]
    fn sound_keys_are_kept() {
        let rsa = jwk(&rsa_key(), "r");
        for entry in [
            rsa.clone(),
            with(rsa.clone(), &[("use", json!("sig")), ("alg", json!("PS256"))]),
            with(rsa, &[("key_ops", json!(["verify"])), ("x5c", json!(["junk"]))]),
            jwk(&p256_key(), "e"),
            jwk(&ec_key(Nid::SECP384R1), "e3"),
            jwk(&PKey::generate_ed25519().unwrap(), "d"),
        ] {
            assert_eq!(one(entry.clone()), Ok(()), "{entry}");
        }
    }

    /// J18: keys that are ignored, each with its reason.
    #[test]
    fn j18_unfit_keys_are_left_out() {
        let rsa = jwk(&rsa_key(), "r");
        let ec = jwk(&p256_key(), "e");
        let ed = jwk(&PKey::generate_ed25519().unwrap(), "d");
        let small = jwk(&PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap(), "s");
        let n = Rsa::generate(2048).unwrap().n().to_vec();
        let mut even = n.clone();
        *even.last_mut().unwrap() &= 0xfe;
        let mut huge = vec![0xff; 1025];
        huge[1024] = 0xfd;
        let zero_first = [&[0], n.as_slice()].concat();
        let off_curve = b64([1; 32]);
        let cases = [
            ("an oct key", json!({"kty": "oct", "kid": "o", "k": "AAAA"}), Unfit::Private),
            ("an oct key without k", json!({"kty": "oct", "kid": "o"}), Unfit::Type),
            ("no kty", json!({"kid": "o"}), Unfit::NotAKey),
            ("not an object", json!(1), Unfit::NotAKey),
            ("unknown kty", json!({"kty": "AKP", "kid": "o"}), Unfit::Type),
            ("secp256k1", with(ec.clone(), &[("crv", json!("secp256k1"))]), Unfit::Type),
            ("P-521", with(ec.clone(), &[("crv", json!("P-521"))]), Unfit::Type),
            ("Ed448", with(ed.clone(), &[("crv", json!("Ed448"))]), Unfit::Type),
            ("X25519", with(ed.clone(), &[("crv", json!("X25519"))]), Unfit::Type),
            ("use=enc", with(rsa.clone(), &[("use", json!("enc"))]), Unfit::Use),
            ("use of a wrong type", with(rsa.clone(), &[("use", json!(["sig"]))]), Unfit::Use),
            ("key_ops=sign", with(rsa.clone(), &[("key_ops", json!(["sign"]))]), Unfit::Use),
            ("key_ops empty", with(rsa.clone(), &[("key_ops", json!([]))]), Unfit::Use),
            ("key_ops text", with(rsa.clone(), &[("key_ops", json!("verify"))]), Unfit::Use),
            ("private part", with(rsa.clone(), &[("d", json!("AQAB"))]), Unfit::Private),
            ("alg of HMAC", with(rsa.clone(), &[("alg", json!("HS256"))]), Unfit::Alg),
            ("alg none", with(rsa.clone(), &[("alg", json!("none"))]), Unfit::Alg),
            ("alg of another type", with(rsa.clone(), &[("alg", json!("ES256"))]), Unfit::Alg),
            ("alg of another curve", with(ec.clone(), &[("alg", json!("ES384"))]), Unfit::Alg),
            ("RSA-OAEP", with(rsa.clone(), &[("alg", json!("RSA-OAEP"))]), Unfit::Alg),
            ("1024 bits", small, Unfit::Size),
            ("8200 bits", with(rsa.clone(), &[("n", json!(b64(&huge)))]), Unfit::Size),
            ("e=1", with(rsa.clone(), &[("e", json!(b64([1])))]), Unfit::Exponent),
            ("e=2", with(rsa.clone(), &[("e", json!(b64([2])))]), Unfit::Exponent),
            ("e even", with(rsa.clone(), &[("e", json!(b64([1, 0, 0])))]), Unfit::Exponent),
            ("e of 40 bits", with(rsa.clone(), &[("e", json!(b64([255; 5])))]), Unfit::Exponent),
            ("e=0", with(rsa.clone(), &[("e", json!(b64([0])))]), Unfit::Number),
            ("n even", with(rsa.clone(), &[("n", json!(b64(&even)))]), Unfit::Weak),
            ("zero first", with(rsa.clone(), &[("n", json!(b64(&zero_first)))]), Unfit::Number),
            ("padded", with(rsa.clone(), &[("e", json!("AQAB=="))]), Unfit::Number),
            ("n a number", with(rsa.clone(), &[("n", json!(5))]), Unfit::Number),
            ("off the curve", with(ec.clone(), &[("y", json!(off_curve))]), Unfit::Point),
            ("short x", with(ec.clone(), &[("x", json!(b64([1; 31])))]), Unfit::Number),
            ("P-256 named P-384", with(ec, &[("crv", json!("P-384"))]), Unfit::Number),
            ("short key", with(ed.clone(), &[("x", json!(b64([1; 31])))]), Unfit::Number),
            ("small order", with(ed, &[("x", json!(b64([0; 32])))]), Unfit::Weak),
            ("kid empty", with(rsa.clone(), &[("kid", json!(""))]), Unfit::Kid),
            ("kid a number", with(rsa.clone(), &[("kid", json!(7))]), Unfit::Kid),
            ("kid with NUL", with(rsa, &[("kid", json!("a\0"))]), Unfit::Kid),
        ];
        for (name, entry, why) in cases {
            assert_eq!(one(entry), Err(why), "{name}");
        }
    }

    #[test]
    fn j18_the_mark_of_roca() {
        let mut marked = BigNum::from_u32(1).unwrap();
        for prime in (2..168).filter(|n| (2..*n).all(|d| n % d != 0)) {
            marked.mul_word(prime).unwrap();
        }
        let bits = 2048 - marked.num_bits();
        let mut shifted = BigNum::new().unwrap();
        shifted.lshift(&marked, bits).unwrap();
        shifted.add_word(65537).unwrap();
        let entry = with(jwk(&rsa_key(), "r"), &[("n", json!(b64(shifted.to_vec())))]);
        assert_eq!(one(entry), Err(Unfit::Weak));
    }

    #[test]
    fn two_of_one_name_are_both_left_out() {
        let (one, two, other) =
            (jwk(&p256_key(), "a"), jwk(&p256_key(), "a"), jwk(&rsa_key(), "b"));
        let broken = json!({"kty": "oct", "kid": "b"});
        let (set, skipped) = KeySet::parse(&jwks(&[one, two, other, broken])).unwrap();
        assert!(set.keys().is_empty());
        assert!(skipped.iter().all(|skipped| skipped.why == Unfit::Twice));
        assert_eq!(skipped.len(), 4);
    }

    #[test]
    fn a_name_is_needed_unless_one_key_fits() {
        let nameless = |mut entry: Value| {
            entry.as_object_mut().unwrap().remove("kid");
            entry
        };
        let (rsa, ec) = (nameless(jwk(&rsa_key(), "x")), nameless(jwk(&p256_key(), "x")));
        let (set, _) = KeySet::parse(&jwks(&[rsa, ec.clone()])).unwrap();
        assert!(set.find(None, Alg::RS256).is_some());
        assert!(set.find(None, Alg::ES256).is_some());
        assert!(set.find(None, Alg::EdDsa).is_none());
        assert!(set.find(Some("x"), Alg::RS256).is_none());
        let (set, _) = KeySet::parse(&jwks(&[ec, jwk(&p256_key(), "y")])).unwrap();
        assert!(set.find(None, Alg::ES256).is_none(), "two fit");
        assert!(set.find(Some("y"), Alg::ES256).is_some());
        assert!(set.find(Some("y"), Alg::RS256).is_none());
    }

    #[test]
    fn what_is_no_set() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = jwks(&vec![json!({}); KEYS_MAX + 1]);
        assert!(KeySet::parse(&many).is_err());
    }
}
