//! What the policy says, and the only door to an upstream: the [`Permit`].

use std::sync::Arc;
use std::time::Duration;

use crate::Reason;
use crate::set::{PolicySet, Route, RouteId, RuleId};

/// The answer to one request, with its reasons.
#[derive(Debug)]
pub struct Decision {
    /// Allow with a permit, challenge with a remedy, or deny.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The rule that decided, where one did.
    pub rule: Option<RuleId>,
    /// The route, where the host and path have one.
    pub route: Option<RouteId>,
    /// What shadow rules would have done, where that differs.
    pub shadow: Option<Shadow>,
    /// Text for the client from the rule that decided or that was nearest under the remedy.
    pub help: Option<Box<str>>,
}

/// Allow, challenge or deny.
#[derive(Debug)]
pub enum Outcome {
    /// Proceed to the upstream that the permit names.
    Allow(Permit),
    /// Not yet: the caller can supply what is missing.
    Challenge(Remedy),
    /// No.
    Deny,
}

/// The smallest thing that the caller could supply so that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Prove an identity.
    Login,
    /// Authenticate more strongly or more recently (RFC 9470).
    StepUp {
        /// Authentication context class to ask for.
        acr: Option<Box<str>>,
        /// How old the authentication may be at most.
        max_age: Option<Duration>,
        /// Whether more than one factor is needed.
        mfa: bool,
    },
    /// Present a certificate of a known, managed, compliant device.
    Device,
    /// Let the device report its posture again.
    Posture,
}

/// Evidence that the policy allowed one request. Only [`PolicySet::decide`] makes one, and without
/// one there is no upstream. Not `Clone`: it belongs to its request.
#[derive(Debug)]
pub struct Permit {
    set: Arc<PolicySet>,
    route: RouteId,
    rule: RuleId,
}

/// What the outcome would have been if shadow rules counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The shadow rule that makes the difference.
    pub rule: RuleId,
    /// `allow`, `challenge` or `deny`.
    pub would_be: &'static str,
}

impl Permit {
    /// The route that the request was allowed on.
    pub fn route(&self) -> &Route {
        self.set.route(self.route)
    }

    /// The rule that allowed it.
    pub fn rule(&self) -> &str {
        self.set.rule_name(self.rule)
    }

    /// The name of the upstream.
    pub fn upstream(&self) -> &str {
        &self.route().upstream
    }

    /// The policy that allowed it.
    pub fn policy(&self) -> &Arc<PolicySet> {
        &self.set
    }

    pub(crate) fn new(set: Arc<PolicySet>, route: RouteId, rule: RuleId) -> Self {
        Self { set, route, rule }
    }
}

impl Outcome {
    /// `allow`, `challenge` or `deny`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Challenge(_) => "challenge",
            Self::Deny => "deny",
        }
    }
}
