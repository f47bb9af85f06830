//! Where the head points: the target without a prefix, and the host.

use bytes::Bytes;
use filter::Stop;
use http::HeaderValue;
use http::uri::PathAndQuery;
use policy::Malformed;

use super::{internal, value};

/// A canonical target without a prefix of whole segments. A path that does not begin with the
/// prefix stays as it is.
pub(super) fn stripped(target: &PathAndQuery, prefix: &str) -> Result<PathAndQuery, Stop> {
    let prefix = prefix.trim_end_matches('/');
    let Some(rest) = target.path().strip_prefix(prefix) else { return Ok(target.clone()) };
    if prefix.is_empty() || !(rest.is_empty() || rest.starts_with('/')) {
        return Ok(target.clone());
    }
    // What is left must name the same thing to every reader: no authority, no climbing.
    let climbs = rest.split('/').any(|segment| segment == "." || segment == "..");
    if rest.starts_with("//") || climbs {
        return Err(Stop::malformed(
            Malformed::Target,
            "the path is not canonical once the route's `strip_prefix` is taken off",
        ));
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let text = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|e| internal(e.to_string()))
}

/// The host and the port that was asked for, as one value; the client's own where it is that.
pub(super) fn host(
    sent: Option<&HeaderValue>,
    host: &str,
    port: Option<u16>,
) -> Result<HeaderValue, Stop> {
    let same = |sent: &&HeaderValue| sent.as_bytes() == host.as_bytes();
    match (port, sent.filter(same)) {
        (None, Some(sent)) => Ok(sent.clone()),
        (None, None) => value(host),
        (Some(port), _) => value(&format!("{host}:{port}")),
    }
}
