//! Signature algorithms, and the keys that they go with (RFC 7518, RFC 8037).

use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;

/// An algorithm that can be allowed. HMAC and `none` are not among them: a provider's key set is
/// public, and what is public signs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Alg {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RS512,
    /// RSA PSS with SHA-256.
    PS256,
    /// RSA PSS with SHA-384.
    PS384,
    /// RSA PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA.
    Rsa,
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl Alg {
    /// What a provider may use where the configuration does not say.
    pub const DEFAULT: [Self; 5] =
        [Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDsa];

    /// Reads a name, by its exact letters.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one type of key that it goes with.
    pub fn key_type(self) -> KeyType {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                KeyType::Rsa
            }
            Self::ES256 => KeyType::P256,
            Self::ES384 => KeyType::P384,
            Self::EdDsa => KeyType::Ed25519,
        }
    }

    const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDsa,
    ];
}

impl From<Alg> for Algorithm {
    fn from(alg: Alg) -> Self {
        match alg {
            Alg::RS256 => Self::RS256,
            Alg::RS384 => Self::RS384,
            Alg::RS512 => Self::RS512,
            Alg::PS256 => Self::PS256,
            Alg::PS384 => Self::PS384,
            Alg::PS512 => Self::PS512,
            Alg::ES256 => Self::ES256,
            Alg::ES384 => Self::ES384,
            Alg::EdDsa => Self::EdDSA,
        }
    }
}
