//! What a gateway is started with: one configuration, written section by section.
//!
//! [`gateway()`] is the usual organisation: two token issuers, API tokens, service certificates,
//! device certificates with an inventory. A scenario says what its routes and backends are and
//! overrides what it is about; [`Plan::section`] replaces a whole section.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::gateway::Gateway;
use crate::process::{Process, program};
use crate::recorder::Recorder;
use crate::wait::{DEADLINE, within};
use crate::world::World;

/// A gateway before its start.
pub struct Plan {
    /// Its files.
    pub world: World,
    /// Which binary runs.
    pub program: &'static str,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    sections: Vec<(String, String)>,
    server: String,
    upstreams: String,
    client_certificates: String,
    plain_listener: bool,
}

/// The addresses that a gateway listens on.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For clients.
    pub public: SocketAddr,
    /// For the operator.
    pub admin: SocketAddr,
    /// Redirects to HTTPS, where the plan has it.
    pub plain: SocketAddr,
}

/// The usual organisation, without routes.
pub fn gateway() -> Plan {
    Plan::new(World::new())
}

impl Plan {
    /// The usual organisation in a world that stands already.
    pub fn new(world: World) -> Self {
        let plan = Self {
            world,
            program: "portcullis",
            env: Vec::new(),
            sections: Vec::new(),
            server: String::new(),
            upstreams: String::new(),
            client_certificates: ASKED.to_owned(),
            plain_listener: false,
        };
        plan.section("identity", IDENTITY)
            .section("devices", DEVICES)
            .section("audit", "  file: audit.jsonl\n")
            .section("routes", "  []\n")
    }

    /// Replaces a section; the text is its indented YAML. An empty text removes it.
    #[must_use]
    pub fn section(mut self, name: &str, text: &str) -> Self {
        self.set(name, text);
        self
    }

    /// As [`Plan::section`], on a plan that is in use.
    pub fn set(&mut self, name: &str, text: &str) {
        self.sections.retain(|(known, _)| known != name);
        if !text.is_empty() {
            self.sections.push((name.to_owned(), text.to_owned()));
        }
    }

    /// The routes, as an indented YAML list.
    #[must_use]
    pub fn with_routes(self, text: &str) -> Self {
        self.section("routes", text)
    }

    /// The rules for every route, as an indented YAML list.
    #[must_use]
    pub fn with_rules(self, text: &str) -> Self {
        self.section("rules", text)
    }

    /// The conditions, as an indented YAML mapping.
    #[must_use]
    pub fn with_policy(self, text: &str) -> Self {
        self.section("conditions", text)
    }

    /// An upstream over mutual TLS to this backend.
    #[must_use]
    pub fn with_backend(self, name: &str, backend: &Recorder) -> Self {
        self.with_upstream(name, backend.address, "")
    }

    /// The same with further lines (`    protocol: http2`).
    #[must_use]
    pub fn with_upstream(self, name: &str, address: SocketAddr, more: &str) -> Self {
        self.with_upstream_text(&format!(
            "  - name: {name}
    endpoints: [\"{address}\"]
    tls: {{ca: pki/backends-ca.crt, cert: pki/gateway-client.crt, key: pki/gateway-client.key, server_name: {name}.internal, spiffe_id: \"spiffe://gw.test/{name}\"}}
{more}"
        ))
    }

    /// An upstream as written.
    #[must_use]
    pub fn with_upstream_text(mut self, text: &str) -> Self {
        self.upstreams.push_str(text);
        self
    }

    /// Further lines of `server:` (`  limits: {...}`).
    #[must_use]
    pub fn with_server(mut self, text: &str) -> Self {
        self.server.push_str(text);
        self
    }

    /// Asks for client certificates on these hosts only (`mtls.gw.test, dev.gw.test`).
    #[must_use]
    pub fn asking_on(mut self, hosts: &str) -> Self {
        self.client_certificates = format!("{ASKED}, hosts: [{hosts}]");
        self
    }

    /// Asks for client certificates like this (the inside of the YAML mapping).
    #[must_use]
    pub fn asking(mut self, mapping: &str) -> Self {
        mapping.clone_into(&mut self.client_certificates);
        self
    }

    /// With a listener that redirects to HTTPS.
    #[must_use]
    pub fn with_plain_listener(mut self) -> Self {
        self.plain_listener = true;
        self
    }

    /// Another binary than `portcullis`.
    #[must_use]
    pub fn program(mut self, name: &'static str) -> Self {
        self.program = name;
        self
    }

    /// The whole configuration.
    pub fn text(&self, ports: &Ports) -> String {
        let mut text = format!(
            "version: 1
server:
  listen:
    - address: {}
      tls:
        certificates: [{{cert: pki/gateway.crt, key: pki/gateway.key}}]
        client_certificates: {{{}}}
",
            ports.public, self.client_certificates
        );
        if self.plain_listener {
            let _ = writeln!(text, "    - address: {}", ports.plain);
        }
        let _ = writeln!(text, "  admin: {{address: \"{}\"}}\n  state_dir: state", ports.admin);
        text.push_str(&self.server);
        if !self.upstreams.is_empty() {
            let _ = write!(text, "upstreams:\n{}", self.upstreams);
        }
        for (name, section) in &self.sections {
            let _ = write!(text, "{name}:\n{section}");
        }
        text
    }

    /// Where the configuration is.
    pub fn file(&self) -> PathBuf {
        self.world.path().join("portcullis.yaml")
    }

    /// Writes the configuration.
    pub fn write(&self, ports: &Ports) {
        self.world.write("portcullis.yaml", &self.text(ports));
    }

    /// Starts the gateway and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Gateway {
        for _ in 0..5 {
            let ports = Ports::free();
            self.write(&ports);
            let mut process = self.launch();
            let ready = within(DEADLINE * 2, || {
                if process.ended().is_some() {
                    return Some(false);
                }
                crate::gateway::admin(ports.admin, "/readyz")
                    .filter(|r| r.status == 200)
                    .map(|_| true)
            });
            match ready {
                Some(true) => return Gateway::new(self, process, ports),
                // Somebody else took a port between our look and its bind: look again.
                Some(false) if process.output().contains("in use") => {}
                Some(false) | None => panic!(
                    "the gateway did not become ready\n--- printed\n{}\n--- configuration\n{}",
                    process.output(),
                    self.text(&ports)
                ),
            }
        }
        panic!("no free ports in five attempts");
    }

    /// Starts the process and nothing more.
    pub fn launch(&self) -> Process {
        let file = self.file().display().to_string();
        Process::start(&program(self.program), &["run", "-c", &file], &self.env)
    }
}

impl Ports {
    /// Ports that are free at this moment.
    pub fn free() -> Self {
        let sockets: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let [public, admin, plain] = [0, 1, 2].map(|i| sockets[i].local_addr().unwrap());
        Self { public, admin, plain }
    }
}

/// Devices and services, without revocation lists.
const ASKED: &str =
    "mode: optional, ca: [pki/devices-ca.crt, pki/services-ca.crt], danger_soft_crl: true";

/// Two issuers, API tokens, service certificates.
pub const IDENTITY: &str = "  jwt:
    - {name: corp, issuer: 'https://corp.gw.test', audiences: [portcullis], jwks: {file: corp.jwks.json}}
    - {name: edge, issuer: 'https://edge.gw.test', audiences: [portcullis], jwks: {file: edge.jwks.json}}
  api_tokens: {}
  client_certificates:
    - {ca: pki/services-ca.crt, kind: service, user_from: san_uri}
";

/// Device certificates and the inventory.
pub const DEVICES: &str = "  inventory: devices.yaml
  certificates: {ca: pki/devices-ca.crt}
";
