//! A backend on loopback: one TLS server, and what it saw.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::nid::Nid;
use openssl::ssl::{Ssl, SslAcceptor, SslAcceptorBuilder, SslMethod, SslVerifyMode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

use super::authority::Pair;

/// A server that answers each request with the common name of the client's certificate.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Backend {
    /// Serves TLS with this certificate.
    pub(crate) async fn start(pair: &Pair) -> Self {
        Self::with(pair, |_| {}).await
    }

    /// The same, its TLS changed.
    pub(crate) async fn with(pair: &Pair, change: impl FnOnce(&mut SslAcceptorBuilder)) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&pair.certificate).unwrap();
        acceptor.set_private_key(&pair.key).unwrap();
        // Whoever comes may show a certificate: what is tested is what the client accepts.
        acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        acceptor.set_session_id_context(b"test").unwrap();
        change(&mut acceptor);
        Self::serve(Some(acceptor.build())).await
    }

    /// Serves without TLS.
    pub(crate) async fn plaintext() -> Self {
        Self::serve(None).await
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests arrived.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn serve(acceptor: Option<SslAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let backend = Self { address, connections, requests };
        let (connections, requests) = (backend.connections.clone(), backend.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(stream, acceptor.clone(), requests.clone()));
            }
        });
        backend
    }
}

async fn connection(stream: TcpStream, acceptor: Option<SslAcceptor>, requests: Arc<AtomicUsize>) {
    let Some(acceptor) = acceptor else { return answer(stream, "plain", &requests).await };
    let ssl = Ssl::new(acceptor.context()).unwrap();
    let mut stream = SslStream::new(ssl, stream).unwrap();
    if std::pin::Pin::new(&mut stream).accept().await.is_err() {
        return;
    }
    let certificate = stream.ssl().peer_certificate();
    let name = certificate
        .as_ref()
        .and_then(|shown| shown.subject_name().entries_by_nid(Nid::COMMONNAME).next())
        .map_or_else(
            || "nobody".to_owned(),
            |entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned(),
        );
    answer(stream, &name, &requests).await;
}

/// Answers every request of a connection, until the other end is done.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    name: &str,
    requests: &AtomicUsize,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte).await {
        head.extend_from_slice(&byte);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            requests.fetch_add(1, Ordering::SeqCst);
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
