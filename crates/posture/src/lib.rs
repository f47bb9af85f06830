//! The filter that says from which device a request comes: `facts.device`.
//!
//! 1. A device proves itself by its client certificate and by nothing else; no header is a source.
//!    The certificate was verified by the listener, and the authority that it ends in must be one
//!    of `devices.certificates.ca`: a service's certificate is no device.
//! 2. Without such a certificate there are no device facts: everything is unknown.
//! 3. A certificate of a device in the inventory establishes what the inventory states, and only
//!    that: what it does not state stays unknown.
//! 4. A certificate of no device in the inventory establishes that it is not known (`device.known`
//!    is false), under the name that it carries. The same holds for one that fits several devices,
//!    without a name. Without an inventory nobody can be asked, and `device.known` is unknown.
//! 5. With `max_age`, posture that was seen longer ago, or that does not say when, is unknown; the
//!    device itself stays known.
//! 6. Facts are made at load. A request looks up and shares them.

pub mod conf;

mod anchors;
mod entry;
mod index;
mod inventory;

use std::sync::Arc;

use document::{Mistake, Mistakes};
use filter::{Context, Failure, Filter, Health, RequestHeader, Setup, Stop};
use jiff::{SignedDuration, Timestamp};
use metrics::Metrics;
use metrics::prometheus::IntCounter;
use policy::{Certificate, Device, Facts, Reason};

use anchors::Anchors;
use conf::{CertificatesConf, Conf, IdFrom};
use index::{Found, Index};

/// Says from which device a request comes.
#[derive(Debug)]
pub struct Assess {
    proof: Option<Proof>,
}

/// How a device proves itself, and who knows it.
#[derive(Debug)]
struct Proof {
    anchors: Anchors,
    id_from: Option<IdFrom>,
    inventory: Option<Arc<Index>>,
    max_age: Option<SignedDuration>,
    lookups: Lookups,
}

/// How look-ups in the inventory end, for the metric.
#[derive(Debug)]
struct Lookups {
    found: IntCounter,
    stale: IntCounter,
    none: IntCounter,
    several: IntCounter,
}

impl Assess {
    /// Reads the authorities and the inventory, and has both watched.
    ///
    /// # Errors
    /// Every mistake of the section and of the inventory, each with its place.
    pub fn new(conf: Conf, setup: &Setup<'_>) -> Result<Self, Mistakes> {
        let Conf { inventory, certificates, max_age } = conf;
        let mut mistakes = Mistakes::new();
        let index = inventory.as_ref().map(|file| {
            setup.watch(&file.value.0);
            inventory::load(file, setup, &mut mistakes).map(Arc::new)
        });
        let Some(CertificatesConf { ca, id_from }) = certificates else {
            if let Some(file) = &inventory {
                let text = "an inventory knows devices, but nothing says how one proves itself";
                let help = "write `certificates: {ca: ...}` beside `inventory`";
                mistakes.push(Mistake::error("no-device-ca", &file.place, text).help(help));
            }
            return if mistakes.is_empty() { Ok(Self { proof: None }) } else { Err(mistakes) };
        };
        let anchors = Anchors::load(&ca.0, setup, &mut mistakes);
        let max_age =
            max_age.map(|at| SignedDuration::try_from(at.value.0).unwrap_or(SignedDuration::MAX));
        if let (Some(file), Some(Some(index))) = (&inventory, &index)
            && anchors.count() > 1
            && index.has_serials()
        {
            let text = "devices are named by serial number, which is unique within one authority \
                        only, and several are named in `certificates.ca`";
            let help = "name devices by `fingerprint`, `spki`, `san_uri` or `san_dns`";
            mistakes.push(Mistake::error("ambiguous-serial", &file.place, text).help(help));
        }
        let inventory = match index {
            None => None,
            Some(Some(index)) => Some(index),
            Some(None) => return Err(mistakes),
        };
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if let Some(index) = &inventory {
            setup.directory(Arc::clone(index) as Arc<dyn filter::Directory>);
            setup.services().health.tell("inventory", &Health::Good);
        }
        let lookups = Lookups::new(&setup.services().metrics);
        Ok(Self { proof: Some(Proof { anchors, id_from, inventory, max_age, lookups }) })
    }

    /// What is known of the device that a request comes from, if it proved one.
    fn device(&self, facts: &Facts, now: Timestamp) -> Option<Arc<Device>> {
        let proof = self.proof.as_ref()?;
        let certificate = facts.certificate()?;
        if !proof.anchors.hold(&certificate.anchor) {
            return None;
        }
        Some(proof.device(certificate, now))
    }
}

impl Proof {
    fn device(&self, certificate: &Certificate, now: Timestamp) -> Arc<Device> {
        let Some(index) = &self.inventory else {
            return Arc::new(index::stranger(certificate, self.id_from, None));
        };
        match index.find(certificate, self.id_from) {
            Found::One(entry)
                if self.max_age.is_some_and(|max_age| !entry.is_fresh(now, max_age)) =>
            {
                self.lookups.stale.inc();
                Arc::clone(entry.stale())
            }
            Found::One(entry) => {
                self.lookups.found.inc();
                Arc::clone(entry.fresh())
            }
            Found::None => {
                self.lookups.none.inc();
                Arc::new(index::stranger(certificate, self.id_from, Some(false)))
            }
            Found::Several => {
                self.lookups.several.inc();
                Arc::new(Device {
                    known: Some(false),
                    source: Some("inventory".into()),
                    attested: true,
                    ..Device::default()
                })
            }
        }
    }
}

impl Lookups {
    fn new(metrics: &Metrics) -> Self {
        let count = |result| metrics.posture_lookups("inventory", result);
        Self {
            found: count("found"),
            stale: count("stale"),
            none: count("none"),
            several: count("several"),
        }
    }
}

impl Filter for Assess {
    const NAME: &'static str = "devices";

    async fn request(&self, _head: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
        let Some(device) = self.device(cx.facts(), cx.now()) else { return Ok(()) };
        cx.facts_mut().establish_device(device).map_err(|fixed| {
            let detail = format!("`{}` was established before the device was assessed", fixed.0);
            Stop::Fail(Failure { reason: Reason::Internal, detail: detail.into() })
        })
    }
}

#[cfg(test)]
mod tests;
