//! What can go wrong, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use openssl::error::ErrorStack;

use crate::Serial;

/// Why the authority did not do it.
#[derive(Debug)]
pub enum Error {
    /// The cryptographic library refused.
    Crypto(ErrorStack),
    /// A file could not be read or written.
    File {
        /// What was tried: `read`, `write`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A line of the index is not what this program writes.
    Index {
        /// The index.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
    /// There already is an authority.
    Exists(PathBuf),
    /// The certificate of the authority may not sign, or its key is another's.
    NotAnAuthority(&'static str),
    /// A certificate without a name.
    NoName,
    /// A name that no certificate can carry.
    BadName(String),
    /// The authority has ended.
    Ended(jiff::Timestamp),
    /// A signing request that proves nothing or brings a weak key.
    BadRequest(&'static str),
    /// No certificate of this serial number was issued here.
    Unknown(Serial),
    /// It is revoked already.
    AlreadyRevoked(Serial),
    /// Not a serial number.
    BadSerial(String),
    /// An instant that a certificate cannot say.
    BadTime(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crypto(cause) => write!(f, "the cryptographic library refused: {cause}"),
            Self::File { action, path, source } => {
                write!(f, "cannot {action} `{}`: {source}", path.display())
            }
            Self::Index { path, line, source } => {
                write!(f, "{}:{line}: not a line of an index: {source}", path.display())?;
                f.write_str("; restore the file from a backup, its last good line is the one above")
            }
            Self::Exists(path) => write!(
                f,
                "there already is an authority in `{}`; choose another directory",
                path.display()
            ),
            Self::NotAnAuthority(why) => write!(f, "this is no certificate authority: {why}"),
            Self::NoName => f.write_str(
                "a certificate without a subject alternative name proves nothing; give it a name",
            ),
            Self::BadName(name) => write!(f, "`{name}` cannot stand in a certificate"),
            Self::Ended(at) => {
                write!(f, "the authority's own certificate ended at {at}; create a new authority")
            }
            Self::BadRequest(why) => write!(f, "the signing request is refused: {why}"),
            Self::Unknown(serial) => write!(
                f,
                "no certificate with serial `{serial}` was issued here; list them to find it"
            ),
            Self::AlreadyRevoked(serial) => write!(f, "`{serial}` is revoked already"),
            Self::BadSerial(text) => {
                write!(f, "`{text}` is no serial number; write 1 to 40 hexadecimal digits")
            }
            Self::BadTime(text) => write!(f, "a certificate cannot say this time: {text}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Crypto(cause) => Some(cause),
            Self::File { source, .. } => Some(source),
            Self::Index { source, .. } => Some(source),
            Self::Exists(_)
            | Self::NotAnAuthority(_)
            | Self::NoName
            | Self::BadName(_)
            | Self::Ended(_)
            | Self::BadRequest(_)
            | Self::Unknown(_)
            | Self::AlreadyRevoked(_)
            | Self::BadSerial(_)
            | Self::BadTime(_) => None,
        }
    }
}

impl From<ErrorStack> for Error {
    fn from(cause: ErrorStack) -> Self {
        Self::Crypto(cause)
    }
}
