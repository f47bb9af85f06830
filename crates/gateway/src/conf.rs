//! The `server:` and `audit:` sections, as written. Limits have safe defaults and a unit.

use std::net::SocketAddr;

use document::{At, Duration, FilePath, OneOrMany, Size};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

/// `server:`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerConf {
    /// Where clients connect.
    pub listen: Vec<At<ListenConf>>,
    /// Metrics, health and the operator's calls; never on a public listener.
    #[serde(default)]
    pub admin: Option<At<AdminConf>>,
    /// Whose `X-Forwarded-For` is believed.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Where state is kept: signing keys, API tokens.
    pub state_dir: At<FilePath>,
    /// Worker threads; the number of cores where absent.
    #[serde(default)]
    pub threads: Option<usize>,
    /// How long requests in flight may take to end after SIGTERM (default 30s).
    #[serde(default)]
    pub drain: Option<Duration>,
    /// `Strict-Transport-Security` max-age (default 365d; `0s` sends none).
    #[serde(default)]
    pub hsts: Option<Duration>,
    /// What a request may be.
    #[serde(default)]
    pub limits: LimitsConf,
}

/// One listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenConf {
    /// Address and port.
    pub address: At<SocketAddr>,
    /// TLS; a listener without it only redirects to HTTPS.
    #[serde(default)]
    pub tls: Option<TlsConf>,
    /// The port that the redirect names, where this listener has no TLS (default 443).
    #[serde(default)]
    pub redirect_port: Option<u16>,
}

/// TLS of one listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConf {
    /// Certificates; the one whose names cover the SNI is used, else the first.
    pub certificates: Vec<At<CertificateConf>>,
    /// Client certificates.
    #[serde(default)]
    pub client_certificates: Option<At<ClientCertificatesConf>>,
    /// Oldest version (default `1.2`).
    #[serde(default)]
    pub min_version: MinVersion,
}

/// One certificate with its chain, and its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConf {
    /// PEM: the certificate, then its chain.
    pub cert: At<FilePath>,
    /// PEM: the private key.
    pub key: At<FilePath>,
}

/// Whether and where client certificates are asked for, and who may issue them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificatesConf {
    /// `optional`: a client may present one. `required`: the handshake fails without.
    #[serde(default)]
    pub mode: ClientCertificateMode,
    /// PEM files of the authorities (one, or a list).
    pub ca: OneOrMany<At<FilePath>>,
    /// PEM or DER files of their revocation lists.
    #[serde(default)]
    pub crl: OneOrMany<At<FilePath>>,
    /// Accepts a certificate although no current revocation list of its issuer is there; each time
    /// is said in the log.
    #[serde(default)]
    pub danger_soft_crl: bool,
    /// The hosts that ask; all where absent.
    #[serde(default)]
    pub hosts: Option<Vec<At<String>>>,
}

/// Whether a client certificate must be presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificateMode {
    /// A client may present one.
    #[default]
    Optional,
    /// A handshake without one fails.
    Required,
}

/// Oldest version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum MinVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// The operator's listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminConf {
    /// Address and port; loopback unless `danger_public` is said.
    pub address: At<SocketAddr>,
    /// Allows an address that is not loopback.
    #[serde(default)]
    pub danger_public: bool,
}

/// What a request may be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConf {
    /// Header fields (default 100).
    pub header_count_max: usize,
    /// Bytes of the whole head (default 32KiB).
    pub header_bytes_max: Size,
    /// Bytes of the path (default 8KiB).
    pub path_bytes_max: Size,
    /// Bytes of the query (default 16KiB).
    pub query_bytes_max: Size,
    /// Segments of the path (default 256).
    pub path_segments_max: usize,
    /// Bytes of a request's body where the route does not say (default 1GiB).
    pub body_bytes_max: Size,
    /// How long a client may take to send a head (default 10s), counted from its first byte.
    pub header_time_max: Duration,
    /// How long a connection may idle between requests (default 60s).
    pub idle_max: Duration,
    /// How long an upgraded connection or a stream may be silent (default 1h).
    pub stream_idle_max: Duration,
    /// Requests at once on one HTTP/2 connection (default 100).
    pub http2_streams_max: u32,
    /// Methods that are served (default: GET HEAD POST PUT PATCH DELETE OPTIONS).
    pub methods: Vec<String>,
}

impl Default for LimitsConf {
    fn default() -> Self {
        let seconds = |n| Duration(std::time::Duration::from_secs(n));
        Self {
            header_count_max: 100,
            header_bytes_max: Size(32 << 10),
            path_bytes_max: Size(8 << 10),
            query_bytes_max: Size(16 << 10),
            path_segments_max: 256,
            body_bytes_max: Size(1 << 30),
            header_time_max: seconds(10),
            idle_max: seconds(60),
            stream_idle_max: seconds(3600),
            http2_streams_max: 100,
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// `audit:`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditConf {
    /// The file that records are appended to; `-` is standard output.
    pub file: At<FilePath>,
}
