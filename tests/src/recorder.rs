//! A backend that remembers: raw bytes of each request, parsed strictly, and an answer by script.
//!
//! 1. Each request that it parsed is a [`Seen`]; [`Recorder::hits`] counts them, whatever became of
//!    the answer.
//! 2. What a strict reader of RFC 9112 would not accept is a fault; [`Recorder::sound`] fails on
//!    any, because the gateway wrote it.
//! 3. The script is chosen by the longest prefix of the path that has one; [`Script::Echo`] else.

mod answer;
mod h1;
mod h2;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use serde_json::Value;

use crate::certificates::Pair;
use crate::tokens::peek;
use crate::wait::until;
use crate::world::World;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Script {
    /// 200 with a JSON picture of the request.
    Echo,
    /// These bytes as they are; the connection stays.
    Raw(Vec<u8>),
    /// These bytes as they are, then the end of the connection.
    RawThenClose(Vec<u8>),
    /// An echo, this much later.
    Late(Duration),
    /// An echo, once [`Recorder::release`] was called.
    Hold,
    /// 101, then every byte comes back.
    WebSocket,
    /// 200 with this many bytes.
    Large(usize),
    /// The end of the connection, without an answer.
    Close,
    /// The end of the connection without an answer the first time, an echo afterwards.
    CloseOnce,
    /// 200 to gRPC: one message back, then this status in the trailers (h2 only).
    Grpc(u32),
}

/// What the backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS; the client must show a certificate of the backends' authority.
    Mutual,
    /// TLS; no client certificate is asked for.
    ServerOnly,
    /// TLS up to 1.1 only.
    Outdated,
    /// No TLS.
    Plain,
    /// Accepts, then says nothing.
    Silent,
    /// Accepts, then writes what is no protocol at all.
    Garbage,
}

/// One request as the backend received it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The head's bytes (h1), or a text of its fields (h2).
    pub raw: Vec<u8>,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The fields in their order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from its framing.
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// The subject's common name of the client certificate.
    pub client: Option<String>,
    /// `h1` or `h2`.
    pub version: &'static str,
}

/// A running backend.
pub struct Recorder {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<String>>,
    scripts: Mutex<Vec<(String, Script)>>,
    connections: AtomicUsize,
    aborted: AtomicUsize,
    stopped: AtomicBool,
    released: Mutex<bool>,
    release: Condvar,
    context: Mutex<Option<SslContext>>,
    transport: Transport,
}

impl Recorder {
    /// A backend that is who it says and demands the gateway's certificate.
    pub fn start(world: &World, name: &str) -> Self {
        Self::with(Transport::Mutual, &world.backend(name), world.backends.cert(), false)
    }

    /// The same, speaking HTTP/2 where the client offers it.
    pub fn start_h2(world: &World, name: &str) -> Self {
        Self::with(Transport::Mutual, &world.backend(name), world.backends.cert(), true)
    }

    /// A backend of any kind with any certificate.
    pub fn with(transport: Transport, pair: &Pair, client_ca: &X509, h2: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let context = context(transport, pair, client_ca, h2).unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            faults: Mutex::default(),
            scripts: Mutex::default(),
            connections: AtomicUsize::new(0),
            aborted: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            released: Mutex::new(false),
            release: Condvar::new(),
            context: Mutex::new(context),
            transport,
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Answers paths with this prefix by this script.
    pub fn on(&self, prefix: &str, script: Script) -> &Self {
        let mut scripts = self.shared.scripts.lock().unwrap();
        scripts.retain(|(known, _)| known != prefix);
        scripts.push((prefix.to_owned(), script));
        self
    }

    /// How many requests came.
    pub fn hits(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
    }

    /// How many connections came, whatever they carried.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests broke off inside their body.
    pub fn aborted(&self) -> usize {
        self.shared.aborted.load(Ordering::SeqCst)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The latest request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.shared.seen.lock().unwrap().last().cloned().expect("the backend was reached")
    }

    /// Waits until the backend was reached this often.
    #[track_caller]
    pub fn wait_for(&self, hits: usize) {
        until("the backend to be reached", || (self.hits() >= hits).then_some(()));
    }

    /// Lets every [`Script::Hold`] answer.
    pub fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.release.notify_all();
    }

    /// Fails on anything that a strict reader would not accept.
    #[track_caller]
    pub fn sound(&self) {
        let faults = self.shared.faults.lock().unwrap();
        assert!(faults.is_empty(), "the gateway wrote malformed requests: {faults:#?}");
    }

    /// Stops listening: connections are refused from now on.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then drops the listener.
        drop(TcpStream::connect(self.address));
        until("the backend to stop", || TcpStream::connect(self.address).is_err().then_some(()));
    }

    /// Shows another certificate from the next connection on.
    pub fn replace_certificate(&self, pair: &Pair, client_ca: &X509) {
        *self.shared.context.lock().unwrap() =
            context(self.shared.transport, pair, client_ca, false).unwrap();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.release();
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

impl Seen {
    /// The first value of a field, by any spelling of case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |n: &String| n.eq_ignore_ascii_case(name);
        self.headers.iter().filter(|(n, _)| same(n)).map(|(_, value)| value.as_str()).collect()
    }

    /// The claims of the gateway's assertion, unverified.
    pub fn assertion(&self) -> Value {
        self.header("x-portcullis-assertion").map_or(Value::Null, peek)
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl Shared {
    fn script(&self, path: &str) -> Script {
        let scripts = self.scripts.lock().unwrap();
        let fitting = scripts.iter().filter(|(prefix, _)| path.starts_with(prefix.as_str()));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map_or(Script::Echo, |(_, s)| s.clone())
    }

    fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for tcp in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(tcp) = tcp else { continue };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        // A connection that fails is the gateway's to report, not the backend's.
        std::thread::spawn(move || drop(connection(tcp, number, &shared)));
    }
}

fn connection(mut tcp: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    tcp.set_read_timeout(Some(Duration::from_secs(120)))?;
    tcp.set_nodelay(true)?;
    match shared.transport {
        Transport::Plain => return h1::serve(tcp, number, None, shared),
        Transport::Silent => {
            return tcp.read(&mut [0; 4096]).and_then(|_| tcp.read(&mut [0])).map(drop);
        }
        Transport::Garbage => return tcp.write_all(&[0xff; 512]),
        Transport::Mutual | Transport::ServerOnly | Transport::Outdated => {}
    }
    let context = shared.context.lock().unwrap().clone();
    let Some(context) = context else { return Ok(()) };
    let tls = Ssl::new(&context)?.accept(tcp).map_err(|e| io::Error::other(e.to_string()))?;
    let client = tls.ssl().peer_certificate().and_then(|certificate| {
        let entry = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
        entry.and_then(|entry| entry.data().to_string().ok())
    });
    if tls.ssl().selected_alpn_protocol() == Some(b"h2") {
        return h2::serve(tls, number, client, shared);
    }
    h1::serve(tls, number, client, shared)
}

fn context(
    transport: Transport,
    pair: &Pair,
    client_ca: &X509,
    h2: bool,
) -> io::Result<Option<SslContext>> {
    if matches!(transport, Transport::Plain | Transport::Silent | Transport::Garbage) {
        return Ok(None);
    }
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_certificate(&pair.cert)?;
    builder.set_private_key(&pair.key)?;
    builder.set_session_id_context(b"recorder")?;
    if transport == Transport::Outdated {
        builder.set_min_proto_version(Some(SslVersion::TLS1))?;
        builder.set_max_proto_version(Some(SslVersion::TLS1_1))?;
        builder.set_cipher_list("ALL:@SECLEVEL=0")?;
    }
    if transport == Transport::Mutual {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(client_ca.clone())?;
        builder.set_cert_store(store.build());
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    let protocols: &'static [u8] = if h2 { b"\x02h2\x08http/1.1" } else { b"\x08http/1.1" };
    builder.set_alpn_select_callback(move |_, offered| {
        openssl::ssl::select_next_proto(protocols, offered).ok_or(openssl::ssl::AlpnError::NOACK)
    });
    Ok(Some(builder.build()))
}
