//! What outlives a generation of the configuration: resolved addresses, whose turn it is, and which
//! endpoints could not be reached.
//!
//! Written at load and by the resolver; a request only reads what its generation already holds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use metrics::Metrics;

use crate::peer::PASSED_OVER_TURNS;

/// State that is handed from one generation to the next. Clones are the same state.
#[derive(Clone, Debug)]
pub struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Arc<Metrics>,
    addresses: ArcSwap<HashMap<Box<str>, Arc<[SocketAddr]>>>,
    turns: ArcSwap<HashMap<Box<str>, Arc<AtomicUsize>>>,
    reach: ArcSwap<HashMap<Place, Arc<Reach>>>,
}

/// An upstream's name and an address of it.
type Place = (Box<str>, SocketAddr);

/// Whether an endpoint can be reached, as its last connections showed.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    passed_over: AtomicU32,
}

impl Kept {
    /// Nothing is known yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner {
            metrics,
            addresses: ArcSwap::default(),
            turns: ArcSwap::default(),
            reach: ArcSwap::default(),
        }))
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    /// The last good addresses of an endpoint, by its text.
    pub(crate) fn addresses(&self, endpoint: &str) -> Option<Arc<[SocketAddr]>> {
        self.0.addresses.load().get(endpoint).cloned()
    }

    pub(crate) fn set_addresses(&self, endpoint: &str, mut found: Vec<SocketAddr>) {
        // Name servers rotate their answers: only another set of addresses is news.
        found.sort_unstable();
        found.dedup();
        if self.addresses(endpoint).is_none_or(|known| *known != *found) {
            insert(&self.0.addresses, &endpoint.into(), &Arc::from(found));
        }
    }

    pub(crate) fn turn(&self, upstream: &str) -> Arc<AtomicUsize> {
        keep(&self.0.turns, &upstream.into())
    }

    pub(crate) fn reach(&self, upstream: &str, address: SocketAddr) -> Arc<Reach> {
        keep(&self.0.reach, &(upstream.into(), address))
    }
}

impl Reach {
    /// Whether this endpoint takes the turn that came to it.
    pub(crate) fn takes_turn(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.passed_over.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err()
    }

    /// Whether this is news.
    pub(crate) fn reached(&self) -> bool {
        // Read first: nothing is written on the way of a request that finds all well.
        !self.is_reached() && self.passed_over.swap(0, Ordering::Relaxed) != 0
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.passed_over.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn unreached(&self) {
        self.passed_over.store(PASSED_OVER_TURNS, Ordering::Relaxed);
    }
}

fn keep<K, V>(map: &ArcSwap<HashMap<K, Arc<V>>>, key: &K) -> Arc<V>
where
    K: Clone + Eq + std::hash::Hash,
    V: Default,
{
    if let Some(found) = map.load().get(key) {
        return Arc::clone(found);
    }
    let made = Arc::default();
    insert(map, key, &made);
    made
}

fn insert<K, V>(map: &ArcSwap<HashMap<K, V>>, key: &K, value: &V)
where
    K: Clone + Eq + std::hash::Hash,
    V: Clone,
{
    map.rcu(|all| {
        let mut all = HashMap::clone(all);
        all.insert(key.clone(), value.clone());
        all
    });
}
