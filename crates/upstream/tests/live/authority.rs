//! Certificates for tests: good ones, and every wrong kind.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509Name, X509NameRef, X509RevokedBuilder,
};

pub(crate) const DAY: i64 = 86_400;

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

/// What to issue. The times are seconds from now.
#[derive(Clone)]
pub(crate) struct Leaf<'a> {
    pub(crate) name: &'a str,
    pub(crate) dns: Vec<&'a str>,
    pub(crate) uris: Vec<&'a str>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) serial: u32,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) signs: bool,
}

impl<'a> Leaf<'a> {
    /// A certificate for a DNS name, good for a month.
    pub(crate) fn named(name: &'a str) -> Self {
        Self {
            name,
            dns: vec![name],
            uris: vec![],
            addresses: vec![],
            serial: 7,
            from: -DAY,
            to: 30 * DAY,
            signs: false,
        }
    }

    /// A certificate without any name but the common one.
    pub(crate) fn nameless(name: &'a str) -> Self {
        Self { dns: vec![], ..Self::named(name) }
    }
}

impl Pair {
    /// An authority that signed itself.
    pub(crate) fn root(name: &str) -> Self {
        let key = new_key();
        let leaf = Leaf { signs: true, serial: 1, ..Leaf::nameless(name) };
        let certificate = build(&leaf, &key, &x509_name(name), &key);
        Self { certificate, key }
    }

    /// A certificate of this authority.
    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> Self {
        self.issue_for(leaf, new_key())
    }

    /// The same for a key that is there.
    pub(crate) fn issue_for(&self, leaf: &Leaf<'_>, key: PKey<Private>) -> Self {
        let certificate = build(leaf, &key, self.certificate.subject_name(), &self.key);
        Self { certificate, key }
    }

    /// A revocation list of this authority, due so many seconds from now.
    pub(crate) fn crl(&self, revoked: &[u32], due: i64) -> Vec<u8> {
        let mut builder = X509CrlBuilder::new().unwrap();
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_last_update(&time(-2 * DAY)).unwrap();
        builder.set_next_update(&time(due)).unwrap();
        for serial in revoked {
            let mut entry = X509RevokedBuilder::new().unwrap();
            entry.set_serial_number(&integer(*serial)).unwrap();
            entry.set_revocation_date(&time(-DAY)).unwrap();
            builder.add_revoked(entry.build()).unwrap();
        }
        // The library asks for a key identifier and a number, whatever they are.
        for (oid, value) in [("2.5.29.35", &[0x30, 3, 0x80, 1, 1][..]), ("2.5.29.20", &[2, 1, 1])] {
            let oid = Asn1Object::from_str(oid).unwrap();
            let value = Asn1OctetString::new_from_bytes(value).unwrap();
            let extension = X509Extension::new_from_der(&oid, false, &value).unwrap();
            builder.append_extension(extension).unwrap();
        }
        builder.sort().unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        builder.build().unwrap().to_pem().unwrap()
    }

    /// Writes `<stem>.crt` and `<stem>.key`.
    pub(crate) fn write(&self, dir: &Path, stem: &str) -> PathBuf {
        let file = dir.join(format!("{stem}.crt"));
        std::fs::write(&file, self.certificate.to_pem().unwrap()).unwrap();
        let key = self.key.private_key_to_pem_pkcs8().unwrap();
        std::fs::write(dir.join(format!("{stem}.key")), key).unwrap();
        file
    }
}

fn build(leaf: &Leaf<'_>, key: &PKey<Private>, issuer: &X509NameRef, by: &PKey<Private>) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&integer(leaf.serial)).unwrap();
    builder.set_subject_name(&x509_name(leaf.name)).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_not_before(&time(leaf.from)).unwrap();
    builder.set_not_after(&time(leaf.to)).unwrap();
    builder.set_pubkey(key).unwrap();
    let mut constraints = BasicConstraints::new();
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if leaf.signs {
        constraints.critical().ca();
        usage.key_cert_sign().crl_sign();
    } else {
        let purpose = ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap();
        builder.append_extension(purpose).unwrap();
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    let mut names = SubjectAlternativeName::new();
    leaf.dns.iter().for_each(|name| _ = names.dns(name));
    leaf.uris.iter().for_each(|uri| _ = names.uri(uri));
    leaf.addresses.iter().for_each(|address| _ = names.ip(&address.to_string()));
    if !(leaf.dns.is_empty() && leaf.uris.is_empty() && leaf.addresses.is_empty()) {
        let names = names.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(by, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn x509_name(name: &str) -> X509Name {
    let mut builder = X509Name::builder().unwrap();
    builder.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    builder.build()
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn integer(number: u32) -> Asn1Integer {
    Asn1Integer::from_bn(&BigNum::from_u32(number).unwrap()).unwrap()
}

fn time(from_now: i64) -> Asn1Time {
    Asn1Time::from_unix(super::now().as_second() + from_now).unwrap()
}
