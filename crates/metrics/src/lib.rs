//! The gateway's metrics: a registry that is handed down, never a static.

/// The registry and the families of the contract.
#[derive(Debug)]
pub struct Metrics {
    registry: prometheus::Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { registry: prometheus::Registry::new() }
    }
}

impl Metrics {
    /// The registry, for families of a third-party filter.
    pub fn registry(&self) -> &prometheus::Registry {
        &self.registry
    }
}
