//! Files that hold certificates, keys and revocation lists, and small conversions.
//!
//! A file is read once, whole, up to a limit; what is wrong with it is a mistake at the place
//! where its name was written.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use document::{At, FilePath, Mistake};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// Octets of a file with certificates or a key.
const PEM_BYTES_MAX: u64 = 4 << 20;
/// Octets of a file with revocation lists: a million entries of 40 octets, and room.
pub(super) const CRL_BYTES_MAX: u64 = 256 << 20;

/// The content of a file.
///
/// # Errors
/// It cannot be read, or is larger than the limit.
pub(super) fn read(path: &At<FilePath>, bytes_max: u64) -> Result<Vec<u8>, Mistake> {
    let shown = path.value.0.display();
    let fault = |cause: String| {
        Mistake::error("unreadable-file", &path.place, format!("cannot read `{shown}`: {cause}"))
            .help("check the path and that the gateway's user may read the file")
    };
    let file = File::open(&path.value.0).map_err(|e| fault(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|e| fault(e.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(fault(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Every certificate of a PEM file, in its order; at least one.
///
/// # Errors
/// The file cannot be read, is not PEM, or holds no certificate.
pub(super) fn certificates(path: &At<FilePath>) -> Result<Vec<X509>, Mistake> {
    let bytes = read(path, PEM_BYTES_MAX)?;
    let shown = path.value.0.display();
    let found = X509::stack_from_pem(&bytes).map_err(|e| {
        Mistake::error(
            "bad-certificate",
            &path.place,
            format!("`{shown}` holds a certificate that cannot be read: {e}"),
        )
        .help("write the certificates in PEM, one after the other")
    })?;
    if found.is_empty() {
        let message = format!("`{shown}` holds no certificate");
        return Err(Mistake::error("empty-certificate-file", &path.place, message)
            .help("the file must hold at least one block `-----BEGIN CERTIFICATE-----`"));
    }
    Ok(found)
}

/// The private key of a PEM file.
///
/// # Errors
/// The file cannot be read or holds no key that needs no passphrase.
pub(super) fn key(path: &At<FilePath>) -> Result<PKey<Private>, Mistake> {
    let bytes = zeroize::Zeroizing::new(read(path, PEM_BYTES_MAX)?);
    // The empty passphrase keeps the library from asking for one on the terminal.
    PKey::private_key_from_pem_passphrase(&bytes, b"").map_err(|_e| {
        let message = format!("`{}` holds no usable private key", path.value.0.display());
        Mistake::error("bad-key", &path.place, message)
            .help("write the key in PEM (PKCS#8, SEC1 or PKCS#1) and without a passphrase")
    })
}

/// A warning where everybody on the machine may read a key.
pub(super) fn open_to_others(path: &At<FilePath>) -> Option<Mistake> {
    let mode = std::fs::metadata(&path.value.0).ok()?.permissions().mode();
    let message = format!("everybody may read the private key `{}`", path.value.0.display());
    let warning = Mistake::warning("key-open", &path.place, message);
    (mode & 0o007 != 0).then(|| warning.help("take the right away with `chmod o-rwx`"))
}

/// Forgets what the TLS library noted of failures on this thread. Left there, they would be taken
/// for failures of whichever connection the thread serves next.
pub(super) fn forget_failures() {
    drop(ErrorStack::get());
}

/// An instant of a certificate; `None` where it is out of range.
pub(super) fn timestamp(time: &Asn1TimeRef) -> Option<Timestamp> {
    let difference = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(difference.days) * 86_400 + i64::from(difference.secs);
    Timestamp::from_second(seconds).ok()
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}
