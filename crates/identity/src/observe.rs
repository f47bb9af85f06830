//! What is counted. Handles that a request needs are resolved when a generation is built; only a
//! refusal looks its counter up.

use std::fmt;
use std::sync::Arc;

use filter::{HealthBoard, Setup};
use jiff::SignedDuration;
use metrics::Metrics;
use metrics::prometheus::{Gauge, IntCounter};

use crate::fault::Fault;

/// Counts of the whole filter.
#[derive(Clone)]
pub(crate) struct Meters {
    metrics: Arc<Metrics>,
    hits: IntCounter,
    misses: IntCounter,
}

/// Counts of one provider.
#[derive(Clone)]
pub(crate) struct ProviderMeters {
    metrics: Arc<Metrics>,
    provider: Box<str>,
    good: IntCounter,
}

impl Meters {
    /// For a registry.
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        Self {
            hits: metrics.token_cache("hit"),
            misses: metrics.token_cache("miss"),
            metrics: Arc::clone(metrics),
        }
    }

    /// Of one provider.
    pub(crate) fn provider(&self, name: &str) -> ProviderMeters {
        ProviderMeters {
            good: self.metrics.token_verifications(name, "ok"),
            metrics: Arc::clone(&self.metrics),
            provider: name.into(),
        }
    }

    /// How old a provider's keys are.
    pub(crate) fn keys_age(&self, name: &str) -> Gauge {
        self.metrics.jwks_age(name)
    }

    /// A token was looked for among those that were verified.
    pub(crate) fn recalled(&self, found: bool) {
        if found { self.hits.inc() } else { self.misses.inc() }
    }

    /// A token was refused before it was known whose it is.
    pub(crate) fn unknown_provider(&self, fault: &Fault) {
        self.metrics.token_verifications(NOBODY, fault.word()).inc();
    }

    /// Once this generation is in force, nothing is told any more of providers that it does not have.
    pub(crate) fn forget_others(&self, mut names: Vec<Box<str>>, setup: &Setup<'_>) {
        names.push(NOBODY.into());
        let metrics = Arc::clone(&self.metrics);
        let health = setup.services().health.clone();
        setup.background("identity/forget", async move {
            metrics.retain_providers(&names);
            forget_health(&health, &names);
        });
    }
}

impl ProviderMeters {
    /// A credential was verified, or refused.
    pub(crate) fn verified(&self, fault: Option<&Fault>) {
        match fault {
            None => self.good.inc(),
            Some(fault) => self.metrics.token_verifications(&self.provider, fault.word()).inc(),
        }
    }

    /// Its name.
    pub(crate) fn provider(&self) -> &str {
        &self.provider
    }
}

/// How a key set is called on the board of health.
pub(crate) fn health_name(provider: &str) -> String {
    format!("{HEALTH_PREFIX}{provider}")
}

/// Seconds for a gauge.
pub(crate) fn seconds(age: SignedDuration) -> f64 {
    age.as_secs_f64().max(0.0)
}

/// Stands for the provider of a token that no provider vouches for.
const NOBODY: &str = "-";
const HEALTH_PREFIX: &str = "jwks/";

fn forget_health(health: &HealthBoard, providers: &[Box<str>]) {
    for name in health.snapshot().keys() {
        let provider = name.strip_prefix(HEALTH_PREFIX);
        if provider.is_some_and(|provider| providers.iter().all(|known| **known != *provider)) {
            health.forget(name);
        }
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl fmt::Debug for ProviderMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderMeters").field("provider", &self.provider).finish_non_exhaustive()
    }
}
