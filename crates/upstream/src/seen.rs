//! What one handshake showed, written down once per connection and looked at on every request.
//!
//! Pingora's own record has neither names nor chain, and its hook cannot refuse: so the hook only
//! writes down, and [`crate::verify`] judges.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use openssl::nid::Nid;
use openssl::ssl::{SslRef, SslVersion};
use openssl::x509::{X509KeyUsage, X509Ref};
use pingora::protocols::tls::HandshakeCompleteHook;

use crate::expected::Names;
use crate::trust::{serial_bytes, timestamp};

/// What one handshake showed.
#[derive(Debug)]
pub(crate) struct Seen {
    /// For which identity the connection was opened.
    pub(crate) group: u64,
    /// Whether the version is TLS 1.2 or newer.
    pub(crate) version_modern: bool,
    /// Whether the cipher has forward secrecy and is authenticated.
    pub(crate) cipher_modern: bool,
    /// The version's name.
    pub(crate) version: &'static str,
    /// The cipher's name.
    pub(crate) cipher: &'static str,
    /// The leaf's names.
    pub(crate) names: Names,
    /// Whether the leaf is X.509 v3 and may not sign certificates.
    pub(crate) is_leaf: bool,
    /// When the first certificate of the chain ends.
    pub(crate) ends: Timestamp,
    /// Every certificate of the verified chain but the anchor.
    pub(crate) chain: Vec<Link>,
}

/// One certificate of a chain, as a revocation list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// DER of the issuer's name.
    pub(crate) issuer: Vec<u8>,
    /// Serial number, big-endian.
    pub(crate) serial: Vec<u8>,
}

/// The hook that writes it down for connections of one identity.
pub(crate) fn hook(group: u64) -> HandshakeCompleteHook {
    Arc::new(move |ssl| {
        // Without a record the connection is refused later: nothing is lost here.
        let seen = look(group, ssl)?;
        Some(Arc::new(seen) as Arc<dyn Any + Send + Sync>)
    })
}

fn look(group: u64, ssl: &SslRef) -> Option<Seen> {
    let leaf = ssl.peer_certificate()?;
    let version = ssl.version2();
    let cipher = ssl.current_cipher().map_or("none", openssl::ssl::SslCipherRef::name);
    let mut ends = timestamp(leaf.not_after())?;
    let mut chain = Vec::new();
    let verified: Vec<&X509Ref> = ssl.verified_chain().into_iter().flatten().collect();
    for certificate in &verified {
        ends = ends.min(timestamp(certificate.not_after())?);
    }
    if let Some((_anchor, below)) = verified.split_last() {
        for certificate in below {
            chain.push(Link {
                issuer: certificate.issuer_name().to_der().ok()?,
                serial: serial_bytes(certificate.serial_number())?,
            });
        }
    }
    Some(Seen {
        group,
        version_modern: matches!(version, Some(SslVersion::TLS1_2 | SslVersion::TLS1_3)),
        cipher_modern: version == Some(SslVersion::TLS1_3) || is_modern_tls12(cipher),
        version: ssl.version_str(),
        cipher,
        names: names(&leaf),
        is_leaf: is_leaf(&leaf),
        ends,
        chain,
    })
}

fn is_modern_tls12(cipher: &str) -> bool {
    cipher.starts_with("ECDHE-") && (cipher.contains("GCM") || cipher.contains("CHACHA20"))
}

fn is_leaf(certificate: &X509Ref) -> bool {
    // OpenSSL counts versions from zero.
    let version3 = certificate.version() == 2;
    let signs =
        certificate.key_usage().is_some_and(|usage| usage.contains(X509KeyUsage::KEY_CERT_SIGN));
    version3 && !signs
}

fn names(certificate: &X509Ref) -> Names {
    let mut names = Names::default();
    for name in certificate.subject_alt_names().into_iter().flatten() {
        if let Some(dns) = name.dnsname() {
            names.dns.push(dns.to_owned());
        } else if let Some(uri) = name.uri() {
            names.uris.push(uri.to_owned());
        } else if let Some(bytes) = name.ipaddress() {
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
            names.addresses.extend(four.or(sixteen));
        }
    }
    names
}

/// A name of a certificate for an operator: its common name, or all of it.
pub(crate) fn name_text(name: &openssl::x509::X509NameRef) -> String {
    let common = name.entries_by_nid(Nid::COMMONNAME).next();
    common.map_or_else(
        || format!("{name:?}"),
        |entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::is_modern_tls12;

    #[test]
    fn ciphers_of_tls_1_2() {
        for (cipher, modern) in [
            ("ECDHE-ECDSA-AES128-GCM-SHA256", true),
            ("ECDHE-RSA-CHACHA20-POLY1305", true),
            ("ECDHE-RSA-AES128-SHA", false),
            ("AES128-GCM-SHA256", false),
            ("DES-CBC3-SHA", false),
            ("none", false),
        ] {
            assert_eq!(is_modern_tls12(cipher), modern, "{cipher}");
        }
    }
}
