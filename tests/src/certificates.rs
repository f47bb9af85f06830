//! Certificates of the test world, right ones and wrong ones.
//!
//! Made with OpenSSL directly and not with the gateway's own authority: half of the scenarios need
//! certificates that a good authority refuses to issue.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// A certificate with its key.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub cert: X509,
    /// Its key.
    pub key: PKey<Private>,
}

/// A certificate authority.
#[derive(Clone)]
pub struct Authority(Pair);

/// What a certificate says. [`Leaf::server`] and [`Leaf::client`] are right; change a field to
/// make it wrong.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Common name.
    pub cn: String,
    /// DNS names.
    pub dns: Vec<String>,
    /// URIs.
    pub uri: Vec<String>,
    /// Mail addresses.
    pub email: Vec<String>,
    /// Purpose: server, client, both, or none said.
    pub purpose: Purpose,
    /// Whether it claims to be an authority.
    pub authority: bool,
    /// Validity in seconds from now: from, to.
    pub valid_s: (i64, i64),
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// TLS servers.
    Server,
    /// TLS clients.
    Client,
    /// The extension is absent.
    Unsaid,
    /// `anyExtendedKeyUsage` alone.
    Any,
}

static SERIAL: AtomicU32 = AtomicU32::new(1000);

impl Leaf {
    /// A server's certificate for these names.
    pub fn server(names: &[&str]) -> Self {
        Self {
            cn: names[0].to_owned(),
            dns: names.iter().map(|&name| name.to_owned()).collect(),
            uri: Vec::new(),
            email: Vec::new(),
            purpose: Purpose::Server,
            authority: false,
            valid_s: (-3600, 30 * 86_400),
        }
    }

    /// A client's certificate with one URI as its identity.
    pub fn client(cn: &str, uri: &str) -> Self {
        Self {
            dns: Vec::new(),
            uri: vec![uri.to_owned()],
            purpose: Purpose::Client,
            ..Self::server(&[cn])
        }
    }

    /// The same with another validity, in seconds from now.
    #[must_use]
    pub fn valid(mut self, from_s: i64, to_s: i64) -> Self {
        self.valid_s = (from_s, to_s);
        self
    }
}

impl Authority {
    /// A new authority with a name of its own.
    pub fn new(name: &str) -> Self {
        let key = new_key();
        let leaf = Leaf {
            authority: true,
            purpose: Purpose::Unsaid,
            dns: Vec::new(),
            ..Leaf::server(&[name])
        };
        let cert = sign(&leaf, &key, None, &key);
        Self(Pair { cert, key })
    }

    /// Issues a certificate.
    pub fn issue(&self, leaf: &Leaf) -> Pair {
        let key = new_key();
        let cert = sign(leaf, &key, Some(&self.0.cert), &self.0.key);
        Pair { cert, key }
    }

    /// The authority's own certificate.
    pub fn cert(&self) -> &X509 {
        &self.0.cert
    }

    /// Writes `NAME.crt` into a directory.
    pub fn write(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(format!("{name}.crt"));
        replace(&path, &self.0.cert.to_pem().unwrap());
        path
    }

    /// The authority's certificate and key, for an `openssl` command.
    pub fn pair(&self) -> &Pair {
        &self.0
    }
}

impl Pair {
    /// Reads `NAME.crt` and `NAME.key` of a directory.
    pub fn read(dir: &Path, name: &str) -> Self {
        let read =
            |extension: &str| std::fs::read(dir.join(format!("{name}.{extension}"))).unwrap();
        Self {
            cert: X509::from_pem(&read("crt")).unwrap(),
            key: PKey::private_key_from_pem(&read("key")).unwrap(),
        }
    }

    /// Writes `NAME.crt` and `NAME.key` (mode 0600) into a directory.
    pub fn write(&self, dir: &Path, name: &str) {
        replace(&dir.join(format!("{name}.key")), &self.key.private_key_to_pem_pkcs8().unwrap());
        replace(&dir.join(format!("{name}.crt")), &self.cert.to_pem().unwrap());
    }
}

/// Writes a file as a careful operator does: beside it, private, then renamed over it.
pub fn replace(path: &Path, content: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
    std::fs::rename(&beside, path).unwrap();
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn sign(leaf: &Leaf, key: &PKey<Private>, issuer: Option<&X509>, signer: &PKey<Private>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("O", "gw.test").unwrap();
    name.append_entry_by_text("CN", &leaf.cn).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(SERIAL.fetch_add(1, Ordering::Relaxed)).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(issuer.map_or(&name, |issuer| issuer.subject_name())).unwrap();
    let now = jiff::Timestamp::now().as_second();
    builder.set_not_before(&Asn1Time::from_unix(now + leaf.valid_s.0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + leaf.valid_s.1).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    extensions(&mut builder, leaf, issuer);
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn extensions(builder: &mut X509Builder, leaf: &Leaf, issuer: Option<&X509>) {
    use openssl::x509::extension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    let mut basic = BasicConstraints::new();
    basic.critical();
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if leaf.authority {
        basic.ca();
        usage.key_cert_sign().crl_sign();
    }
    builder.append_extension(basic.build().unwrap()).unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
    let ski = SubjectKeyIdentifier::new().build(&context).unwrap();
    builder.append_extension(ski).unwrap();
    if issuer.is_some() {
        let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
        let aki = AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap();
        builder.append_extension(aki).unwrap();
    }
    let mut extended = ExtendedKeyUsage::new();
    let purpose = match leaf.purpose {
        Purpose::Server => Some(extended.server_auth()),
        Purpose::Client => Some(extended.client_auth()),
        Purpose::Any => Some(extended.other("anyExtendedKeyUsage")),
        Purpose::Unsaid => None,
    };
    if let Some(purpose) = purpose {
        builder.append_extension(purpose.build().unwrap()).unwrap();
    }
    if leaf.dns.len() + leaf.uri.len() + leaf.email.len() > 0 {
        let mut names = SubjectAlternativeName::new();
        for dns in &leaf.dns {
            names.dns(dns);
        }
        for uri in &leaf.uri {
            names.uri(uri);
        }
        for email in &leaf.email {
            names.email(email);
        }
        let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
        let extension = names.build(&context).unwrap();
        builder.append_extension(extension).unwrap();
    }
}
