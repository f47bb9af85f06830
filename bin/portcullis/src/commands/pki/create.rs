//! `portcullis pki init`.

use std::process::ExitCode;
use std::time::Duration;

use ::pki::{Authority, Error, NameConstraints, Options};
use clap::Args;

use super::{Key, Place};
use crate::commands::{lifetime, say};

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    place: Place,
    /// Common name of the authority
    #[arg(long)]
    name: String,
    /// How long it lives
    #[arg(long, default_value = "3650d", value_parser = lifetime::parse)]
    lifetime: Duration,
    /// Kind of key
    #[arg(long, value_enum, default_value = "p256")]
    key: Key,
    /// A DNS suffix that its certificates may name; nothing else is then permitted (repeatable)
    #[arg(long, value_name = "SUFFIX")]
    permit_dns: Vec<String>,
    /// A trust domain (the host of a URI) that its certificates may name (repeatable)
    #[arg(long, value_name = "HOST")]
    permit_trust_domain: Vec<String>,
    /// A mail host that its certificates may name (repeatable)
    #[arg(long, value_name = "HOST")]
    permit_email: Vec<String>,
    /// How long its first revocation list is good for
    #[arg(long, default_value = "30d", value_parser = lifetime::parse)]
    next_update: Duration,
}

impl Init {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let Self {
            place,
            name,
            lifetime,
            key,
            permit_dns: dns,
            permit_trust_domain: uri_hosts,
            permit_email: email_hosts,
            next_update,
        } = self;
        let constraints = NameConstraints { dns, uri_hosts, email_hosts };
        let limited = constraints != NameConstraints::default();
        let options = Options {
            lifetime,
            key_type: key.into(),
            name_constraints: limited.then_some(constraints),
            ..Options::default()
        };
        let now = lifetime::now();
        let mut authority = Authority::create(&name, &options, now)?;
        authority.save(&place.dir)?;
        // A gateway that is told of an authority asks for its list: an empty one says "none yet".
        super::revoke::publish(&mut authority, &place.dir.join("ca.crl"), next_update, now)?;
        say::line(format_args!("{}", place.dir.join("ca.crt").display()));
        Ok(ExitCode::SUCCESS)
    }
}
