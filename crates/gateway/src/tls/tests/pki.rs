//! Authorities and certificates for these tests, right and wrong in every way that matters.

use document::{At, FilePath, OneOrMany, Place};
use jiff::Timestamp;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509Crl, X509CrlBuilder, X509Extension, X509NameBuilder, X509RevokedBuilder,
};
use tempfile::TempDir;

use crate::conf::{CertificateConf, ClientCertificatesConf, TlsConf};

/// The instant of these tests: certificates and clocks agree on it, the machine is not asked.
pub(in crate::tls) const NOW: i64 = 1_800_000_000;
pub(in crate::tls) const DAY: i64 = 86_400;

pub(in crate::tls) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A certificate and its key.
#[derive(Clone)]
pub(in crate::tls) struct Identity {
    pub(in crate::tls) cert: X509,
    pub(in crate::tls) key: PKey<Private>,
}

/// What a certificate is made from.
#[derive(Clone)]
pub(in crate::tls) struct Recipe {
    pub(in crate::tls) subject: Vec<(&'static str, &'static str)>,
    pub(in crate::tls) key: PKey<Private>,
    pub(in crate::tls) digest: Option<MessageDigest>,
    pub(in crate::tls) version: i32,
    pub(in crate::tls) serial: Serial,
    pub(in crate::tls) begins: i64,
    pub(in crate::tls) ends: i64,
    pub(in crate::tls) ca: Authority,
    pub(in crate::tls) usage: Option<&'static [&'static str]>,
    pub(in crate::tls) purposes: Option<&'static str>,
    pub(in crate::tls) names: Option<Vec<u8>>,
    pub(in crate::tls) constraints: Option<&'static str>,
}

/// Whether a certificate may issue others.
#[derive(Clone, Copy)]
pub(in crate::tls) enum Authority {
    No,
    Yes,
    /// Only such as may not.
    Last,
}

/// A serial in hexadecimal, with a sign.
pub(in crate::tls) type Serial = &'static str;

pub(in crate::tls) fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(in crate::tls) fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// One `GeneralName` in DER.
pub(in crate::tls) fn name(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    if content.len() > 127 {
        der.extend([0x81, u8::try_from(content.len()).unwrap()]);
    } else {
        der.push(u8::try_from(content.len()).unwrap());
    }
    der.extend(content);
    der
}

pub(in crate::tls) fn names(list: &[Vec<u8>]) -> Vec<u8> {
    name(0x30, &list.concat())
}

/// A user principal name in DER.
pub(in crate::tls) fn upn(text: &[u8]) -> Vec<u8> {
    let oid = [6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];
    name(0xa0, &[&oid[..], &name(0xa0, &name(0x0c, text))].concat())
}

impl Recipe {
    pub(in crate::tls) fn client() -> Self {
        Self {
            subject: vec![("O", "Acme"), ("CN", "alice")],
            key: ec(Nid::X9_62_PRIME256V1),
            digest: Some(MessageDigest::sha256()),
            version: 2,
            serial: "1f",
            begins: NOW - DAY,
            ends: NOW + 30 * DAY,
            ca: Authority::No,
            usage: Some(&["digitalSignature"]),
            purposes: Some("clientAuth"),
            names: Some(names(&[name(0x81, b"alice@acme.test")])),
            constraints: None,
        }
    }

    pub(in crate::tls) fn server(host: &str) -> Self {
        let names = Some(names(&[name(0x82, host.as_bytes())]));
        Self {
            purposes: Some("serverAuth"),
            names,
            subject: vec![("CN", "server")],
            ..Self::client()
        }
    }

    pub(in crate::tls) fn authority(common_name: &'static str) -> Self {
        Self {
            subject: vec![("O", "Acme"), ("CN", common_name)],
            ends: NOW + 3650 * DAY,
            ca: Authority::Yes,
            usage: Some(&["keyCertSign", "cRLSign"]),
            purposes: None,
            names: None,
            ..Self::client()
        }
    }

    pub(in crate::tls) fn self_signed(&self) -> Identity {
        self.build(None)
    }

    pub(in crate::tls) fn signed_by(&self, issuer: &Identity) -> Identity {
        self.build(Some(issuer))
    }

    fn build(&self, issuer: Option<&Identity>) -> Identity {
        let mut subject = X509NameBuilder::new().unwrap();
        for (field, value) in &self.subject {
            subject.append_entry_by_text(field, value).unwrap();
        }
        let subject = subject.build();
        let mut b = X509Builder::new().unwrap();
        b.set_version(self.version).unwrap();
        let serial = BigNum::from_hex_str(self.serial).unwrap().to_asn1_integer().unwrap();
        b.set_serial_number(&serial).unwrap();
        b.set_subject_name(&subject).unwrap();
        b.set_issuer_name(issuer.map_or(&subject, |i| i.cert.subject_name())).unwrap();
        b.set_not_before(&Asn1Time::from_unix(self.begins).unwrap()).unwrap();
        b.set_not_after(&Asn1Time::from_unix(self.ends).unwrap()).unwrap();
        b.set_pubkey(&self.key).unwrap();
        if self.version == 2 {
            for extension in self.extensions(&b, issuer) {
                b.append_extension(extension).unwrap();
            }
        }
        let digest = self.digest.unwrap_or_else(MessageDigest::null);
        b.sign(issuer.map_or(&self.key, |issuer| &issuer.key), digest).unwrap();
        Identity { cert: b.build(), key: self.key.clone() }
    }

    #[expect(deprecated, reason = "the one way to write name constraints and odd purposes")]
    fn extensions(&self, b: &X509Builder, issuer: Option<&Identity>) -> Vec<X509Extension> {
        let context = b.x509v3_context(issuer.map(|issuer| &*issuer.cert), None);
        let mut list = vec![SubjectKeyIdentifier::new().build(&context).unwrap()];
        if issuer.is_some() {
            list.push(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap());
        }
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        match self.ca {
            Authority::No => {}
            Authority::Yes => list.push(constraints.build().unwrap()),
            Authority::Last => list.push(constraints.pathlen(0).build().unwrap()),
        }
        if let Some(bits) = self.usage {
            let mut usage = KeyUsage::new();
            usage.critical();
            for bit in bits {
                match *bit {
                    "digitalSignature" => usage.digital_signature(),
                    "keyCertSign" => usage.key_cert_sign(),
                    "cRLSign" => usage.crl_sign(),
                    _ => usage.key_encipherment(),
                };
            }
            list.push(usage.build().unwrap());
        }
        let mut written = |nid, value: &str| {
            list.push(X509Extension::new_nid(None, Some(&context), nid, value).unwrap());
        };
        if let Some(purposes) = self.purposes {
            written(Nid::EXT_KEY_USAGE, purposes);
        }
        if let Some(constraints) = self.constraints {
            written(Nid::NAME_CONSTRAINTS, constraints);
        }
        if let Some(names) = &self.names {
            list.push(raw("2.5.29.17", false, names));
        }
        list
    }
}

/// An extension of which nothing is checked.
pub(in crate::tls) fn raw(oid: &str, critical: bool, der: &[u8]) -> X509Extension {
    let oid = Asn1Object::from_str(oid).unwrap();
    let value = Asn1OctetString::new_from_bytes(der).unwrap();
    X509Extension::new_from_der(&oid, critical, &value).unwrap()
}

/// A revocation list.
pub(in crate::tls) fn crl(issuer: &Identity, issued: i64, until: i64, serials: &[&str]) -> X509Crl {
    crl_with(issuer, issued, until, serials, None)
}

pub(in crate::tls) fn crl_with(
    issuer: &Identity,
    issued: i64,
    until: i64,
    serials: &[&str],
    extension: Option<X509Extension>,
) -> X509Crl {
    let mut b = X509CrlBuilder::new().unwrap();
    b.set_issuer_name(issuer.cert.subject_name()).unwrap();
    b.set_last_update(&Asn1Time::from_unix(issued).unwrap()).unwrap();
    b.set_next_update(&Asn1Time::from_unix(until).unwrap()).unwrap();
    for serial in serials {
        let mut revoked = X509RevokedBuilder::new().unwrap();
        revoked.set_revocation_date(&Asn1Time::from_unix(issued).unwrap()).unwrap();
        let serial = BigNum::from_hex_str(serial).unwrap().to_asn1_integer().unwrap();
        revoked.set_serial_number(&serial).unwrap();
        b.add_revoked(revoked.build()).unwrap();
    }
    let key = issuer.cert.subject_key_id().unwrap().as_slice();
    b.append_extension(raw("2.5.29.35", false, &name(0x30, &name(0x80, key)))).unwrap();
    b.append_extension(raw("2.5.29.20", false, &[2, 1, 1])).unwrap();
    if let Some(extension) = extension {
        b.append_extension(extension).unwrap();
    }
    b.sort().unwrap();
    b.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    b.build().unwrap()
}

/// Files of one listener.
pub(in crate::tls) struct Files {
    dir: TempDir,
}

impl Files {
    pub(in crate::tls) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub(in crate::tls) fn put(&self, name: &str, bytes: &[u8]) -> At<FilePath> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        At { value: FilePath(path), place: place() }
    }

    pub(in crate::tls) fn certificate(&self, name: &str, one: &Identity) -> At<CertificateConf> {
        let cert = self.put(&format!("{name}.crt"), &one.cert.to_pem().unwrap());
        let key = self.put(&format!("{name}.key"), &one.key.private_key_to_pem_pkcs8().unwrap());
        At { value: CertificateConf { cert, key }, place: place() }
    }

    pub(in crate::tls) fn asking(&self, ca: &Identity) -> ClientCertificatesConf {
        ClientCertificatesConf {
            mode: crate::conf::ClientCertificateMode::Optional,
            ca: OneOrMany(vec![self.put("ca.crt", &ca.cert.to_pem().unwrap())]),
            crl: OneOrMany::default(),
            danger_soft_crl: false,
            hosts: None,
        }
    }
}

pub(in crate::tls) fn place() -> Place {
    Place { file: std::path::Path::new("gw.yaml").into(), line: 3, column: 5 }
}

pub(in crate::tls) fn at<T>(value: T) -> At<T> {
    At { value, place: place() }
}

pub(in crate::tls) fn conf(
    certificates: Vec<At<CertificateConf>>,
    clients: Option<ClientCertificatesConf>,
) -> TlsConf {
    TlsConf {
        certificates,
        client_certificates: clients.map(at),
        min_version: crate::conf::MinVersion::Tls12,
    }
}
