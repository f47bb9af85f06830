//! The request target (RFC 9112, 3.2): origin-form, or absolute-form of the same authority.
//!
//! 1. A target that begins with `/` is origin-form. On HTTP/1, `http://` or `https://`, in any
//!    case, begins an absolute-form: its authority is handed on to be compared with the host, and
//!    the rest is taken as origin-form (an empty path is `/`). Anything else is refused, `*` too.
//! 2. On HTTP/2 the scheme, where it can be seen, is the connection's.
//! 3. What stands before the first `?` is the path, the rest the query.

use std::borrow::Cow;

use bytes::Bytes;
use filter::RequestHeader;
use http::Version;
use http::uri::PathAndQuery;
use policy::Malformed;
use upstream::paths::PathProfile;

use super::fault::Fault;
use super::limits::Limits;
use super::path;

/// The canonical target, and the authority that an absolute-form named.
pub(super) fn canonical<'a>(
    head: &'a RequestHeader,
    limits: &Limits,
    profile: PathProfile,
) -> Result<(PathAndQuery, Option<&'a str>), Fault> {
    let Ok(raw) = std::str::from_utf8(head.raw_path()) else {
        return Err(Fault::Malformed(Malformed::ControlByte, "a target that is not ASCII"));
    };
    let (authority, origin) = form(raw, head.version)?;
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    let path = if path.is_empty() && authority.is_some() { "/" } else { path };
    let canonical = path::canonical(path, limits, profile)?;
    if let Some(query) = query {
        if query.len() > limits.query_bytes {
            return Err(Fault::TargetTooLong("the query is longer than its limit"));
        }
        check_query(query.as_bytes())?;
    }
    Ok((assemble(head, authority, canonical, query)?, authority))
}

/// Whether `:scheme` is the connection's.
pub(super) fn check_scheme(head: &RequestHeader, tls: bool) -> Result<(), Fault> {
    let expected = if tls { "https" } else { "http" };
    match head.uri.scheme_str() {
        Some(scheme) if scheme != expected => {
            Err(Fault::Malformed(Malformed::Scheme, "`:scheme` is not the connection's"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The authority of an absolute-form, and the part that begins with the path.
fn form(raw: &str, version: Version) -> Result<(Option<&str>, &str), Fault> {
    if raw.starts_with('/') {
        return Ok((None, raw));
    }
    let rest = ["http://", "https://"]
        .into_iter()
        .filter(|_| version != Version::HTTP_2)
        .find_map(|scheme| {
            let (start, rest) = raw.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })
        .ok_or(Fault::Malformed(Malformed::Target, "a target that does not begin with a slash"))?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        Some((authority, origin)) => Ok((Some(authority), origin)),
        None => Err(Fault::Malformed(Malformed::Target, "an authority that cannot be told apart")),
    }
}

fn check_query(query: &[u8]) -> Result<(), Fault> {
    let mut rest = query;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'%', high, low, tail @ ..] if path::octet(*high, *low).is_some() => tail,
            [b'%', ..] => {
                return Err(Fault::Malformed(Malformed::Escape, "a bad escape in the query"));
            }
            [b'#', ..] => {
                return Err(Fault::Malformed(Malformed::Fragment, "a fragment after the query"));
            }
            [0x21..=0x7e, tail @ ..] => tail,
            [..] => {
                return Err(Fault::Malformed(
                    Malformed::ControlByte,
                    "a byte that no query may hold",
                ));
            }
        }
    }
}

/// The parser's own bytes where nothing changed, else new ones.
fn assemble(
    head: &RequestHeader,
    authority: Option<&str>,
    path: Cow<'_, str>,
    query: Option<&str>,
) -> Result<PathAndQuery, Fault> {
    let parsed = head.uri.path_and_query();
    if let (None, Cow::Borrowed(_), Some(parsed)) = (authority, &path, parsed) {
        return Ok(parsed.clone());
    }
    let mut target = path.into_owned();
    if let Some(query) = query {
        target.reserve_exact(query.len() + 1);
        target.push('?');
        target.push_str(query);
    }
    PathAndQuery::from_maybe_shared(Bytes::from(target))
        .or(Err(Fault::Malformed(Malformed::Target, "a target that cannot be written")))
}
