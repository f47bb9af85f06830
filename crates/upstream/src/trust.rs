//! Whom an upstream is trusted by, and who the gateway is to it: files, read and checked at load.

use document::{At, FilePath, Mistake, Mistakes};
use jiff::Timestamp;
use openssl::asn1::{Asn1IntegerRef, Asn1Time, Asn1TimeRef};
use openssl::pkey::PKey;
use openssl::x509::X509;
use pingora::utils::tls::CertKey;

/// An operator is warned this many seconds before a certificate ends.
const WARN_SECONDS: i64 = 7 * 24 * 3600;

/// The gateway's certificate towards one upstream.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    pub(crate) cert_key: CertKey,
    pub(crate) digest: [u8; 32],
    pub(crate) ends: Timestamp,
}

/// Reads the authorities of one upstream: at least one, and one that signed itself.
pub(crate) fn authorities(
    files: &[At<FilePath>],
    now: Timestamp,
    mistakes: &mut Mistakes,
) -> Vec<X509> {
    let before = mistakes.len();
    let mut all = Vec::new();
    for file in files {
        let Some(found) = certificates(file, "authorities", mistakes) else { continue };
        for certificate in &found {
            warn_of_end(certificate, file, "authority", now, mistakes);
        }
        all.extend(found);
    }
    let self_signed = |c: &X509| c.issued(c) == openssl::x509::X509VerifyResult::OK;
    if let Some(first) = files.first()
        && mistakes.iter().skip(before).all(|m| m.level == document::Level::Warning)
        && !all.iter().any(self_signed)
    {
        let text = "none of the authorities in `ca` is a root: no certificate would verify";
        let help = "add the root that the intermediate authorities were issued by";
        mistakes.push(Mistake::error("ca-without-root", &first.place, text).help(help));
    }
    all
}

/// Reads the gateway's certificate and key towards one upstream.
pub(crate) fn client_identity(
    cert: &At<FilePath>,
    key: &At<FilePath>,
    now: Timestamp,
    mistakes: &mut Mistakes,
) -> Option<ClientIdentity> {
    let chain = certificates(cert, "client certificate", mistakes);
    let private = read(key, "private key", mistakes).and_then(|pem| {
        // An empty passphrase, so that an encrypted key is a mistake and not a question.
        PKey::private_key_from_pem_passphrase(&pem, b"")
            .map_err(|_cause| {
                let path = key.value.0.display();
                let text = format!("`{path}` holds no readable private key");
                let help = "write an unencrypted PEM key (PKCS #8) into it";
                mistakes.push(Mistake::error("key-unreadable", &key.place, text).help(help));
            })
            .ok()
    });
    let (chain, private) = (chain?, private?);
    let leaf = chain.first()?;
    if !leaf.public_key().is_ok_and(|public| public.public_eq(&private)) {
        let text = "the private key does not belong to the client certificate";
        let mistake = Mistake::error("key-mismatch", &key.place, text)
            .help("name the key that the certificate was issued for")
            .related(&cert.place, "the certificate");
        mistakes.push(mistake);
        return None;
    }
    let (digest, ends) = (sha256(leaf)?, timestamp(leaf.not_after())?);
    if now > ends {
        let text = format!("the client certificate ended at {ends}: no backend would accept it");
        let help = "renew it, for example with `portcullis pki renew`";
        mistakes.push(Mistake::error("certificate-expired", &cert.place, text).help(help));
        return None;
    }
    warn_of_end(leaf, cert, "client certificate", now, mistakes);
    Some(ClientIdentity { cert_key: CertKey::new(chain, private), digest, ends })
}

/// Names a set of authorities: SHA-256 over the SHA-256 of each.
pub(crate) fn bundle_digest(authorities: &[X509]) -> [u8; 32] {
    let mut hasher = openssl::sha::Sha256::new();
    for digest in authorities.iter().filter_map(sha256) {
        hasher.update(&digest);
    }
    hasher.finish()
}

/// Reads a file, or says why not.
pub(crate) fn read(file: &At<FilePath>, what: &str, mistakes: &mut Mistakes) -> Option<Vec<u8>> {
    let path = file.value.0.display();
    match std::fs::read(&file.value.0) {
        Ok(bytes) if bytes.is_empty() => {
            let text = format!("the {what} file `{path}` is empty");
            let help = format!("write the {what} into it");
            mistakes.push(Mistake::error("file-empty", &file.place, text).help(help));
            None
        }
        Ok(bytes) => Some(bytes),
        Err(cause) => {
            let text = format!("the {what} file `{path}` cannot be read: {cause}");
            let help = "paths are relative to the file in which they stand";
            mistakes.push(Mistake::error("file-unreadable", &file.place, text).help(help));
            None
        }
    }
}

/// OpenSSL's time as ours.
pub(crate) fn timestamp(time: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Timestamp::from_second(i64::from(since.days) * 86_400 + i64::from(since.secs)).ok()
}

/// A serial number, big-endian without leading zeros.
pub(crate) fn serial_bytes(serial: &Asn1IntegerRef) -> Option<Vec<u8>> {
    serial.to_bn().ok().map(|number| number.to_vec())
}

fn certificates(file: &At<FilePath>, what: &str, mistakes: &mut Mistakes) -> Option<Vec<X509>> {
    let pem = read(file, what, mistakes)?;
    match X509::stack_from_pem(&pem) {
        Ok(found) if !found.is_empty() => Some(found),
        Ok(_) | Err(_) => {
            let text = format!("`{}` holds no readable certificate", file.value.0.display());
            let help = "write PEM certificates into it";
            mistakes.push(Mistake::error("certificate-unreadable", &file.place, text).help(help));
            None
        }
    }
}

fn warn_of_end(
    certificate: &X509,
    file: &At<FilePath>,
    what: &str,
    now: Timestamp,
    mistakes: &mut Mistakes,
) {
    let Some(end) = timestamp(certificate.not_after()) else { return };
    let left = end.as_second().saturating_sub(now.as_second());
    if left <= WARN_SECONDS {
        let verb = if left < 0 { "ended" } else { "ends" };
        let text = format!("the {what} in `{}` {verb} at {end}", file.value.0.display());
        let mistake = Mistake::warning("certificate-ends", &file.place, text);
        mistakes.push(mistake.help("renew it"));
    }
}

fn sha256(certificate: &X509) -> Option<[u8; 32]> {
    certificate.to_der().ok().map(|der| openssl::sha::sha256(&der))
}
