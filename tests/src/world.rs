//! The organisation behind the gateway: its authorities, its people, their devices, its services.
//!
//! People are `ana` (eng), `ben` (no group) and `ada` (admin, eng). Devices are `laptop` (ana's,
//! managed, compliant), `stale` (managed, not compliant), `stray` (not in the inventory). Services
//! are `robot` (a workload with a SPIFFE id). All of it lives in one directory per gateway, so a
//! scenario can replace any file under a running gateway.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::certificates::{Authority, Leaf, Pair, replace};
use crate::tokens::{CORP, EDGE};

/// The files of one test world.
pub struct World {
    /// Where everything of it is.
    pub dir: TempDir,
    /// Signs the gateway's server certificates.
    pub front: Authority,
    /// Signs device certificates.
    pub devices: Authority,
    /// Signs service certificates.
    pub services: Authority,
    /// Signs the backends' certificates and the gateway's client certificate.
    pub backends: Authority,
    /// The gateway's client certificate.
    pub gateway_client: Pair,
}

/// The names that the gateway's certificate covers.
pub const NAMES: [&str; 5] = ["gw.test", "*.gw.test", "*.b.gw.test", "*.mtls.gw.test", "localhost"];

impl World {
    /// Makes a world with its files.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("portcullis-").tempdir().unwrap();
        let backends = Authority::new("backends CA");
        let mut leaf = Leaf::client("gateway", "spiffe://gw.test/gateway");
        leaf.dns.push("gateway.internal".to_owned());
        let world = Self {
            gateway_client: backends.issue(&leaf),
            front: Authority::new("front CA"),
            devices: Authority::new("devices CA"),
            services: Authority::new("services CA"),
            backends,
            dir,
        };
        std::fs::create_dir(world.pki()).unwrap();
        world.front.write(&world.pki(), "front-ca");
        world.devices.write(&world.pki(), "devices-ca");
        world.services.write(&world.pki(), "services-ca");
        world.backends.write(&world.pki(), "backends-ca");
        world.front.issue(&Leaf::server(&NAMES)).write(&world.pki(), "gateway");
        world.gateway_client.write(&world.pki(), "gateway-client");
        world.write("corp.jwks.json", &CORP.jwks());
        world.write("edge.jwks.json", &EDGE.jwks());
        world.write("devices.yaml", &inventory("true"));
        world
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where keys and certificates are.
    pub fn pki(&self) -> PathBuf {
        self.path().join("pki")
    }

    /// Replaces a file of the world.
    pub fn write(&self, name: &str, text: &str) {
        replace(&self.path().join(name), text.as_bytes());
    }

    /// The certificate of a device, issued anew.
    pub fn device(&self, id: &str) -> Pair {
        self.devices.issue(&Leaf::client(id, &format!("urn:device:{id}")))
    }

    /// The certificate of a service, issued anew.
    pub fn service(&self, name: &str) -> Pair {
        self.services.issue(&Leaf::client(name, &format!("spiffe://gw.test/{name}")))
    }

    /// A backend's certificate for `NAME.internal`.
    pub fn backend(&self, name: &str) -> Pair {
        let mut leaf = Leaf::server(&[&format!("{name}.internal")]);
        leaf.uri.push(format!("spiffe://gw.test/{name}"));
        self.backends.issue(&leaf)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// The inventory file; the laptop is as compliant as said.
pub fn inventory(laptop_compliant: &str) -> String {
    let seen = jiff::Timestamp::now();
    format!(
        "version: 1
devices:
  - {{id: laptop, san_uri: 'urn:device:laptop', owner: ana, managed: true, compliant: {laptop_compliant}, os: linux, os_version: '12.4', encryption: true, seen_at: {seen}}}
  - {{id: stale, san_uri: 'urn:device:stale', owner: ben, managed: true, compliant: false, os: macos, os_version: '14.1', encryption: true, seen_at: {seen}}}
"
    )
}
