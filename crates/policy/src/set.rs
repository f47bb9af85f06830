//! The compiled policy: one immutable snapshot.

use std::sync::Arc;

use document::{Mistakes, Node, Place};
use jiff::Timestamp;

use crate::condition::{Condition, Leaf};
use crate::explain::Explanation;
use crate::index::{Hosts, Tree};
use crate::method::Methods;
use crate::template::Template;
use crate::{Action, Decision, Facts, compile, decide, explain};

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

impl Forwarding {
    /// The keys of a route that are about forwarding.
    pub(crate) const KEYS: &[&str] = &[
        "strip_prefix",
        "pass_authorization",
        "rewrite_host",
        "danger_underscore_headers",
        "response_timeout",
        "body_max",
        "websocket",
    ];
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
    pub(crate) routes: Vec<Route>,
    /// Which rules hold on which route, parallel to `routes`.
    pub(crate) of_route: Vec<Rules>,
    /// The rules that hold on every route.
    pub(crate) of_all: Rules,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hosts: Hosts,
    pub(crate) hash: Box<str>,
    /// What is answered for an id that another set made: a route without a name and an upstream.
    pub(crate) nowhere: Route,
}

/// Some of the rules of a set.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// By path.
    pub(crate) tree: Tree<Entry>,
    /// In the order of the files.
    pub(crate) ids: Vec<RuleId>,
    /// Whether any of them is a shadow rule.
    pub(crate) shadow: bool,
}

/// One rule under one of its paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) methods: Methods,
    pub(crate) rule: RuleId,
    /// Which of the rule's arms.
    pub(crate) arm: u32,
    /// Whether the path names facts.
    pub(crate) facts: bool,
}

/// A rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    pub(crate) shadow: bool,
    pub(crate) methods: Methods,
    pub(crate) when: Option<Condition>,
    /// The first instant at which it no longer holds.
    pub(crate) until: Option<Timestamp>,
    /// One for each path.
    pub(crate) arms: Box<[Arm]>,
    pub(crate) written: Box<RuleText>,
}

/// What a rule says of itself: not touched by decisions that allow.
#[derive(Debug)]
pub(crate) struct RuleText {
    pub(crate) name: Box<str>,
    pub(crate) place: Place,
    pub(crate) help: Option<Box<str>>,
}

/// One path of a rule.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) template: Template,
    /// The facts that the template names, each to be compared with its segment.
    pub(crate) facts: Box<[Leaf]>,
}

/// What a rule does where it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl PolicySet {
    /// Compiles a policy. The second part of the success are warnings.
    ///
    /// # Errors
    /// Every mistake, in the order of the files; the warnings are among them.
    pub fn compile(source: Source<'_>) -> Result<(Arc<Self>, Mistakes), Mistakes> {
        compile::compile(source)
    }

    /// Decides one request.
    pub fn decide(
        self: &Arc<Self>,
        facts: &Facts,
        action: &Action<'_>,
        now: Timestamp,
    ) -> Decision {
        decide::decide(self, facts, action, now)
    }

    /// Decides one request and says of every rule what it came to and why.
    pub fn explain(
        self: &Arc<Self>,
        facts: &Facts,
        action: &Action<'_>,
        now: Timestamp,
    ) -> Explanation {
        explain::explain(self, facts, action, now)
    }

    /// The route that serves a host and path, decided by these alone.
    pub fn route_of(&self, host: &str, path: &str) -> Option<RouteId> {
        self.hosts.find(host, path)
    }

    /// Whether any route serves the host, whatever the path.
    pub fn knows_host(&self, host: &str) -> bool {
        self.hosts.knows(host)
    }

    /// A route by its id. An id of another set leads to a route without a name and an upstream.
    pub fn route(&self, id: RouteId) -> &Route {
        self.routes.get(id.index()).unwrap_or(&self.nowhere)
    }

    /// Every route, in the order of the files.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// A rule's name; empty for an id of another set.
    pub fn rule_name(&self, id: RuleId) -> &str {
        self.rule(id).map_or("", |rule| &rule.written.name)
    }

    /// 128-bit FNV-1a of the source, 32 hex digits: names the policy in audit records.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0 as usize)
    }
}

impl RouteId {
    /// Position among [`PolicySet::routes`], for tables that run parallel to it.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Effect {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Forwarding;

    #[test]
    fn the_keys_of_forwarding_are_those_of_its_type() {
        let schema = schemars::schema_for!(Forwarding);
        let keys = schema.get("properties").and_then(|all| all.as_object()).expect("properties");
        let mut keys: Vec<&str> = keys.keys().map(String::as_str).collect();
        let mut ours = Forwarding::KEYS.to_vec();
        keys.sort_unstable();
        ours.sort_unstable();
        assert_eq!(keys, ours);
    }
}
