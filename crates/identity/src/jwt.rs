//! Bearer JWTs (RFC 7519, RFC 8725, RFC 9068).
//!
//! 1. A token is taken apart by the rules of [`compact`]. Its `iss`, a text, chooses the provider
//!    by exact equality; everything is then verified by the provider's [`Rules`].
//! 2. A verified token is remembered by the SHA-256 of the whole token together with the
//!    configuration of the providers, and found again with one digest and one look-up. It counts
//!    only while the key set that verified it is the provider's set, and while the token is good at
//!    the instant of the request. A refusal is not remembered.
//! 3. A token that names an unknown key asks for the keys to be fetched. If a fetch is near, the
//!    request waits for it, at most [`PATIENCE`], and looks once more; otherwise it is refused at
//!    once. A request never fetches.
//! 4. Without a usable key set the answer is 503: nothing is known of the token.
//! 5. A token that is bound to a certificate is good on a connection with that certificate alone.

mod build;
pub mod claims;
pub mod compact;
mod provider;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::sync::Cache;
use openssl::sha::Sha256;
use policy::Certificate;
use serde_json::Value;

pub use provider::{Parties, Rules, Verified};

use crate::fault::Fault;
use crate::jwks::{Cell, KeySet, Loaded, Now};
use crate::observe::{Meters, ProviderMeters};

/// How long a request waits for a fetch of keys that is near.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Every provider, and the tokens that were verified.
#[derive(Debug)]
pub struct Jwt {
    providers: Vec<Provider>,
    tag: [u8; 32],
    remembered: Option<Remembered>,
    meters: Meters,
}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    rules: Rules,
    keys: Keys,
    meters: ProviderMeters,
}

/// Where a provider's keys are.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Read with the configuration.
    File(Arc<KeySet>),
    /// Fetched in the background.
    Fetched(Arc<Cell>),
}

type Remembered = Cache<[u8; 32], Arc<Entry>>;

#[derive(Debug)]
struct Entry {
    provider: usize,
    version: u128,
    verified: Arc<Verified>,
}

impl Jwt {
    /// Who a token is of.
    ///
    /// # Errors
    /// The token is not believed.
    pub async fn verify(
        &self,
        token: &str,
        certificate: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<Arc<Verified>, Fault> {
        if token.len() > compact::TOKEN_BYTES_MAX {
            self.meters.unknown_provider(&Fault::TooLarge);
            return Err(Fault::TooLarge);
        }
        let digest = self.digest(token);
        let verified = match self.recall(&digest, now) {
            Some(verified) => verified,
            // Rare and large: kept out of the future that every request moves about.
            None => Box::pin(self.verify_anew(token, digest, now)).await?,
        };
        check_binding(&verified, certificate)?;
        Ok(verified)
    }

    /// What its providers are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| &*provider.rules.name)
    }

    fn digest(&self, token: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(&self.tag);
        digest.update(token.as_bytes());
        digest.finish()
    }

    fn recall(&self, digest: &[u8; 32], now: Timestamp) -> Option<Arc<Verified>> {
        let entry = self.remembered.as_ref()?.get(digest).filter(|entry| {
            let keys = self.providers.get(entry.provider).map(|provider| &provider.keys);
            keys.and_then(|keys| keys.version(now)) == Some(entry.version)
                && entry.verified.is_current(now)
        });
        self.meters.recalled(entry.is_some());
        entry.map(|entry| Arc::clone(&entry.verified))
    }

    async fn verify_anew(
        &self,
        token: &str,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Arc<Verified>, Fault> {
        let (unverified, place, provider) =
            self.open(token).inspect_err(|fault| self.meters.unknown_provider(fault))?;
        let outcome = provider.verify(unverified, now).await;
        provider.meters.verified(outcome.as_ref().err());
        let (verified, version) = outcome?;
        let verified = Arc::new(verified);
        if let Some(remembered) = &self.remembered {
            let verified = Arc::clone(&verified);
            remembered.insert(digest, Arc::new(Entry { provider: place, version, verified }));
        }
        Ok(verified)
    }

    fn open<'t>(
        &self,
        token: &'t str,
    ) -> Result<(compact::Unverified<'t>, usize, &Provider), Fault> {
        let unverified = compact::parse(token)?;
        let issuer = unverified.claims.get("iss").and_then(Value::as_str);
        let issuer = issuer.ok_or(Fault::Claim("iss"))?;
        let mut providers = self.providers.iter().enumerate();
        let found = providers.find(|(_, provider)| *provider.rules.issuer == *issuer);
        let (place, provider) = found.ok_or(Fault::Issuer)?;
        Ok((unverified, place, provider))
    }
}

impl Provider {
    async fn verify(
        &self,
        token: compact::Unverified<'_>,
        now: Timestamp,
    ) -> Result<(Verified, u128), Fault> {
        if let (Keys::Fetched(cell), Some(kid)) = (&self.keys, &token.header.kid) {
            let is_unknown = matches!(cell.now(now), Now::Usable(loaded) if !loaded.set.has(kid));
            if is_unknown {
                cell.ask(now, PATIENCE).await;
            }
        }
        let verify = |set: &KeySet| {
            self.rules.accept(token, set, now).map(|verified| (verified, set.version()))
        };
        match &self.keys {
            Keys::File(set) => verify(set),
            Keys::Fetched(cell) => verify(&usable(cell, now)?.set),
        }
    }
}

impl Keys {
    fn version(&self, now: Timestamp) -> Option<u128> {
        match self {
            Self::File(set) => Some(set.version()),
            Self::Fetched(cell) => cell.version(now),
        }
    }
}

fn usable(cell: &Cell, now: Timestamp) -> Result<Arc<Loaded>, Fault> {
    match cell.now(now) {
        Now::Usable(loaded) => Ok(loaded),
        Now::Empty => Err(Fault::KeysDown("the provider's key set has no usable key")),
        Now::Stale => Err(Fault::KeysDown("the provider's keys were not confirmed for 24 hours")),
        Now::Never => Err(Fault::KeysDown("the provider's keys were never fetched")),
    }
}

fn check_binding(verified: &Verified, presented: Option<&Certificate>) -> Result<(), Fault> {
    match (&verified.certificate, presented) {
        (None, _) => Ok(()),
        (Some(bound), Some(presented)) if *bound == presented.fingerprint => Ok(()),
        (Some(_), Some(_)) => {
            Err(Fault::Binding("the token is bound to another client certificate"))
        }
        (Some(_), None) => {
            Err(Fault::Binding("the token is bound to a client certificate, and there is none"))
        }
    }
}
