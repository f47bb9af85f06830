//! What is out of order: told by whoever knows, read by `/readyz` and the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The state of one dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good,
    /// Works from what was last known; the text says what is wrong.
    Degraded(String),
    /// Cannot serve what depends on it; the text says what is wrong.
    Down(String),
}

/// The state of every dependency by name: `jwks/corp`, `inventory`, ...
#[derive(Clone, Debug, Default)]
pub struct HealthBoard(Arc<ArcSwap<BTreeMap<String, Health>>>);

impl HealthBoard {
    /// Tells the state of a dependency.
    pub fn tell(&self, name: &str, health: &Health) {
        self.0.rcu(|board| {
            let mut board = BTreeMap::clone(board);
            board.insert(name.to_owned(), health.clone());
            board
        });
    }

    /// Forgets a dependency that the configuration no longer names.
    pub fn forget(&self, name: &str) {
        self.0.rcu(|board| {
            let mut board = BTreeMap::clone(board);
            board.remove(name);
            board
        });
    }

    /// Every dependency and its state.
    pub fn snapshot(&self) -> Arc<BTreeMap<String, Health>> {
        self.0.load_full()
    }
}
