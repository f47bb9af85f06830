//! The callbacks of a handshake.
//!
//! 1. TLS 1.2 and 1.3, Mozilla's intermediate ciphers in the server's order, security level 2; no
//!    renegotiation, no compression, no early data. `h2` before `http/1.1`; a client that offers
//!    neither is told so (RFC 7301 section 3.2).
//! 2. The name that the client sent chooses the certificate and whether a client certificate is
//!    asked for. Nothing else does, so no spelling of a name reaches a laxer policy than the name.
//! 3. A client certificate never breaks the handshake: it is judged afterwards, so that whoever
//!    presents a bad one reads why. Only `mode: required` ends a handshake without one.
//! 4. A listener that asks on any host resumes nothing: a resumed session carries the identity of
//!    an old handshake past expiry, revocation and the choice of host. Its sessions are not
//!    cached, it sends no tickets, and what a client offers anyway leads to a whole handshake.
//! 5. Every handshake whose first message could be read is counted once, failed ones when the
//!    connection goes away.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    AlpnError, ClientHelloResponse, NameType, Ssl, SslAcceptorBuilder, SslAlert, SslOptions,
    SslRef, SslSessionCacheMode, SslVersion, select_next_proto,
};
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::TlsSettings;
use policy::TlsVersion;

use super::connection::{Connection, Presented};
use super::{Handshake, ListenerTls, Observe, hosts};
use crate::conf::MinVersion;

/// What is preferred first.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// Sessions of this gateway; without one, OpenSSL answers a resumption with a fatal alert.
const SESSION_CONTEXT: &[u8] = b"portcullis";
/// As in [`super::trust`].
const SECURITY_LEVEL: u32 = 2;

/// Sets what is the same for every context of every listener.
pub(super) fn harden(builder: &mut SslAcceptorBuilder) -> Result<(), ErrorStack> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION,
    );
    builder.set_session_id_context(SESSION_CONTEXT)?;
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_alpn_select_callback(protocol);
    Ok(())
}

/// Builds a listener's settings; `resumable` says whether it sends tickets.
pub(super) fn settings(
    listener: &Arc<ListenerTls>,
    resumable: bool,
) -> Result<TlsSettings, ErrorStack> {
    let callbacks = Callbacks::new(listener)?;
    let attempts = callbacks.attempts;
    let mut settings =
        TlsSettings::with_callbacks(Box::new(callbacks)).map_err(|_e| ErrorStack::get())?;
    configure(&mut settings, listener, attempts, resumable)?;
    Ok(settings)
}

fn configure(
    builder: &mut SslAcceptorBuilder,
    listener: &Arc<ListenerTls>,
    attempts: Index<Ssl, Attempt>,
    resumable: bool,
) -> Result<(), ErrorStack> {
    harden(builder)?;
    if !resumable {
        builder.set_options(SslOptions::NO_TICKET);
        builder.set_num_tickets(0)?;
    }
    // Stores the name in the session, so that a resumed TLS 1.2 session still has one.
    builder.set_servername_callback(|_, _| Ok(()));
    let listener = Arc::clone(listener);
    builder.set_client_hello_callback(move |ssl, _: &mut SslAlert| {
        begin(&listener, attempts, ssl)?;
        Ok(ClientHelloResponse::SUCCESS)
    });
    Ok(())
}

/// The callbacks that Pingora calls.
struct Callbacks {
    listener: Arc<ListenerTls>,
    attempts: Index<Ssl, Attempt>,
}

/// One handshake; counts itself as failed when it is dropped before it is done.
struct Attempt {
    observe: Observe,
    done: AtomicBool,
}

impl Callbacks {
    fn new(listener: &Arc<ListenerTls>) -> Result<Self, ErrorStack> {
        Ok(Self { listener: Arc::clone(listener), attempts: Ssl::new_ex_index()? })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !*self.done.get_mut() {
            (self.observe)(&Handshake {
                version: "none",
                result: "failed",
                client_certificate: "none",
            });
        }
    }
}

#[async_trait]
impl TlsAccept for Callbacks {
    async fn certificate_callback(&self, ssl: &mut SslRef) {
        let snapshot = self.listener.snapshot();
        let sni = ssl.servername_raw(NameType::HOST_NAME).map(hosts::normal);
        if let Some(mode) = snapshot.verify_mode(sni.as_deref()) {
            ssl.set_verify_callback(mode, |_, _| true);
        }
        // Without a context there is no certificate, and the handshake ends here.
        let chosen = snapshot.context(sni.as_deref()).map(|context| ssl.set_ssl_context(context));
        if let Some(Err(e)) = chosen {
            log::error!("a certificate could not be chosen for a handshake: {e}");
        }
    }

    async fn handshake_complete_callback(
        &self,
        ssl: &SslRef,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let (version, word) = match ssl.version2() {
            Some(SslVersion::TLS1_3) => (TlsVersion::Tls13, "1.3"),
            Some(_) | None => (TlsVersion::Tls12, "1.2"),
        };
        let presented = Presented::of(ssl, version);
        let connection = Connection::new(Arc::clone(&self.listener), presented);
        if let Some(attempt) = ssl.ex_data(self.attempts) {
            attempt.done.store(true, Ordering::Relaxed);
        }
        let judged = connection.judge(self.listener.now());
        (self.listener.observe)(&Handshake {
            version: word,
            result: if ssl.session_reused() { "resumed" } else { "complete" },
            client_certificate: judged.word(),
        });
        Some(Arc::new(connection))
    }
}

fn begin(
    listener: &ListenerTls,
    attempts: Index<Ssl, Attempt>,
    ssl: &mut SslRef,
) -> Result<(), ErrorStack> {
    let attempt = Attempt { observe: Arc::clone(&listener.observe), done: AtomicBool::new(false) };
    ssl.set_ex_data(attempts, attempt);
    match listener.snapshot().min_version {
        MinVersion::Tls12 => Ok(()),
        MinVersion::Tls13 => ssl.set_min_proto_version(Some(SslVersion::TLS1_3)),
    }
}

fn protocol<'a>(_: &mut SslRef, offered: &'a [u8]) -> Result<&'a [u8], AlpnError> {
    select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::ALERT_FATAL)
}

/// What Pingora's listener does with the settings, for tests without a server.
#[cfg(test)]
pub(super) fn acceptor(
    listener: &Arc<ListenerTls>,
) -> (openssl::ssl::SslAcceptor, Box<dyn TlsAccept + Send + Sync>) {
    let callbacks = Callbacks::new(listener).unwrap();
    let method = openssl::ssl::SslMethod::tls();
    let mut builder = openssl::ssl::SslAcceptor::mozilla_intermediate_v5(method).unwrap();
    let resumable = !listener.snapshot().asks_anywhere();
    listener.resumable.store(resumable, Ordering::Relaxed);
    configure(&mut builder, listener, callbacks.attempts, resumable).unwrap();
    (builder.build(), Box::new(callbacks))
}
