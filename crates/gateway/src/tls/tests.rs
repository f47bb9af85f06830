//! Real handshakes over loopback sockets, through the function that Pingora's listener calls.

mod clients;
mod files;
mod listener;
mod pki;
mod revocation;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use jiff::Timestamp;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::tls::server::handshake_with_callback;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use self::pki::{
    DAY, Files, Identity, NOW, Recipe, at, conf, crl, crl_with, ec, name, names, rsa, upn,
};
use super::*;
use crate::conf::{ClientCertificateMode, ClientCertificatesConf, MinVersion, TlsConf};

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A listener on a loopback port that echoes.
struct Server {
    tls: Arc<ListenerTls>,
    clock: Arc<TestClock>,
    address: SocketAddr,
    connections: mpsc::UnboundedReceiver<Option<Connection>>,
    failed: Arc<AtomicUsize>,
}

impl Server {
    async fn start(conf: &TlsConf) -> Self {
        let (snapshot, _) = TlsSnapshot::load(conf, pki::now()).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let failed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&failed);
        let observe: Observe = Arc::new(move |handshake| {
            if handshake.result == "failed" {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let tls = ListenerTls::new(snapshot, Arc::clone(&clock) as Arc<dyn Clock>, observe);
        let (acceptor, callbacks) = handshake::acceptor(&tls);
        let shared = Arc::new((acceptor, callbacks));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, connections) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, told) = (Arc::clone(&shared), told.clone());
                tokio::spawn(async move {
                    let stream = Stream::from(socket);
                    let done = handshake_with_callback(&shared.0, stream, &*shared.1).await;
                    let Ok(mut stream) = done else {
                        return told.send(None).unwrap_or_default();
                    };
                    let digest = stream.ssl_digest().unwrap();
                    let found = digest.extension.get::<Connection>().cloned();
                    told.send(found).unwrap_or_default();
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() {
                        if stream.write_all(&byte).await.is_err() || stream.flush().await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { tls, clock, address, connections, failed }
    }

    /// What the server made of the next connection; `None` where the handshake failed.
    async fn next(&mut self) -> Option<Connection> {
        self.connections.recv().await.unwrap()
    }

    fn reload(&self, conf: &TlsConf) -> Result<(), document::Mistakes> {
        let (next, _) = TlsSnapshot::load(conf, self.clock.now())?;
        self.tls.install(next).map_err(|mistake| vec![mistake])
    }

    /// Connects, presents, and says what both sides saw.
    async fn present(&mut self, sni: &str, identity: &Identity) -> Result<Word, &'static str> {
        let client = Client::new().presenting(identity);
        let connected = client.connect(self.address, sni).await;
        let Some(connection) = self.next().await else { return Err("handshake") };
        drop(connected);
        Ok(match connection.certificate_now(self.clock.now()) {
            Ok(None) => "none",
            Ok(Some(_)) => "good",
            Err(fault) => fault.kind.word(),
        })
    }
}

type Word = &'static str;

/// A client; believes any server, since what the server shows is not under test here.
struct Client {
    builder: SslContextBuilder,
}

struct Connected {
    stream: SslStream<TcpStream>,
    tickets: Arc<AtomicUsize>,
}

impl Client {
    fn new() -> Self {
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_security_level(0);
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        Self { builder }
    }

    fn presenting(mut self, identity: &Identity) -> Self {
        self.builder.set_certificate(&identity.cert).unwrap();
        self.builder.set_private_key(&identity.key).unwrap();
        self
    }

    fn with_chain(mut self, others: &[&Identity]) -> Self {
        for other in others {
            self.builder.add_extra_chain_cert(other.cert.clone()).unwrap();
        }
        self
    }

    fn version(mut self, version: SslVersion) -> Self {
        self.builder.set_min_proto_version(Some(version)).unwrap();
        self.builder.set_max_proto_version(Some(version)).unwrap();
        self
    }

    fn offering(mut self, protocols: &[u8]) -> Self {
        self.builder.set_alpn_protos(protocols).unwrap();
        self
    }

    /// Connects and has a byte echoed, so that tickets and alerts have arrived.
    async fn connect(mut self, to: SocketAddr, sni: &str) -> Option<Connected> {
        use openssl::ssl::SslSessionCacheMode as Mode;
        let sni = sni.to_owned();
        let tickets = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tickets);
        self.builder.set_session_cache_mode(Mode::CLIENT | Mode::NO_INTERNAL_STORE);
        self.builder.set_new_session_callback(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let context = self.builder.build();
        let job = move || {
            let mut ssl = Ssl::new(&context).unwrap();
            if !sni.is_empty() {
                ssl.set_hostname(&sni).unwrap();
            }
            let stream = TcpStream::connect(to).unwrap();
            let mut stream = ssl.connect(stream).ok()?;
            stream.write_all(b"x").ok()?;
            stream.read_exact(&mut [0]).ok()?;
            Some(Connected { stream, tickets })
        };
        tokio::task::spawn_blocking(job).await.unwrap()
    }
}

impl Connected {
    fn shown(&self) -> Vec<u8> {
        self.stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    }

    fn echo(&mut self) -> bool {
        self.stream.write_all(b"y").is_ok() && self.stream.read_exact(&mut [0]).is_ok()
    }
}

fn root() -> Identity {
    Recipe::authority("Devices Root").self_signed()
}

/// One server certificate, and what is asked of clients.
fn listener(files: &Files, host: &str, clients: Option<ClientCertificatesConf>) -> TlsConf {
    let server = Recipe::server(host).self_signed();
    conf(vec![files.certificate("server", &server)], clients)
}

fn word(connection: &Connection) -> Word {
    match connection.certificate_now(pki::now()) {
        Ok(None) => "none",
        Ok(Some(_)) => "good",
        Err(fault) => fault.kind.word(),
    }
}
