//! A certificate before it is signed, with every field open.
//!
//! [`Template::leaf`] and [`Template::authority`] give good ones; a test changes a field and has an
//! expired certificate, one without extended key usage, a leaf that says `CA:TRUE`, a version 1
//! certificate, a SHA-1 signature. Nothing is checked here.

use std::time::Duration;

use jiff::Timestamp;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameRef};

use crate::{Error, Leaf, Names, Purpose, Serial, der, key};

/// A certificate to be.
#[derive(Clone, Debug)]
pub struct Template {
    /// Version; extensions exist in version 3 only.
    pub version: Version,
    /// Serial number; a random one where absent.
    pub serial: Option<Serial>,
    /// Common name of the subject.
    pub common_name: String,
    /// First instant of its life.
    pub not_before: Timestamp,
    /// Last instant of its life.
    pub not_after: Timestamp,
    /// Subject alternative names; no extension where all are empty.
    pub names: Names,
    /// Basic constraints (critical); no extension where absent.
    pub constraints: Option<Constraints>,
    /// Key usage (critical); no extension where absent.
    pub key_usage: Option<Vec<Use>>,
    /// Extended key usage; no extension where absent.
    pub extended_key_usage: Option<Vec<ExtendedUse>>,
    /// Name constraints (critical); no extension where absent.
    pub name_constraints: Option<NameConstraints>,
    /// Whether it carries subject and authority key identifiers.
    pub key_identifiers: bool,
    /// Digest of the signature.
    pub digest: Digest,
    /// More extensions: object identifier, critical, DER of the value.
    pub extra: Vec<(String, bool, Vec<u8>)>,
}

/// Version of the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Version 1: no extensions.
    V1,
    /// Version 3.
    V3,
}

/// Basic constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// `CA:TRUE`.
    pub authority: bool,
    /// How many authorities may follow below this one.
    pub path_length: Option<u8>,
}

/// Key usage (RFC 5280, 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Use {
    DigitalSignature,
    NonRepudiation,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    KeyCertSign,
    CrlSign,
}

/// Extended key usage (RFC 5280, 4.2.1.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedUse {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
    /// `anyExtendedKeyUsage`: to be refused by whoever asks for a purpose.
    Any,
    /// Another one, as a dotted object identifier.
    Other(String),
}

/// Which names the certificates below an authority may carry. A kind of name that is not listed
/// is not limited (RFC 5280, 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// DNS suffixes: `example.com` permits itself and what is below it.
    pub dns: Vec<String>,
    /// Hosts of URIs, for SPIFFE the trust domain.
    pub uri_hosts: Vec<String>,
    /// Mail hosts.
    pub email_hosts: Vec<String>,
}

/// Digest of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-1: for tests of its refusal.
    Sha1,
}

/// How far a certificate's life begins before its making, for clocks that are behind.
pub(crate) const BACKDATED: Duration = Duration::from_mins(5);

impl Template {
    /// A good leaf.
    pub fn leaf(leaf: &Leaf, now: Timestamp) -> Self {
        Self {
            constraints: Some(Constraints { authority: false, path_length: None }),
            key_usage: Some(vec![Use::DigitalSignature]),
            extended_key_usage: Some(match leaf.purpose {
                Purpose::Server => vec![ExtendedUse::Server],
                Purpose::Client => vec![ExtendedUse::Client],
                Purpose::Both => vec![ExtendedUse::Server, ExtendedUse::Client],
            }),
            names: leaf.names.clone(),
            ..Self::bare(&leaf.common_name, now, leaf.lifetime)
        }
    }

    /// A good authority.
    pub fn authority(name: &str, lifetime: Duration, path_length: u8, now: Timestamp) -> Self {
        Self {
            constraints: Some(Constraints { authority: true, path_length: Some(path_length) }),
            key_usage: Some(vec![Use::KeyCertSign, Use::CrlSign]),
            ..Self::bare(name, now, lifetime)
        }
    }

    /// Signs it by the key that it certifies.
    ///
    /// # Errors
    /// The library refuses a value.
    pub fn self_signed(&self, key: &PKey<Private>) -> Result<X509, Error> {
        self.sign(key, None, key)
    }

    /// Signs it for `subject`, as the certificate `issuer` would, with the key `signer`.
    pub(crate) fn sign<T: HasPublic>(
        &self,
        subject: &PKeyRef<T>,
        issuer: Option<&X509>,
        signer: &PKey<Private>,
    ) -> Result<X509, Error> {
        let name = self.subject()?;
        let issuer_name: &X509NameRef = issuer.map_or(&name, |i| i.subject_name());
        let serial = self.serial.clone().map_or_else(Serial::random, Ok)?;
        let mut builder = X509Builder::new()?;
        builder.set_version(match self.version {
            Version::V1 => 0,
            Version::V3 => 2,
        })?;
        builder.set_serial_number(&*serial.to_asn1()?)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(issuer_name)?;
        builder.set_not_before(&*asn1_time(self.not_before)?)?;
        builder.set_not_after(&*asn1_time(self.not_after)?)?;
        builder.set_pubkey(subject)?;
        if self.version == Version::V3 {
            let own = key_identifier(subject)?;
            let authority = match issuer {
                None => own.clone(),
                Some(issuer) => identifier_of(issuer)?,
            };
            for (oid, critical, value) in self.extensions(&own, &authority)? {
                builder.append_extension(extension(&oid, critical, &value)?)?;
            }
        }
        builder.sign(signer, key::digest_for(signer, self.digest.message_digest()))?;
        Ok(builder.build())
    }

    fn bare(name: &str, now: Timestamp, lifetime: Duration) -> Self {
        Self {
            version: Version::V3,
            serial: None,
            common_name: name.to_owned(),
            not_before: now.saturating_sub(BACKDATED).unwrap_or(Timestamp::MIN),
            not_after: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
            names: Names::default(),
            constraints: None,
            key_usage: None,
            extended_key_usage: None,
            name_constraints: None,
            key_identifiers: true,
            digest: Digest::Sha256,
            extra: Vec::new(),
        }
    }

    fn subject(&self) -> Result<X509Name, Error> {
        let mut name = X509Name::builder()?;
        if !self.common_name.is_empty() {
            name.append_entry_by_text("CN", &self.common_name)
                .map_err(|_e| Error::BadName(self.common_name.clone()))?;
        }
        Ok(name.build())
    }

    fn extensions(&self, own: &[u8], authority: &[u8]) -> Result<Vec<Written>, Error> {
        let mut all = Vec::new();
        if let Some(constraints) = self.constraints {
            all.push(("2.5.29.19".to_owned(), true, constraints.der()));
        }
        if let Some(uses) = &self.key_usage {
            let bits = uses.iter().fold(0, |bits, usage| bits | usage.bit());
            all.push(("2.5.29.15".to_owned(), true, der::named_bits(bits)));
        }
        if let Some(uses) = &self.extended_key_usage {
            let oids: Result<Vec<_>, _> = uses.iter().map(|u| der::oid(u.oid())).collect();
            all.push(("2.5.29.37".to_owned(), false, der::sequence(&oids?)));
        }
        if let Some(constraints) = &self.name_constraints {
            all.push(("2.5.29.30".to_owned(), true, constraints.der()));
        }
        if !self.names.is_empty() {
            all.push(("2.5.29.17".to_owned(), self.common_name.is_empty(), self.names.der()?));
        }
        if self.key_identifiers {
            let octets = der::element(der::OCTET_STRING, own);
            all.push(("2.5.29.14".to_owned(), false, octets));
            let identifier = der::sequence(&[der::context(0, authority)]);
            all.push(("2.5.29.35".to_owned(), false, identifier));
        }
        all.extend(self.extra.iter().cloned());
        Ok(all)
    }
}

/// Object identifier, critical, DER of the value.
type Written = (String, bool, Vec<u8>);

impl Constraints {
    fn der(self) -> Vec<u8> {
        let mut parts = Vec::new();
        if self.authority {
            parts.push(der::truth());
        }
        if let Some(length) = self.path_length {
            parts.push(der::unsigned(&[length]));
        }
        der::sequence(&parts)
    }
}

impl Use {
    const fn bit(self) -> u8 {
        match self {
            Self::DigitalSignature => 0x80,
            Self::NonRepudiation => 0x40,
            Self::KeyEncipherment => 0x20,
            Self::DataEncipherment => 0x10,
            Self::KeyAgreement => 0x08,
            Self::KeyCertSign => 0x04,
            Self::CrlSign => 0x02,
        }
    }
}

impl ExtendedUse {
    fn oid(&self) -> &str {
        match self {
            Self::Server => "1.3.6.1.5.5.7.3.1",
            Self::Client => "1.3.6.1.5.5.7.3.2",
            Self::Any => "2.5.29.37.0",
            Self::Other(oid) => oid,
        }
    }
}

impl NameConstraints {
    fn der(&self) -> Vec<u8> {
        let Self { dns, uri_hosts, email_hosts } = self;
        let kinds = [(2, dns), (6, uri_hosts), (1, email_hosts)];
        let trees: Vec<Vec<u8>> = kinds
            .into_iter()
            .flat_map(|(tag, names)| names.iter().map(move |name| (tag, name)))
            .map(|(tag, name)| der::sequence(&[der::context(tag, name.as_bytes())]))
            .collect();
        der::sequence(&[der::context_constructed(0, &trees.concat())])
    }
}

impl Digest {
    fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha1 => MessageDigest::sha1(),
        }
    }
}

pub(crate) fn extension(oid: &str, critical: bool, value: &[u8]) -> Result<X509Extension, Error> {
    let oid = Asn1Object::from_str(oid)?;
    Ok(X509Extension::new_from_der(&oid, critical, &*Asn1OctetString::new_from_bytes(value)?)?)
}

pub(crate) fn asn1_time(at: Timestamp) -> Result<Asn1Time, Error> {
    Asn1Time::from_unix(at.as_second()).map_err(|_e| Error::BadTime(at.to_string()))
}

/// The key identifier that a certificate names itself by, or the one computed from its key.
pub(crate) fn identifier_of(certificate: &X509) -> Result<Vec<u8>, Error> {
    match certificate.subject_key_id() {
        Some(identifier) => Ok(identifier.as_slice().to_vec()),
        None => key_identifier(&*certificate.public_key()?),
    }
}

/// The first 160 bits of the SHA-256 of the public key (RFC 7093, method 1, over the whole
/// `SubjectPublicKeyInfo`).
fn key_identifier<T: HasPublic>(key: &PKeyRef<T>) -> Result<Vec<u8>, Error> {
    let digest = hash(MessageDigest::sha256(), &key.public_key_to_der()?)?;
    Ok(digest.iter().copied().take(20).collect())
}
