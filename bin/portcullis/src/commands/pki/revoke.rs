//! `portcullis pki revoke` and `portcullis pki crl`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ::pki::{Authority, Error, Reason, Serial};
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use openssl::x509::X509;

use super::{Place, issue};
use crate::commands::{lifetime, say};

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// Why
    #[arg(long, default_value = "unspecified",
          value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::name)))]
    reason: String,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
pub(super) struct Crl {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    list: ListArgs,
}

/// Which certificate: exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Serial number, as `pki list` prints it
    #[arg(value_name = "SERIAL")]
    serial: Option<String>,
    /// The certificate itself (PEM)
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// How long the list is good for; make the next one before it ends
    #[arg(long, default_value = "30d", value_parser = lifetime::parse)]
    next_update: Duration,
    /// Where the list is written; `ca.crl` beside the authority where absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Revoke {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let Self { place, which, reason, list } = self;
        let mut authority = place.open()?;
        let serial = which.serial()?;
        let reason = Reason::ALL.into_iter().find(|r| r.name() == reason).unwrap_or_default();
        let now = lifetime::now();
        authority.revoke(&serial, reason, now)?;
        say::note(format_args!("{serial} is revoked"));
        list.publish(&place, &mut authority, now)
    }
}

impl Crl {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let Self { place, list } = self;
        let mut authority = place.open()?;
        list.publish(&place, &mut authority, lifetime::now())
    }
}

impl Which {
    fn serial(&self) -> Result<Serial, Error> {
        match (&self.serial, &self.cert) {
            (_, Some(file)) => ::pki::serial_of(&*X509::from_pem(&issue::read(file)?)?),
            (Some(text), None) => Serial::parse(text),
            // The group is required: an empty text is no serial number.
            (None, None) => Serial::parse(""),
        }
    }
}

impl ListArgs {
    fn publish(
        self,
        place: &Place,
        authority: &mut Authority,
        now: Timestamp,
    ) -> Result<ExitCode, Error> {
        let file = self.out.unwrap_or_else(|| place.dir.join("ca.crl"));
        let until = publish(authority, &file, self.next_update, now)?;
        say::line(format_args!("{}", file.display()));
        say::note(format_args!("good until {until:.0}"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a list and puts it into its place whole; returns until when it is good.
pub(super) fn publish(
    authority: &mut Authority,
    file: &Path,
    next_update: Duration,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let until = now.checked_add(next_update).map_err(|error| Error::BadTime(error.to_string()))?;
    ::pki::write_public(file, &authority.crl(now, until)?)?;
    Ok(until)
}
