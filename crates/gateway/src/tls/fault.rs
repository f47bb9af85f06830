//! What is wrong with a client certificate: a word for the metric, a reason for the client, and a
//! sentence for the operator.

use std::fmt;

use jiff::Timestamp;
use policy::Reason;

/// A client certificate that cannot be believed at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFault {
    /// Whose it is (RFC 4514), as the certificate itself says; not verified.
    pub subject: Box<str>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It, or an authority above it, has expired.
    Expired(Timestamp),
    /// It is not valid yet.
    NotYetValid,
    /// Its issuer revoked it.
    Revoked,
    /// It does not chain to a configured authority; the text says why.
    Untrusted(Box<str>),
    /// It chains, but is not fit to identify a client.
    Unfit(Unfit),
    /// There is no current revocation list of this issuer.
    RevocationUnknown(Box<str>),
    /// The host asks for a certificate now, and did not when this connection began.
    NotAsked,
}

/// Why a certificate is not fit to identify a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not version 3.
    Version,
    /// Its serial number is not positive or too long.
    Serial,
    /// Its signature uses a hash that is broken.
    WeakSignature,
    /// Its key is too weak or of an unknown kind.
    WeakKey,
    /// It is an authority's.
    Authority,
    /// Its key usage excludes signatures.
    KeyUsage,
    /// Its extended key usage does not name `clientAuth`.
    Purpose,
    /// It has no subject alternative name.
    NoName,
    /// A name in it can be read in two ways.
    Ambiguous,
    /// Its structure is not that of a certificate.
    Unreadable,
}

impl CertificateFault {
    /// The reason that the client, the audit record and the metrics see.
    pub fn reason(&self) -> Reason {
        match self.kind {
            FaultKind::Expired(_) | FaultKind::NotYetValid => Reason::CertificateExpired,
            FaultKind::Revoked => Reason::CertificateRevoked,
            FaultKind::Untrusted(_) | FaultKind::Unfit(_) => Reason::CertificateUntrusted,
            FaultKind::RevocationUnknown(_) => Reason::DependencyDown("crl".into()),
            FaultKind::NotAsked => Reason::Misdirected,
        }
    }

    /// The same as an end of the request: 403, 503 where revocation data is missing, 421 where a
    /// new connection is needed.
    pub fn stop(&self) -> filter::Stop {
        match &self.kind {
            FaultKind::RevocationUnknown(_) => filter::Stop::down("crl", self.to_string()),
            FaultKind::NotAsked => filter::Stop::Misdirected,
            FaultKind::Expired(_)
            | FaultKind::NotYetValid
            | FaultKind::Revoked
            | FaultKind::Untrusted(_)
            | FaultKind::Unfit(_) => filter::Stop::deny(self.reason(), self.to_string()),
        }
    }
}

impl FaultKind {
    /// One word, for a metric's label.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Expired(_) | Self::NotYetValid => "expired",
            Self::Revoked => "revoked",
            Self::Untrusted(_) => "untrusted",
            Self::Unfit(_) => "unfit",
            Self::RevocationUnknown(_) => "revocation-unknown",
            Self::NotAsked => "not-asked",
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, kind } = self;
        match kind {
            FaultKind::Expired(at) => {
                write!(f, "the client certificate of `{subject}` or its authority ended at {at}")
            }
            FaultKind::NotYetValid => {
                write!(f, "the client certificate of `{subject}` is not valid yet")
            }
            FaultKind::Revoked => write!(f, "the client certificate of `{subject}` was revoked"),
            FaultKind::Untrusted(why) => {
                write!(f, "the client certificate of `{subject}` is not trusted: {why}")
            }
            FaultKind::Unfit(unfit) => write!(
                f,
                "the client certificate of `{subject}` is not fit to identify a client: {}",
                unfit.sentence()
            ),
            FaultKind::RevocationUnknown(issuer) => write!(
                f,
                "there is no current revocation list of `{issuer}`, which issued the client \
                 certificate of `{subject}`; renew the list and name it under `crl`"
            ),
            FaultKind::NotAsked => f.write_str(
                "the host asks for a client certificate since a reload, and this connection is older",
            ),
        }
    }
}

impl Unfit {
    fn sentence(self) -> &'static str {
        match self {
            Self::Version => "it is not an X.509 certificate of version 3",
            Self::Serial => "its serial number is not positive or longer than 20 octets",
            Self::WeakSignature => "its signature uses MD5 or SHA-1",
            Self::WeakKey => {
                "its key is not RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519"
            }
            Self::Authority => "it is the certificate of an authority",
            Self::KeyUsage => "its key usage does not include digitalSignature",
            Self::Purpose => "its extended key usage does not include clientAuth",
            Self::NoName => "it has no subject alternative name",
            Self::Ambiguous => "a subject alternative name can be read in two ways",
            Self::Unreadable => "its structure cannot be read",
        }
    }
}
