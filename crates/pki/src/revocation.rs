//! Revocation lists (RFC 5280, 5).
//!
//! 1. A list carries its number, its authority's key identifier and `nextUpdate`.
//! 2. An entry carries its reason, except `unspecified`, which the standard wants left out.
//! 3. A certificate leaves the list thirty days after its own end.

use std::time::Duration;

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl, X509CrlBuilder, X509Revoked};

use crate::index::{Entry, ListMade, Revoked};
use crate::{Error, der, key, template};

/// Why a certificate was revoked (RFC 5280, 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Not said.
    #[default]
    Unspecified,
    /// Its key became known to others: a device was lost or stolen.
    KeyCompromise,
    /// The subject's names or its place changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// A privilege that it stated was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// As written on the command line and in the index.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    const fn code(self) -> Option<u8> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(1),
            Self::AffiliationChanged => Some(3),
            Self::Superseded => Some(4),
            Self::CessationOfOperation => Some(5),
            Self::PrivilegeWithdrawn => Some(9),
        }
    }
}

pub(crate) fn list<'a>(
    authority: (&X509, &PKey<Private>),
    entries: impl Iterator<Item = &'a Entry>,
    made: ListMade,
) -> Result<X509Crl, Error> {
    const KEPT_AFTER_END: Duration = Duration::from_hours(30 * 24);
    let (certificate, key) = authority;
    let ListMade { number, at, next_update } = made;
    let mut builder = X509CrlBuilder::new()?;
    builder.set_issuer_name(certificate.subject_name())?;
    builder.set_last_update(&*template::asn1_time(at)?)?;
    builder.set_next_update(&*template::asn1_time(next_update)?)?;
    for entry in entries {
        let Some(revoked) = entry.revoked else { continue };
        let kept_until = entry.not_after.saturating_add(KEPT_AFTER_END);
        if kept_until.is_ok_and(|until| until > at) {
            builder.add_revoked(listed(entry, revoked)?)?;
        }
    }
    let identifier = der::context(0, &template::identifier_of(certificate)?);
    let extensions = [
        ("2.5.29.35", der::sequence(&[identifier])),
        ("2.5.29.20", der::unsigned(&number.to_be_bytes())),
    ];
    for (oid, value) in extensions {
        builder.append_extension(template::extension(oid, false, &value)?)?;
    }
    builder.sort()?;
    builder.sign(key, key::digest_for(key, MessageDigest::sha256()))?;
    Ok(builder.build()?)
}

/// The library's builder of entries has no extensions, so the entry is encoded here.
fn listed(entry: &Entry, revoked: Revoked) -> Result<X509Revoked, Error> {
    let mut parts = vec![der::unsigned(&entry.serial.to_bytes()?), der::time(revoked.at)];
    if let Some(code) = revoked.reason.code() {
        let value = der::element(der::OCTET_STRING, &der::enumerated(code));
        let extension = der::sequence(&[der::oid("2.5.29.21")?, value]);
        parts.push(der::sequence(&[extension]));
    }
    Ok(X509Revoked::from_der(&der::sequence(&parts))?)
}
