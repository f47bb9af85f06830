//! What is counted of one route's requests.
//!
//! 1. A method outside the list is `OTHER`, a code outside 100 to 599 is `OTHER`, and the code of a
//!    request that got no answer is `-`: a client or a backend cannot make series.
//! 2. A series exists from its first use on, so that ten thousand routes that nobody calls cost
//!    nothing at a scrape.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter, IntGauge, Registry};

use crate::family::Family;
use crate::table::Table;

const METHODS: [&str; 9] =
    ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
/// Of durations of requests, in seconds.
const REQUEST_BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The families that have a route. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Families {
    requests: Family<IntCounter, 3>,
    duration: Family<Histogram, 1>,
    active: Family<IntGauge, 1>,
    decisions: Family<IntCounter, 3>,
    shadow: Family<IntCounter, 4>,
    streams: Family<IntGauge, 2>,
    streams_ended: Family<IntCounter, 3>,
}

impl Families {
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            requests: crate::register(
                registry,
                "portcullis_http_requests_total",
                "Requests that ended, refused ones included.",
                ["route", "method", "code"],
            )?,
            duration: crate::register_histogram(
                registry,
                "portcullis_http_request_duration_seconds",
                "From the first byte of a request to the last byte of its answer.",
                ["route"],
                &REQUEST_BUCKETS,
            )?,
            active: crate::register(
                registry,
                "portcullis_http_active_requests",
                "Requests that are under way.",
                ["route"],
            )?,
            decisions: crate::register(
                registry,
                "portcullis_decisions_total",
                "Outcomes of requests and the class of their reason.",
                ["route", "outcome", "reason"],
            )?,
            shadow: crate::register(
                registry,
                "portcullis_shadow_decisions_total",
                "Requests for which a shadow rule would have changed the outcome.",
                ["route", "rule", "enforced", "shadow"],
            )?,
            streams: crate::register(
                registry,
                "portcullis_streams_active",
                "Upgraded connections and long answers that are open.",
                ["route", "kind"],
            )?,
            streams_ended: crate::register(
                registry,
                "portcullis_streams_ended_total",
                "Upgraded connections and long answers that ended, by cause.",
                ["route", "kind", "cause"],
            )?,
        })
    }

    /// Removes the series of routes that are not named; `-` stays.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        let keep = |route: &str| route == "-" || keep(route);
        self.requests.retain(|[route, ..]| keep(route));
        self.duration.retain(|[route]| keep(route));
        self.active.retain(|[route]| keep(route));
        self.decisions.retain(|[route, ..]| keep(route));
        self.shadow.retain(|[route, ..]| keep(route));
        self.streams.retain(|[route, ..]| keep(route));
        self.streams_ended.retain(|[route, ..]| keep(route));
    }
}

/// One route's counters, resolved: using one is an atomic increment or two.
#[derive(Debug)]
pub struct RouteMetrics {
    name: Box<str>,
    families: Families,
    requests: Table<(&'static str, u16), IntCounter>,
    decisions: Table<(&'static str, &'static str), IntCounter>,
    duration: OnceLock<Histogram>,
    active: OnceLock<IntGauge>,
}

impl RouteMetrics {
    pub(crate) fn new(name: &str, families: &Families) -> Self {
        Self {
            name: name.into(),
            families: families.clone(),
            requests: Table::default(),
            decisions: Table::default(),
            duration: OnceLock::new(),
            active: OnceLock::new(),
        }
    }

    /// A request is under way; [`ended`](Self::ended) must follow.
    pub fn began(&self) {
        self.active().inc();
    }

    /// The request of one [`began`](Self::began) is over.
    pub fn ended(&self) {
        self.active().dec();
    }

    /// A request ended with this code (0: without an answer) after this time.
    pub fn finished(&self, method: &str, code: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("OTHER");
        let code = if code == 0 || (100..600).contains(&code) { code } else { u16::MAX };
        let make = || match code {
            0 => self.families.requests.get([&self.name, method, "-"]),
            100..600 => self.families.requests.get([&self.name, method, &code.to_string()]),
            _ => self.families.requests.get([&self.name, method, "OTHER"]),
        };
        self.requests.with((method, code), make, IntCounter::inc);
        self.duration
            .get_or_init(|| self.families.duration.get([&self.name]))
            .observe(took.as_secs_f64());
    }

    /// A request came out so (`allow`, `challenge`, `deny`, or a filter's stop), for a reason of
    /// this class.
    pub fn decided(&self, outcome: &'static str, reason: &'static str) {
        let make = || self.families.decisions.get([&self.name, outcome, reason]);
        self.decisions.with((outcome, reason), make, IntCounter::inc);
    }

    /// This shadow rule would have made another outcome of it.
    pub fn shadow(&self, rule: &str, enforced: &'static str, shadow: &'static str) {
        self.families.shadow.get([&self.name, rule, enforced, shadow]).inc();
    }

    /// A stream of this kind (`websocket`, `h2`, ...) is open;
    /// [`stream_ended`](Self::stream_ended) must follow.
    pub fn stream_began(&self, kind: &'static str) {
        self.families.streams.get([&self.name, kind]).inc();
    }

    /// A stream of this kind is over, for this cause.
    pub fn stream_ended(&self, kind: &'static str, cause: &'static str) {
        self.families.streams.get([&self.name, kind]).dec();
        self.families.streams_ended.get([&self.name, kind, cause]).inc();
    }

    fn active(&self) -> &IntGauge {
        self.active.get_or_init(|| self.families.active.get([&self.name]))
    }
}
