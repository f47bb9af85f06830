//! Whether the other end is who the permit's upstream names.

use std::fmt;

use jiff::Timestamp;
use pingora::protocols::Digest;
use policy::Reason;

use crate::expected::Expected;
use crate::revocation::Revocation;
use crate::seen::Seen;

/// What a connection of one upstream must show.
#[derive(Debug)]
pub(crate) enum Demand {
    /// TLS is not spoken (`danger_plaintext`).
    Nothing,
    /// TLS of this identity.
    Tls {
        /// For which identity connections are opened.
        group: u64,
        /// Whom to expect.
        expected: Expected,
        /// Which certificates are revoked.
        revocation: Revocation,
    },
}

/// The other end is not who it should be. `Display` is for the operator and names everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The permit names an upstream that this generation does not have.
    UnknownUpstream(Box<str>),
    /// The connection left no record of its handshake.
    NoRecord,
    /// The connection was opened for another identity.
    OtherIdentity,
    /// The version of TLS is older than 1.2.
    OldVersion(&'static str),
    /// The cipher has no forward secrecy or is not authenticated.
    WeakCipher(&'static str),
    /// The certificate is of version 1, or may sign others.
    NotALeaf,
    /// The certificate carries other names.
    WrongName {
        /// Whom the upstream names.
        expected: String,
        /// Whom the certificate names.
        found: String,
    },
    /// A certificate of the chain has ended.
    Expired(Timestamp),
    /// A certificate of the chain was revoked; its serial number in hex.
    Revoked(String),
    /// There is no revocation list of this authority.
    NoList(String),
    /// The revocation list of this authority should have been replaced.
    StaleList {
        /// The authority.
        issuer: String,
        /// When the next list was due.
        due: Timestamp,
    },
}

impl Demand {
    pub(crate) fn check(&self, digest: Option<&Digest>, now: Timestamp) -> Result<(), Unverified> {
        match self {
            Self::Nothing => Ok(()),
            Self::Tls { group, expected, revocation } => {
                let seen = digest
                    .and_then(|digest| digest.ssl_digest.as_ref())
                    .and_then(|tls| tls.extension.get::<Seen>())
                    .ok_or(Unverified::NoRecord)?;
                if seen.group != *group {
                    return Err(Unverified::OtherIdentity);
                }
                strong(seen)?;
                if *expected == Expected::Anyone {
                    return Ok(());
                }
                right(seen, expected, now)?;
                revocation.check(&seen.chain, now)
            }
        }
    }
}

fn strong(seen: &Seen) -> Result<(), Unverified> {
    if !seen.version_modern {
        return Err(Unverified::OldVersion(seen.version));
    }
    if !seen.cipher_modern {
        return Err(Unverified::WeakCipher(seen.cipher));
    }
    Ok(())
}

fn right(seen: &Seen, expected: &Expected, now: Timestamp) -> Result<(), Unverified> {
    if !seen.is_leaf {
        return Err(Unverified::NotALeaf);
    }
    if !expected.is_met_by(&seen.names) {
        let (expected, found) = (expected.to_string(), seen.names.to_string());
        return Err(Unverified::WrongName { expected, found });
    }
    if now > seen.ends {
        return Err(Unverified::Expired(seen.ends));
    }
    Ok(())
}

impl Unverified {
    /// For the client and the metrics.
    pub fn reason(&self) -> Reason {
        Reason::UpstreamUnverified
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUpstream(name) => {
                write!(f, "upstream `{name}` is not in this generation of the configuration")
            }
            Self::NoRecord => {
                f.write_str("the backend's handshake left no record: TLS was expected")
            }
            Self::OtherIdentity => {
                f.write_str("the connection was opened for another identity; it was not used")
            }
            Self::OldVersion(version) => {
                write!(f, "the backend speaks `{version}`; it must speak TLS 1.2 or newer")
            }
            Self::WeakCipher(cipher) => write!(
                f,
                "the backend chose `{cipher}`; it must offer ECDHE with AES-GCM or ChaCha20"
            ),
            Self::NotALeaf => f.write_str(
                "the backend's certificate is of version 1 or may sign others; issue it a leaf",
            ),
            Self::WrongName { expected, found } => {
                write!(f, "the backend is not {expected}: its certificate names {found}")
            }
            Self::Expired(end) => write!(f, "the backend's certificate chain ended at {end}"),
            Self::Revoked(serial) => {
                write!(f, "the backend's certificate with serial `{serial}` is revoked")
            }
            Self::NoList(issuer) => {
                write!(f, "no revocation list of `{issuer}`: add it to the upstream's `crl`")
            }
            Self::StaleList { issuer, due } => {
                write!(f, "the revocation list of `{issuer}` was to be replaced by {due}")
            }
        }
    }
}

impl std::error::Error for Unverified {}
