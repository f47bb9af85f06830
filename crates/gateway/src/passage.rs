//! One request's way through the gateway, and the one record that it leaves.
//!
//! The record is made in `logging`, or, when the exchange is cut and Pingora calls no hook any
//! more, when the state is dropped. Either way it is made once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use filter::{Context, RequestId};
use jiff::Timestamp;
use policy::{AuthMethod, Reason};

use crate::audit::{DecisionPart, Record, ShadowPart, Shown, Trace, UpstreamPart, WhoPart};
use crate::chain::Chain;
use crate::generation::Generation;
use crate::live::Live;
use crate::trail::{Attempt, Trail};

/// Pingora's per-request state.
pub(crate) struct Passage<C: Chain> {
    pub(crate) live: Arc<Live<C>>,
    pub(crate) generation: Arc<Generation<C>>,
    pub(crate) began: Instant,
    pub(crate) trail: Trail,
    /// What filters see; there once the door let the request in.
    pub(crate) cx: Option<Box<Context>>,
}

impl<C: Chain> Passage<C> {
    pub(crate) fn new(live: Arc<Live<C>>, id: RequestId) -> Self {
        let generation = live.generation();
        let at = live.services.clock.now();
        Self { live, generation, began: Instant::now(), trail: Trail::new(id, at), cx: None }
    }

    /// The route, once it is known.
    pub(crate) fn route(&self) -> Option<policy::RouteId> {
        self.cx.as_ref()?.verdict()?.route
    }

    /// Counts the request among its route's active ones.
    pub(crate) fn begin_active(&mut self) {
        if let Some(metrics) =
            self.route().and_then(|route| self.generation.routes.get(route.index()))
        {
            metrics.began();
            self.trail.active = true;
            if let Some(kind) = self.stream_kind() {
                metrics.stream_began(kind);
            }
        }
    }

    /// What kind of stream this is, if it is one.
    fn stream_kind(&self) -> Option<&'static str> {
        match self.cx.as_deref()?.request() {
            filter::Canonical { websocket: true, .. } => Some("websocket"),
            filter::Canonical { grpc: true, .. } => Some("grpc"),
            filter::Canonical { .. } => None,
        }
    }

    /// Makes the record and the counts, once.
    pub(crate) fn record(&mut self) {
        if std::mem::replace(&mut self.trail.recorded, true) {
            return;
        }
        let elapsed = self.began.elapsed();
        let route = self.route();
        let metrics = route
            .and_then(|route| self.generation.routes.get(route.index()))
            .unwrap_or(&self.live.unrouted);
        let method = self.trail.method.as_ref().map_or("-", http::Method::as_str);
        metrics.finished(method, self.trail.status.unwrap_or(0), elapsed);
        if self.trail.active {
            metrics.ended();
            if let Some(kind) = self.stream_kind() {
                metrics.stream_ended(kind, self.end_word());
            }
        }
        if let Some(attempt) = &self.trail.upstream {
            attempt.pick.finished(self.upstream_word());
        }
        let decision = self.decision_part();
        let reason_class = self.reason().class();
        metrics.decided(decision.outcome, reason_class);
        if let Some(shadow) = &decision.shadow {
            metrics.shadow(shadow.rule, decision.outcome, shadow.would_be);
        }
        let record = self.compose(decision, elapsed.as_secs_f64() * 1e3);
        self.live.audit.write(&record);
    }

    /// How a stream ended.
    fn end_word(&self) -> &'static str {
        match (&self.trail.error, &self.trail.stopped) {
            (Some(Cow::Borrowed(word)), _) => word,
            (_, Some(stopped)) => stopped.reason.class(),
            (Some(Cow::Owned(_)) | None, None) => "done",
        }
    }

    /// How the last attempt at a backend ended: `ok`, or the class of the reason.
    fn upstream_word(&self) -> &'static str {
        match (&self.trail.stopped, &self.trail.error) {
            (Some(stopped), _) => stopped.reason.class(),
            (None, Some(_)) => "client-gone",
            (None, None) => "ok",
        }
    }

    fn compose<'a>(&'a self, decision: DecisionPart<'a>, duration_ms: f64) -> Record<'a> {
        let Trail {
            id, at, peer, method, target_raw, status, request_bytes, response_bytes, ..
        } = &self.trail;
        let cx = self.cx.as_deref();
        let request = cx.map(Context::request);
        Record {
            timestamp: Shown(*at),
            event: "http.request",
            request_id: Shown(*id),
            trace_id: cx.map(|cx| {
                crate::forward::trace_id(cx).map_or(Trace::Own(Shown(*id)), Trace::Adopted)
            }),
            client_address: cx.map(Context::address).or(peer.map(|peer| peer.ip())),
            method: method.as_ref().map(http::Method::as_str),
            host: request.map(|request| &*request.host),
            path: request.map(filter::Canonical::path),
            path_raw: target_raw.as_deref(),
            route: self.route().map(|route| &*self.generation.policy.route(route).name),
            status: *status,
            request_bytes: *request_bytes,
            response_bytes: *response_bytes,
            duration_ms,
            upstream: self.upstream_part(),
            who: cx.map(who_part).unwrap_or_default(),
            decision,
            error: self.trail.error.as_deref(),
            error_detail: self
                .trail
                .stopped
                .as_ref()
                .map(|stopped| &*stopped.detail)
                .filter(|detail| !detail.is_empty()),
        }
    }

    fn reason(&self) -> Cow<'_, Reason> {
        if let Some(stopped) = &self.trail.stopped {
            return Cow::Borrowed(&stopped.reason);
        }
        let verdict = self.cx.as_ref().and_then(|cx| cx.verdict());
        verdict.map_or(Cow::Owned(Reason::Internal), |verdict| Cow::Borrowed(&verdict.reason))
    }

    fn decision_part(&self) -> DecisionPart<'_> {
        let policy = &self.generation.policy;
        let verdict = self.cx.as_ref().and_then(|cx| cx.verdict());
        let stopped = self.trail.stopped.as_ref();
        DecisionPart {
            outcome: stopped
                .map(|stopped| stopped.outcome)
                .or(verdict.map(|verdict| verdict.outcome))
                .unwrap_or("fail"),
            reason: word(&self.reason()),
            rule: verdict.and_then(|verdict| verdict.rule).map(|rule| policy.rule_name(rule)),
            by: stopped.map(|stopped| stopped.by),
            shadow: verdict.and_then(|verdict| verdict.shadow.as_ref()).map(|shadow| ShadowPart {
                rule: policy.rule_name(shadow.rule),
                would_be: shadow.would_be,
            }),
            policy: verdict.map(|_| policy.hash()),
            duration_us: self.trail.decided_us,
        }
    }

    fn upstream_part(&self) -> UpstreamPart<'_> {
        let Some(Attempt { pick, began, answered }) = &self.trail.upstream else {
            return UpstreamPart::default();
        };
        let duration_ms = answered.map(|answered| (answered - *began).as_secs_f64() * 1e3);
        UpstreamPart { name: Some(pick.upstream()), address: Some(pick.address()), duration_ms }
    }
}

/// A reason's word; only one with particulars is a text of its own.
fn word(reason: &Reason) -> Cow<'static, str> {
    match reason {
        Reason::Malformed(_)
        | Reason::BadToken(_)
        | Reason::Denied(_)
        | Reason::Unknown(_)
        | Reason::DependencyDown(_) => reason.to_string().into(),
        reason => reason.class().into(),
    }
}

fn who_part(cx: &Context) -> WhoPart<'_> {
    let facts = cx.facts();
    let (subject, auth, device) = (facts.subject(), facts.auth(), facts.device());
    let age = |at: Timestamp| cx.now().duration_since(at).as_secs();
    let certificate = facts.certificate();
    WhoPart {
        certificate_subject: certificate.map(|certificate| &*certificate.subject),
        certificate_issuer: certificate.map(|certificate| &*certificate.issuer),
        user: subject.map(|subject| &*subject.id),
        email: subject.and_then(|subject| subject.email.as_deref()),
        groups: subject.and_then(|subject| subject.groups.as_deref()),
        session: auth.and_then(|auth| auth.session_id.as_deref()),
        method: auth.map(|auth| method_word(auth.method)),
        idp: subject.and_then(|subject| subject.idp.as_deref()),
        acr: auth.and_then(|auth| auth.acr.as_deref()),
        amr: auth.and_then(|auth| auth.amr.as_deref()),
        auth_age_s: auth.and_then(|auth| auth.authenticated_at).map(age),
        token: auth.and_then(|auth| auth.token_id.as_deref()),
        device: device.and_then(|device| device.id.as_deref()),
        managed: device.and_then(|device| device.managed),
        compliant: device.and_then(|device| device.compliant),
        posture_age_s: device.and_then(|device| device.observed_at).map(age),
        risk: facts.risk().map(|risk| risk.score),
    }
}

/// The word of the contract for a kind of credential.
pub(crate) fn method_word(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::Oidc => "oidc",
        AuthMethod::Local => "local",
        AuthMethod::Jwt => "jwt",
        AuthMethod::ApiToken => "api-token",
        AuthMethod::ClientCertificate => "client-certificate",
        AuthMethod::Introspection => "introspection",
    }
}

impl<C: Chain> Drop for Passage<C> {
    fn drop(&mut self) {
        if !self.trail.recorded && self.trail.error.is_none() {
            self.trail.error = Some(Cow::Borrowed("cut"));
        }
        self.record();
    }
}
