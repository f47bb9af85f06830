//! What is counted of tokens and of the keys that verify them.

use prometheus::{Error, Gauge, IntCounter, Registry};

use crate::family::Family;

#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) verifications: Family<IntCounter, 2>,
    pub(crate) cache: Family<IntCounter, 1>,
    pub(crate) jwks_age: Family<Gauge, 1>,
}

impl Families {
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            verifications: crate::register(
                registry,
                "portcullis_token_verifications_total",
                "Tokens that were verified, cached ones not counted.",
                ["provider", "result"],
            )?,
            cache: crate::register(
                registry,
                "portcullis_token_cache_total",
                "Look-ups among the verified tokens: `hit` or `miss`.",
                ["result"],
            )?,
            jwks_age: crate::register(
                registry,
                "portcullis_jwks_age_seconds",
                "Since a provider's keys were last read.",
                ["provider"],
            )?,
        })
    }
}
