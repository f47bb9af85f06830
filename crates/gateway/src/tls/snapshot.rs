//! What a listener serves and asks for, read whole from its files: one immutable snapshot.
//!
//! 1. Each certificate is read with its chain and its key; the key must be the certificate's, and
//!    the certificate must be valid now. Less than 14 days left is a warning.
//! 2. A host of `client_certificates.hosts` that no certificate covers is a warning: its clients
//!    would be shown the first certificate.
//! 3. Every mistake of every file is reported; with one error there is no snapshot, and the one
//!    that stands goes on.

use std::path::PathBuf;

use document::{At, Level, Mistake, Mistakes};
use jiff::{SignedDuration, Timestamp};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::X509;

use super::hosts::{Hosts, configured};
use super::trust::ClientTrust;
use super::{handshake, leaf, pem};
use crate::conf::{
    CertificateConf, ClientCertificateMode, ClientCertificatesConf, MinVersion, TlsConf,
};

/// From when an end is worth a warning.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Role of a certificate that a listener shows.
pub(super) const SERVER: &str = "listener";
/// Role of an authority of client certificates.
pub(super) const AUTHORITY: &str = "client-authority";

/// Certificates, authorities and revocation lists of one listener, at one moment.
#[derive(Debug)]
pub struct TlsSnapshot {
    /// Place in the sequence of snapshots of its listener.
    pub(super) generation: u64,
    /// Oldest version that is spoken.
    pub(super) min_version: MinVersion,
    served: Vec<Served>,
    by_name: Hosts<usize>,
    asking: Option<Asking>,
    files: Vec<PathBuf>,
}

/// One certificate, ready for a handshake.
struct Served {
    context: SslContext,
    name: Box<str>,
    ends: Timestamp,
}

/// Whom client certificates are asked of, and who may issue them.
#[derive(Debug)]
struct Asking {
    mode: ClientCertificateMode,
    /// All hosts where absent.
    hosts: Option<Hosts<()>>,
    trust: ClientTrust,
}

/// When a certificate of the gateway or an authority ends, for the metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `listener` or `client-authority`.
    pub role: &'static str,
    /// First host of the certificate, or subject of the authority.
    pub name: Box<str>,
    /// The end.
    pub not_after: Timestamp,
}

impl TlsSnapshot {
    /// Reads everything that the section names. The second part of the success are warnings.
    ///
    /// # Errors
    /// Every mistake in every file, at the place where the file is named.
    pub fn load(conf: &TlsConf, now: Timestamp) -> Result<(Self, Mistakes), Mistakes> {
        let TlsConf { certificates, client_certificates, min_version } = conf;
        let mut mistakes = Mistakes::new();
        let asking = client_certificates.as_ref().map(|at| Asking::load(at, now, &mut mistakes));
        let names = asking.as_ref().map(|asking| &asking.trust);
        let mut served = Vec::new();
        let mut by_name = Hosts::new();
        for at in certificates {
            match Served::load(at, names, now, &mut mistakes) {
                Ok((one, covered)) => {
                    for name in &covered {
                        by_name.add(name, served.len());
                    }
                    served.push(one);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if let Some(at) = client_certificates {
            warn_uncovered(&at.value, &by_name, &mut mistakes);
        }
        if certificates.is_empty() {
            mistakes.push(
                Mistake::without_place("no-certificate", "a listener's `certificates` is empty")
                    .help("name at least one `{cert: FILE, key: FILE}`"),
            );
        }
        pem::forget_failures();
        if mistakes.iter().any(|mistake| mistake.level == Level::Error) {
            return Err(mistakes);
        }
        let files = files(conf);
        let min_version = *min_version;
        Ok((Self { generation: 0, min_version, served, by_name, asking, files }, mistakes))
    }

    /// Every file that was read: a change of any calls for a new snapshot.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// When certificates end.
    pub fn expiries(&self) -> Vec<Expiry> {
        let served = self.served.iter().map(|served| Expiry {
            role: SERVER,
            name: served.name.clone(),
            not_after: served.ends,
        });
        let authorities = self.asking.iter().flat_map(|asking| asking.trust.expiries());
        let authorities =
            authorities.map(|(name, not_after)| Expiry { role: AUTHORITY, name, not_after });
        served.chain(authorities).collect()
    }

    /// The issuer of each revocation list, and when the list was issued.
    pub fn revocation_ages(&self) -> Vec<(Box<str>, Timestamp)> {
        let ages = self.asking.iter().flat_map(|asking| asking.trust.revocation_ages());
        ages.map(|(issuer, issued)| (issuer.into(), issued)).collect()
    }

    /// Whether a certificate covers a host, so that its clients see the right name.
    pub fn covers(&self, host: &str) -> bool {
        self.by_name.get(host).is_some()
    }

    /// Whether client certificates are asked for on any host.
    pub fn asks_anywhere(&self) -> bool {
        self.asking.is_some()
    }

    /// Whether the host of a handshake is asked for a client certificate.
    pub(super) fn asks(&self, sni: Option<&str>) -> bool {
        self.verify_mode(sni).is_some()
    }

    /// How the host of a handshake is asked for a client certificate, if it is.
    pub(super) fn verify_mode(&self, sni: Option<&str>) -> Option<SslVerifyMode> {
        let asking = self.asking.as_ref()?;
        if let Some(hosts) = &asking.hosts {
            hosts.get(sni?)?;
        }
        Some(match asking.mode {
            ClientCertificateMode::Optional => SslVerifyMode::PEER,
            ClientCertificateMode::Required => {
                SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT
            }
        })
    }

    /// The context of the certificate for a host.
    pub(super) fn context(&self, sni: Option<&str>) -> Option<&SslContext> {
        let index = sni.and_then(|sni| self.by_name.get(sni)).unwrap_or(0);
        self.served.get(index).map(|served| &served.context)
    }

    /// Who may issue client certificates.
    pub(super) fn trust(&self) -> Option<&ClientTrust> {
        self.asking.as_ref().map(|asking| &asking.trust)
    }
}

// === impl Served ===

impl Served {
    fn load(
        at: &At<CertificateConf>,
        trust: Option<&ClientTrust>,
        now: Timestamp,
        mistakes: &mut Mistakes,
    ) -> Result<(Self, Vec<String>), Mistake> {
        let CertificateConf { cert, key: key_file } = &at.value;
        let chain = pem::certificates(cert);
        let key = pem::key(key_file);
        let (chain, key) = match (chain, key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (Err(one), Err(other)) => {
                mistakes.push(one);
                return Err(other);
            }
            (Err(mistake), Ok(_)) | (Ok(_), Err(mistake)) => return Err(mistake),
        };
        mistakes.extend(pem::open_to_others(key_file));
        let shown = cert.value.0.display();
        let fault = |code, message: String| Mistake::error(code, &cert.place, message);
        let unusable = |e: ErrorStack| fault("bad-certificate", format!("`{shown}`: {e}"));
        let Some((own, others)) = chain.split_first() else {
            return Err(fault("empty-certificate-file", format!("`{shown}` is empty")));
        };
        if !own.public_key().map_err(unusable)?.public_eq(&key) {
            let key = key_file.value.0.display();
            let message = format!("`{key}` is not the key of the first certificate in `{shown}`");
            return Err(Mistake::error("key-mismatch", &key_file.place, message)
                .related(&cert.place, "the certificate")
                .help("put the gateway's own certificate first, its chain after it"));
        }
        if leaf::check_key(own).is_err() {
            let message = format!("the key of `{shown}` is too weak or of an unknown kind");
            return Err(fault("weak-key", message)
                .help("use RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519"));
        }
        let ends = check_validity(own, cert, now, mistakes)?;
        let names = dns_names(own);
        let Some(name) = names.first().map(|name| name.as_str().into()) else {
            return Err(fault("certificate-without-names", format!("`{shown}` names no host"))
                .help("the hosts must stand in the subject alternative name; the CN is ignored"));
        };
        let context = context(own, others, &key, trust).map_err(unusable)?;
        Ok((Self { context, name, ends }, names))
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("name", &self.name).finish_non_exhaustive()
    }
}

// === impl Asking ===

impl Asking {
    fn load(at: &At<ClientCertificatesConf>, now: Timestamp, mistakes: &mut Mistakes) -> Self {
        let conf = &at.value;
        let hosts = conf.hosts.as_ref().map(|hosts| {
            let mut table = Hosts::new();
            for host in hosts {
                match configured(&host.value) {
                    Some(name) => table.add(&name, ()),
                    None => mistakes.push(
                        Mistake::error(
                            "bad-host",
                            &host.place,
                            format!("`{}` is not a host name", host.value),
                        )
                        .help("write it like `app.example.com` or `*.example.com`"),
                    ),
                }
            }
            table
        });
        let trust = ClientTrust::load(conf, &at.place, now, mistakes);
        Self { mode: conf.mode, hosts, trust }
    }
}

fn context(
    own: &X509,
    others: &[X509],
    key: &PKey<Private>,
    trust: Option<&ClientTrust>,
) -> Result<SslContext, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    handshake::harden(&mut builder)?;
    builder.set_certificate(own)?;
    builder.set_private_key(key)?;
    for other in others {
        builder.add_extra_chain_cert(other.clone())?;
    }
    if let Some(trust) = trust {
        builder.set_client_ca_list(trust.names()?);
    }
    Ok(builder.build().into_context())
}

fn check_validity(
    own: &X509,
    cert: &At<document::FilePath>,
    now: Timestamp,
    mistakes: &mut Mistakes,
) -> Result<Timestamp, Mistake> {
    let shown = cert.value.0.display();
    let begins = pem::timestamp(own.not_before());
    let ends = pem::timestamp(own.not_after());
    let (Some(begins), Some(ends)) = (begins, ends) else {
        let message = format!("the dates of `{shown}` cannot be read");
        return Err(Mistake::error("bad-certificate", &cert.place, message));
    };
    if ends <= now {
        let message = format!("the certificate in `{shown}` expired at {ends}");
        return Err(Mistake::error("certificate-expired", &cert.place, message).help("renew it"));
    }
    if begins > now {
        let message = format!("the certificate in `{shown}` is valid from {begins} only");
        return Err(Mistake::error("certificate-not-yet-valid", &cert.place, message)
            .help("check this machine's clock"));
    }
    if ends.duration_since(now) < EXPIRES_SOON {
        let message = format!("the certificate in `{shown}` expires at {ends}");
        let warning = Mistake::warning("certificate-expiring", &cert.place, message);
        mistakes.push(warning.help("renew it; the new files are picked up without a restart"));
    }
    Ok(ends)
}

fn dns_names(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let dns = names.iter().flatten().filter_map(|name| name.dnsname().and_then(configured));
    dns.collect()
}

fn warn_uncovered(conf: &ClientCertificatesConf, by_name: &Hosts<usize>, mistakes: &mut Mistakes) {
    for host in conf.hosts.iter().flatten() {
        if configured(&host.value).is_some_and(|name| by_name.get(&name).is_none()) {
            let message = format!("no certificate of this listener covers `{}`", host.value);
            mistakes.push(
                Mistake::warning("host-without-certificate", &host.place, message)
                    .help("add a certificate whose subject alternative name has this host"),
            );
        }
    }
}

fn files(conf: &TlsConf) -> Vec<PathBuf> {
    let own = conf.certificates.iter().flat_map(|at| [&at.value.cert, &at.value.key]);
    let clients = conf.client_certificates.iter();
    let clients = clients.flat_map(|at| at.value.ca.0.iter().chain(&at.value.crl.0));
    own.chain(clients).map(|path| path.value.0.clone()).collect()
}
