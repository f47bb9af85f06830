//! Which configuration is in force, and how the last reading of one went.

use prometheus::{Error, IntGauge, Registry};

#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) generation: IntGauge,
    pub(crate) success: IntGauge,
    pub(crate) timestamp: IntGauge,
}

impl Gauges {
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            generation: single(
                registry,
                "portcullis_config_generation",
                "Number of the configuration in force, from 1.",
            )?,
            success: single(
                registry,
                "portcullis_config_last_reload_success",
                "Whether the last configuration that was read is in force: 1 or 0.",
            )?,
            timestamp: single(
                registry,
                "portcullis_config_last_reload_timestamp_seconds",
                "When a configuration was last read, good or bad.",
            )?,
        })
    }
}

/// A family of no label.
fn single(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
