//! The gateway's metrics: a registry that is handed down, never a static.
//!
//! Ground floor: nothing of ours, no network, no clock.
//!
//! 1. Base units: seconds, counts, seconds since the epoch.
//! 2. Never a user, a path or a client's address as a label. Every value of a label is a name of
//!    the configuration or a word of the code: what a stranger sends cannot make series.
//! 3. What a request uses is resolved once: [`RouteMetrics`], [`UpstreamMetrics`], and the counters
//!    that the other calls return may be held. Nothing here takes a lock on a request's way.
//! 4. Series of what a new configuration no longer has are removed ([`Metrics::retain_routes`] and
//!    its like); handles of an old generation go on counting, unseen.

mod config;
mod family;
mod route;
mod table;
mod tls;
mod tokens;
mod upstream;

use std::collections::HashSet;
use std::sync::Arc;

use family::{Child, Family};
pub use prometheus;
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Registry, TextEncoder,
};
pub use route::RouteMetrics;
pub use upstream::UpstreamMetrics;

/// Of decisions, in seconds: one is a few microseconds.
const DECISION_BUCKETS: [f64; 10] =
    [0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01];

/// The registry and the families of the contract.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Seconds that the policy takes to decide.
    pub decision_duration: Histogram,
    routes: route::Families,
    upstreams: upstream::Families,
    filter_stops: Family<IntCounter, 2>,
    tokens: tokens::Families,
    posture_lookups: Family<IntCounter, 2>,
    tls: tls::Families,
    rejected: Family<IntCounter, 1>,
    config: config::Gauges,
}

impl Metrics {
    /// The families of the contract and of the process, in a registry of their own.
    ///
    /// # Errors
    /// Two families have one name, or a name is not one.
    pub fn new(version: &str, revision: &str) -> Result<Self, Error> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let build: Family<IntGauge, 2> = register(
            &registry,
            "portcullis_build_info",
            "Always 1; what was built is in the labels.",
            ["version", "revision"],
        )?;
        build.get([version, revision]).set(1);
        let decision_duration = Histogram::with_opts(
            HistogramOpts::new(
                "portcullis_decision_duration_seconds",
                "What the policy takes to decide.",
            )
            .buckets(DECISION_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(decision_duration.clone()))?;
        Ok(Self {
            decision_duration,
            routes: route::Families::register(&registry)?,
            upstreams: upstream::Families::register(&registry)?,
            filter_stops: register(
                &registry,
                "portcullis_filter_stops_total",
                "Requests that a filter ended, and how.",
                ["filter", "stop"],
            )?,
            tokens: tokens::Families::register(&registry)?,
            posture_lookups: register(
                &registry,
                "portcullis_posture_lookups_total",
                "Look-ups of devices.",
                ["source", "result"],
            )?,
            tls: tls::Families::register(&registry)?,
            rejected: register(
                &registry,
                "portcullis_rejected_requests_total",
                "Requests that were refused before a route was known.",
                ["cause"],
            )?,
            config: config::Gauges::register(&registry)?,
            registry,
        })
    }

    /// The registry, for families of a third-party filter.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The counters of a route, `-` for none.
    pub fn route(&self, name: &str) -> Arc<RouteMetrics> {
        Arc::new(RouteMetrics::new(name, &self.routes))
    }

    /// The counters of an upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        Arc::new(UpstreamMetrics::new(name, &self.upstreams))
    }

    /// A filter ended a request so.
    pub fn filter_stop(&self, filter: &str, stop: &'static str) {
        self.filter_stops.get([filter, stop]).inc();
    }

    /// Tokens of this provider that were verified with this result: `ok`, or why not. To be held.
    pub fn token_verifications(&self, provider: &str, result: &'static str) -> IntCounter {
        self.tokens.verifications.get([provider, result])
    }

    /// Look-ups among the verified tokens: `hit` or `miss`. To be held.
    pub fn token_cache(&self, result: &'static str) -> IntCounter {
        self.tokens.cache.get([result])
    }

    /// Seconds since this provider's keys were last read. To be held, and set as time goes by.
    pub fn jwks_age(&self, provider: &str) -> Gauge {
        self.tokens.jwks_age.get([provider])
    }

    /// Look-ups of devices in this source with this result: `found`, `none`, ... To be held.
    pub fn posture_lookups(&self, source: &str, result: &'static str) -> IntCounter {
        self.posture_lookups.get([source, result])
    }

    /// A handshake on this listener: its version of TLS (`-` if none came about), how it ended,
    /// and what became of the client's certificate (`none`, `verified`, ...).
    pub fn handshake(
        &self,
        listener: &str,
        version: &'static str,
        result: &'static str,
        client_certificate: &'static str,
    ) {
        self.tls.handshakes.get([listener, version, result, client_certificate]).inc();
    }

    /// A certificate of this role (`listener`, `upstream`, ...) and name ends then, in seconds
    /// since the epoch.
    pub fn certificate_expiry(&self, role: &'static str, name: &str, ends: i64) {
        self.tls.certificate_expiry.get([role, name]).set(ends);
    }

    /// Seconds since this authority's revocation list was issued. To be held, and set as time goes
    /// by.
    pub fn revocation_age(&self, issuer: &str) -> Gauge {
        self.tls.revocation_age.get([issuer])
    }

    /// A request was refused before a route was known.
    pub fn rejected(&self, cause: &'static str) {
        self.rejected.get([cause]).inc();
    }

    /// A configuration was read at this time (seconds since the epoch): whether it came into
    /// force, and the number of the one that is in force now.
    pub fn reloaded(&self, success: bool, generation: u64, at: i64) {
        self.config.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.config.success.set(success.into());
        self.config.timestamp.set(at);
    }

    /// Removes the series of routes that are not named; those of no route stay.
    pub fn retain_routes(&self, names: &[impl AsRef<str>]) {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        self.routes.retain(|name| names.contains(name));
    }

    /// Removes the series of upstreams that are not named.
    pub fn retain_upstreams(&self, names: &[impl AsRef<str>]) {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        self.upstreams.retain(|name| names.contains(name));
    }

    /// Removes the series of token providers that are not named.
    pub fn retain_providers(&self, names: &[impl AsRef<str>]) {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        self.tokens.verifications.retain(|[name, _]| names.contains(&**name));
        self.tokens.jwks_age.retain(|[name]| names.contains(&**name));
    }

    /// Removes the series of certificates of this role that are not named.
    pub fn retain_certificates(&self, role: &'static str, names: &[impl AsRef<str>]) {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        self.tls.certificate_expiry.retain(|[of, name]| &**of != role || names.contains(&**name));
    }

    /// Removes the series of issuers of revocation lists that are not named.
    pub fn retain_issuers(&self, names: &[impl AsRef<str>]) {
        let names: HashSet<&str> = names.iter().map(AsRef::as_ref).collect();
        self.tls.revocation_age.retain(|[name]| names.contains(&**name));
    }

    /// Everything, in the text format of Prometheus (version 0.0.4).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a text fails only for a family without a name, which none of ours is: what a
        // third-party filter registered wrongly must not hide the rest.
        for family in self.registry.gather() {
            let before = text.len();
            if TextEncoder::new().encode_utf8(&[family], &mut text).is_err() {
                text.truncate(before);
            }
        }
        text
    }
}

/// A family whose children are made by their labels.
fn register<M: Child, const N: usize>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: [&'static str; N],
) -> Result<Family<M, N>, Error> {
    let family = Family::new(name, help, labels, &[])?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// The same for durations.
fn register_histogram<const N: usize>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: [&'static str; N],
    buckets: &'static [f64],
) -> Result<Family<Histogram, N>, Error> {
    let family = Family::new(name, help, labels, buckets)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}
