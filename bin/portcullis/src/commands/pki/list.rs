//! `portcullis pki list`.

use std::process::ExitCode;
use std::time::Duration;

use ::pki::{Entry, Error, Names};
use clap::Args;
use jiff::Timestamp;

use super::Place;
use crate::commands::{lifetime, say};

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Only those that end within this time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse)]
    ending: Option<Duration>,
    /// Only those that were revoked
    #[arg(long)]
    revoked: bool,
    /// Print the entries as JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let Self { place, ending, revoked, json } = self;
        let now = lifetime::now();
        let authority = place.open()?;
        let before = ending.map(|d| now.saturating_add(d).unwrap_or(Timestamp::MAX));
        let entries: Vec<&Entry> = authority
            .list()
            .filter(|entry| !revoked || entry.revoked.is_some())
            .filter(|entry| before.is_none_or(|b| (now..=b).contains(&entry.not_after)))
            .collect();
        if json {
            return Ok(say::json(&entries));
        }
        for entry in entries {
            say::line(row(entry, now));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Serial, state, end, name, further names: one line, separated by tabs.
fn row(entry: &Entry, now: Timestamp) -> String {
    let state = match entry.revoked {
        Some(revoked) => format!("revoked ({})", revoked.reason.name()),
        None if entry.not_after <= now => "ended".to_owned(),
        None => "good".to_owned(),
    };
    let Names { dns, ips, uris, emails, upns } = &entry.names;
    let addresses = ips.iter().map(ToString::to_string);
    let names: Vec<String> =
        [dns, uris, emails, upns].into_iter().flatten().cloned().chain(addresses).collect();
    let Entry { serial, common_name, not_after, .. } = entry;
    format!("{serial}\t{state}\t{not_after:.0}\t{common_name}\t{}", names.join(" "))
}
