//! Windows of time.
//!
//! 1. Everything is civil time in `zone` (UTC where none is named), so that `08:00` is eight
//!    o'clock on both sides of a change of the clocks.
//! 2. `between: "08:00-19:00"` holds from the first minute until before the last.
//! 3. A window over midnight (`22:00-06:00`) belongs to the day on which it begins: with
//!    `days: mon-fri` it holds in the first hours of Saturday and not in those of Monday.
//! 4. `not_on` takes whole days out, by the same day.
//! 5. `after` and `before` are days (from their first instant in the zone) or timestamps; the
//!    window lies at or after the one and before the other.

use document::{Kind, Mistake, Mistakes, Node};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::suggest;

/// A window, read.
#[derive(Debug)]
pub(crate) struct Window {
    zone: TimeZone,
    days: Option<Days>,
    between: Option<Between>,
    not_on: Box<[Date]>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// A set of weekdays, Monday the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days(u8);

/// Minutes of the day, the first included, the last not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Between {
    from: u16,
    to: u16,
}

const KEYS: [&str; 6] = ["days", "between", "zone", "after", "before", "not_on"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES: u16 = 24 * 60;

impl Window {
    /// Whether an instant lies in the window.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        if self.after.is_some_and(|after| now < after) || self.before.is_some_and(|end| now >= end)
        {
            return false;
        }
        if self.days.is_none() && self.between.is_none() && self.not_on.is_empty() {
            return true;
        }
        let local = self.zone.to_datetime(now);
        let Some(date) = self.day(local.date(), local.time()) else { return false };
        self.days.is_none_or(|days| days.has(date.weekday())) && !self.not_on.contains(&date)
    }

    /// The day that a window around this time began on; `None` outside of every window.
    fn day(&self, date: Date, time: Time) -> Option<Date> {
        let Some(Between { from, to }) = self.between else { return Some(date) };
        let minute = minute(time);
        if from < to {
            return (from..to).contains(&minute).then_some(date);
        }
        if minute >= from {
            return Some(date);
        }
        if minute < to { date.yesterday().ok() } else { None }
    }

    /// Reads the mapping after `time:`.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("`time` wants a mapping, this is {}", node.describe());
            mistakes.push(Mistake::error("wrong-type", &node.place, message).help(
                "write `time: {days: mon-fri, between: \"08:00-19:00\", zone: Europe/Paris}`",
            ));
            return None;
        };
        let before = mistakes.len();
        if entries.iter().all(|(key, _)| key.name == "zone") {
            let message = "`time` without a window holds always";
            let help = "write at least one of `days`, `between`, `after`, `before`, `not_on`";
            mistakes.push(Mistake::error("empty-matcher", &node.place, message).help(help));
        }
        for (key, _) in entries {
            if !KEYS.contains(&&*key.name) {
                let message = format!("`time` has no `{}`", key.name);
                let help = suggest::among(&key.name, KEYS.into_iter());
                mistakes.push(Mistake::error("unknown-key", &key.place, message).help(help));
            }
        }
        let zone = node.get("zone").map_or(Some(TimeZone::UTC), |zone| read_zone(zone, mistakes));
        let days = node.get("days").and_then(|days| read_days(days, mistakes));
        let between = node.get("between").and_then(|node| read_between(node, mistakes));
        let not_on = node.get("not_on").map_or_else(Vec::new, |node| read_dates(node, mistakes));
        let zone = zone?;
        let after = node.get("after").and_then(|node| read_instant(node, &zone, mistakes));
        let until = node.get("before").and_then(|node| read_instant(node, &zone, mistakes));
        if let (Some(after), Some(until)) = (after, until)
            && after >= until
        {
            let message = "`after` is not earlier than `before`: this can never hold";
            mistakes.push(Mistake::error("never", &node.place, message).help("swap them"));
        }
        if mistakes.len() > before {
            return None;
        }
        Some(Self { zone, days, between, not_on: not_on.into(), after, before: until })
    }
}

impl Days {
    fn has(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }

    /// `mon`, `mon-fri`, `sat-mon`, or several of them with commas.
    fn read(text: &str) -> Option<Self> {
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (number(first)?, number(last)?);
            days |= 1 << day;
            while day != last {
                day = if day == 6 { 0 } else { day.saturating_add(1) };
                days |= 1 << day;
            }
        }
        Some(Self(days))
    }
}

fn number(day: &str) -> Option<usize> {
    DAYS.iter().position(|name| day.trim().eq_ignore_ascii_case(name))
}

fn minute(time: Time) -> u16 {
    let number = |n: i8| u16::try_from(n).unwrap_or_default();
    number(time.hour()).saturating_mul(60).saturating_add(number(time.minute()))
}

fn read_zone(node: &Node, mistakes: &mut Mistakes) -> Option<TimeZone> {
    let zone = node.text().and_then(|name| TimeZone::get(name).ok());
    if zone.is_none() {
        let message = format!("there is no time zone {}", shown(node));
        mistakes.push(
            Mistake::error("unknown-zone", &node.place, message)
                .help("write a name of the IANA database, such as `Asia/Taipei` or `UTC`"),
        );
    }
    zone
}

fn read_days(node: &Node, mistakes: &mut Mistakes) -> Option<Days> {
    let mut days = Days(0);
    for item in items(node) {
        let Some(more) = item.text().and_then(Days::read) else {
            let message = format!("{} is no day of the week", shown(item));
            mistakes.push(
                Mistake::error("bad-days", &item.place, message)
                    .help("write `mon-fri`, `sat,sun` or a list of days"),
            );
            return None;
        };
        days.0 |= more.0;
    }
    if days.0 == 0 {
        let message = "a list without a day can never hold";
        mistakes.push(Mistake::error("empty-list", &node.place, message).help("name a day"));
        return None;
    }
    Some(days)
}

fn read_between(node: &Node, mistakes: &mut Mistakes) -> Option<Between> {
    let read = |text: &str| {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (clock(from)?, clock(to)?);
        (from != to && from < MINUTES).then_some(Between { from, to })
    };
    let between = node.text().and_then(read);
    if between.is_none() {
        let message = format!("{} is no span of the day", shown(node));
        mistakes.push(
            Mistake::error("bad-between", &node.place, message)
                .help("write `\"08:00-19:00\"`, or `\"22:00-06:00\"` over midnight"),
        );
    }
    between
}

/// Minutes of `HH:MM`, up to `24:00`.
fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
    let (hour, minute) = (two(hour)?, two(minute)?);
    let minutes = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && minutes <= MINUTES).then_some(minutes)
}

fn read_dates(node: &Node, mistakes: &mut Mistakes) -> Vec<Date> {
    let mut dates = Vec::new();
    for item in items(node) {
        if let Some(date) = item.text().and_then(day) {
            dates.push(date);
        } else {
            let message = format!("{} is no day", shown(item));
            mistakes.push(
                Mistake::error("bad-date", &item.place, message)
                    .help("write the year, month and day: `2026-12-25`"),
            );
        }
    }
    dates
}

/// A day or a timestamp; a day stands for its first instant in the zone.
fn read_instant(node: &Node, zone: &TimeZone, mistakes: &mut Mistakes) -> Option<Timestamp> {
    let instant = node.text().and_then(|text| instant(text, zone));
    if instant.is_none() {
        let message = format!("{} is no day and no timestamp", shown(node));
        mistakes.push(
            Mistake::error("bad-date", &node.place, message)
                .help("write `2026-12-25` or `2026-12-25T08:00:00Z`"),
        );
    }
    instant
}

/// The first instant of a day in a zone, or the instant of a timestamp.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    day(text)?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// The first instant after a day in UTC, or the instant of a timestamp.
pub(crate) fn end(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let next = day(text)?.checked_add(1.day()).ok()?;
    next.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A date and nothing after it.
fn day(text: &str) -> Option<Date> {
    if text.len() == 10 { text.parse().ok() } else { None }
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Map(_) => std::slice::from_ref(node),
    }
}

fn shown(node: &Node) -> String {
    node.text().map_or_else(|| node.describe().to_owned(), |text| format!("`{text}`"))
}
