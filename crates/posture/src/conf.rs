//! The `devices:` section, as written.

use document::{At, Duration, FilePath, OneOrMany};
use schemars::JsonSchema;
use serde::Deserialize;

/// `devices:`. Empty: no device is ever known.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conf {
    /// The file that knows devices; read again when it changes.
    #[serde(default)]
    pub inventory: Option<At<FilePath>>,
    /// How a device proves itself.
    #[serde(default)]
    pub certificates: Option<CertificatesConf>,
    /// Posture that was seen longer ago than this is unknown.
    #[serde(default)]
    pub max_age: Option<At<Duration>>,
}

/// How a device proves itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatesConf {
    /// PEM files of the authorities that certify devices (one, or a list). A listener must ask for
    /// their certificates, see `server.listen[].tls.client_certificates`.
    pub ca: OneOrMany<At<FilePath>>,
    /// Which part of a certificate names the device; any that the inventory lists where absent.
    #[serde(default)]
    pub id_from: Option<IdFrom>,
}

/// Which part of a certificate names the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdFrom {
    /// A URI among its names: `san_uri` of the inventory.
    SanUri,
    /// A DNS name among its names: `san_dns` of the inventory.
    SanDns,
    /// Its SPIFFE id, where it is a valid X.509-SVID: `san_uri` of the inventory.
    Spiffe,
    /// Its serial number: `serial` of the inventory.
    Serial,
    /// The SHA-256 of the certificate: `fingerprint` of the inventory.
    Fingerprint,
    /// The SHA-256 of its public key: `spki` of the inventory. Survives renewal with the same key.
    Spki,
}
