//! From the text of an endpoint to addresses, never on a request's way.
//!
//! 1. An address is taken as it is. A name is looked up once at load, all names at once and no
//!    longer than [`LOAD_SECONDS_MAX`], and then every [`REFRESH_SECONDS`] in the background.
//! 2. A lookup that fails or finds nothing changes nothing: the last good addresses stay.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use crate::kept::Kept;
use crate::peer::{Target, Upstream};

const LOAD_SECONDS_MAX: u64 = 3;
const LOOKUP_SECONDS_MAX: u64 = 5;
const REFRESH_SECONDS: u64 = 30;

/// Where a backend listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An address.
    Fixed(SocketAddr),
    /// A name with a port.
    Named {
        /// As it was written: names it among the kept addresses.
        text: Box<str>,
        host: Box<str>,
        port: u16,
    },
}

impl Endpoint {
    /// `address:port`, `[v6]:port` or `host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err("port 0 is no port"),
                1.. => Ok(Self::Fixed(address)),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or("it has no port")?;
        let port = port.parse::<u16>().map_err(|_why| "its port is not a number up to 65535")?;
        if port == 0 {
            return Err("port 0 is no port");
        }
        // In a host name an underscore is wrong, in a container's name it is common.
        let byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(byte) {
            return Err("its host is neither a name nor an address");
        }
        Ok(Self::Named { text: text.into(), host: host.into(), port })
    }

    /// As the operator sees it.
    fn text(&self) -> Box<str> {
        match self {
            Self::Fixed(address) => address.to_string().into(),
            Self::Named { text, .. } => text.clone(),
        }
    }

    fn known(&self, kept: &Kept) -> Vec<SocketAddr> {
        match self {
            Self::Fixed(address) => vec![*address],
            Self::Named { text, .. } => {
                kept.addresses(text).map_or_else(Vec::new, |known| known.to_vec())
            }
        }
    }

    fn named(&self) -> Option<(&str, &str, u16)> {
        match self {
            Self::Fixed(_) => None,
            Self::Named { text, host, port } => Some((text, host, *port)),
        }
    }
}

/// Makes the targets of an upstream from what is known, where that is not what they are.
pub(crate) fn aim(upstream: &Upstream, kept: &Kept) {
    let mut seen = std::collections::HashSet::new();
    let mut known = Vec::new();
    for endpoint in &upstream.endpoints {
        let fresh = endpoint.known(kept).into_iter().filter(|address| seen.insert(*address));
        known.extend(fresh.collect::<Vec<_>>().into_iter().map(|address| (endpoint, address)));
    }
    let present = upstream.targets.load();
    if present.iter().map(|target| target.address()).eq(known.iter().map(|(_, address)| *address)) {
        return;
    }
    let target = |(endpoint, address): (&Endpoint, SocketAddr)| {
        let reach = kept.reach(&upstream.name, address);
        Arc::new(Target::new(upstream, endpoint.text(), address, reach))
    };
    upstream.targets.store(Arc::new(known.into_iter().map(target).collect()));
}

/// Looks every name up that has no address yet, all at once, and waits a bounded time.
pub(crate) fn at_load<'a>(endpoints: impl Iterator<Item = &'a Endpoint>, kept: &Kept) {
    let (sender, receiver) = mpsc::channel();
    let mut open = 0_usize;
    for (text, host, port) in endpoints.filter_map(Endpoint::named) {
        if kept.addresses(text).is_some() {
            continue;
        }
        let (text, host, sender) = (text.to_owned(), host.to_owned(), sender.clone());
        let lookup = move || {
            let found: Vec<_> =
                (host.as_str(), port).to_socket_addrs().into_iter().flatten().collect();
            // Whoever waited may have stopped waiting.
            drop(sender.send((text, found)));
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a lookup that hangs must not hang the load"
        )]
        drop(std::thread::spawn(lookup));
        open = open.saturating_add(1);
    }
    let mut left = Duration::from_secs(LOAD_SECONDS_MAX);
    let begun = std::time::Instant::now();
    while open > 0 {
        let Ok((text, found)) = receiver.recv_timeout(left) else { return };
        if !found.is_empty() {
            kept.set_addresses(&text, found);
        }
        open = open.saturating_sub(1);
        left = Duration::from_secs(LOAD_SECONDS_MAX).saturating_sub(begun.elapsed());
    }
}

/// Keeps the addresses of every name fresh, for as long as it is polled.
pub(crate) async fn in_background(upstreams: Vec<Arc<Upstream>>, kept: Kept) {
    forget_others(&upstreams, &kept);
    let named = |upstream: &Arc<Upstream>| upstream.endpoints.iter().any(|e| e.named().is_some());
    let upstreams: Vec<_> = upstreams.into_iter().filter(named).collect();
    if upstreams.is_empty() {
        return;
    }
    loop {
        for upstream in &upstreams {
            for (text, host, port) in upstream.endpoints.iter().filter_map(Endpoint::named) {
                look_up(&upstream.name, text, (host, port), &kept).await;
            }
            aim(upstream, &kept);
        }
        tokio::time::sleep(Duration::from_secs(REFRESH_SECONDS)).await;
    }
}

/// What only older generations had is counted no more.
fn forget_others(upstreams: &[Arc<Upstream>], kept: &Kept) {
    let names: Vec<&str> = upstreams.iter().map(|upstream| &*upstream.name).collect();
    kept.metrics().retain_upstreams(&names);
    for upstream in upstreams {
        let texts: Vec<Box<str>> = upstream.endpoints.iter().map(Endpoint::text).collect();
        upstream.metrics.retain_endpoints(&texts);
    }
}

async fn look_up(upstream: &str, text: &str, name: (&str, u16), kept: &Kept) {
    let limit = Duration::from_secs(LOOKUP_SECONDS_MAX);
    let cause = match tokio::time::timeout(limit, tokio::net::lookup_host(name)).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            if !found.is_empty() {
                kept.set_addresses(text, found);
                return;
            }
            "it has no address".to_owned()
        }
        Ok(Err(cause)) => cause.to_string(),
        Err(_) => format!("no answer within {LOOKUP_SECONDS_MAX}s"),
    };
    log::warn!(
        "upstream `{upstream}`: looking up `{text}` failed, the last addresses stay: {cause}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_endpoints() {
        assert_eq!(
            Endpoint::parse("10.0.0.5:8443"),
            Ok(Endpoint::Fixed("10.0.0.5:8443".parse().unwrap()))
        );
        assert!(matches!(Endpoint::parse("[::1]:443"), Ok(Endpoint::Fixed(_))));
        assert!(matches!(Endpoint::parse("app_1.internal:80"), Ok(Endpoint::Named { .. })));
        for text in
            ["", "a", ":80", "a:", "a:b", "a:70000", "a:0", "1.2.3.4:0", "::1:80", "a/b:1", "u@a:1"]
        {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
