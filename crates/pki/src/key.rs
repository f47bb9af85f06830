//! Key pairs.

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;

use crate::Error;

/// What kind of key to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with this many bits; under 2048 only for tests.
    Rsa(u32),
}

impl KeyType {
    /// Makes a key pair.
    ///
    /// # Errors
    /// The library refuses the size.
    pub fn generate(self) -> Result<PKey<Private>, Error> {
        let on_curve = |curve| -> Result<_, Error> {
            let group = EcGroup::from_curve_name(curve)?;
            Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
        };
        match self {
            Self::P256 => on_curve(Nid::X9_62_PRIME256V1),
            Self::P384 => on_curve(Nid::SECP384R1),
            Self::Ed25519 => Ok(PKey::generate_ed25519()?),
            Self::Rsa(bits) => Ok(PKey::from_rsa(Rsa::generate(bits)?)?),
        }
    }
}

/// The digest that a signature by this key takes; Ed25519 brings its own.
pub(crate) fn digest_for<T>(key: &PKeyRef<T>, wanted: MessageDigest) -> MessageDigest {
    if matches!(key.id(), Id::ED25519 | Id::ED448) { MessageDigest::null() } else { wanted }
}

/// Refuses keys that nobody should certify any more.
pub(crate) fn strong<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), Error> {
    const RSA_BITS_MIN: u32 = 2048;
    const EC_BITS_MIN: u32 = 256;
    match key.id() {
        Id::RSA if key.bits() < RSA_BITS_MIN => {
            Err(Error::BadRequest("its RSA key has fewer than 2048 bits"))
        }
        Id::EC if key.bits() < EC_BITS_MIN => {
            Err(Error::BadRequest("its elliptic curve has fewer than 256 bits"))
        }
        Id::RSA | Id::EC | Id::ED25519 => Ok(()),
        _ => Err(Error::BadRequest("its key is neither RSA nor ECDSA nor Ed25519")),
    }
}
