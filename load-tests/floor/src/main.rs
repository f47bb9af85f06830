//! The floor: what a reverse proxy costs on bare Pingora, with nothing decided and nothing written.
//!
//! 1. The same work as the gateway's, apart from the gateway's own: TLS in with HTTP/2 and
//!    HTTP/1.1, mutual TLS out with the backend's chain and name verified, one pool of kept
//!    connections, the same allocator, one worker thread.
//! 2. No filter, no header added, no log, no metric.
//!
//! `load-tests/run.py` starts it beside the gateway and prints the ratio of their costs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use openssl::pkey::PKey;
use openssl::ssl::SslSessionCacheMode;
use openssl::x509::X509;
use pingora::Result;
use pingora::listeners::tls::TlsSettings;
use pingora::modules::http::HttpModules;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::{ALPN, HttpPeer};
use pingora::utils::tls::CertKey;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where to listen, where to go, and who is who.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// The server's certificate (PEM)
    #[arg(long)]
    cert: PathBuf,
    /// Its key (PEM)
    #[arg(long)]
    key: PathBuf,
    /// Address of the backend
    #[arg(long)]
    backend: SocketAddr,
    /// The name that the backend's certificate must carry
    #[arg(long)]
    server_name: String,
    /// Authority of the backend (PEM)
    #[arg(long)]
    ca: PathBuf,
    /// Certificate towards the backend (PEM)
    #[arg(long)]
    client_cert: PathBuf,
    /// Its key (PEM)
    #[arg(long)]
    client_key: PathBuf,
}

/// Forwards everything to one backend.
struct Floor {
    peer: HttpPeer,
}

#[async_trait]
impl ProxyHttp for Floor {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn upstream_peer(&self, _session: &mut Session, _cx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(self.peer.clone()))
    }
}

type Failure = Box<dyn std::error::Error>;

const POOL_SIZE: usize = 4096;

fn main() -> ExitCode {
    match serve(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Nobody is left to tell if standard error is closed.
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: POOL_SIZE,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let floor = Floor { peer: peer(arguments)? };
    let mut service = http_proxy_service(&server.configuration, floor);
    service.add_tls_with_settings(&arguments.listen.to_string(), None, downstream(arguments)?);
    server.add_service(service);
    server.run_forever()
}

fn downstream(arguments: &Arguments) -> Result<TlsSettings, Failure> {
    let Arguments { cert, key, .. } = arguments;
    let mut settings = TlsSettings::intermediate(&cert.to_string_lossy(), &key.to_string_lossy())?;
    settings.set_session_cache_mode(SslSessionCacheMode::OFF);
    settings.enable_h2();
    Ok(settings)
}

fn peer(arguments: &Arguments) -> Result<HttpPeer, Failure> {
    let Arguments { backend, server_name, ca, client_cert, client_key, .. } = arguments;
    let chain = X509::stack_from_pem(&std::fs::read(client_cert)?)?;
    let key = PKey::private_key_from_pem(&std::fs::read(client_key)?)?;
    let authorities = X509::stack_from_pem(&std::fs::read(ca)?)?;
    let identity = Arc::new(CertKey::new(chain, key));
    let mut peer = HttpPeer::new_mtls(backend, server_name.clone(), identity);
    let options = &mut peer.options;
    options.ca = Some(Arc::new(authorities.into_boxed_slice()));
    options.verify_cert = true;
    options.verify_hostname = true;
    options.alpn = ALPN::H2H1;
    options.connection_timeout = Some(Duration::from_secs(3));
    options.total_connection_timeout = Some(Duration::from_secs(3));
    options.read_timeout = Some(Duration::from_mins(1));
    options.write_timeout = Some(Duration::from_mins(1));
    options.idle_timeout = Some(Duration::from_mins(1));
    Ok(peer)
}
