//! Picking an endpoint and dressing a connection for one request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use document::Place;
use metrics::UpstreamMetrics;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::upstreams::peer::{ALPN, HttpPeer, HttpUpstreamRequestPolicy};
use policy::{Forwarding, Reason};

use crate::conf::Protocol;
use crate::kept::Reach;
use crate::paths::PathProfile;
use crate::resolve::Endpoint;
use crate::verify::Demand;

/// How many of its turns an endpoint loses after it could not be reached.
pub const PASSED_OVER_TURNS: u32 = 16;

/// What kind of exchange a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Requests and responses; upgrades are not forwarded.
    Plain,
    /// A WebSocket: HTTP/1.1, may be silent for long.
    WebSocket,
    /// gRPC: HTTP/2, may be silent for long.
    Grpc,
}

/// A connection to ask Pingora for, and what is to be remembered of it.
#[derive(Debug)]
pub struct Peer {
    /// For `upstream_peer` to return.
    pub http: Box<HttpPeer>,
    /// For the gateway to keep with the request.
    pub pick: Pick,
}

/// Which endpoint of which upstream was picked.
#[derive(Clone, Debug)]
pub struct Pick {
    upstream: Arc<Upstream>,
    target: Arc<Target>,
}

/// There is no connection to ask for. `Display` is for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// The permit names an upstream that this generation does not have.
    UnknownUpstream(Box<str>),
    /// No address of the upstream is known.
    Unresolved(Box<str>),
}

/// One upstream, ready to serve.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: Box<str>,
    pub(crate) place: Place,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) mold: HttpPeer,
    pub(crate) demand: Demand,
    pub(crate) protocol: Protocol,
    pub(crate) stream_timeout: Duration,
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) paths: PathProfile,
    pub(crate) metrics: Arc<UpstreamMetrics>,
    pub(crate) turn: Arc<AtomicUsize>,
    pub(crate) targets: ArcSwap<Vec<Arc<Target>>>,
}

/// One address of one upstream, with the connection settings made.
#[derive(Debug)]
pub(crate) struct Target {
    /// The endpoint as it was written, for the metric.
    endpoint: Box<str>,
    address: SocketAddr,
    http: HttpPeer,
    reach: Arc<Reach>,
}

impl Pick {
    /// The upstream's name.
    pub fn upstream(&self) -> &str {
        &self.upstream.name
    }

    /// The address that was picked.
    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// The name that is sent as SNI, for routes that send it as `Host` too.
    pub fn server_name(&self) -> Option<&str> {
        self.upstream.server_name.as_deref()
    }

    /// Tells that the endpoint was connected to and is who it should be.
    pub fn reached(&self) {
        if self.target.reach.reached() {
            self.upstream.metrics.healthy(&self.target.endpoint, true);
        }
    }

    /// Tells that the endpoint could not be connected to or is not who it should be. To be told
    /// before a retry, so that it picks another.
    pub fn unreached(&self) {
        self.target.reach.unreached();
        self.upstream.metrics.healthy(&self.target.endpoint, false);
    }

    /// Tells how long a new connection took, its handshake included.
    pub fn connected(&self, took: Duration) {
        self.upstream.metrics.connected(took);
    }

    /// Tells how the request ended that was sent to the endpoint: `ok`, or the class of a reason.
    pub fn finished(&self, result: &'static str) {
        self.upstream.metrics.finished(result);
    }
}

impl Target {
    pub(crate) fn new(
        upstream: &Upstream,
        endpoint: Box<str>,
        address: SocketAddr,
        reach: Arc<Reach>,
    ) -> Self {
        let mut http = upstream.mold.clone();
        http._address = PingoraAddr::Inet(address);
        upstream.metrics.healthy(&endpoint, reach.is_reached());
        Self { endpoint, address, http, reach }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Upstream {
    pub(crate) fn peer(
        self: &Arc<Self>,
        forwarding: &Forwarding,
        traffic: Traffic,
    ) -> Result<Peer, PeerFault> {
        let target = self.next().ok_or_else(|| PeerFault::Unresolved(self.name.clone()))?;
        let mut http = Box::new(target.http.clone());
        let options = &mut http.options;
        let own = forwarding.response_timeout.map(|duration| duration.0);
        match traffic {
            Traffic::Plain => {
                if own.is_some() {
                    options.read_timeout = own;
                }
            }
            Traffic::WebSocket => {
                options.read_timeout = Some(self.stream_timeout);
                if forwarding.websocket != Some(false) && self.protocol != Protocol::Http2 {
                    // Pingora upgrades on HTTP/1.1 alone: an offer of HTTP/2 would lose the upgrade.
                    options.alpn = ALPN::H1;
                    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::standard();
                }
            }
            Traffic::Grpc => {
                options.read_timeout = own.or(Some(self.stream_timeout));
                if self.protocol != Protocol::Http1 {
                    options.alpn = ALPN::H2;
                }
            }
        }
        Ok(Peer { http, pick: Pick { upstream: Arc::clone(self), target } })
    }

    fn next(&self) -> Option<Arc<Target>> {
        let targets = self.targets.load();
        let count = targets.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = |step: usize| targets.get(turn.wrapping_add(step).checked_rem(count)?);
        (0..count)
            .filter_map(at)
            .find(|target| target.reach.takes_turn())
            .or_else(|| at(0))
            .map(Arc::clone)
    }
}

impl PeerFault {
    /// For the client and the metrics.
    pub fn reason(&self) -> Reason {
        match self {
            Self::UnknownUpstream(_) => Reason::Internal,
            Self::Unresolved(_) => Reason::UpstreamUnreachable,
        }
    }
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUpstream(name) => {
                write!(f, "upstream `{name}` is not in this generation of the configuration")
            }
            Self::Unresolved(name) => {
                write!(
                    f,
                    "no endpoint of upstream `{name}` has an address: look at its names in DNS"
                )
            }
        }
    }
}

impl std::error::Error for PeerFault {}
