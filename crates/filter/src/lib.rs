//! The contract: what a phase filter is, sees and may say.
//!
//! A filter looks at a request before any upstream is chosen and *establishes facts* in the
//! [`Context`], or stops the request. It never allows one: only a decision of the policy makes a
//! [`policy::Permit`], and without one there is no upstream. So a filter can only narrow, and
//! forgetting authorization refuses everything.
//!
//! Filters never touch the socket: no `Session` of Pingora's appears here. A filter is a function
//! of the request's head, the client, the stores behind it and the instant of the request, so the
//! gateway can ask it again while a stream is open.
//!
//! Pull rather than push, static rather than `dyn`: the chain is composed by type, costs no
//! allocation, and is one future. What was given up is a list of filters in the configuration;
//! the order is a line in `main`, and one can read it.

pub mod client;
pub mod clock;
pub mod context;
pub mod endpoint;
pub mod health;
pub mod setup;
pub mod stop;

pub use client::{Client, Tls};
pub use clock::{Clock, SystemClock};
pub use context::{Canonical, Context, RequestId};
pub use endpoint::{BoxFuture, Endpoint};
pub use health::{Health, HealthBoard};
pub use setup::{Directory, Purpose, Services, Setup, Survivors};
pub use stop::{Challenge, Denial, Failure, Refusal, Status, Stop, Wait};

pub use document::Mistakes;
pub use pingora_http::{RequestHeader, ResponseHeader};

/// A phase filter.
///
/// ```
/// use filter::{Context, Denial, Filter, RequestHeader, Stop};
///
/// struct NightOff;
///
/// impl Filter for NightOff {
///     const NAME: &'static str = "night-off";
///     async fn request(&self, _head: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
///         if cx.request().path() == "/night" {
///             return Err(Stop::Deny(Denial::custom("night-off")));
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Filter: Send + Sync + 'static {
    /// What this step is called in the configuration, in logs, metrics and the audit record.
    const NAME: &'static str;

    /// Looks at a request before any upstream is chosen (Pingora: `request_filter`).
    /// `Ok(())` means no objection; it never means allowed.
    fn request(
        &self,
        head: &RequestHeader,
        cx: &mut Context,
    ) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Rewrites the head that goes upstream; again on each retry (`upstream_request_filter`).
    /// The method, the host and the target are put back if a filter changes them.
    fn upstream_request(&self, _head: &mut RequestHeader, _cx: &Context) -> Result<(), Stop> {
        Ok(())
    }

    /// Rewrites the head that goes back, last filter first, refusals included (`response_filter`).
    fn response(&self, _head: &mut ResponseHeader, _cx: &Context) -> Result<(), Stop> {
        Ok(())
    }
}
