//! What is counted of handshakes, and how old certificates and revocation lists are.

use prometheus::{Error, Gauge, IntCounter, IntGauge, Registry};

use crate::family::Family;

#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) handshakes: Family<IntCounter, 4>,
    pub(crate) certificate_expiry: Family<IntGauge, 2>,
    pub(crate) revocation_age: Family<Gauge, 1>,
}

impl Families {
    pub(crate) fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            handshakes: crate::register(
                registry,
                "portcullis_tls_handshakes_total",
                "Handshakes with clients.",
                ["listener", "version", "result", "client_certificate"],
            )?,
            certificate_expiry: crate::register(
                registry,
                "portcullis_certificate_expiry_timestamp_seconds",
                "When a configured certificate ends.",
                ["role", "name"],
            )?,
            revocation_age: crate::register(
                registry,
                "portcullis_revocation_data_age_seconds",
                "Since an authority's revocation list was issued.",
                ["issuer"],
            )?,
        })
    }
}
