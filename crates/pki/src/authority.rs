//! The authority: one certificate, one key, one index.
//!
//! In a directory it is `ca.crt`, `ca.key` and `index.jsonl`; without one it lives in memory.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::x509::{X509, X509Req};

use crate::index::{Entry, Event, Index, ListMade};
use crate::{
    Error, Issued, KeyType, Leaf, NameConstraints, Reason, Serial, Signed, Template, files, key,
    renewal, revocation,
};

/// What a new authority is asked to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long it lives (ten years where nothing is said).
    pub lifetime: Duration,
    /// What kind of key it has.
    pub key_type: KeyType,
    /// How many authorities may follow below it (none where nothing is said).
    pub path_length: u8,
    /// Which names it may certify (any where nothing is said).
    pub name_constraints: Option<NameConstraints>,
}

/// A certificate authority.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
    index: Index,
}

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
const INDEX: &str = "index.jsonl";

impl Default for Options {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_hours(3650 * 24),
            key_type: KeyType::P256,
            path_length: 0,
            name_constraints: None,
        }
    }
}

impl Authority {
    /// Makes a new one, in memory.
    ///
    /// # Errors
    /// A name that no certificate can carry; the library refuses.
    pub fn create(name: &str, options: &Options, now: Timestamp) -> Result<Self, Error> {
        let Options { lifetime, key_type, path_length, name_constraints } = options;
        let key = key_type.generate()?;
        let template = Template {
            name_constraints: name_constraints.clone(),
            ..Template::authority(name, *lifetime, *path_length, now)
        };
        let certificate = template.self_signed(&key)?;
        Ok(Self { certificate, key, index: Index::default() })
    }

    /// Opens the one in a directory.
    ///
    /// # Errors
    /// A file is missing or unreadable, the certificate may not sign, the key is another's, the
    /// index is damaged.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let certificate = X509::from_pem(&files::read(&directory.join(CERTIFICATE))?)?;
        let pem = zeroize::Zeroizing::new(files::read(&directory.join(KEY))?);
        let key = PKey::private_key_from_pem(&pem)?;
        let index = Index::load(&directory.join(INDEX))?;
        Self::from_parts(certificate, key).map(|authority| Self { index, ..authority })
    }

    /// Takes a certificate and its key, with an empty index in memory.
    ///
    /// # Errors
    /// The certificate may not sign certificates, or the key is another's.
    pub fn from_parts(certificate: X509, key: PKey<Private>) -> Result<Self, Error> {
        if !certificate.public_key()?.public_eq(&key) {
            return Err(Error::NotAnAuthority("its key belongs to another certificate"));
        }
        let may_sign = certificate
            .key_usage()
            .is_some_and(|usage| usage.contains(openssl::x509::X509KeyUsage::KEY_CERT_SIGN));
        if !may_sign {
            return Err(Error::NotAnAuthority("its key usage has no certificate signing"));
        }
        Ok(Self { certificate, key, index: Index::default() })
    }

    /// Puts it into a directory (mode 0700) that holds none yet, and keeps its index there from
    /// now on.
    ///
    /// # Errors
    /// There already is one; a file cannot be written.
    pub fn save(&mut self, directory: &Path) -> Result<(), Error> {
        files::private_directory(directory)?;
        if directory.join(KEY).exists() || directory.join(CERTIFICATE).exists() {
            return Err(Error::Exists(directory.to_owned()));
        }
        let key = zeroize::Zeroizing::new(self.key.private_key_to_pem_pkcs8()?);
        self.index.save(&directory.join(INDEX))?;
        files::write_private(&directory.join(KEY), &key)?;
        files::write_public(&directory.join(CERTIFICATE), &self.certificate_pem()?)
    }

    /// Issues a certificate with a new key.
    ///
    /// # Errors
    /// No name, a bad name, an authority that ended, an index that cannot be written.
    pub fn issue(&mut self, leaf: &Leaf, now: Timestamp) -> Result<Issued, Error> {
        let key = leaf.key_type.generate()?;
        let Signed { certificate, serial, not_after } = self.certify(&key, leaf, now)?;
        Ok(Issued { certificate, key, serial, not_after })
    }

    /// Issues a certificate for the key of a signing request (PKCS #10, PEM), under the names of
    /// `leaf`; the names in the request are ignored.
    ///
    /// # Errors
    /// As [`Authority::issue`]; also a request that is not signed by its own key, or a weak key.
    pub fn issue_request(
        &mut self,
        request_pem: &[u8],
        leaf: &Leaf,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        let request = X509Req::from_pem(request_pem)
            .map_err(|_e| Error::BadRequest("it is not a PKCS #10 request in PEM"))?;
        let key = request.public_key()?;
        if !request.verify(&key)? {
            return Err(Error::BadRequest("its signature is not by its own key"));
        }
        key::strong(&key)?;
        self.certify(&key, leaf, now)
    }

    /// Issues a successor to a certificate of this authority: the same names and purpose, a new
    /// serial number and life, for its own key or for another.
    ///
    /// # Errors
    /// The certificate was not issued here or is revoked; as [`Authority::issue`].
    pub fn renew(
        &mut self,
        old: &X509,
        new_key: Option<&PKeyRef<Private>>,
        lifetime: Option<Duration>,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        let serial = renewal::serial_of(old)?;
        let entry = self.index.get(&serial).ok_or_else(|| Error::Unknown(serial.clone()))?;
        if entry.revoked.is_some() {
            return Err(Error::AlreadyRevoked(serial));
        }
        if !old.verify(&*self.certificate.public_key()?)? {
            return Err(Error::Unknown(serial));
        }
        let leaf = renewal::leaf_like(entry, lifetime);
        match new_key {
            Some(key) => self.certify(key, &leaf, now),
            None => self.certify(&*old.public_key()?, &leaf, now),
        }
    }

    /// Revokes a certificate; [`Authority::crl`] then lists it.
    ///
    /// # Errors
    /// It was not issued here, is revoked already, or the index cannot be written.
    pub fn revoke(&mut self, serial: &Serial, reason: Reason, now: Timestamp) -> Result<(), Error> {
        self.index.record(|index| {
            let entry = index.get(serial).ok_or_else(|| Error::Unknown(serial.clone()))?;
            if entry.revoked.is_some() {
                return Err(Error::AlreadyRevoked(serial.clone()));
            }
            Ok(Event::Revoked { serial: serial.clone(), at: now, reason })
        })
    }

    /// Makes the next revocation list, in PEM, good until `next_update`.
    ///
    /// # Errors
    /// The index cannot be written; the library refuses.
    pub fn crl(&mut self, now: Timestamp, next_update: Timestamp) -> Result<Vec<u8>, Error> {
        let mut made = ListMade { number: 0, at: now, next_update };
        self.index.record(|index| {
            made.number = index.next_list_number();
            Ok(Event::ListMade(made))
        })?;
        let list = revocation::list((&self.certificate, &self.key), self.index.entries(), made)?;
        Ok(list.to_pem()?)
    }

    /// What was issued, oldest first.
    pub fn list(&self) -> impl Iterator<Item = &Entry> {
        self.index.entries()
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &X509 {
        &self.certificate
    }

    /// The authority's own certificate in PEM.
    ///
    /// # Errors
    /// The library cannot encode it.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, Error> {
        Ok(self.certificate.to_pem()?)
    }

    /// Signs any template for any key and writes nothing into the index: for tests of what must be
    /// refused.
    ///
    /// # Errors
    /// The library refuses a value.
    pub fn danger_sign<T: HasPublic>(
        &self,
        template: &Template,
        subject: &PKeyRef<T>,
    ) -> Result<X509, Error> {
        template.sign(subject, Some(&self.certificate), &self.key)
    }

    fn certify<T: HasPublic>(
        &mut self,
        subject: &PKeyRef<T>,
        leaf: &Leaf,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        if leaf.names.is_empty() {
            return Err(Error::NoName);
        }
        leaf.names.check()?;
        let end = renewal::ends_at(&self.certificate)?;
        if end <= now {
            return Err(Error::Ended(end));
        }
        let mut template = Template::leaf(leaf, now);
        template.not_after = template.not_after.min(end);
        let serial = Serial::random()?;
        template.serial = Some(serial.clone());
        let certificate = template.sign(subject, Some(&self.certificate), &self.key)?;
        let not_after = renewal::ends_at(&certificate)?;
        let entry = entry(&certificate, leaf, &serial, (now, not_after))?;
        self.index.record(|_index| Ok(Event::Issued(Box::new(entry))))?;
        Ok(Signed { certificate, serial, not_after })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn entry(
    certificate: &X509,
    leaf: &Leaf,
    serial: &Serial,
    (issued_at, not_after): (Timestamp, Timestamp),
) -> Result<Entry, Error> {
    let Leaf { common_name, names, purpose, lifetime: _, key_type: _ } = leaf;
    let digest = certificate.digest(MessageDigest::sha256())?;
    Ok(Entry {
        serial: serial.clone(),
        common_name: common_name.clone(),
        names: names.clone(),
        purpose: *purpose,
        issued_at,
        not_after,
        fingerprint: hexadecimal(&digest),
        revoked: None,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
