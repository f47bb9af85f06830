//! What a request's record will say beyond what its [`filter::Context`] knows: who ended it and why,
//! what was sent and received, which backend was tried, what went wrong.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use filter::{RequestId, Stop};
use jiff::Timestamp;
use pingora::{Error, ErrorSource, ErrorType};
use policy::{Malformed, Reason};
use upstream::Pick;

use crate::answer::BODY_TIMEOUT;

/// What the record will say beyond what [`Context`] knows.
pub(crate) struct Trail {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) method: Option<http::Method>,
    /// The target as it came, where the door refused it.
    pub(crate) target_raw: Option<String>,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) status: Option<u16>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) decided_us: Option<f64>,
    pub(crate) upstream: Option<Attempt>,
    pub(crate) error: Option<Cow<'static, str>>,
    /// Whether the request is counted among its route's active ones.
    pub(crate) active: bool,
    /// Endpoints that were tried and not reached.
    pub(crate) tries: u32,
    /// Whether the record is made.
    pub(crate) recorded: bool,
}

/// Who ended the request and why.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) by: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) reason: Reason,
    pub(crate) detail: Cow<'static, str>,
}

/// The last attempt at a backend.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) pick: Pick,
    pub(crate) began: Instant,
    pub(crate) answered: Option<Instant>,
}

impl Trail {
    pub(crate) fn new(id: RequestId, at: Timestamp) -> Self {
        Self {
            id,
            at,
            peer: None,
            method: None,
            target_raw: None,
            stopped: None,
            status: None,
            request_bytes: 0,
            response_bytes: 0,
            decided_us: None,
            upstream: None,
            error: None,
            active: false,
            tries: 0,
            recorded: false,
        }
    }

    /// Remembers a fault of the way to the backend.
    pub(crate) fn fault(&mut self, reason: Reason, detail: String) {
        self.error = Some(Cow::Borrowed(reason.class()));
        self.stopped =
            Some(Stopped { by: "upstream", outcome: "fail", reason, detail: detail.into() });
    }

    /// Remembers what Pingora says went wrong, unless one of our rooms said it better.
    pub(crate) fn blame(&mut self, error: &Error) {
        if self.stopped.is_some() {
            return;
        }
        match error.esource() {
            ErrorSource::Upstream => {
                let reason = if unverified(error) {
                    Reason::UpstreamUnverified
                } else {
                    Reason::UpstreamUnreachable
                };
                self.fault(reason, error.to_string());
                self.error = Some(Cow::Borrowed(upstream_word(error)));
            }
            ErrorSource::Downstream | ErrorSource::Unset | ErrorSource::Internal
                if malformed_body(error) =>
            {
                let stop = Stop::malformed(Malformed::Framing, error.to_string());
                self.stopped = Some(Stopped::new("body", &stop));
                self.error = Some(Cow::Borrowed("malformed"));
            }
            ErrorSource::Downstream if *error.etype() == ErrorType::ReadTimedout => {
                self.error = Some(Cow::Borrowed(BODY_TIMEOUT));
                self.stopped = Some(Stopped {
                    by: "body",
                    outcome: "refuse",
                    reason: Reason::Custom(BODY_TIMEOUT),
                    detail: error.to_string().into(),
                });
            }
            ErrorSource::Downstream => {
                self.error.get_or_insert(Cow::Borrowed("client-gone"));
            }
            ErrorSource::Internal | ErrorSource::Unset => {
                self.error = Some(Cow::Borrowed("internal"));
                self.stopped = Some(Stopped {
                    by: "gateway",
                    outcome: "fail",
                    reason: Reason::Internal,
                    detail: error.to_string().into(),
                });
            }
        }
    }
}

impl Attempt {
    pub(crate) fn new(pick: Pick) -> Self {
        Self { pick, began: Instant::now(), answered: None }
    }
}

/// Whether it is the client's body that cannot be read.
fn malformed_body(error: &Error) -> bool {
    matches!(error.root_etype(), ErrorType::Custom("InvalidChunk"))
}

/// Whether the handshake failed because the backend is not who it should be.
fn unverified(error: &Error) -> bool {
    match error.etype() {
        ErrorType::InvalidCert => true,
        ErrorType::TLSHandshakeFailure => error.to_string().contains("certificate verify failed"),
        _ => false,
    }
}

/// Whether the backend was too slow rather than out of reach.
pub(crate) fn timed_out(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout)
}

/// A stable word for what went wrong with a backend.
fn upstream_word(error: &Error) -> &'static str {
    match error.etype() {
        ErrorType::ConnectTimedout => "connect-timeout",
        ErrorType::ConnectRefused => "connect-refused",
        ErrorType::ConnectNoRoute => "connect-no-route",
        ErrorType::TLSHandshakeFailure => "tls-handshake",
        ErrorType::TLSHandshakeTimedout => "tls-timeout",
        ErrorType::InvalidCert => "tls-certificate",
        ErrorType::ReadTimedout => "read-timeout",
        ErrorType::WriteTimedout => "write-timeout",
        ErrorType::ConnectionClosed => "closed",
        ErrorType::InvalidHTTPHeader => "invalid-response",
        _ => "upstream",
    }
}

impl Stopped {
    pub(crate) fn new(by: &'static str, stop: &Stop) -> Self {
        let (outcome, detail) = match stop {
            Stop::Refuse(refusal) => ("refuse", refusal.detail.clone()),
            Stop::Challenge(challenge) => ("challenge", challenge.detail.clone()),
            Stop::Deny(denial) => ("deny", denial.detail.clone()),
            Stop::Misdirected => ("refuse", Cow::Borrowed("")),
            Stop::Wait(wait) => ("refuse", wait.detail.clone()),
            Stop::Fail(failure) => ("fail", failure.detail.clone()),
            Stop::Answer(_) => ("answer", Cow::Borrowed("")),
        };
        let reason = stop.reason().unwrap_or(Reason::Custom("answered"));
        Self { by, outcome, reason, detail }
    }
}
