//! The listener's side of TLS: certificates by name, client certificates by host, and both
//! replaced while connections live.
//!
//! A [`ListenerTls`] outlives generations of the configuration; what it serves and believes is a
//! [`TlsSnapshot`], read whole from files and swapped in one atomic store. A handshake sees one
//! snapshot. A live connection keeps its keys and is asked again, at each request, whether its
//! client certificate is still believed ([`Connection::seen`]).
//!
//! 1. A snapshot that cannot be read whole is not installed; the one that stands goes on.
//! 2. Certificate and client-certificate policy follow from the name of the handshake alone; a
//!    name that is not configured gets the first certificate and no more.
//! 3. A listener that asks for client certificates anywhere resumes no session; whether a listener
//!    resumes is fixed when it is built, so one that was built resumable cannot begin to ask.
//! 4. A certificate is never believed because of how its chain verified alone: see `leaf` and
//!    `trust` below this module for what else it must be.

mod connection;
mod crl;
mod der;
mod fault;
mod handshake;
mod hosts;
mod leaf;
mod name;
mod pem;
mod report;
mod snapshot;
mod trust;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use document::Mistake;
use filter::Clock;
use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::x509::X509;
use pingora::listeners::tls::TlsSettings;

pub use connection::{Connection, Seen, connection_of};
pub use fault::{CertificateFault, FaultKind, Unfit};
pub use report::report;
pub use snapshot::{Expiry, TlsSnapshot};

/// Told of every handshake, once.
pub type Observe = Arc<dyn Fn(&Handshake) + Send + Sync>;

/// One handshake, in the words of the metric's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// `1.2`, `1.3` or `none`.
    pub version: &'static str,
    /// `complete`, `resumed` or `failed`.
    pub result: &'static str,
    /// `none`, `good`, or what is wrong with it.
    pub client_certificate: &'static str,
}

/// TLS of one listener, for as long as the listener stands.
pub struct ListenerTls {
    current: ArcSwap<TlsSnapshot>,
    generation: AtomicU64,
    resumable: AtomicBool,
    clock: Arc<dyn Clock>,
    observe: Observe,
}

/// The facts in a certificate file (PEM), believed unseen: no chain, validity or revocation is
/// looked at, and the anchor is empty. For explaining what the policy would say of it.
///
/// # Errors
/// It holds no certificate, or one that is not fit to identify a client.
pub fn described(pem: &[u8]) -> Result<policy::Certificate, CertificateFault> {
    let fault =
        |subject: Box<str>, unfit| CertificateFault { subject, kind: FaultKind::Unfit(unfit) };
    let certificate =
        X509::from_pem(pem).map_err(|_e| fault("(none)".into(), Unfit::Unreadable))?;
    let facts = leaf::facts(&certificate);
    pem::forget_failures();
    facts.map_err(|unfit| fault(leaf::subject(&certificate), unfit))
}

impl ListenerTls {
    /// A listener that serves a first snapshot.
    pub fn new(first: TlsSnapshot, clock: Arc<dyn Clock>, observe: Observe) -> Arc<Self> {
        Arc::new(Self {
            generation: AtomicU64::new(first.generation),
            current: ArcSwap::from_pointee(first),
            resumable: AtomicBool::new(false),
            clock,
            observe,
        })
    }

    /// Replaces what is served and believed. Live connections go on; their client certificates are
    /// judged by the new snapshot from their next request on.
    ///
    /// # Errors
    /// The listener was built without client certificates, keeps session tickets therefore, and
    /// cannot begin to ask while it stands.
    pub fn install(&self, mut next: TlsSnapshot) -> Result<(), Mistake> {
        if self.resumable.load(Ordering::Relaxed) && next.asks_anywhere() {
            return Err(Mistake::without_place(
                "client-certificates-need-restart",
                "this listener was started without `client_certificates` and resumes sessions",
            )
            .help("restart the gateway to ask for client certificates on it"));
        }
        // Only reloads write here, one after the other.
        let generation = self.generation.load(Ordering::Acquire) + 1;
        next.generation = generation;
        self.current.store(Arc::new(next));
        self.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// What is served and believed now.
    pub fn snapshot(&self) -> Arc<TlsSnapshot> {
        self.current.load_full()
    }

    /// The settings of Pingora's listener. It resumes sessions if the present snapshot asks for no
    /// client certificate anywhere.
    ///
    /// # Errors
    /// The TLS library refuses one of the settings.
    pub fn settings(self: &Arc<Self>) -> Result<TlsSettings, ErrorStack> {
        let resumable = !self.snapshot().asks_anywhere();
        self.resumable.store(resumable, Ordering::Relaxed);
        handshake::settings(self, resumable)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerTls").field("generation", &self.generation).finish_non_exhaustive()
    }
}
