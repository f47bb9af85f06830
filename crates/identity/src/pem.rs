//! Certificates from files of the configuration.

use std::fs;

use document::{At, FilePath, Mistake};
use openssl::sha::sha256;
use openssl::x509::{X509, X509Ref};

use crate::text::to_hex;

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(file: &At<FilePath>) -> Result<Vec<X509>, Mistake> {
    let At { value: FilePath(path), place } = file;
    let shown = path.display();
    let text = fs::read(path).map_err(|error| {
        Mistake::error("unreadable-file", place, format!("cannot read `{shown}`: {error}"))
            .help("write the path of a PEM file, relative to this file")
    })?;
    let found = X509::stack_from_pem(&text).unwrap_or_default();
    if found.is_empty() {
        return Err(Mistake::error(
            "no-certificate",
            place,
            format!("`{shown}` has no certificate"),
        )
        .help("write one or more certificates in PEM into it"));
    }
    Ok(found)
}

/// SHA-256 of each certificate's DER, lower-case hex.
pub(crate) fn fingerprints(certificates: &[X509]) -> Vec<Box<str>> {
    certificates.iter().filter_map(|certificate| fingerprint(certificate)).collect()
}

fn fingerprint(certificate: &X509Ref) -> Option<Box<str>> {
    certificate.to_der().ok().map(|der| to_hex(&sha256(&der)).into())
}
