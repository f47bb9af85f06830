//! The filter that asks the policy: facts in, a permit or a stop out.
//!
//! 1. It stands last in the chain: what later filters established would not count.
//! 2. It asks once, with the facts as they are, the canonical request and the instant of the
//!    request, and hands every decision to [`Context::conclude`], where a permit opens the way to
//!    the upstream. It knows no rule of its own.
//! 3. A challenge and a denial stop the request; a host or path without a route is answered 404.
//! 4. The gateway's own pages are not decided: they are never forwarded, so they need no permit.
//!
//! It has no settings, so that nothing can weaken it: the section `authorization:` may be absent or
//! empty.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use filter::{
    Challenge, Context, Denial, Filter, Mistakes, Refusal, RequestHeader, Setup, Status, Stop,
};
use metrics::Metrics;
use policy::{Outcome, PolicySet, Reason};
use schemars::JsonSchema;
use serde::Deserialize;

/// `authorization:`, which has no settings.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conf {}

/// Asks the policy.
#[derive(Debug)]
pub struct Authorize {
    policy: Arc<PolicySet>,
    metrics: Arc<Metrics>,
}

impl Authorize {
    /// Takes the policy of this generation.
    ///
    /// # Errors
    /// None: there is nothing to get wrong.
    pub fn new(Conf {}: Conf, setup: &Setup<'_>) -> Result<Self, Mistakes> {
        let metrics = Arc::clone(&setup.services().metrics);
        Ok(Self { policy: Arc::clone(setup.policy()), metrics })
    }
}

impl Filter for Authorize {
    const NAME: &'static str = "authorization";

    async fn request(&self, head: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
        if cx.request().own().is_some() {
            return Ok(());
        }
        let begun = Instant::now();
        let decision =
            self.policy.decide(cx.facts(), &cx.request().action(&head.headers), cx.now());
        self.metrics.decision_duration.observe(begun.elapsed().as_secs_f64());
        let stop = stop(&decision.outcome, &decision.reason, decision.help.as_deref());
        cx.conclude(decision);
        stop.map_or(Ok(()), Err)
    }
}

/// What an outcome means for the request; `None` lets it on.
fn stop(outcome: &Outcome, reason: &Reason, help: Option<&str>) -> Option<Stop> {
    let (reason, help) = (|| reason.clone(), || help.map(Box::from));
    let detail = Cow::Borrowed("");
    match outcome {
        Outcome::Allow(_) => None,
        Outcome::Challenge(remedy) => Some(Stop::Challenge(Challenge {
            reason: reason(),
            remedy: remedy.clone(),
            help: help(),
            detail,
        })),
        Outcome::Deny => Some(match reason() {
            Reason::NoRoute => {
                Stop::Refuse(Refusal { status: Status::NotFound, reason: Reason::NoRoute, detail })
            }
            reason => Stop::Deny(Denial { reason, help: help(), detail }),
        }),
    }
}
