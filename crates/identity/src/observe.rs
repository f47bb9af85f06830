//! What is counted. Handles are resolved when a generation is built.

use std::sync::Arc;

use jiff::SignedDuration;
use metrics::Metrics;

use crate::fault::Fault;

/// Counts of the whole filter.
#[derive(Clone, Debug)]
pub struct Meters {
    metrics: Arc<Metrics>,
}

/// Counts of one provider.
#[derive(Clone, Debug)]
pub struct ProviderMeters {
    metrics: Arc<Metrics>,
    provider: Box<str>,
}

/// Counts of one provider's keys.
#[derive(Clone, Debug)]
pub struct KeyMeters {
    metrics: Arc<Metrics>,
    provider: Box<str>,
}

impl Meters {
    /// For a registry.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics) }
    }

    /// Of one provider.
    pub fn provider(&self, name: &str) -> ProviderMeters {
        ProviderMeters { metrics: Arc::clone(&self.metrics), provider: name.into() }
    }

    /// Of one provider's keys.
    pub fn keys(&self, name: &str) -> KeyMeters {
        KeyMeters { metrics: Arc::clone(&self.metrics), provider: name.into() }
    }

    /// A token was looked for among those that were verified.
    pub fn recalled(&self, _found: bool) {}

    /// A token was refused before it was known whose it is.
    pub fn unknown_provider(&self, _fault: &Fault) {}
}

impl ProviderMeters {
    /// A credential was verified, or refused.
    pub fn verified(&self, _fault: Option<&Fault>) {}
}

impl KeyMeters {
    /// A fetch ended.
    pub fn fetched(&self, _endpoint: &'static str, _good: bool, _took: SignedDuration) {}

    /// How old the keys are.
    pub fn age(&self, _age: SignedDuration) {}
}
