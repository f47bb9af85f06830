//! The `upstreams:` section, as written. Nothing here is checked yet: [`crate::Upstreams::load`]
//! turns it into what cannot be wrong.

use document::{At, Duration, FilePath, OneOrMany};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::paths::PathProfile;

/// One upstream: a backend, and how the gateway knows that it is the right one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConf {
    /// Its name in routes, metrics and the audit record.
    pub name: At<String>,
    /// Where it listens: `host:port`, `address:port` or `[v6]:port`; several take turns.
    pub endpoints: OneOrMany<At<String>>,
    /// TLS: whom to trust, whom to expect, and who the gateway is to it.
    #[serde(default)]
    pub tls: Option<At<TlsConf>>,
    /// Speak without TLS: whoever is on the way can read and change everything.
    #[serde(default)]
    pub danger_plaintext: Option<At<bool>>,
    /// Speak TLS with whoever answers: its certificate is not looked at.
    #[serde(default)]
    pub danger_unverified: Option<At<bool>>,
    /// Which HTTP (default `auto`).
    #[serde(default)]
    pub protocol: Protocol,
    /// How long a connection may take to be ready, TLS included (default 3s).
    #[serde(default)]
    pub connect_timeout: Option<At<Duration>>,
    /// How long the backend may be silent, before its response and within it (default 60s).
    #[serde(default)]
    pub response_timeout: Option<At<Duration>>,
    /// How long a WebSocket or a gRPC stream may be silent (default 1h).
    #[serde(default)]
    pub stream_timeout: Option<At<Duration>>,
    /// How long an idle connection is kept for the next request (default 60s).
    #[serde(default)]
    pub idle_timeout: Option<At<Duration>>,
    /// Requests at once on one HTTP/2 connection (default 100).
    #[serde(default)]
    pub http2_streams_max: Option<At<usize>>,
    /// Which paths its backends need that the door refuses otherwise.
    #[serde(default)]
    pub paths: Option<At<PathProfile>>,
}

/// TLS towards one upstream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConf {
    /// PEM files of the authorities that may vouch for it (one, or a list).
    #[serde(default)]
    pub ca: OneOrMany<At<FilePath>>,
    /// PEM: the gateway's client certificate, then its chain. With `key`, or neither.
    #[serde(default)]
    pub cert: Option<At<FilePath>>,
    /// PEM: the private key of `cert`.
    #[serde(default)]
    pub key: Option<At<FilePath>>,
    /// The name that its certificate must carry, a DNS name or an address. Sent as SNI.
    #[serde(default)]
    pub server_name: Option<At<String>>,
    /// The SPIFFE id that its certificate must carry; then `server_name` is only sent as SNI.
    #[serde(default)]
    pub spiffe_id: Option<At<String>>,
    /// PEM or DER files of revocation lists; with any, every authority on the way needs one.
    #[serde(default)]
    pub crl: OneOrMany<At<FilePath>>,
}

/// Which HTTP is spoken with an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/2 is offered, HTTP/1.1 serves otherwise; without TLS it is HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone; without TLS by prior knowledge.
    Http2,
}
