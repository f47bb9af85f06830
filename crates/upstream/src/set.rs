//! Every upstream of one generation.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use document::{Mistake, Mistakes, Node};
use jiff::Timestamp;
use pingora::protocols::Digest;
use policy::Permit;

use crate::kept::Kept;
use crate::load;
use crate::paths::PathProfile;
use crate::peer::{Peer, PeerFault, Traffic, Upstream};
use crate::resolve;
use crate::verify::{Demand, Unverified};

/// Every upstream of one generation. Clones share it.
#[derive(Clone, Debug)]
pub struct Upstreams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    by_name: HashMap<Box<str>, Arc<Upstream>>,
    files: Vec<PathBuf>,
    expiries: Vec<Expiry>,
    kept: Kept,
}

/// When a certificate ends, for the metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `upstream-client` or `upstream-ca`.
    pub role: &'static str,
    /// The upstream's name.
    pub name: Box<str>,
    /// When it ends; the first, where there are several.
    pub ends: Timestamp,
}

impl Upstreams {
    /// Reads the section, every file that it names, and looks its names up (at most three seconds).
    /// The second part of the success are warnings.
    ///
    /// # Errors
    /// Every mistake, in the order of the file.
    pub fn load(
        node: Option<&Node>,
        kept: &Kept,
        now: Timestamp,
    ) -> Result<(Self, Mistakes), Mistakes> {
        let load::Loaded { upstreams, files, expiries, mut mistakes } =
            load::section(node, kept, now);
        if mistakes.iter().any(|mistake| mistake.level == document::Level::Error) {
            return Err(mistakes);
        }
        resolve::at_load(upstreams.iter().flat_map(|upstream| &upstream.endpoints), kept);
        for upstream in &upstreams {
            resolve::aim(upstream, kept);
            if upstream.targets.load().is_empty() {
                let text = format!("no endpoint of upstream `{}` has an address", upstream.name);
                let help = "look at the names in DNS; they are looked up again in the background";
                mistakes.push(Mistake::warning("no-address", &upstream.place, text).help(help));
            }
        }
        let by_name =
            upstreams.into_iter().map(|upstream| (upstream.name.clone(), upstream)).collect();
        let inner = Inner { by_name, files, expiries, kept: kept.clone() };
        Ok((Self(Arc::new(inner)), mistakes))
    }

    /// A connection for a permitted request: the next endpoint whose turn it is. Asked again for a
    /// retry, it picks another, once [`Pick::unreached`](crate::Pick::unreached) was told.
    ///
    /// # Errors
    /// The upstream has no address, or is not in this generation.
    pub fn peer(&self, permit: &Permit, traffic: Traffic) -> Result<Peer, PeerFault> {
        let name = permit.upstream();
        let upstream = self.get(name).ok_or_else(|| PeerFault::UnknownUpstream(name.into()))?;
        upstream.peer(&permit.route().forwarding, traffic)
    }

    /// Whether the other end is who the permit's upstream names. To be asked on every request,
    /// before its first byte goes out, on a kept connection as on a new one.
    ///
    /// # Errors
    /// It is not, or it cannot be told.
    pub fn verify(
        &self,
        permit: &Permit,
        digest: Option<&Digest>,
        now: Timestamp,
    ) -> Result<(), Unverified> {
        let name = permit.upstream();
        let upstream = self.get(name).ok_or_else(|| Unverified::UnknownUpstream(name.into()))?;
        upstream.demand.check(digest, now)
    }

    /// A task that keeps the addresses of names fresh, to be run once this generation is in force.
    /// It ends when there is no name to look up.
    pub fn resolver(&self) -> impl Future<Output = ()> + Send + 'static {
        let upstreams = self.0.by_name.values().cloned().collect();
        resolve::in_background(upstreams, self.0.kept.clone())
    }

    /// Which paths the backends of an upstream need that the door refuses otherwise.
    pub fn paths(&self, upstream: &str) -> Option<PathProfile> {
        self.get(upstream).map(|upstream| upstream.paths)
    }

    /// The same for all upstreams together: what the door may let through before a route is known.
    pub fn widest_profile(&self) -> PathProfile {
        let profiles = self.0.by_name.values().map(|upstream| upstream.paths);
        profiles.fold(PathProfile::default(), PathProfile::union)
    }

    /// Files whose change calls for a new generation.
    pub fn files(&self) -> &[PathBuf] {
        &self.0.files
    }

    /// When certificates end.
    pub fn expiries(&self) -> &[Expiry] {
        &self.0.expiries
    }

    /// Each authority with a revocation list, and when the list was issued.
    pub fn revocation_lists(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.0
            .by_name
            .values()
            .filter_map(|upstream| match &upstream.demand {
                Demand::Nothing => None,
                Demand::Tls { revocation, .. } => Some(revocation.issued()),
            })
            .flatten()
    }

    /// The name of every upstream, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.by_name.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    fn get(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.0.by_name.get(name)
    }
}
