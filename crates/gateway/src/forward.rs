//! The head that goes upstream, and what is taken from the head that comes back.
//!
//! Called where Pingora has removed what is of one hop only, so that nothing that a client
//! nominates under `Connection` can take away what is set here.
//!
//! 1. Method, host and target are the canonical ones that were decided on; `strip_prefix` takes
//!    whole segments off the path, and what is left is absolute and canonical again.
//! 2. Names that only the gateway may set, in any spelling, are removed and set anew: identity
//!    from the facts, addresses from the connection and trusted proxies, never from the client.
//!    [`names`] holds the list. A name with an underscore is dropped unless the route keeps it.
//! 3. A request without a subject carries no assertion and no identity header; a device that is
//!    known is named either way.
//! 4. The credential that was used here stays here: `Authorization` if a filter consumed it, unless
//!    the route passes it on, and the gateway's own cookies. Other cookies keep their order; those
//!    of several fields become one (RFC 9113 section 8.2.3).
//! 5. A valid `traceparent` is carried on with a span of ours; else the trace is the request's id.
//! 6. Of a response, names of the gateway and cookies with its names are dropped; the request's id
//!    is added, and HSTS where the backend sent none.

pub mod names;

mod addresses;
mod cookies;
mod target;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

use filter::{Context, RequestHeader, RequestId, ResponseHeader, Stop};
use http::header::{AUTHORIZATION, HOST, STRICT_TRANSPORT_SECURITY};
use http::{HeaderName, HeaderValue, Uri};
use policy::{Forwarding, Reason};

use self::names::Fate;
use crate::assertion::Signer;

pub use trace::{adopt, trace_id};

/// Where a request goes on to, beyond what its context says.
#[derive(Clone, Copy, Debug)]
pub struct Onward<'a> {
    /// How its route forwards.
    pub forwarding: &'a Forwarding,
    /// What the upstream calls itself, for routes that rewrite the host.
    pub server_name: &'a str,
}

/// Makes the head of a permitted request; again on each retry, from a fresh copy.
///
/// # Errors
/// There is no permit, the path is not canonical after the prefix was taken off, or the assertion
/// cannot be signed.
pub fn upstream_head(
    head: &mut RequestHeader,
    cx: &Context,
    onward: Onward<'_>,
    signer: &Signer,
) -> Result<(), Stop> {
    let Onward { forwarding, server_name } = onward;
    if cx.permit().is_none() {
        return Err(internal("a head was to be made without a permit"));
    }
    let chain = addresses::chain(&head.headers, cx);
    let trace = trace::onward(&head.headers, cx);
    cookies::forward(head)?;
    clean(head, cx, forwarding);
    aim(head, cx, forwarding, server_name)?;
    set(head, "X-Forwarded-For", chain)?;
    trace.write(head)?;
    set(head, "X-Request-Id", id_value(cx.id())?)?;
    introduce(head, cx, signer)
}

/// Takes from a backend's head what only the gateway may say, and adds the request's id.
pub fn downstream_head(head: &mut ResponseHeader, hsts: Option<&HeaderValue>, id: RequestId) {
    let ours: Vec<HeaderName> =
        head.headers.keys().filter(|name| names::is_ours(name)).cloned().collect();
    for name in &ours {
        head.remove_header(name);
    }
    cookies::keep_foreign(head);
    let added = id_value(id).and_then(|id| set_response(head, "X-Request-Id", id));
    let hsts = hsts.filter(|_| !head.headers.contains_key(STRICT_TRANSPORT_SECURITY));
    let added = match hsts {
        Some(hsts) => {
            added.and_then(|()| set_response(head, "Strict-Transport-Security", hsts.clone()))
        }
        None => added,
    };
    if let Err(stop) = added {
        log::error!("a response's head could not be completed: {stop:?}");
    }
}

/// Removes what the client may not say to a backend.
fn clean(head: &mut RequestHeader, cx: &Context, forwarding: &Forwarding) {
    let goes = |name: &&HeaderName| match names::fate(name) {
        Fate::Stays => false,
        Fate::Goes => true,
        Fate::Underscored => !forwarding.danger_underscore_headers,
        Fate::OfUpgrade => !cx.request().websocket,
    };
    let gone: Vec<HeaderName> = head.headers.keys().filter(goes).cloned().collect();
    for name in &gone {
        head.remove_header(name);
    }
    if cx.consumed_authorization() && !forwarding.pass_authorization {
        head.remove_header(&AUTHORIZATION);
    }
}

/// Sets method, target and host.
fn aim(
    head: &mut RequestHeader,
    cx: &Context,
    forwarding: &Forwarding,
    server_name: &str,
) -> Result<(), Stop> {
    let request = cx.request();
    if head.method != request.method {
        head.set_method(request.method.clone());
    }
    let target = match &forwarding.strip_prefix {
        Some(prefix) => target::stripped(&request.target, prefix)?,
        None => request.target.clone(),
    };
    head.set_uri(Uri::from(target));
    let named = target::host(head.headers.get(HOST), &request.host, request.port)?;
    let host = if forwarding.rewrite_host { value(server_name)? } else { named.clone() };
    set(head, "Host", host)?;
    set(head, "X-Forwarded-Host", named)?;
    let scheme = if cx.client().tls.is_some() { "https" } else { "http" };
    set(head, "X-Forwarded-Proto", HeaderValue::from_static(scheme))
}

/// Says who asks.
fn introduce(head: &mut RequestHeader, cx: &Context, signer: &Signer) -> Result<(), Stop> {
    let statement = signer
        .statement(cx)
        .map_err(|e| internal(format!("the assertion could not be signed: {e}")))?;
    if let Some(statement) = statement {
        set(head, "X-Portcullis-Assertion", statement.assertion.clone())?;
        set(head, "X-Portcullis-User", statement.user.clone())?;
        if let Some(email) = &statement.email {
            set(head, "X-Portcullis-Email", email.clone())?;
        }
        if let Some(groups) = &statement.groups {
            set(head, "X-Portcullis-Groups", groups.clone())?;
        }
    }
    let device = cx.facts().device().and_then(|device| device.id.as_deref());
    match device {
        Some(id) => set(head, "X-Portcullis-Device", crate::assertion::header(id)),
        None => Ok(()),
    }
}

fn set(head: &mut RequestHeader, name: &'static str, value: HeaderValue) -> Result<(), Stop> {
    head.insert_header(name, value).map_err(|e| internal(format!("`{name}` cannot be set: {e}")))
}

fn set_response(
    head: &mut ResponseHeader,
    name: &'static str,
    value: HeaderValue,
) -> Result<(), Stop> {
    head.insert_header(name, value).map_err(|e| internal(format!("`{name}` cannot be set: {e}")))
}

fn id_value(id: RequestId) -> Result<HeaderValue, Stop> {
    let RequestId(id) = id;
    let bytes = trace::hex(id);
    HeaderValue::from_bytes(&bytes).map_err(|e| internal(e.to_string()))
}

fn value(text: &str) -> Result<HeaderValue, Stop> {
    HeaderValue::from_str(text).map_err(|e| internal(format!("`{text}` is no header value: {e}")))
}

fn internal(detail: impl Into<std::borrow::Cow<'static, str>>) -> Stop {
    Stop::Fail(filter::Failure { reason: Reason::Internal, detail: detail.into() })
}
