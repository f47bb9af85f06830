//! The keys of one provider from one generation to the next.
//!
//! 1. A set is fetched again when nine tenths of its `max-age` are over; `max-age` counts as at
//!    least 5 minutes and at most 24 hours, and as 10 minutes where the provider does not say.
//! 2. A request that meets an unknown key asks for a fetch. However many ask, there is at most one
//!    fetch in any 30 seconds, and one at a time.
//! 3. A fetch that fails leaves the last set in place. Without success for 24 hours the set is
//!    stale, and nothing verifies with it.
//! 4. A fetch that succeeds replaces the set as a whole: a key that is gone verifies no more.
//! 5. Until the first fetch succeeds it is tried again after 1, 2, 4, ... 30 seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::KeySet;

/// A key set and when the provider last confirmed it.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub set: KeySet,
    /// When they were fetched.
    pub confirmed_at: Timestamp,
}

/// What there is to verify with.
#[derive(Clone, Debug)]
pub enum Now {
    /// A set.
    Usable(Arc<Loaded>),
    /// A set without a usable key.
    Empty,
    /// A set that was not confirmed for too long.
    Stale,
    /// Nothing was ever fetched.
    Never,
}

/// The place where a provider's keys are kept.
#[derive(Debug)]
pub struct Cell {
    loaded: ArcSwapOption<Loaded>,
    /// Milliseconds since the epoch; requests read them, tasks write them.
    last_attempt_ms: AtomicI64,
    next_attempt_ms: AtomicI64,
    failures: AtomicU32,
    wanted: AtomicBool,
    fetching: AtomicBool,
    asked: Notify,
    attempts: watch::Sender<u64>,
}

/// The right to fetch; given back when it is dropped, also in the middle of a fetch.
#[derive(Debug)]
pub struct Flight<'a>(&'a Cell);

impl Cell {
    /// The shortest time between two fetches.
    pub const INTERVAL_MIN: SignedDuration = SignedDuration::from_secs(30);
    /// How long a set may be used without being confirmed.
    pub const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);

    /// The keys at this instant.
    pub fn now(&self, now: Timestamp) -> Now {
        match self.loaded.load_full() {
            None => Now::Never,
            Some(loaded) if loaded.is_stale(now) => Now::Stale,
            Some(loaded) if loaded.set.keys().is_empty() => Now::Empty,
            Some(loaded) => Now::Usable(loaded),
        }
    }

    /// The version of the set, if one may be used at this instant. For every request.
    pub fn version(&self, now: Timestamp) -> Option<u128> {
        let loaded = self.loaded.load();
        loaded.as_ref().filter(|loaded| !loaded.is_stale(now)).map(|loaded| loaded.set.version())
    }

    /// When the keys were last confirmed.
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        self.loaded.load().as_ref().map(|loaded| loaded.confirmed_at)
    }

    /// Asks for a fetch, because a token names a key that is not here. If one is near (under way,
    /// or about to begin), waits until it ends, at most `patience`. `true` if it is worth looking again.
    pub async fn ask(&self, now: Timestamp, patience: Duration) -> bool {
        let mut attempts = self.attempts.subscribe();
        let near = self.fetching.load(Ordering::Acquire) || self.may_fetch(now);
        // However many ask, the task is woken once.
        if !self.wanted.swap(true, Ordering::AcqRel) {
            self.asked.notify_one();
        }
        near && tokio::time::timeout(patience, attempts.changed())
            .await
            .is_ok_and(|ended| ended.is_ok())
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// The right to fetch, if a fetch is due and none is under way.
    pub fn take_off(&self, now: Timestamp) -> Option<Flight<'_>> {
        self.until_due(now).filter(Duration::is_zero)?;
        let taken =
            self.fetching.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        let flight = taken.is_ok().then(|| Flight(self))?;
        self.wanted.store(false, Ordering::Release);
        self.last_attempt_ms.store(now.as_millisecond(), Ordering::Release);
        Some(flight)
    }

    /// How long until a fetch is due; `None` while one is under way.
    pub fn until_due(&self, now: Timestamp) -> Option<Duration> {
        if self.fetching.load(Ordering::Acquire) {
            return None;
        }
        let planned = self.next_attempt_ms.load(Ordering::Acquire);
        let allowed = self.allowed_ms();
        let wanted = self.wanted.load(Ordering::Acquire);
        let due = if wanted { planned.min(allowed) } else { planned };
        // The first fetches of a new provider may follow each other faster (rule 5).
        let due = if self.loaded.load().is_some() { due.max(allowed) } else { due };
        let wait = due.saturating_sub(now.as_millisecond());
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
    }

    fn allowed_ms(&self) -> i64 {
        let last = self.last_attempt_ms.load(Ordering::Acquire);
        last.saturating_add(millis(Self::INTERVAL_MIN))
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        self.loaded.load().is_none() || now.as_millisecond() >= self.allowed_ms()
    }
}

impl Flight<'_> {
    /// The fetch brought a set. Tells whether it differs from the one before.
    pub fn landed(self, set: KeySet, max_age: Option<Duration>, now: Timestamp) -> bool {
        let cell = self.0;
        let changed =
            cell.loaded.load().as_ref().is_none_or(|old| old.set.version() != set.version());
        cell.loaded.store(Some(Arc::new(Loaded { set, confirmed_at: now })));
        cell.failures.store(0, Ordering::Release);
        let keep = max_age.unwrap_or(KEEP_DEFAULT).clamp(KEEP_MIN, KEEP_MAX);
        let plan = keep / 10 * 9;
        self.end(now, SignedDuration::try_from(plan).unwrap_or(Cell::INTERVAL_MIN));
        changed
    }

    /// The fetch failed.
    pub fn failed(self, now: Timestamp) {
        let failures = self.0.failures.fetch_add(1, Ordering::AcqRel);
        let pause = if self.0.loaded.load().is_some() {
            Cell::INTERVAL_MIN
        } else {
            SignedDuration::from_secs(1 << failures.min(5)).min(Cell::INTERVAL_MIN)
        };
        self.end(now, pause);
    }

    fn end(self, now: Timestamp, pause: SignedDuration) {
        let next = now.as_millisecond().saturating_add(millis(pause));
        self.0.next_attempt_ms.store(next, Ordering::Release);
        let cell = self.0;
        drop(self);
        cell.attempts.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.fetching.store(false, Ordering::Release);
    }
}

impl Loaded {
    fn is_stale(&self, now: Timestamp) -> bool {
        now.duration_since(self.confirmed_at) >= Cell::STALE_AFTER
    }
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            loaded: ArcSwapOption::empty(),
            last_attempt_ms: AtomicI64::new(i64::MIN),
            next_attempt_ms: AtomicI64::new(i64::MIN),
            failures: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            fetching: AtomicBool::new(false),
            asked: Notify::new(),
            attempts: watch::Sender::new(0),
        }
    }
}

const KEEP_MIN: Duration = Duration::from_mins(5);
const KEEP_MAX: Duration = Duration::from_hours(24);
const KEEP_DEFAULT: Duration = Duration::from_mins(10);

fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn set(kid: &str) -> KeySet {
        let key = openssl::pkey::PKey::generate_ed25519().unwrap();
        KeySet::parse(&crate::testing::jwks(&[crate::testing::jwk(&key, kid)])).unwrap().0
    }

    fn land(cell: &Cell, seconds: i64, max_age: u64) {
        let flight = cell.take_off(at(seconds)).unwrap();
        flight.landed(set("k"), Some(Duration::from_secs(max_age)), at(seconds));
    }

    #[test]
    fn refreshed_after_nine_tenths_of_a_clamped_max_age() {
        for (max_age, expect) in [(0, 270), (600, 540), (86_400, 77_760), (999_999, 77_760)] {
            let cell = Cell::default();
            assert_eq!(cell.until_due(at(0)), Some(Duration::ZERO));
            land(&cell, 0, max_age);
            assert_eq!(cell.until_due(at(0)), Some(Duration::from_secs(expect)), "{max_age}");
            assert!(cell.take_off(at(i64::try_from(expect).unwrap() - 1)).is_none());
            assert!(cell.take_off(at(i64::try_from(expect).unwrap())).is_some());
        }
    }

    /// J7: however many tokens name unknown keys, one fetch in 30 seconds, and one at a time.
    #[tokio::test]
    async fn j7_asking_is_rationed() {
        let cell = Cell::default();
        land(&cell, 0, 3600);
        for _ in 0..10_000 {
            assert!(!cell.ask(at(1), Duration::from_secs(1)).await);
        }
        assert!(cell.take_off(at(29)).is_none());
        let flight = cell.take_off(at(30)).unwrap();
        assert!(cell.take_off(at(61)).is_none(), "one at a time");
        flight.failed(at(31));
        assert!(cell.take_off(at(32)).is_none());
    }

    #[tokio::test]
    async fn a_request_waits_for_a_fetch_that_is_near() {
        let cell = Cell::default();
        land(&cell, 0, 3600);
        let (again, ()) = tokio::join!(cell.ask(at(40), Duration::from_mins(1)), async {
            cell.asked().await;
            land(&cell, 40, 3600);
        });
        assert!(again);
        assert!(!cell.ask(at(41), Duration::from_mins(1)).await, "none is near");
    }

    #[test]
    fn never_empty_usable_stale() {
        let cell = Cell::default();
        assert!(matches!(cell.now(at(0)), Now::Never));
        land(&cell, 0, 600);
        let day = 24 * 3600;
        assert!(matches!(cell.now(at(day - 1)), Now::Usable(_)));
        assert!(cell.version(at(day - 1)).is_some());
        assert!(matches!(cell.now(at(day)), Now::Stale));
        assert_eq!(cell.version(at(day)), None);
        let empty = KeySet::parse(br#"{"keys":[]}"#).unwrap().0;
        assert!(cell.take_off(at(day)).unwrap().landed(empty, None, at(day)));
        assert!(matches!(cell.now(at(day)), Now::Empty));
    }

    #[test]
    fn a_failure_keeps_the_last_set_and_a_flight_that_is_dropped_ends() {
        let cell = Cell::default();
        for (second, pause) in [(0, 1), (10, 2), (20, 4), (40, 8), (60, 16), (90, 30), (200, 30)] {
            cell.take_off(at(second)).unwrap().failed(at(second));
            assert_eq!(cell.until_due(at(second)), Some(Duration::from_secs(pause)));
        }
        land(&cell, 300, 300);
        cell.take_off(at(600)).unwrap().failed(at(600));
        assert!(matches!(cell.now(at(601)), Now::Usable(_)));
        drop(cell.take_off(at(630)).unwrap());
        assert!(cell.take_off(at(660)).is_some());
    }
}
