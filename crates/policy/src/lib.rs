//! Facts and rules in, a decision out.
//!
//! Ground floor: no input or output, no clock, no async, nothing of the proxy. The semantics, each
//! with a test of its name in `tests/semantics.rs`:
//!
//! 1. Nothing is allowed unless a rule allows it; `deny` wins over `allow`; order never matters.
//! 2. Three values. An attribute without a fact is unknown, never false: an unknown `allow` does
//!    not allow, an unknown `deny` denies.
//! 3. The remedy is computed by asking again with the obtainable facts left open.
//! 4. A decision carries its outcome, rule, reason, and the hash of the policy that made it.
//! 5. Shadow rules are evaluated and reported; they change no outcome.
//! 6. Only [`PolicySet::decide`] makes a [`Permit`].

#![warn(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)]

pub mod action;
pub mod attribute;
pub mod decision;
pub mod explain;
pub mod facts;
pub mod reason;
pub mod set;

mod compile;
mod condition;
mod decide;
mod fingerprint;
mod index;
mod lint;
mod matcher;
mod method;
mod quick;
mod remedy;
mod source;
mod suggest;
mod template;
mod truth;
mod version;
mod window;

pub use action::Action;
pub use attribute::{ATTRIBUTES, Attribute};
pub use decision::{Decision, Outcome, Permit, Remedy, Shadow};
pub use explain::Explanation;
pub use facts::{
    Auth, AuthMethod, Binding, Certificate, Device, Facts, Fixed, Network, Os, Risk, Subject,
    SubjectKind, TlsVersion, Value,
};
pub use reason::{Malformed, Reason};
pub use set::{Forwarding, PolicySet, Route, RouteId, RuleId, Source};
