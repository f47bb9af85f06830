//! What a client certificate must be, beyond a chain that verifies, and the facts in it.
//!
//! The TLS library accepts more than an identity may rest on. Refused here:
//!
//! 1. Another version than 3; a serial that is negative, zero or longer than 20 octets (RFC 5280
//!    section 4.1.2.2); an extension that comes twice.
//! 2. A certificate of an authority; a key usage without `digitalSignature`.
//! 3. No extended key usage, or one that does not name `clientAuth` itself: `anyExtendedKeyUsage`
//!    is not enough.
//! 4. RSA below 2048 or above 8192 bits, a curve that is not P-256, P-384 or P-521, any key but
//!    these and Ed25519; a signature with MD5 or SHA-1.
//! 5. No subject alternative name; a name with a NUL, a control character, a blank or, where the
//!    type is IA5, an octet outside ASCII. Such a name means different things to different
//!    readers, so the whole certificate is ambiguous, not only the name.

use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};
use openssl::x509::X509Ref;
use policy::Certificate;

use super::der::{
    BIT_STRING, BOOLEAN, Der, INTEGER, OCTET_STRING, OID, SEQUENCE, UTF8_STRING, unsigned,
};
use super::fault::Unfit;
use super::{name, pem};

/// RSA keys.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;
/// Octets of a serial number (RFC 5280 section 4.1.2.2).
pub(super) const SERIAL_BYTES_MAX: usize = 20;
/// Names of one certificate.
const NAMES_MAX: usize = 64;
/// Extensions of one certificate.
const EXTENSIONS_MAX: usize = 64;

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// `szOID_NT_PRINCIPAL_NAME`, 1.3.6.1.4.1.311.20.2.3.
const PRINCIPAL_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

/// Signature algorithms with MD2, MD4, MD5 or SHA-1.
const WEAK_SIGNATURES: &[&[u8]] = &[
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 3],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
    &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3],
    &[0x2b, 0x0e, 3, 2, 0x1d],
];

/// Facts of a certificate whose chain verified; the caller adds anchor and revocation.
///
/// # Errors
/// Why it is not fit to identify a client.
pub(super) fn facts(certificate: &X509Ref) -> Result<Certificate, Unfit> {
    let der = certificate.to_der().map_err(|_e| Unfit::Unreadable)?;
    let leaf = Leaf::read(&der).ok_or(Unfit::Unreadable)?;
    leaf.check_form()?;
    check_key(certificate)?;
    let names = Names::read(leaf.extension(ALTERNATIVE_NAME).ok_or(Unfit::NoName)?.value)?;
    let svid = leaf.spiffe(&names);
    let sha256 =
        |bytes: &[u8]| hash(MessageDigest::sha256(), bytes).map(|d| pem::hex(&d).into_boxed_str());
    Ok(Certificate {
        subject: name::rfc4514(leaf.subject).ok_or(Unfit::Unreadable)?.into(),
        issuer: name::rfc4514(leaf.issuer).ok_or(Unfit::Unreadable)?.into(),
        anchor: Box::default(),
        spiffe_id: svid.map(|(id, _)| id.into()),
        trust_domain: svid.map(|(_, domain)| domain.into()),
        fingerprint: sha256(&der).map_err(|_e| Unfit::Unreadable)?,
        spki: sha256(leaf.spki).map_err(|_e| Unfit::Unreadable)?,
        serial: pem::hex(leaf.serial).trim_start_matches('0').into(),
        not_before: pem::timestamp(certificate.not_before()).ok_or(Unfit::Unreadable)?,
        not_after: pem::timestamp(certificate.not_after()).ok_or(Unfit::Unreadable)?,
        revocation_data_at: None,
        san_dns: names.dns.into(),
        san_email: names.email.into(),
        san_uri: names.uri.into(),
        san_upn: names.upn.into(),
    })
}

/// Subject of a certificate, for an operator; never empty.
pub(super) fn subject(certificate: &X509Ref) -> Box<str> {
    let der = certificate.subject_name().to_der().ok();
    let text = der.and_then(|der| name::rfc4514(&der)).filter(|text| !text.is_empty());
    text.unwrap_or_else(|| "(no subject)".to_owned()).into()
}

/// Whether a certificate says that it is an authority's.
pub(super) fn is_authority(certificate: &X509Ref) -> bool {
    let der = certificate.to_der().unwrap_or_default();
    Leaf::read(&der).is_some_and(|leaf| leaf.check_constraints() == Err(Unfit::Authority))
}

/// Whether a signature algorithm (the content of its identifier) uses a broken hash.
pub(super) fn is_weak(algorithm: &[u8]) -> bool {
    WEAK_SIGNATURES.contains(&algorithm)
}

struct Leaf<'a> {
    version: u8,
    serial: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

#[derive(Clone, Copy)]
struct Extension<'a> {
    id: &'a [u8],
    value: &'a [u8],
}

#[derive(Default)]
struct Names {
    dns: Vec<Box<str>>,
    email: Vec<Box<str>>,
    uri: Vec<Box<str>>,
    upn: Vec<Box<str>>,
    others: usize,
}

// === impl Leaf ===

impl<'a> Leaf<'a> {
    /// RFC 5280 section 4.1.
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Der::only(der, SEQUENCE)?;
        let mut tbs = Der::new(certificate.take(SEQUENCE)?);
        let version = match tbs.take(0xa0) {
            Some(content) => *Der::new(content).take(INTEGER)?.last()?,
            None => 0,
        };
        let serial = tbs.take(INTEGER)?;
        let signature = Der::new(tbs.take(SEQUENCE)?).take(OID)?;
        let issuer = tbs.next()?.whole;
        tbs.take(SEQUENCE)?;
        let subject = tbs.next()?.whole;
        let spki = tbs.next()?.whole;
        let mut extensions = Vec::new();
        while let Some(element) = tbs.next() {
            if element.tag == 0xa3 {
                extensions = read_extensions(element.content)?;
            }
        }
        Some(Self { version, serial, signature, issuer, subject, spki, extensions })
    }

    fn extension(&self, id: &[u8]) -> Option<Extension<'a>> {
        self.extensions.iter().find(|extension| extension.id == id).copied()
    }

    fn check_form(&self) -> Result<(), Unfit> {
        if self.version != 2 {
            return Err(Unfit::Version);
        }
        let serial = unsigned(self.serial).ok_or(Unfit::Serial)?;
        if serial.is_empty() || self.serial.len() > SERIAL_BYTES_MAX {
            return Err(Unfit::Serial);
        }
        if is_weak(self.signature) {
            return Err(Unfit::WeakSignature);
        }
        let twice = |(at, extension): (usize, &Extension<'_>)| {
            self.extensions.iter().skip(at + 1).any(|other| other.id == extension.id)
        };
        if self.extensions.iter().enumerate().any(twice) {
            return Err(Unfit::Unreadable);
        }
        self.check_constraints()?;
        if self.key_usage().is_some_and(|usage| usage & 0x80 == 0) {
            return Err(Unfit::KeyUsage);
        }
        match self.purposes() {
            Some(purposes) if purposes.contains(&CLIENT_AUTH) => Ok(()),
            Some(_) | None => Err(Unfit::Purpose),
        }
    }

    fn check_constraints(&self) -> Result<(), Unfit> {
        let Some(extension) = self.extension(BASIC_CONSTRAINTS) else { return Ok(()) };
        let mut constraints = Der::only(extension.value, SEQUENCE).ok_or(Unfit::Unreadable)?;
        if constraints.take(BOOLEAN).is_some_and(|value| value != [0]) {
            return Err(Unfit::Authority);
        }
        Ok(())
    }

    /// First octet of the key usage: digitalSignature is 0x80, keyCertSign 0x04, cRLSign 0x02.
    fn key_usage(&self) -> Option<u8> {
        let extension = self.extension(KEY_USAGE)?;
        let bits = Der::new(extension.value).take(BIT_STRING).and_then(|bits| bits.get(1).copied());
        Some(bits.unwrap_or(0))
    }

    fn purposes(&self) -> Option<Vec<&'a [u8]>> {
        let mut list = Der::only(self.extension(EXTENDED_KEY_USAGE)?.value, SEQUENCE)?;
        let mut purposes = Vec::new();
        while !list.is_empty() {
            purposes.push(list.take(OID)?);
        }
        Some(purposes)
    }

    /// The SPIFFE id and its trust domain, where the certificate is an X.509-SVID: one URI, a key
    /// usage that signs but issues nothing, and both purposes of TLS.
    fn spiffe<'n>(&self, names: &'n Names) -> Option<(&'n str, &'n str)> {
        let [uri] = names.uri.as_slice() else { return None };
        let domain = name::trust_domain(uri)?;
        let usage = self.key_usage()?;
        let purposes = self.purposes()?;
        let fit = usage & 0x86 == 0x80
            && purposes.contains(&CLIENT_AUTH)
            && purposes.contains(&SERVER_AUTH);
        fit.then_some((&**uri, domain))
    }
}

fn read_extensions(content: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut list = Der::only(content, SEQUENCE)?;
    let mut extensions = Vec::new();
    while !list.is_empty() {
        let mut extension = Der::new(list.take(SEQUENCE)?);
        let id = extension.take(OID)?;
        extension.take(BOOLEAN);
        let value = extension.take(OCTET_STRING)?;
        if extensions.len() == EXTENSIONS_MAX {
            return None;
        }
        extensions.push(Extension { id, value });
    }
    Some(extensions)
}

pub(super) fn check_key(certificate: &X509Ref) -> Result<(), Unfit> {
    let key: PKey<_> = certificate.public_key().map_err(|_e| Unfit::WeakKey)?;
    let fit = match key.id() {
        Id::RSA | Id::RSA_PSS => RSA_BITS.contains(&key.bits()),
        Id::ED25519 => true,
        Id::EC => key.ec_key().is_ok_and(|key| {
            let curves = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];
            key.group().curve_name().is_some_and(|curve| curves.contains(&curve))
        }),
        _ => false,
    };
    fit.then_some(()).ok_or(Unfit::WeakKey)
}

// === impl Names ===

impl Names {
    /// RFC 5280 section 4.2.1.6; the context tags are those of `GeneralName`.
    fn read(value: &[u8]) -> Result<Self, Unfit> {
        let mut list = Der::only(value, SEQUENCE).ok_or(Unfit::Unreadable)?;
        let mut names = Self::default();
        while !list.is_empty() {
            let element = list.next().ok_or(Unfit::Unreadable)?;
            match element.tag {
                0x81 => names.email.push(ascii(element.content)?),
                0x82 => names.dns.push(ascii(element.content)?.to_ascii_lowercase().into()),
                0x86 => names.uri.push(ascii(element.content)?),
                0xa0 => names.other(element.content)?,
                _ => names.others += 1,
            }
            if names.count() > NAMES_MAX {
                return Err(Unfit::Unreadable);
            }
        }
        if names.count() == 0 { Err(Unfit::NoName) } else { Ok(names) }
    }

    fn other(&mut self, content: &[u8]) -> Result<(), Unfit> {
        let mut other = Der::new(content);
        if other.take(OID) != Some(PRINCIPAL_NAME) {
            self.others += 1;
            return Ok(());
        }
        let mut value = Der::new(other.take(0xa0).ok_or(Unfit::Ambiguous)?);
        let text = value.take(UTF8_STRING).ok_or(Unfit::Ambiguous)?;
        let text = std::str::from_utf8(text).map_err(|_e| Unfit::Ambiguous)?;
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Unfit::Ambiguous);
        }
        self.upn.push(text.into());
        Ok(())
    }

    fn count(&self) -> usize {
        self.dns.len() + self.email.len() + self.uri.len() + self.upn.len() + self.others
    }
}

fn ascii(bytes: &[u8]) -> Result<Box<str>, Unfit> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(Unfit::Ambiguous);
    }
    std::str::from_utf8(bytes).map(Into::into).map_err(|_e| Unfit::Ambiguous)
}
