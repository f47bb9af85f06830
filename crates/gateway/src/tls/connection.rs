//! What a handshake said, kept for as long as the connection lives, and asked again at each
//! request.
//!
//! 1. A verdict on the client's certificate belongs to one snapshot and to a span of time. While
//!    neither has moved on, asking costs an atomic load and two comparisons.
//! 2. When the listener has a newer snapshot, or the span is over, the presented chain is verified
//!    again: so a revocation, a removed authority and an expiry end live connections' requests,
//!    and a renewed authority or list does not.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use filter::{Client, Tls};
use jiff::{SignedDuration, Timestamp};
use openssl::ssl::{NameType, SslCipherRef, SslRef, SslVerifyMode};
use openssl::x509::X509;
use pingora::protocols::Digest;
use policy::{Certificate, TlsVersion};

use super::fault::{CertificateFault, FaultKind};
use super::snapshot::TlsSnapshot;
use super::{ListenerTls, hosts};

/// Certificates that are kept of what a client presents; longer chains do not verify anyway.
const PRESENTED_MAX: usize = 8;
/// How long a verdict of «not valid yet» holds.
const RETRY: SignedDuration = SignedDuration::from_secs(1);

/// One TLS connection of a client. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inner>);

/// What is believed of a connection at an instant.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The client, with its certificate where that is believed.
    pub client: Arc<Client>,
    /// What is wrong with the certificate that it presented: the request must end with it.
    pub fault: Option<CertificateFault>,
}

/// The connection of a request's digest; `None` on a listener without TLS.
pub fn connection_of(digest: &Digest) -> Option<&Connection> {
    digest.ssl_digest.as_ref()?.extension.get::<Connection>()
}

#[derive(Debug)]
struct Inner {
    listener: Arc<ListenerTls>,
    presented: Presented,
    judged: ArcSwapOption<Judgement>,
}

/// What the handshake itself said.
pub(super) struct Presented {
    sni: Option<Arc<str>>,
    version: TlsVersion,
    cipher: &'static str,
    asked: bool,
    chain: Vec<X509>,
}

/// A verdict and how long it holds.
#[derive(Debug)]
pub(super) struct Judgement {
    generation: u64,
    from: Timestamp,
    until: Timestamp,
    certificate: Result<Option<Arc<Certificate>>, CertificateFault>,
    client: OnceLock<Arc<Client>>,
}

// === impl Connection ===

impl Connection {
    pub(super) fn new(listener: Arc<ListenerTls>, presented: Presented) -> Self {
        Self(Arc::new(Inner { listener, presented, judged: ArcSwapOption::empty() }))
    }

    /// The name that the client asked for, in lower case and without trailing dot.
    pub fn sni(&self) -> Option<&str> {
        self.0.presented.sni.as_deref()
    }

    /// The version.
    pub fn version(&self) -> TlsVersion {
        self.0.presented.version
    }

    /// The cipher suite, by its standard name.
    pub fn cipher(&self) -> &'static str {
        self.0.presented.cipher
    }

    /// The client, and whether its certificate is believed now. The same pointer as before where
    /// nothing has changed. `peer` is the address of this connection.
    pub fn seen(&self, peer: SocketAddr, now: Timestamp) -> Seen {
        let judged = self.judge(now);
        let client = judged.client.get_or_init(|| Arc::new(self.client(peer, &judged)));
        Seen { client: Arc::clone(client), fault: judged.certificate.as_ref().err().cloned() }
    }

    /// The client's certificate, if it presented one.
    ///
    /// # Errors
    /// It presented one that is not believed at this instant.
    pub fn certificate_now(
        &self,
        now: Timestamp,
    ) -> Result<Option<Arc<Certificate>>, CertificateFault> {
        self.judge(now).certificate.clone()
    }

    pub(super) fn judge(&self, now: Timestamp) -> Arc<Judgement> {
        let Inner { listener, presented, judged } = &*self.0;
        if let Some(judgement) = judged.load_full() {
            let span = judgement.from..judgement.until;
            if judgement.generation == listener.generation() && span.contains(&now) {
                return judgement;
            }
        }
        let judgement = Arc::new(presented.judge(&listener.snapshot(), now));
        judged.store(Some(Arc::clone(&judgement)));
        judgement
    }

    fn client(&self, peer: SocketAddr, judged: &Judgement) -> Client {
        let Presented { sni, version, cipher: _, asked: _, chain: _ } = &self.0.presented;
        let certificate = judged.certificate.as_ref().ok().cloned().flatten();
        Client { peer, tls: Some(Tls { sni: sni.clone(), version: *version, certificate }) }
    }
}

// === impl Presented ===

impl Presented {
    /// Reads a finished handshake.
    pub(super) fn of(ssl: &SslRef, version: TlsVersion) -> Self {
        let others = ssl.peer_cert_chain().into_iter().flatten().map(ToOwned::to_owned);
        let chain = ssl.peer_certificate().into_iter().chain(others).take(PRESENTED_MAX);
        Self {
            sni: ssl.servername_raw(NameType::HOST_NAME).map(hosts::normal),
            version,
            cipher: ssl.current_cipher().and_then(SslCipherRef::standard_name).unwrap_or(""),
            asked: ssl.verify_mode().contains(SslVerifyMode::PEER),
            chain: chain.collect(),
        }
    }

    fn judge(&self, snapshot: &TlsSnapshot, now: Timestamp) -> Judgement {
        let (certificate, until) = self.verdict(snapshot, now);
        Judgement {
            generation: snapshot.generation,
            from: now,
            until,
            certificate,
            client: OnceLock::new(),
        }
    }

    fn verdict(
        &self,
        snapshot: &TlsSnapshot,
        now: Timestamp,
    ) -> (Result<Option<Arc<Certificate>>, CertificateFault>, Timestamp) {
        let fault = |kind| CertificateFault { subject: "(none)".into(), kind };
        if self.chain.is_empty() {
            let missed = !self.asked && snapshot.asks(self.sni.as_deref());
            let verdict = if missed { Err(fault(FaultKind::NotAsked)) } else { Ok(None) };
            return (verdict, Timestamp::MAX);
        }
        let Some(trust) = snapshot.trust() else {
            // Nobody asks for certificates any more: this one says nothing.
            return (Ok(None), Timestamp::MAX);
        };
        match trust.verify(&self.chain, now) {
            Ok(believed) => (Ok(Some(believed.facts)), believed.until),
            Err(fault) if fault.kind == FaultKind::NotYetValid => (Err(fault), now + RETRY),
            Err(fault) => (Err(fault), Timestamp::MAX),
        }
    }
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sni, version, cipher, asked, chain } = self;
        f.debug_struct("Presented")
            .field("sni", sni)
            .field("version", version)
            .field("cipher", cipher)
            .field("asked", asked)
            .field("chain", &chain.len())
            .finish()
    }
}

// === impl Judgement ===

impl Judgement {
    /// One word, for the metric's label.
    pub(super) fn word(&self) -> &'static str {
        match &self.certificate {
            Ok(None) => "none",
            Ok(Some(_)) => "good",
            Err(fault) => fault.kind.word(),
        }
    }
}
