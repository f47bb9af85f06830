//! Who is at the other end of the connection: parsed once per connection.

use std::net::SocketAddr;
use std::sync::Arc;

use policy::{Certificate, TlsVersion};

/// One connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address that connected: the client, or a proxy in front of the gateway.
    pub peer: SocketAddr,
    /// What the handshake said; `None` on a listener without TLS.
    pub tls: Option<Tls>,
}

/// What a handshake said.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server name that was asked for, lower case without trailing dot.
    pub sni: Option<Arc<str>>,
    /// The version that was negotiated.
    pub version: TlsVersion,
    /// The client's certificate, if it presented one that verified.
    pub certificate: Option<Arc<Certificate>>,
}
