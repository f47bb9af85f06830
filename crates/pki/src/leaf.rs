//! What a certificate is asked for, and what is given.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use crate::{Error, KeyType, Serial, der, files};

/// What a leaf certificate is asked for.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Common name of the subject: for people; nobody may decide on it.
    pub common_name: String,
    /// Subject alternative names.
    pub names: Names,
    /// What it is for.
    pub purpose: Purpose,
    /// How long it lives; cut to the end of its authority.
    pub lifetime: Duration,
    /// What kind of key is made for it.
    pub key_type: KeyType,
}

/// Subject alternative names.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Names {
    /// DNS names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// Addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<IpAddr>,
    /// URIs, of which `spiffe://` are ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
    /// Mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// User principal names (an `otherName` of Microsoft's).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upns: Vec<String>,
}

/// What a certificate is for: its extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To be a TLS server.
    Server,
    /// To be a TLS client.
    Client,
    /// Both, as an X.509-SVID of a workload is.
    Both,
}

/// A certificate with its key, fresh from the authority.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: X509,
    /// Its private key.
    pub key: PKey<Private>,
    /// Its serial number.
    pub serial: Serial,
    /// Its end.
    pub not_after: Timestamp,
}

/// A certificate for a key that stayed with its owner.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The certificate.
    pub certificate: X509,
    /// Its serial number.
    pub serial: Serial,
    /// Its end.
    pub not_after: Timestamp,
}

const LIFETIME: Duration = Duration::from_hours(90 * 24);

impl Leaf {
    /// A server's certificate for a DNS name, or for an address.
    pub fn server(name: &str) -> Self {
        let leaf = Self::new(name, Purpose::Server);
        match name.parse() {
            Ok(ip) => leaf.ip(ip),
            Err(_) => leaf.dns(name),
        }
    }

    /// A client's certificate; it still needs a name.
    pub fn client(common_name: &str) -> Self {
        Self::new(common_name, Purpose::Client)
    }

    /// A workload's X.509-SVID: exactly one URI, good for both ends of a connection.
    pub fn workload(spiffe_id: &str) -> Self {
        let last = spiffe_id.rsplit('/').next().unwrap_or(spiffe_id);
        Self::new(last, Purpose::Both).uri(spiffe_id)
    }

    /// Adds a DNS name.
    #[must_use]
    pub fn dns(mut self, name: &str) -> Self {
        self.names.dns.push(name.to_owned());
        self
    }

    /// Adds an address.
    #[must_use]
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.names.ips.push(ip);
        self
    }

    /// Adds a URI.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        self.names.uris.push(uri.to_owned());
        self
    }

    /// Adds a mail address.
    #[must_use]
    pub fn email(mut self, email: &str) -> Self {
        self.names.emails.push(email.to_owned());
        self
    }

    /// Sets the purpose.
    #[must_use]
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Sets the lifetime (90 days where nothing is said).
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the kind of key.
    #[must_use]
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    fn new(common_name: &str, purpose: Purpose) -> Self {
        Self {
            common_name: common_name.to_owned(),
            names: Names::default(),
            purpose,
            lifetime: LIFETIME,
            key_type: KeyType::default(),
        }
    }
}

impl Names {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        let Self { dns, ips, uris, emails, upns } = self;
        dns.is_empty() && ips.is_empty() && uris.is_empty() && emails.is_empty() && upns.is_empty()
    }

    /// Refuses what an IA5 string cannot carry and what would read as two names.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self { dns, ips: _, uris, emails, upns } = self;
        let bad = dns
            .iter()
            .chain(uris)
            .chain(emails)
            .find(|name| name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()));
        let bad = bad.or_else(|| upns.iter().find(|name| name.contains(char::is_control)));
        bad.map_or(Ok(()), |name| Err(Error::BadName(name.clone())))
    }

    pub(crate) fn der(&self) -> Result<Vec<u8>, Error> {
        const UPN: &str = "1.3.6.1.4.1.311.20.2.3";
        let Self { dns, ips, uris, emails, upns } = self;
        let text = |tag, names: &[String]| -> Vec<Vec<u8>> {
            names.iter().map(|name| der::context(tag, name.as_bytes())).collect()
        };
        let mut all = text(2, dns);
        all.extend(ips.iter().map(|ip| der::context(7, &der::address(*ip))));
        all.extend(text(6, uris));
        all.extend(text(1, emails));
        for upn in upns {
            let value = der::element(der::UTF8_STRING, upn.as_bytes());
            let other = [der::oid(UPN)?, der::context_constructed(0, &value)].concat();
            all.push(der::context_constructed(0, &other));
        }
        Ok(der::sequence(&all))
    }
}

impl Issued {
    /// The certificate in PEM.
    ///
    /// # Errors
    /// The library cannot encode it.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, Error> {
        Ok(self.certificate.to_pem()?)
    }

    /// The private key in PEM (PKCS #8).
    ///
    /// # Errors
    /// The library cannot encode it.
    pub fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        private_key_pem(&self.key)
    }

    /// Writes `STEM.key` (mode 0600), then `STEM.crt`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &std::path::Path, stem: &str) -> Result<(), Error> {
        files::write_private(&directory.join(format!("{stem}.key")), &self.key_pem()?)?;
        files::write_public(&directory.join(format!("{stem}.crt")), &self.certificate_pem()?)
    }
}

impl Signed {
    /// The certificate in PEM.
    ///
    /// # Errors
    /// The library cannot encode it.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, Error> {
        Ok(self.certificate.to_pem()?)
    }
}

/// A private key in PEM (PKCS #8), wiped from memory when dropped.
///
/// # Errors
/// The library cannot encode it.
pub fn private_key_pem(key: &PKeyRef<Private>) -> Result<Zeroizing<Vec<u8>>, Error> {
    Ok(Zeroizing::new(key.private_key_to_pem_pkcs8()?))
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("serial", &self.serial).finish_non_exhaustive()
    }
}
