//! Revocation lists (RFC 5280 section 5), as the gateway needs them: issuer and serial in, revoked
//! or not out.
//!
//! 1. A list is believed only if an authority of `ca:` has its issuer's name, may sign lists, and
//!    its key verifies the signature. A list of anybody else is a mistake, never ignored.
//! 2. Only complete lists: one with a critical extension (a delta, or one for some reasons or some
//!    certificates) is a mistake, and so is one with MD5 or SHA-1.
//! 3. Of two lists of one issuer the newer counts.
//! 4. A list whose `nextUpdate` has passed is loaded with a warning and says nothing: whoever asks
//!    gets [`Revocation::Unknown`]. So does an issuer without a list.

use std::collections::HashMap;

use document::{At, FilePath, Mistake, Mistakes};
use jiff::Timestamp;
use openssl::hash::{MessageDigest, hash};
use openssl::x509::{X509, X509Crl, X509Ref};

use super::der::{BOOLEAN, Der, GENERALIZED_TIME, INTEGER, OID, SEQUENCE, UTC_TIME, unsigned};
use super::leaf::{self, SERIAL_BYTES_MAX};
use super::pem;

/// Names an authority: SHA-256 of its subject and its key.
pub(super) type IssuerId = [u8; 32];

/// Every list, by issuer.
#[derive(Debug, Default)]
pub(super) struct CrlSet {
    lists: HashMap<IssuerId, List>,
}

/// What the lists say of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revocation {
    /// It is on its issuer's list.
    Revoked,
    /// It is not, and the list is good until then.
    Good {
        /// When the list was issued.
        issued: Timestamp,
        /// When it must be replaced.
        until: Timestamp,
    },
    /// Its issuer has no current list.
    Unknown,
}

#[derive(Debug)]
struct List {
    issuer: Box<str>,
    issued: Timestamp,
    until: Timestamp,
    /// Sorted; big-endian, filled with zeros at the front.
    serials: Box<[[u8; SERIAL_BYTES_MAX]]>,
}

impl CrlSet {
    /// Reads files; what is wrong with any of them is added to `mistakes`.
    pub(super) fn load(
        files: &[At<FilePath>],
        authorities: &[X509],
        now: Timestamp,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut set = Self::default();
        for path in files {
            if let Err(mistake) = set.load_file(path, authorities, now, mistakes) {
                mistakes.push(mistake);
            }
        }
        set
    }

    /// What the lists say of a certificate and its issuer.
    pub(super) fn check(
        &self,
        certificate: &X509Ref,
        issuer: &X509Ref,
        now: Timestamp,
    ) -> Revocation {
        let list = issuer_id(issuer).and_then(|id| self.lists.get(&id));
        let serial = certificate.serial_number().to_bn().map(|serial| serial.to_vec());
        let (Some(list), Ok(serial)) = (list, serial) else { return Revocation::Unknown };
        let Some(serial) = fixed(&serial) else { return Revocation::Unknown };
        if list.serials.binary_search(&serial).is_ok() {
            return Revocation::Revoked;
        }
        if now >= list.until {
            return Revocation::Unknown;
        }
        Revocation::Good { issued: list.issued, until: list.until }
    }

    /// Each issuer and when its list was issued.
    pub(super) fn ages(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.lists.values().map(|list| (&*list.issuer, list.issued))
    }

    fn load_file(
        &mut self,
        path: &At<FilePath>,
        authorities: &[X509],
        now: Timestamp,
        mistakes: &mut Mistakes,
    ) -> Result<(), Mistake> {
        let bytes = pem::read(path, pem::CRL_BYTES_MAX)?;
        let shown = path.value.0.display();
        let bad = |why: &str| {
            Mistake::error("bad-crl", &path.place, format!("revocation list `{shown}`: {why}"))
        };
        let parsed = split(&bytes).ok_or_else(|| {
            bad("it holds no revocation list").help("write it in PEM (`X509 CRL`) or DER")
        })?;
        for crl in parsed {
            let authority = signer(&crl, authorities).ok_or_else(|| {
                let message = format!("no authority of `ca` signed the revocation list `{shown}`");
                Mistake::error("crl-of-another", &path.place, message)
                    .help("name the issuer's certificate under `ca`, or remove the list")
            })?;
            let id = issuer_id(authority).ok_or_else(|| bad("its issuer cannot be read"))?;
            let list = List::read(&crl, authority).map_err(bad)?;
            if now >= list.until {
                let message = format!("revocation list `{shown}` ended at {}", list.until);
                let warning = Mistake::warning("crl-expired", &path.place, message);
                mistakes.push(warning.help("fetch the issuer's current list"));
            }
            match self.lists.get(&id) {
                Some(present) if present.issued >= list.issued => {}
                Some(_) | None => {
                    self.lists.insert(id, list);
                }
            }
        }
        Ok(())
    }
}

/// Names an authority.
pub(super) fn issuer_id(authority: &X509Ref) -> Option<IssuerId> {
    let mut bytes = authority.subject_name().to_der().ok()?;
    bytes.extend(authority.public_key().ok()?.public_key_to_der().ok()?);
    let digest = hash(MessageDigest::sha256(), &bytes).ok()?;
    IssuerId::try_from(&*digest).ok()
}

impl List {
    fn read(crl: &X509Crl, authority: &X509Ref) -> Result<Self, &'static str> {
        let der = crl.to_der().map_err(|_e| "it cannot be read")?;
        let serials = serials(&der)?;
        let issued = pem::timestamp(crl.last_update()).ok_or("its date cannot be read")?;
        let until = crl.next_update().and_then(pem::timestamp);
        let until = until.ok_or("it does not say when the next one comes (`nextUpdate`)")?;
        Ok(Self { issuer: leaf::subject(authority), issued, until, serials })
    }
}

/// The authority whose name, permission and key fit.
fn signer<'a>(crl: &X509Crl, authorities: &'a [X509]) -> Option<&'a X509> {
    authorities.iter().find(|authority| {
        let named = crl.issuer_name().try_cmp(authority.subject_name());
        let may = authority
            .key_usage()
            .is_none_or(|usage| usage.contains(openssl::x509::X509KeyUsage::CRL_SIGN));
        named.is_ok_and(std::cmp::Ordering::is_eq)
            && may
            && authority.public_key().is_ok_and(|key| crl.verify(&key).unwrap_or(false))
    })
}

/// The lists of a file: several in PEM, or one in DER.
fn split(bytes: &[u8]) -> Option<Vec<X509Crl>> {
    const END: &str = "-----END X509 CRL-----";
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains(END)) else {
        return X509Crl::from_der(bytes).ok().map(|crl| vec![crl]);
    };
    let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
    blocks.map(|block| X509Crl::from_pem(block.as_bytes()).ok()).collect()
}

/// RFC 5280 section 5.1: the serials of a complete list.
fn serials(der: &[u8]) -> Result<Box<[[u8; SERIAL_BYTES_MAX]]>, &'static str> {
    const UNREADABLE: &str = "it cannot be read";
    let mut crl = Der::only(der, SEQUENCE).ok_or(UNREADABLE)?;
    let mut tbs = Der::new(crl.take(SEQUENCE).ok_or(UNREADABLE)?);
    tbs.take(INTEGER);
    let signature = tbs.take(SEQUENCE).and_then(|id| Der::new(id).take(OID)).ok_or(UNREADABLE)?;
    if leaf::is_weak(signature) {
        return Err("it is signed with MD5 or SHA-1");
    }
    tbs.take(SEQUENCE).ok_or(UNREADABLE)?;
    while matches!(tbs.peek(), Some(UTC_TIME | GENERALIZED_TIME)) {
        tbs.next();
    }
    let mut entries = Der::new(tbs.take(SEQUENCE).unwrap_or_default());
    let mut serials = Vec::new();
    while !entries.is_empty() {
        let mut entry = Der::new(entries.take(SEQUENCE).ok_or(UNREADABLE)?);
        let serial = entry.take(INTEGER).and_then(unsigned).and_then(fixed);
        serials.push(serial.ok_or("it revokes a serial that is longer than 20 octets")?);
        entry.next();
        refuse_critical(entry.take(SEQUENCE))?;
    }
    let extensions = tbs.take(0xa0).and_then(|content| Der::new(content).take(SEQUENCE));
    refuse_critical(extensions)?;
    serials.sort_unstable();
    Ok(serials.into())
}

fn refuse_critical(extensions: Option<&[u8]>) -> Result<(), &'static str> {
    let mut list = Der::new(extensions.unwrap_or_default());
    while !list.is_empty() {
        let mut extension = Der::new(list.take(SEQUENCE).ok_or("it cannot be read")?);
        extension.take(OID).ok_or("it cannot be read")?;
        if extension.take(BOOLEAN).is_some_and(|critical| critical != [0]) {
            return Err("it is a delta, partial or indirect list, and only complete ones are read");
        }
    }
    Ok(())
}

fn fixed(serial: &[u8]) -> Option<[u8; SERIAL_BYTES_MAX]> {
    let mut fixed = [0; SERIAL_BYTES_MAX];
    let start = SERIAL_BYTES_MAX.checked_sub(serial.len())?;
    fixed.get_mut(start..)?.copy_from_slice(serial);
    Some(fixed)
}
