//! The compiled policy: one immutable snapshot.

use std::sync::Arc;

use document::{Mistakes, Node, Place};
use jiff::Timestamp;

use crate::{Action, Decision, Facts};

/// A route's place in its [`PolicySet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteId(pub(crate) u32);

/// A rule's place in its [`PolicySet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(pub(crate) u32);

/// Where a permitted request goes, and how it is forwarded. Plain data: nothing of it decides.
#[derive(Debug)]
pub struct Route {
    /// Its name in metrics, audit and assertion.
    pub name: Box<str>,
    /// Where it was written.
    pub place: Place,
    /// Hosts, lower case; `*.example.com` stands for one label.
    pub hosts: Vec<Box<str>>,
    /// The upstream's name.
    pub upstream: Box<str>,
    /// Where the upstream's name was written.
    pub upstream_place: Place,
    /// Free labels, for `route.labels.<key>`.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// How it is forwarded.
    pub forwarding: Forwarding,
}

/// How a permitted request is forwarded.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarding {
    /// A whole-segment prefix that is taken off the path: `/app` turns `/app/x` into `/x`.
    pub strip_prefix: Option<String>,
    /// Forward the client's `Authorization` instead of removing what the gateway consumed.
    pub pass_authorization: bool,
    /// Send the upstream's server name as `Host` instead of the host that was asked for.
    pub rewrite_host: bool,
    /// Keep header names with an underscore.
    pub danger_underscore_headers: bool,
    /// How long the backend may take to begin its response; the upstream's default where absent.
    pub response_timeout: Option<document::Duration>,
    /// Largest request body.
    pub body_max: Option<document::Size>,
    /// Whether WebSocket upgrades are forwarded (default: yes).
    pub websocket: Option<bool>,
}

/// The texts of a policy: the three sections of a configuration that it is written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// `conditions:`.
    pub conditions: Option<&'a Node>,
    /// `rules:`.
    pub rules: Option<&'a Node>,
    /// `routes:`.
    pub routes: Option<&'a Node>,
}

/// All routes and rules, compiled.
#[derive(Debug)]
pub struct PolicySet {
    _private: (),
}

impl PolicySet {
    /// Compiles a policy. The second part of the success are warnings.
    ///
    /// # Errors
    /// Every mistake, in the order of the files.
    pub fn compile(source: Source<'_>) -> Result<(Arc<Self>, Mistakes), Mistakes> {
        todo!("{source:?}")
    }

    /// Decides one request.
    pub fn decide(self: &Arc<Self>, facts: &Facts, action: &Action<'_>, now: Timestamp) -> Decision {
        todo!("{facts:?} {action:?} {now:?}")
    }

    /// The route that serves a host and path, decided by these alone.
    pub fn route_of(&self, host: &str, path: &str) -> Option<RouteId> {
        todo!("{host} {path}")
    }

    /// Whether any route serves the host, whatever the path.
    pub fn knows_host(&self, host: &str) -> bool {
        todo!("{host}")
    }

    /// A route by its id.
    pub fn route(&self, id: RouteId) -> &Route {
        todo!("{id:?}")
    }

    /// Every route, in the order of the files.
    pub fn routes(&self) -> &[Route] {
        todo!()
    }

    /// A rule's name.
    pub fn rule_name(&self, id: RuleId) -> &str {
        todo!("{id:?}")
    }

    /// SHA-256 of the compiled source, 16 hex digits: names the policy in audit records.
    pub fn hash(&self) -> &str {
        todo!()
    }
}

impl RouteId {
    /// Position among [`PolicySet::routes`], for tables that run parallel to it.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
