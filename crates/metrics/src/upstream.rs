//! What is counted of one upstream.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter, IntGauge, Registry};

use crate::family::Family;
use crate::table::Table;

/// Of connections with their handshake, in seconds.
const CONNECT_BUCKETS: [f64; 11] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The families that have an upstream. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Families {
    requests: Family<IntCounter, 2>,
    connect: Family<Histogram, 1>,
    healthy: Family<IntGauge, 2>,
}

impl Families {
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            requests: crate::register(
                registry,
                "portcullis_upstream_requests_total",
                "Requests that were sent on, by result.",
                ["upstream", "result"],
            )?,
            connect: crate::register_histogram(
                registry,
                "portcullis_upstream_connect_duration_seconds",
                "To connect and to verify the other end.",
                ["upstream"],
                &CONNECT_BUCKETS,
            )?,
            healthy: crate::register(
                registry,
                "portcullis_upstream_healthy",
                "Whether a configured endpoint is used: 1 or 0.",
                ["upstream", "endpoint"],
            )?,
        })
    }

    /// Removes the series of upstreams that are not named.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.requests.retain(|[upstream, _]| keep(upstream));
        self.connect.retain(|[upstream]| keep(upstream));
        self.healthy.retain(|[upstream, _]| keep(upstream));
    }
}

/// One upstream's counters, resolved.
#[derive(Debug)]
pub struct UpstreamMetrics {
    name: Box<str>,
    families: Families,
    requests: Table<&'static str, IntCounter>,
    connect: OnceLock<Histogram>,
}

impl UpstreamMetrics {
    pub(crate) fn new(name: &str, families: &Families) -> Self {
        Self {
            name: name.into(),
            families: families.clone(),
            requests: Table::default(),
            connect: OnceLock::new(),
        }
    }

    /// A request that was sent on ended so: `ok`, or the class of a reason.
    pub fn finished(&self, result: &'static str) {
        let make = || self.families.requests.get([&self.name, result]);
        self.requests.with(result, make, IntCounter::inc);
    }

    /// A new connection, handshake included, took so long.
    pub fn connected(&self, took: Duration) {
        self.connect
            .get_or_init(|| self.families.connect.get([&self.name]))
            .observe(took.as_secs_f64());
    }

    /// Whether this endpoint, as configured, is used.
    pub fn healthy(&self, endpoint: &str, healthy: bool) {
        self.families.healthy.get([&self.name, endpoint]).set(healthy.into());
    }

    /// Removes the series of endpoints that are not named.
    pub fn retain_endpoints(&self, endpoints: &[impl AsRef<str>]) {
        self.families.healthy.retain(|[upstream, endpoint]| {
            *upstream != self.name || endpoints.iter().any(|kept| *kept.as_ref() == **endpoint)
        });
    }
}
