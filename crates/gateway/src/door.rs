//! The door: one canonical method, host, path and query, computed once. The policy decides on it,
//! the audit names it, and the backend receives it. What cannot be made unambiguous is refused.
//!
//! 1. **Version.** HTTP/1.0, 1.1 and 2. On HTTP/1 the head is judged as the socket gave it
//!    ([`Arrival::raw`]), because Pingora re-escapes a target with a space, drops a fragment, takes
//!    bare line feeds and drops `Content-Length` beside `Transfer-Encoding`. Without those bytes
//!    nothing passes.
//! 2. **Method.** One of [`Limits`]' list, compared by case; anything else is 405.
//! 3. **Target.** Origin-form, or absolute-form that names the same authority. A fragment, a
//!    backslash, a space, a control byte and a byte outside ASCII are refused.
//! 4. **Path.** Unreserved octets are decoded once; every other escape is kept, in upper case; what
//!    RFC 3986 does not admit raw (`"<>[]^{|}` and the grave accent) is escaped. Escapes that are
//!    cut short, that hide a control byte or that are not UTF-8 are refused. `%2F`, `%5C` and `;`
//!    pass only where a [`PathProfile`] admits them, and never beside `.` or `..`. Empty segments
//!    are merged, dot segments resolved; one that climbs over the root, or that stands in a path
//!    with empty segments (where `/a//../b` is `/a/b` to some and `/b` to others), is refused.
//! 5. **Query.** Forwarded byte for byte; control bytes, spaces, bytes outside ASCII, `#` and bad
//!    escapes are refused.
//! 6. **Host.** From the one `Host`, or from `:authority`; letters, digits and hyphens in labels, or
//!    an IP literal; lower-cased, one trailing dot removed, the port parsed. On TLS it is the name
//!    that the handshake asked for, or the request is misdirected (421).
//! 7. **Fields.** Counted and measured (431); reserved names in any spelling, look-alikes of framing
//!    fields, control bytes, nominations of what the gateway itself relies on: refused.
//! 8. **Framing.** One plain length, or one exact `chunked`, never both.
//! 9. **Upgrade.** Only a whole WebSocket handshake (RFC 6455, 4.1) counts as one, and one that is
//!    broken is refused; any other upgrade is ignored here and stripped on the way out.
//!
//! The order is that of the list, so that a request with several faults always has the same reason.
//!
//! *What cannot be seen:* on HTTP/2 a fragment in `:path` is dropped before any hook, and `:scheme`
//! is dropped where there is no `:authority`. Neither reaches the policy or the backend.

mod fault;
mod fields;
mod host;
mod limits;
mod path;
mod target;
mod unheard;
mod upgrade;
mod wire;

use std::borrow::Cow;

use filter::{Canonical, RequestHeader, Stop, Tls};
use http::Version;
use policy::Malformed;
use upstream::paths::PathProfile;

use fault::Fault;
pub(crate) use fields::grpc as is_grpc;
pub use limits::Limits;
use wire::Wire;

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// As Pingora parsed it.
    pub head: &'a RequestHeader,
    /// On HTTP/1, the bytes from the first of the request on, as the socket gave them; what follows
    /// the head is not looked at. On HTTP/2 there are none.
    pub raw: Option<&'a [u8]>,
    /// The handshake, on a listener with TLS.
    pub tls: Option<&'a Tls>,
}

/// Makes a request canonical, or says why it is none. `widest` is the union of the profiles of all
/// upstreams: the route's own is asked once the route is known.
///
/// # Errors
/// [`Stop::Refuse`] or [`Stop::Misdirected`]; the rules are numbered in this module's documentation.
pub fn enter(
    arrival: &Arrival<'_>,
    limits: &Limits,
    widest: PathProfile,
) -> Result<Canonical, Stop> {
    canonical(arrival, limits, widest).map_err(Stop::from)
}

/// Why a head that Pingora refused before any hook is wrong, as far as its bytes tell.
pub fn unheard(raw: &[u8], limits: &Limits) -> Stop {
    Stop::from(unheard::why(raw, limits))
}

/// The canonical form of a path on its own, for whoever rewrites one: after a prefix was taken off,
/// what is left must come back as it is.
///
/// # Errors
/// As for [`enter`].
pub fn canonical_path<'a>(
    path: &'a str,
    limits: &Limits,
    profile: PathProfile,
) -> Result<Cow<'a, str>, Stop> {
    path::canonical(path, limits, profile).map_err(Stop::from)
}

fn canonical(
    arrival: &Arrival<'_>,
    limits: &Limits,
    widest: PathProfile,
) -> Result<Canonical, Fault> {
    let Arrival { head, raw, tls } = *arrival;
    let wire = wire_of(head, raw)?;
    limits.serves(&head.method)?;
    target::check_scheme(head, tls.is_some())?;
    let (target, absolute) = target::canonical(head, limits, widest)?;
    if wire.as_ref().is_some_and(|wire| wire.target != head.raw_path()) {
        return Err(Fault::Malformed(Malformed::Target, "the parser read another target"));
    }
    let (host, port) = host::of(head, absolute, tls)?;
    fields::check(head, wire.as_ref(), limits)?;
    let websocket = upgrade::websocket(head)?;
    if let Some(tls) = tls
        && tls.sni.as_deref() != Some(&*host)
    {
        return Err(Fault::Misdirected);
    }
    let grpc = fields::grpc(&head.headers);
    Ok(Canonical { method: head.method.clone(), host, port, target, websocket, grpc })
}

/// The head's own bytes, where the version has any.
fn wire_of<'a>(head: &RequestHeader, raw: Option<&'a [u8]>) -> Result<Option<Wire<'a>>, Fault> {
    match (head.version, raw) {
        (Version::HTTP_2, _) => Ok(None),
        (Version::HTTP_10 | Version::HTTP_11, Some(raw)) => Wire::read(raw).map(Some),
        (Version::HTTP_10 | Version::HTTP_11, None) => {
            Err(Fault::Malformed(Malformed::Framing, "the head's own bytes are not at hand"))
        }
        _ => Err(Fault::Malformed(Malformed::Version, "not HTTP/1.0, 1.1 or 2")),
    }
}

#[cfg(test)]
mod tests;
