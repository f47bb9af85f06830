//! What a backend can believe without trusting the network: a signed statement of who asks.
//!
//! 1. A JWT, `alg: ES256`, for one route (`aud`), good for 60 seconds, issued by the origin that
//!    was asked (`iss`). Its claims are the facts that the decision was made on; a fact that
//!    nobody established is absent, not null.
//! 2. A request without a subject carries none: there is nothing to assert.
//! 3. A signature costs more than all the rest of a request, so it is made once for the same
//!    subject, authentication, device, route, rule and host, and used again for at most half of
//!    its life. The identity headers belong to the same entry.
//! 4. Keys are made by the gateway, kept in its state directory, and published at
//!    `/.portcullis/jwks.json`; see [`keys`].

pub mod keys;

mod claims;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use document::Mistake;
use filter::{Context, Health, Purpose, Services};
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use openssl::error::ErrorStack;
use policy::{Auth, Device, Permit, PolicySet, Subject};

use self::keys::KeySet;

/// How long an assertion is good.
pub const LIFE: SignedDuration = SignedDuration::from_secs(60);
/// How long one is used again.
const REUSE: SignedDuration = SignedDuration::from_secs(30);
/// How often keys are looked at.
const UPKEEP: std::time::Duration = std::time::Duration::from_hours(1);
/// Assertions that are kept.
const KEPT_MAX: u64 = 10_000;

/// Signs assertions.
#[derive(Debug)]
pub struct Signer {
    keys: ArcSwap<KeySet>,
    kept: Cache<Key, Arc<Statement>>,
}

/// What is said of a request's subject to the backend, ready for its head.
#[derive(Debug)]
pub struct Statement {
    /// The signed assertion.
    pub assertion: HeaderValue,
    /// The subject's identifier.
    pub user: HeaderValue,
    /// The mail address.
    pub email: Option<HeaderValue>,
    /// The groups, joined by commas.
    pub groups: Option<HeaderValue>,
    from: Timestamp,
    until: Timestamp,
    /// The pointers of its key stay taken for as long as this lives.
    _held: Held,
}

/// What one assertion speaks of.
#[derive(Clone, Copy)]
pub(crate) struct Spoken<'a> {
    pub(crate) permit: &'a Permit,
    pub(crate) subject: &'a Arc<Subject>,
    pub(crate) auth: Option<&'a Arc<Auth>>,
    pub(crate) device: Option<&'a Arc<Device>>,
    pub(crate) risk: Option<u8>,
    pub(crate) host: &'a Arc<str>,
    pub(crate) port: Option<u16>,
    pub(crate) now: Timestamp,
}

/// A fact as a header's value: what could end a header, or be taken for an escape, is
/// percent-encoded.
pub fn header(text: &str) -> HeaderValue {
    claims::header(&claims::plain(text))
}

#[derive(Debug)]
struct Held {
    _policy: Arc<PolicySet>,
    _subject: Arc<Subject>,
    _auth: Option<Arc<Auth>>,
    _device: Option<Arc<Device>>,
}

/// Facts by their addresses, which the kept statement keeps from being used for others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    policy: usize,
    route: usize,
    rule: usize,
    subject: usize,
    auth: usize,
    device: usize,
    host: Arc<str>,
    port: Option<u16>,
    risk: Option<u8>,
}

impl Signer {
    /// The signer of this process, with the keys of the state directory. Where there are none yet,
    /// they are made; they are written only if the configuration is loaded to serve.
    ///
    /// # Errors
    /// The file of the keys is there and cannot be used, or cannot be written.
    pub fn load(services: &Services, now: Timestamp) -> Result<Arc<Self>, Mistake> {
        let keys = KeySet::load(&services.state_dir, now)?;
        let signer = services.survivors.keep("assertion", || Self::new(KeySet::default()));
        if keys.is_saved() || signer.keys.load().is_empty() {
            signer.keys.store(Arc::new(keys));
        }
        if services.purpose == Purpose::Serve {
            signer.upkeep(services, now)?;
        }
        Ok(signer)
    }

    /// Changes the keys when they are due, for as long as it is polled; looks once an hour.
    pub fn tend(
        self: &Arc<Self>,
        services: &Services,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (signer, services) = (Arc::clone(self), services.clone());
        async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                let health = match signer.upkeep(&services, services.clock.now()) {
                    Ok(()) => Health::Good,
                    Err(mistake) => {
                        log::error!("{mistake}");
                        Health::Degraded(mistake.message)
                    }
                };
                services.health.tell("assertion-keys", &health);
            }
        }
    }

    fn new(keys: KeySet) -> Self {
        let kept = Cache::builder()
            .max_capacity(KEPT_MAX)
            .time_to_live(std::time::Duration::from_mins(1))
            .build();
        Self { keys: ArcSwap::from_pointee(keys), kept }
    }

    /// Writes keys that are new, and changes them when they are due.
    ///
    /// # Errors
    /// The state directory cannot be written; the keys in use stay as they are.
    fn upkeep(&self, services: &Services, now: Timestamp) -> Result<(), Mistake> {
        let present = self.keys.load_full();
        if let Some(next) = present.kept_up(&services.state_dir, now)? {
            self.keys.store(Arc::new(next));
        }
        Ok(())
    }

    /// The public keys, as `/.portcullis/jwks.json` serves them (RFC 7517).
    pub fn jwks(&self) -> String {
        self.keys.load().jwks()
    }

    /// The statement for a request's subject, or none for a request without one.
    ///
    /// # Errors
    /// The TLS library cannot sign, or a value cannot stand in a header.
    pub fn statement(&self, cx: &Context) -> Result<Option<Arc<Statement>>, ErrorStack> {
        let (Some(permit), Some(subject)) = (cx.permit(), cx.facts().subject()) else {
            return Ok(None);
        };
        let facts = cx.facts();
        self.speak(Spoken {
            permit,
            subject,
            auth: facts.auth(),
            device: facts.device(),
            risk: facts.risk().map(|risk| risk.score),
            host: &cx.request().host,
            port: cx.request().port,
            now: cx.now(),
        })
        .map(Some)
    }

    /// With a key that is nowhere kept.
    #[cfg(test)]
    pub(crate) fn ephemeral(now: Timestamp) -> Self {
        let nowhere = std::path::Path::new("/nonexistent/assertions");
        Self::new(KeySet::load(nowhere, now).unwrap())
    }

    fn speak(&self, spoken: Spoken<'_>) -> Result<Arc<Statement>, ErrorStack> {
        let key = Key::of(&spoken);
        let kept = self.kept.get(&key);
        if let Some(kept) = kept.filter(|kept| (kept.from..kept.until).contains(&spoken.now)) {
            return Ok(kept);
        }
        let statement = Arc::new(self.sign(&spoken)?);
        self.kept.insert(key, Arc::clone(&statement));
        Ok(statement)
    }

    fn sign(&self, spoken: &Spoken<'_>) -> Result<Statement, ErrorStack> {
        let keys = self.keys.load();
        let Some(key) = keys.signing(spoken.now) else { return Err(ErrorStack::get()) };
        let token = key.sign(&claims::of(spoken))?;
        let Spoken { permit, subject, auth, device, now, host: _, risk: _, port: _ } = *spoken;
        let groups = subject.groups.as_ref();
        Ok(Statement {
            assertion: claims::header(&token),
            user: header(&subject.id),
            email: subject.email.as_deref().map(header),
            groups: groups.map(|groups| claims::header(&claims::joined(groups))),
            from: now,
            until: now + REUSE,
            _held: Held {
                _policy: Arc::clone(permit.policy()),
                _subject: Arc::clone(subject),
                _auth: auth.cloned(),
                _device: device.cloned(),
            },
        })
    }
}

impl Key {
    fn of(spoken: &Spoken<'_>) -> Self {
        let Spoken { permit, subject, auth, device, risk, host, port, now: _ } = *spoken;
        Self {
            policy: Arc::as_ptr(permit.policy()).addr(),
            route: std::ptr::from_ref(permit.route()).addr(),
            rule: permit.rule().as_ptr().addr(),
            subject: Arc::as_ptr(subject).addr(),
            auth: auth.map_or(0, |auth| Arc::as_ptr(auth).addr()),
            device: device.map_or(0, |device| Arc::as_ptr(device).addr()),
            host: Arc::clone(host),
            port,
            risk,
        }
    }
}
