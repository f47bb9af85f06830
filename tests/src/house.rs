//! The house that is attacked: one gateway, three hosts, two backends.
//!
//! `app.gw.test`: `/public/**` is open, `/admin/**` is for the group `admin`, all else for whoever
//! proved an identity. `open.gw.test` and `*.b.gw.test` are open. `mtls.gw.test` and
//! `*.mtls.gw.test` want a client certificate, have a backend of their own, and are the only hosts
//! that ask for one.

use std::io;

use crate::gateway::Gateway;
use crate::plan::{Plan, gateway};
use crate::recorder::Recorder;
use crate::reply::Outcome;
use crate::{h1, h2};

/// A gateway and its backends.
pub struct House {
    /// The gateway.
    pub gw: Gateway,
    /// Behind `app.gw.test` and the open hosts.
    pub app: Recorder,
    /// Behind the hosts that want a certificate.
    pub mtls: Recorder,
}

/// The routes of the house.
pub const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules:
      - {id: public, allow: {paths: ["/public", "/public/**"]}}
      - {id: admins-only, deny: {paths: ["/admin", "/admin/**"]}, when: {none: [{user.groups: admin}]}}
      - {id: staff, allow: {}, when: {user.anonymous: false}}
  - name: open
    hosts: [open.gw.test, "*.b.gw.test"]
    upstream: app
    rules: [{id: everyone, allow: {}}]
  - name: mtls
    hosts: [mtls.gw.test, "*.mtls.gw.test"]
    upstream: mtls
    rules: [{id: certified, allow: {}, when: {cert.present: true}}]
"#;

impl House {
    /// Starts it.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(|plan| plan)
    }

    /// Starts it with a change to the plan.
    #[track_caller]
    pub fn start_with(change: impl FnOnce(Plan) -> Plan) -> Self {
        let plan = gateway().with_routes(ROUTES).asking_on(r#"mtls.gw.test, "*.mtls.gw.test""#);
        let app = Recorder::start(&plan.world, "app");
        let mtls = Recorder::start(&plan.world, "mtls");
        let plan = plan.with_backend("app", &app).with_backend("mtls", &mtls);
        Self { gw: change(plan).start(), app, mtls }
    }

    /// A raw HTTP/1.1 connection with this server name.
    pub fn h1(&self, sni: &str) -> io::Result<h1::Connection> {
        h1::Connection::open(&self.gw.dial().to_unverified(sni))
    }

    /// A raw HTTP/2 connection with this server name.
    pub fn h2(&self, sni: &str) -> io::Result<h2::Connection> {
        h2::Connection::open(&self.gw.dial().to_unverified(sni))
    }

    /// Sends bytes to `app.gw.test` on a connection of their own.
    pub fn raw(&self, bytes: &[u8]) -> Outcome {
        match self.h1("app.gw.test") {
            Ok(mut connection) => connection.ask(bytes),
            Err(error) => Outcome::Closed(error.to_string()),
        }
    }

    /// Sends fields to `app.gw.test` on an HTTP/2 connection of their own.
    pub fn raw_h2(&self, fields: &h2::Fields, body: Option<&[u8]>) -> Outcome {
        match self.h2("app.gw.test") {
            Ok(mut connection) => connection.ask(fields, body),
            Err(error) => Outcome::Closed(error.to_string()),
        }
    }

    /// How many requests reached any backend.
    pub fn hits(&self) -> usize {
        self.app.hits() + self.mtls.hits()
    }

    /// Fails if a backend read anything malformed, or a request that only a smuggler sends.
    #[track_caller]
    pub fn sound(&self) {
        self.app.sound();
        self.mtls.sound();
        for seen in self.app.seen().iter().chain(&self.mtls.seen()) {
            assert!(!seen.target.contains("smuggled"), "smuggled: {}", seen.target);
        }
        self.gw.assert_clean();
    }
}
