//! The client's end of a TLS connection: which name it asks for, which certificate it shows, how
//! it cuts its bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use crate::certificates::Pair;

/// How a client connects. `Clone` it, change a field, connect.
#[derive(Clone)]
pub struct Dial {
    /// Where to.
    pub address: SocketAddr,
    /// The server name to ask for; `None` sends none.
    pub sni: Option<String>,
    /// The name that the certificate must cover; `None` checks the chain alone.
    pub verify: Option<String>,
    /// Who must have signed the server's certificate.
    pub trust: X509,
    /// The client certificate to show.
    pub certificate: Option<Pair>,
    /// ALPN names in wire form.
    pub alpn: &'static [u8],
    /// The newest version to offer.
    pub max_version: Option<SslVersion>,
    /// Bytes per TCP segment, where the client dribbles.
    pub segment: Option<usize>,
}

/// ALPN for HTTP/1.1.
pub const HTTP11: &[u8] = b"\x08http/1.1";
/// ALPN for HTTP/2.
pub const HTTP2: &[u8] = b"\x02h2";

/// How long a read may take: longer than any limit of the gateway that is tested.
pub const READ: Duration = Duration::from_secs(40);

/// The stream that TLS runs over: TCP, in segments of a chosen size.
pub struct Wire {
    tcp: TcpStream,
    segment: Option<usize>,
}

/// A TLS connection.
pub type Tls = SslStream<Wire>;

impl Dial {
    /// Connects and shakes hands.
    pub fn connect(&self) -> io::Result<Tls> {
        let tcp = TcpStream::connect_timeout(&self.address, Duration::from_secs(20))?;
        tcp.set_read_timeout(Some(READ))?;
        tcp.set_write_timeout(Some(READ))?;
        tcp.set_nodelay(true)?;
        let wire = Wire { tcp, segment: self.segment };
        // No `SslConnector`: it reads the system's authorities, which costs more than a handshake.
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(self.trust.clone())?;
        builder.set_cert_store(store.build());
        builder.set_verify(SslVerifyMode::PEER);
        builder.set_max_proto_version(self.max_version)?;
        if let Some(pair) = &self.certificate {
            builder.set_certificate(&pair.cert)?;
            builder.set_private_key(&pair.key)?;
        }
        builder.set_alpn_protos(self.alpn)?;
        let mut ssl = Ssl::new(&builder.build())?;
        if let Some(sni) = &self.sni {
            ssl.set_hostname(sni)?;
        }
        if let Some(name) = &self.verify {
            ssl.param_mut().set_host(name)?;
        }
        ssl.connect(wire).map_err(|error| io::Error::other(format!("{error:?}")))
    }

    /// With this server name, checking the certificate's chain alone.
    #[must_use]
    pub fn to_unverified(mut self, name: &str) -> Self {
        self.sni = Some(name.to_owned());
        self
    }

    /// With this server name and certificate check.
    #[must_use]
    pub fn to(mut self, name: &str) -> Self {
        self.sni = Some(name.to_owned());
        self.verify = Some(name.to_owned());
        self
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buffer)
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.segment.map_or(bytes.len(), |segment| bytes.len().min(segment));
        self.tcp.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl Wire {
    /// The socket below.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}
