//! Which of a client's headers go on.
//!
//! Names are compared folded: in lower case, with `_` and `.` as `-`, since backends behind CGI,
//! WSGI and PHP read them so.

use http::HeaderName;

/// What becomes of a client's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on as it is.
    Stays,
    /// It is removed: only the gateway says such things.
    Goes,
    /// It has an underscore, and goes on only where the route keeps those.
    Underscored,
    /// It goes on only with an upgrade.
    OfUpgrade,
}

/// Names of the gateway: identity, set by nobody else in either direction.
const OURS: &[u8] = b"x-portcullis-";

/// Prefixes of what only a gateway says.
const PREFIXES: &[&[u8]] =
    &[OURS, b"x-forwarded-", b"client-cert", b"x-client-cert", b"x-ssl-", b"ssl-"];

/// Longest name in the list; what is longer is told by its beginning.
const FOLDED_BYTES: usize = 32;

/// What becomes of a client's header of this name.
pub fn fate(name: &HeaderName) -> Fate {
    let bytes = name.as_str().as_bytes();
    let mut buffer = [0; FOLDED_BYTES];
    let folded = fold(bytes, &mut buffer);
    if bytes.len() <= FOLDED_BYTES && matches!(folded, b"connection" | b"upgrade") {
        return Fate::OfUpgrade;
    }
    let exact = bytes.len() <= FOLDED_BYTES && goes(folded);
    if exact || PREFIXES.iter().any(|prefix| folded.starts_with(prefix)) {
        Fate::Goes
    } else if bytes.contains(&b'_') {
        Fate::Underscored
    } else {
        Fate::Stays
    }
}

/// Whether a name is the gateway's own.
pub fn is_ours(name: &HeaderName) -> bool {
    let mut buffer = [0; FOLDED_BYTES];
    fold(name.as_str().as_bytes(), &mut buffer).starts_with(OURS)
}

fn fold<'a>(name: &[u8], buffer: &'a mut [u8; FOLDED_BYTES]) -> &'a [u8] {
    let mut length = 0;
    for (to, from) in buffer.iter_mut().zip(name) {
        *to = match from {
            b'_' | b'.' => b'-',
            other => other.to_ascii_lowercase(),
        };
        length += 1;
    }
    buffer.get(..length).unwrap_or_default()
}

/// Addresses, targets and methods that others would believe; what ends here; what is set anew.
fn goes(folded: &[u8]) -> bool {
    matches!(
        folded,
        b"forwarded"
            | b"x-forwarded"
            | b"x-forwarded-for"
            | b"x-real-ip"
            | b"x-client-ip"
            | b"x-cluster-client-ip"
            | b"x-original-forwarded-for"
            | b"x-remote-addr"
            | b"x-remote-ip"
            | b"x-remote-user"
            | b"remote-user"
            | b"true-client-ip"
            | b"cf-connecting-ip"
            | b"cf-connecting-ipv6"
            | b"fastly-client-ip"
            | b"x-original-url"
            | b"x-original-uri"
            | b"x-original-host"
            | b"x-original-method"
            | b"x-rewrite-url"
            | b"x-host"
            | b"x-scheme"
            | b"x-url-scheme"
            | b"x-http-method"
            | b"x-http-method-override"
            | b"x-method-override"
            | b"front-end-https"
            | b"x-amzn-mtls-clientcert"
            | b"x-request-id"
            | b"traceparent"
            | b"tracestate"
            | b"expect"
            | b"proxy"
            | b"proxy-authorization"
            | b"proxy-connection"
    )
}
