//! How long certificates last and how old revocation lists are, for who reads the metrics: told
//! when they are read, so that an age is never older than its reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use metrics::Metrics;

use super::ListenerTls;
use super::snapshot::{AUTHORITY, SERVER};

/// Sets the series of every listener's certificates and lists, and removes those that are gone.
/// Where two listeners serve one name, the certificate that ends first counts.
pub fn report<'a>(
    listeners: impl Iterator<Item = &'a Arc<ListenerTls>>,
    metrics: &Metrics,
    now: Timestamp,
) {
    let mut ends = BTreeMap::new();
    let mut issued = BTreeMap::new();
    for snapshot in listeners.map(|listener| listener.snapshot()) {
        for expiry in snapshot.expiries() {
            let end = ends.entry((expiry.role, expiry.name)).or_insert(expiry.not_after);
            *end = expiry.not_after.min(*end);
        }
        issued.extend(snapshot.revocation_ages());
    }
    for ((role, name), end) in &ends {
        metrics.certificate_expiry(role, name, end.as_second());
    }
    for (issuer, issued) in &issued {
        metrics.revocation_age(issuer).set(now.duration_since(*issued).as_secs_f64());
    }
    for role in [SERVER, AUTHORITY] {
        let of_role = ends.keys().filter(|(of, _)| *of == role);
        let names: Vec<_> = of_role.map(|(_, name)| name).collect();
        metrics.retain_certificates(role, &names);
    }
    metrics.retain_issuers(&issued.keys().collect::<Vec<_>>());
}
