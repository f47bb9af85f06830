//! An HTTPS server that does as it is told, well or badly.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_openssl::SslStream;

use crate::testing::p256_key;

/// What a path answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// 200 with these headers and this body.
    Good(&'static str, Vec<u8>),
    /// Another status, with a body that would do.
    Status(&'static str, Vec<u8>),
    /// A redirect to a path that would do.
    Redirect(&'static str),
    /// One byte and then nothing, for as long as anybody listens.
    Slow,
    /// The connection ends in the middle.
    Cut,
    /// 200 and this many bytes, without saying so beforehand.
    Huge(usize),
}

/// The server.
pub(super) struct Server {
    pub(super) port: u16,
    /// PEM of the authority that signed its certificate.
    pub(super) ca: Vec<u8>,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    answers: ArcSwap<BTreeMap<String, Answer>>,
    hits: AtomicUsize,
    acceptor: Option<SslAcceptor>,
}

impl Server {
    /// A server with a certificate for 127.0.0.1.
    pub(super) async fn start() -> Self {
        let (ca, acceptor) = credentials();
        Self::listen(ca, Some(acceptor)).await
    }

    /// A server without TLS.
    pub(super) async fn plain() -> Self {
        Self::listen(Vec::new(), None).await
    }

    async fn listen(ca: Vec<u8>, acceptor: Option<SslAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { answers: ArcSwap::default(), hits: AtomicUsize::new(0), acceptor });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&shared)));
        Self { port, ca, shared, _tasks: tasks }
    }

    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.shared.acceptor.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    /// From now on this path answers so.
    pub(super) fn answer(&self, path: &str, answer: &Answer) {
        self.shared.answers.rcu(|answers| {
            let mut answers = BTreeMap::clone(answers);
            answers.insert(path.to_owned(), answer.clone());
            answers
        });
    }

    /// How many requests came.
    pub(super) fn hits(&self) -> usize {
        self.shared.hits.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that goes away in the middle is what some tests are about.
            let _ended = connection(stream, &shared).await;
        });
    }
}

async fn connection(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(acceptor) = &shared.acceptor else { return exchange(stream, shared).await };
    let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), stream).unwrap();
    Pin::new(&mut stream).accept().await.map_err(std::io::Error::other)?;
    exchange(stream, shared).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    shared.hits.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let answer = shared.answers.load().get(path).cloned();
    let close = "connection: close\r\n\r\n";
    match answer.unwrap_or_else(|| Answer::Status("404 Not Found", Vec::new())) {
        Answer::Good(headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}{close}");
            stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        }
        Answer::Status(status, body) => {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{close}", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        }
        Answer::Redirect(to) => {
            let head =
                format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n{close}");
            stream.write_all(head.as_bytes()).await?;
        }
        Answer::Slow => {
            stream.write_all(b"H").await?;
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        Answer::Cut => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":").await?;
        }
        Answer::Huge(bytes) => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{close}").as_bytes()).await?;
            for _ in 0..bytes / 65_536 {
                stream.write_all(&vec![b' '; 65_536]).await?;
            }
        }
    }
    stream.shutdown().await
}

/// An authority, and a server with a certificate of it for 127.0.0.1.
fn credentials() -> (Vec<u8>, SslAcceptor) {
    let (ca_key, key) = (p256_key(), p256_key());
    let ca = certificate("authority", &ca_key, None, &ca_key);
    let leaf = certificate("server", &key, Some(&ca), &ca_key);
    let mut acceptor = SslAcceptor::mozilla_modern_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(&leaf).unwrap();
    acceptor.set_private_key(&key).unwrap();
    (ca.to_pem().unwrap(), acceptor.build())
}

fn certificate(
    name: &str,
    key: &PKey<Private>,
    issuer: Option<&X509>,
    issuer_key: &PKey<Private>,
) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    match issuer {
        None => {
            builder
                .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
                .unwrap();
        }
        Some(issuer) => {
            let names = SubjectAlternativeName::new()
                .ip("127.0.0.1")
                .build(&builder.x509v3_context(Some(issuer), None))
                .unwrap();
            builder.append_extension(names).unwrap();
        }
    }
    builder.sign(issuer_key, MessageDigest::sha256()).unwrap();
    builder.build()
}
