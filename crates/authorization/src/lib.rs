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

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::SocketAddr;
    use std::path::Path;

    use filter::{Canonical, Client, RequestId};
    use jiff::Timestamp;
    use policy::{Source, Subject, SubjectKind};

    const POLICY: &str = "version: 1
routes:
  - name: wiki
    hosts: [wiki.test]
    upstream: wiki
    rules:
      - {id: reads, allow: {methods: [GET]}, when: {user.id: ana}}
      - {id: no-drafts, deny: {paths: [\"/drafts/**\"]}, help: Drafts are not served.}
";

    fn authorize() -> Authorize {
        let document = document::load_text(Path::new("policy.yaml"), POLICY).unwrap();
        let source = Source { routes: document.root.get("routes"), ..Source::default() };
        let (policy, _) = PolicySet::compile(source).unwrap();
        Authorize { policy, metrics: Arc::new(Metrics::new("0", "test").unwrap()) }
    }

    /// What is said of a request, and the context after it.
    fn ask(user: Option<&str>, method: http::Method, url: &str) -> (Result<(), Stop>, Context) {
        let url: http::Uri = url.parse().unwrap();
        let request = Canonical {
            method,
            host: url.host().unwrap().into(),
            port: None,
            target: url.path_and_query().unwrap().clone(),
            websocket: false,
            grpc: false,
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let client = Arc::new(Client { peer, tls: None });
        let mut cx = Context::new(RequestId(1), client, request, Timestamp::UNIX_EPOCH);
        if let Some(id) = user {
            let subject = Subject {
                id: id.into(),
                name: None,
                email: None,
                groups: None,
                roles: None,
                kind: SubjectKind::Human,
                idp: None,
                claims: serde_json::Map::new(),
            };
            cx.facts_mut().establish_subject(Arc::new(subject)).unwrap();
        }
        let head = RequestHeader::build("GET", b"/", None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(authorize().request(&head, &mut cx));
        (said, cx)
    }

    #[test]
    fn only_an_allowed_request_has_a_permit() {
        let get = || http::Method::GET;
        for (user, method, url, kind, reason) in [
            (Some("ana"), get(), "https://wiki.test/a", "allow", Reason::Allowed),
            (None, get(), "https://wiki.test/a", "challenge", Reason::NoIdentity),
            (Some("ben"), get(), "https://wiki.test/a", "deny", Reason::NoRuleAllows),
            (Some("ana"), http::Method::PUT, "https://wiki.test/a", "deny", Reason::NoRuleAllows),
            (
                Some("ana"),
                get(),
                "https://wiki.test/drafts/a",
                "deny",
                Reason::Denied("no-drafts".into()),
            ),
            (Some("ana"), get(), "https://other.test/a", "refuse", Reason::NoRoute),
        ] {
            let (said, cx) = ask(user, method, url);
            let found = said.as_ref().map_or_else(Stop::kind, |()| "allow");
            assert_eq!(found, kind, "{url} {said:?}");
            assert_eq!(cx.permit().is_some(), kind == "allow", "{url}");
            let verdict = cx.verdict().unwrap();
            assert_eq!(verdict.reason, reason, "{url}");
            if let Err(stop) = said {
                assert_eq!(stop.reason(), Some(reason), "{url}");
            }
        }
    }

    #[test]
    fn a_rules_help_reaches_the_client() {
        let (said, _) = ask(Some("ana"), http::Method::GET, "https://wiki.test/drafts/a");
        let Err(Stop::Deny(denial)) = said else { panic!("{said:?}") };
        assert_eq!(denial.help.as_deref(), Some("Drafts are not served."));
    }

    #[test]
    fn the_gateways_own_pages_are_neither_decided_nor_permitted() {
        let (said, cx) = ask(None, http::Method::GET, "https://wiki.test/.portcullis/whoami");
        assert!(said.is_ok());
        assert!(cx.permit().is_none() && cx.verdict().is_none());
    }
}
