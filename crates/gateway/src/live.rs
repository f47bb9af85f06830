//! What a running gateway is made of: the present generation, and what outlives it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use filter::Services;

use crate::audit::Sink;
use crate::generation::Generation;
use crate::reload::Reloads;
use crate::tls::ListenerTls;

/// A running gateway.
pub(crate) struct Live<C> {
    pub(crate) services: Services,
    generation: ArcSwap<Generation<C>>,
    /// Every address that is listened on, as it was bound at the start; without TLS there is none.
    pub(crate) listeners: Vec<(SocketAddr, Option<Arc<ListenerTls>>)>,
    pub(crate) audit: Sink,
    /// Metrics of requests that have no route.
    pub(crate) unrouted: Arc<metrics::RouteMetrics>,
    pub(crate) reloads: Reloads,
    in_flight: AtomicUsize,
    draining: AtomicBool,
}

/// Counts one exchange among those in flight for as long as it lives.
pub(crate) struct InFlight<'a>(&'a AtomicUsize);

impl<C> Live<C> {
    pub(crate) fn new(
        services: Services,
        generation: Generation<C>,
        listeners: Vec<(SocketAddr, Option<Arc<ListenerTls>>)>,
        audit: Sink,
    ) -> Self {
        let unrouted = services.metrics.route("-");
        Self {
            services,
            generation: ArcSwap::from_pointee(generation),
            listeners,
            audit,
            unrouted,
            reloads: Reloads::default(),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// The present generation.
    pub(crate) fn generation(&self) -> Arc<Generation<C>> {
        self.generation.load_full()
    }

    /// Replaces the generation; requests that are under way keep theirs.
    pub(crate) fn install(&self, generation: Generation<C>) {
        self.generation.store(Arc::new(generation));
    }

    /// Counts an exchange until the guard is dropped.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    /// How many exchanges are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// From now on the gateway is not ready.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is ending.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
