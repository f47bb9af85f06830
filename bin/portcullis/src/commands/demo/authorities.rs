//! The demo's four circles of trust, and who is in each.
//!
//! `gateway` certifies the gateway to clients; `backends` certifies the backends to the gateway
//! and the gateway to them; `devices` certifies devices; `services` certifies programs.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pki::{Authority, Leaf, Options};

use super::trouble::Trouble;

const LEAF_LIFETIME: Duration = Duration::from_hours(800 * 24);
const LIST_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// Makes what is missing, and a new revocation list of each.
pub(super) fn make(directory: &Path, now: Timestamp) -> Result<(), Trouble> {
    let server = Leaf::server("wiki.demo.test").dns("payroll.demo.test").dns("api.demo.test");
    let backend = |name: &str| {
        Leaf::server(&format!("{name}.internal")).uri(&format!("spiffe://demo.test/{name}"))
    };
    let gateway = Leaf::client("gateway").uri("spiffe://demo.test/gateway");
    let device = |id: &str| Leaf::client(id).uri(&format!("urn:device:{id}"));
    let circles = [
        ("gateway", "Portcullis demo gateway", vec![("server", server)]),
        (
            "backends",
            "Portcullis demo backends",
            vec![("wiki", backend("wiki")), ("payroll", backend("payroll")), ("gateway", gateway)],
        ),
        (
            "devices",
            "Portcullis demo devices",
            vec![("laptop-ana", device("laptop-ana")), ("laptop-ben", device("laptop-ben"))],
        ),
        (
            "services",
            "Portcullis demo services",
            vec![("exporter", Leaf::workload("spiffe://demo.test/exporter"))],
        ),
    ];
    for (circle, name, leaves) in circles {
        one(&directory.join(circle), name, &leaves, now)?;
    }
    Ok(())
}

fn one(
    directory: &Path,
    name: &str,
    leaves: &[(&str, Leaf)],
    now: Timestamp,
) -> Result<(), Trouble> {
    let mut authority = if directory.join("ca.key").exists() {
        Authority::load(directory)?
    } else {
        let mut new = Authority::create(name, &Options::default(), now)?;
        new.save(directory)?;
        new
    };
    for (stem, leaf) in leaves {
        if !directory.join(format!("{stem}.crt")).exists() {
            authority.issue(&leaf.clone().lifetime(LEAF_LIFETIME), now)?.write(directory, stem)?;
        }
    }
    let until = now.saturating_add(LIST_LIFETIME).unwrap_or(Timestamp::MAX);
    Ok(pki::write_public(&directory.join("ca.crl"), &authority.crl(now, until)?)?)
}
