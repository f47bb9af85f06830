//! `portcullis pki`: the internal certificate authority.
//!
//! One authority is one directory (`--dir`): `ca.crt`, `ca.key`, `ca.crl`, `index.jsonl`. Keep one
//! for each circle of trust (the gateway's server certificates, the backends with the gateway's
//! client certificate, devices, services): whoever is trusted for one is then trusted for nothing
//! else. The gateway needs `ca.crt` and `ca.crl`, never `ca.key`.

mod create;
mod issue;
mod list;
mod renew;
mod revoke;

use std::path::PathBuf;
use std::process::ExitCode;

use ::pki::{Authority, Error, KeyType};
use clap::{Args, Subcommand, ValueEnum};

use super::{Run, say};

/// The arguments of `portcullis pki`.
#[derive(Debug, Args)]
pub(super) struct Pki {
    #[command(subcommand)]
    verb: PkiVerb,
}

#[derive(Debug, Subcommand)]
enum PkiVerb {
    /// Make a new authority
    Init(create::Init),
    /// Issue a certificate
    Issue(issue::Issue),
    /// Revoke a certificate and make a new revocation list
    Revoke(revoke::Revoke),
    /// Make a new revocation list
    Crl(revoke::Crl),
    /// List what was issued
    List(list::List),
    /// Replace a certificate by its successor
    Renew(renew::Renew),
}

impl Run for Pki {
    const NAME: &'static str = "pki";
    const ABOUT: &'static str = "The internal certificate authority";

    fn run(self) -> ExitCode {
        let done = match self.verb {
            PkiVerb::Init(verb) => verb.run(),
            PkiVerb::Issue(verb) => verb.run(),
            PkiVerb::Revoke(verb) => verb.run(),
            PkiVerb::Crl(verb) => verb.run(),
            PkiVerb::List(verb) => verb.run(),
            PkiVerb::Renew(verb) => verb.run(),
        };
        done.unwrap_or_else(|error| say::failed(&error))
    }
}

/// Which authority.
#[derive(Debug, Args)]
struct Place {
    /// Directory of the authority
    #[arg(long, value_name = "DIR", default_value = "pki")]
    dir: PathBuf,
}

impl Place {
    fn open(&self) -> Result<Authority, Error> {
        Authority::load(&self.dir)
    }
}

/// Kinds of keys on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// Ed25519
    Ed25519,
    /// RSA with 3072 bits
    Rsa,
}

impl From<Key> for KeyType {
    fn from(key: Key) -> Self {
        match key {
            Key::P256 => Self::P256,
            Key::P384 => Self::P384,
            Key::Ed25519 => Self::Ed25519,
            Key::Rsa => Self::Rsa(3072),
        }
    }
}
