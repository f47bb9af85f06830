//! What renewal reads from a certificate and from the index.

use std::time::Duration;

use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::x509::X509Ref;

use crate::index::Entry;
use crate::{Error, KeyType, Leaf, Serial, template};

/// When a certificate ends.
///
/// # Errors
/// Its time cannot be read.
pub fn ends_at(certificate: &X509Ref) -> Result<Timestamp, Error> {
    const DAY_SECONDS: i64 = 24 * 3600;
    let since_epoch = Asn1Time::from_unix(0)?.diff(certificate.not_after())?;
    let seconds = i64::from(since_epoch.days) * DAY_SECONDS + i64::from(since_epoch.secs);
    Timestamp::from_second(seconds).map_err(|cause| Error::BadTime(cause.to_string()))
}

/// The serial number of a certificate.
///
/// # Errors
/// It has more than 20 octets.
pub fn serial_of(certificate: &X509Ref) -> Result<Serial, Error> {
    Serial::from_asn1(certificate.serial_number())
}

/// What to ask for to get the same again; the same lifetime where none is given.
pub(crate) fn leaf_like(entry: &Entry, lifetime: Option<Duration>) -> Leaf {
    let lived = entry.not_after.duration_since(entry.issued_at);
    Leaf {
        common_name: entry.common_name.clone(),
        names: entry.names.clone(),
        purpose: entry.purpose,
        lifetime: lifetime
            .or_else(|| Duration::try_from(lived).ok())
            .unwrap_or(template::BACKDATED),
        key_type: KeyType::default(),
    }
}
