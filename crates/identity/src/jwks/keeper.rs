//! The task that keeps one provider's keys fresh, as long as its generation lives, and the one
//! that tells how old keys from a file are.

use std::sync::Arc;
use std::time::Duration;

use filter::{Clock, Health, HealthBoard, Setup};
use jiff::Timestamp;
use metrics::prometheus::Gauge;

use super::cell::{Cell, Now};
use super::fetch::{Failed, Fetched, Fetcher};
use super::{Alg, KeySet, Skipped};
use crate::jwt::Rules;
use crate::observe::{Meters, health_name, seconds};

/// Fetches when it is due, and tells how it stands.
pub(crate) struct Keeper {
    name: Box<str>,
    algorithms: Vec<Alg>,
    cell: Arc<Cell>,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    age: Gauge,
}

impl Keeper {
    /// Prepares the task.
    pub(crate) fn new(
        rules: &Rules,
        cell: Arc<Cell>,
        fetcher: Fetcher,
        setup: &Setup<'_>,
        meters: &Meters,
    ) -> Self {
        let services = setup.services();
        Self {
            name: rules.name.clone(),
            algorithms: rules.algorithms.clone(),
            cell,
            fetcher,
            clock: Arc::clone(&services.clock),
            health: services.health.clone(),
            age: meters.keys_age(&rules.name),
        }
    }

    /// Runs for ever.
    pub(crate) async fn run(self) {
        let mut last_failure = None;
        loop {
            let now = self.clock.now();
            if let Some(flight) = self.cell.take_off(now) {
                match self.fetch().await {
                    Ok((set, max_age)) => {
                        let keys = set.keys().len();
                        if flight.landed(set, max_age, self.clock.now()) {
                            log::info!("keys of `{}` changed: {keys} usable", self.name);
                        }
                        last_failure = None;
                    }
                    Err(Failed { endpoint, why }) => {
                        flight.failed(self.clock.now());
                        log::warn!(
                            "keys of `{}` could not be fetched ({endpoint}): {why}",
                            self.name
                        );
                        last_failure = Some(why);
                    }
                }
            }
            self.tell(last_failure.as_deref(), self.clock.now());
            self.rest().await;
        }
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), Failed> {
        let Fetched { text, max_age } = self.fetcher.fetch().await?;
        let (set, skipped) =
            KeySet::parse(&text).map_err(|why| Failed { endpoint: "jwks", why })?;
        self.warn_of(&set, &skipped);
        Ok((set, max_age))
    }

    /// Says once for each set which of its keys are of no use.
    fn warn_of(&self, set: &KeySet, skipped: &[Skipped]) {
        if self.cell.version(self.clock.now()) == Some(set.version()) {
            return;
        }
        for Skipped { name, why } in skipped {
            log::warn!("the key {name} of `{}` is ignored: {why}", self.name);
        }
        for name in set.outside(&self.algorithms) {
            log::warn!("the key `{name}` of `{}` fits none of its `algorithms`", self.name);
        }
    }

    fn tell(&self, failure: Option<&str>, now: Timestamp) {
        let health = match (self.cell.now(now), failure) {
            (Now::Usable(_), None) => Health::Good,
            (Now::Usable(_), Some(why)) => Health::Degraded(format!("keys are old: {why}")),
            (Now::Empty, _) => Health::Down("the key set has no usable key".to_owned()),
            (Now::Stale | Now::Never, Some(why)) => Health::Down(why.to_owned()),
            (Now::Stale | Now::Never, None) => Health::Down("not fetched yet".to_owned()),
        };
        self.health.tell(&health_name(&self.name), &health);
        if let Some(confirmed_at) = self.cell.confirmed_at() {
            self.age.set(seconds(now.duration_since(confirmed_at)));
        }
    }

    /// Until something may be due, or somebody asks; never longer than a tick, so that the age that
    /// is told is true, and never without a pause, so that no clock makes this spin.
    async fn rest(&self) {
        let due = self.cell.until_due(self.clock.now()).unwrap_or(TICK);
        let nap = due.clamp(PAUSE_MIN, TICK);
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = self.cell.asked() => {}
        }
    }
}

/// Tells how old keys are that were read from a file with the configuration. Runs for ever.
pub(crate) async fn tell_age(
    name: Box<str>,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    age: Gauge,
) {
    let read_at = clock.now();
    health.tell(&health_name(&name), &Health::Good);
    loop {
        age.set(seconds(clock.now().duration_since(read_at)));
        tokio::time::sleep(TICK).await;
    }
}

const TICK: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(10);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("name", &self.name).finish_non_exhaustive()
    }
}
