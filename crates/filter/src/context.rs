//! One request: what was asked, by whom, when, what is known, and what was decided.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use jiff::Timestamp;
use policy::{Action, Decision, Facts, Outcome, Permit, Reason, RouteId, RuleId, Shadow};

use crate::Client;

/// The per-request state that every filter sees.
#[derive(Debug)]
pub struct Context {
    id: RequestId,
    client: Arc<Client>,
    request: Canonical,
    now: Timestamp,
    facts: Facts,
    verdict: Option<Verdict>,
    permit: Option<Permit>,
    consumed_authorization: bool,
    extensions: http::Extensions,
}

/// What was asked, canonical: the policy decides on it, the audit names it, the backend gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Canonical {
    /// The method.
    pub method: http::Method,
    /// Lower-case host, without port or trailing dot.
    pub host: Arc<str>,
    /// Port that the client named, if it did.
    pub port: Option<u16>,
    /// Canonical path and query.
    pub target: PathAndQuery,
    /// Whether it asks to become a WebSocket.
    pub websocket: bool,
    /// Whether it is gRPC.
    pub grpc: bool,
}

/// What the policy said, without its permit.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// `allow`, `challenge` or `deny`.
    pub outcome: &'static str,
    /// Why.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// The route.
    pub route: Option<RouteId>,
    /// What shadow rules would have done.
    pub shadow: Option<Shadow>,
}

/// Names one request in every log, record, response and to the backend: 128 random bits, as hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl Context {
    /// A request at its beginning: nothing is known but who connected.
    pub fn new(id: RequestId, client: Arc<Client>, request: Canonical, now: Timestamp) -> Self {
        Self {
            id,
            client,
            request,
            now,
            facts: Facts::default(),
            verdict: None,
            permit: None,
            consumed_authorization: false,
            extensions: http::Extensions::new(),
        }
    }

    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The connection.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The client's address: the peer's, or what trusted proxies say of it.
    pub fn address(&self) -> IpAddr {
        self.facts.network().map_or_else(|| self.client.peer.ip(), |network| network.ip)
    }

    /// What was asked.
    pub fn request(&self) -> &Canonical {
        &self.request
    }

    /// The instant of this request, the same for every filter and for the policy.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What is known.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// To establish facts; a group that is established cannot be replaced.
    pub fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Says that `Authorization` was used here, so that it is not forwarded.
    pub fn consume_authorization(&mut self) {
        self.consumed_authorization = true;
    }

    /// Whether `Authorization` was used here.
    pub fn consumed_authorization(&self) -> bool {
        self.consumed_authorization
    }

    /// Records a decision: its permit, if it has one, opens the way to the upstream. A second
    /// decision can only narrow: a permit is taken away by a refusal and not given by another.
    pub fn conclude(&mut self, decision: Decision) {
        let Decision { outcome, reason, rule, route, shadow, help: _ } = decision;
        let word = outcome.word();
        let first = self.verdict.is_none();
        match outcome {
            Outcome::Allow(permit) if first => self.permit = Some(permit),
            Outcome::Allow(_) => return,
            Outcome::Challenge(_) | Outcome::Deny => self.permit = None,
        }
        self.verdict = Some(Verdict { outcome: word, reason, rule, route, shadow });
    }

    /// What the policy said, once it did.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The permit, if the policy gave one.
    pub fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    /// What filters hand to each other, by type.
    pub fn extensions(&self) -> &http::Extensions {
        &self.extensions
    }

    /// The same, to add to.
    pub fn extensions_mut(&mut self) -> &mut http::Extensions {
        &mut self.extensions
    }
}

impl Canonical {
    /// The gateway's own pages and callbacks: never forwarded, never decided by the policy.
    pub const OWN: &'static str = "/.portcullis/";

    /// The canonical path.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query, without `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The path below [`Self::OWN`], if this request is for the gateway itself.
    pub fn own(&self) -> Option<&str> {
        self.path().strip_prefix(Self::OWN)
    }

    /// As the policy sees it.
    pub fn action<'a>(&'a self, headers: &'a http::HeaderMap) -> Action<'a> {
        Action {
            method: self.method.as_str(),
            host: &self.host,
            path: self.path(),
            query: self.query(),
            headers,
            websocket: self.websocket,
            grpc: self.grpc,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
