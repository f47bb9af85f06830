//! `portcullis token`: API tokens.
//!
//! The configuration says where the store is (`server.state_dir`); nothing else of it is read, so
//! that a token can be revoked while another section is being repaired.

mod place;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use identity::api_token::{Created, Kind, NewToken, Record, StoreFault};
use jiff::{SignedDuration, Timestamp};

use self::place::Trouble;
use super::{Run, lifetime, say};

pub(super) use self::place::state_dir;

/// The arguments of `portcullis token`.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Make a token; it is shown this once
    Create(Create),
    /// List the tokens
    List(List),
    /// Revoke a token for good
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Configured {
    /// The gateway's configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    configured: Configured,
    /// What it is for
    #[arg(long)]
    name: String,
    /// Whose it is: becomes `user.id`
    #[arg(long)]
    owner: String,
    /// Whether a person or a program uses it
    #[arg(long, value_enum, default_value = "service")]
    kind: KindArg,
    /// Groups of its owner, separated by commas
    #[arg(long, value_delimiter = ',')]
    groups: Vec<String>,
    /// What it may be used for, separated by commas
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    /// How long it is good for
    #[arg(long, default_value = "90d", value_parser = lifetime::parse)]
    lifetime: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindArg {
    /// A person
    Human,
    /// A program
    Service,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    configured: Configured,
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    configured: Configured,
    /// The token's id, as `token list` prints it
    id: String,
}

/// A token for scripts: the one place where the secret is printed.
#[derive(serde::Serialize)]
struct Shown<'a> {
    token: &'a str,
    id: &'a str,
    expires_at: Timestamp,
}

impl Run for Token {
    const NAME: &'static str = "token";
    const ABOUT: &'static str = "API tokens";

    fn run(self) -> ExitCode {
        let done = match self.verb {
            TokenVerb::Create(verb) => verb.run(),
            TokenVerb::List(verb) => verb.run(),
            TokenVerb::Revoke(verb) => verb.run(),
        };
        match done {
            Ok(code) => code,
            Err(Trouble::Configuration(mistakes)) => say::misconfigured(&mistakes),
            Err(Trouble::Store(fault)) => say::failed(&fault),
        }
    }
}

impl Create {
    fn run(self) -> Result<ExitCode, Trouble> {
        let Self { configured, name, owner, kind, groups, scopes, lifetime } = self;
        let kind = match kind {
            KindArg::Human => Kind::Human,
            KindArg::Service => Kind::Service,
        };
        // What does not fit is longer than any token may live, and refused as such.
        let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
        let new = NewToken { name, owner, kind, groups, scopes, lifetime };
        let Created { token, record } =
            configured.store()?.create(new, lifetime::now()).map_err(Trouble::Store)?;
        let Record { id, expires_at, .. } = record;
        if configured.json {
            let shown = Shown { token: token.expose(), id: id.as_str(), expires_at };
            return Ok(say::json(&shown));
        }
        say::line(token.expose());
        say::note(format_args!("id {id}, good until {expires_at:.0}; it is not shown again"));
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(self) -> Result<ExitCode, Trouble> {
        let records = self.configured.store()?.list().map_err(Trouble::Store)?;
        let now = lifetime::now();
        if self.configured.json {
            let shown: Vec<_> = records.iter().map(|record| about(record, now)).collect();
            return Ok(say::json(&shown));
        }
        for record in &records {
            let Record { id, name, owner, expires_at, .. } = record;
            let state = state(record, now);
            say::line(format_args!("{id}\t{state}\t{expires_at:.0}\t{owner}\t{name}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    fn run(self) -> Result<ExitCode, Trouble> {
        let store = self.configured.store()?;
        let now = lifetime::now();
        let record = store.revoke(&self.id, now).map_err(Trouble::Store)?;
        if self.configured.json {
            return Ok(say::json(&about(&record, now)));
        }
        say::line(format_args!("{} is revoked", record.id));
        Ok(ExitCode::SUCCESS)
    }
}

impl Configured {
    fn store(&self) -> Result<identity::api_token::Store, Trouble> {
        place::store(&self.config)
    }
}

fn state(record: &Record, now: Timestamp) -> &'static str {
    match record {
        Record { revoked_at: Some(_), .. } => "revoked",
        Record { disabled: true, .. } => "disabled",
        Record { expires_at, .. } if *expires_at <= now => "ended",
        Record { .. } => "good",
    }
}

/// A record without the hash of its secret.
fn about(record: &Record, now: Timestamp) -> serde_json::Value {
    serde_json::json!({
        "id": record.id.as_str(),
        "state": state(record, now),
        "name": record.name,
        "owner": record.owner,
        "kind": record.kind,
        "groups": record.groups,
        "scopes": record.scopes,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    })
}

impl From<StoreFault> for Trouble {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}
