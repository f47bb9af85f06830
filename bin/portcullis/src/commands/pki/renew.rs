//! `portcullis pki renew`.
//!
//! 1. The successor has the names and the purpose of the index, whatever the file says.
//! 2. Without `--rekey` the key stays, and one rename replaces the certificate: a gateway that
//!    reads at any moment finds a pair that fits.
//! 3. With `--rekey` the key is written first; a gateway that reads between the two finds a pair
//!    that does not fit, keeps the old one, and looks again.
//! 4. With `--before` a certificate that ends later is left alone: run it daily.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ::pki::Error;
use clap::Args;
use openssl::x509::X509;

use super::{Key, Place, issue};
use crate::commands::{lifetime, say};

#[derive(Debug, Args)]
pub(super) struct Renew {
    #[command(flatten)]
    place: Place,
    /// The certificate to replace
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its key, where `--rekey` replaces it
    #[arg(long, value_name = "FILE", requires = "rekey")]
    key: Option<PathBuf>,
    /// Make a new key
    #[arg(long, requires = "key")]
    rekey: bool,
    /// Kind of the new key
    #[arg(long, value_enum, default_value = "p256")]
    key_type: Key,
    /// How long the successor lives; as long as its predecessor where absent
    #[arg(long, value_parser = lifetime::parse)]
    lifetime: Option<Duration>,
    /// Only if it ends within this time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse)]
    before: Option<Duration>,
}

impl Renew {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let Self { place, cert, key, rekey: _, key_type, lifetime, before } = self;
        let now = lifetime::now();
        let old = X509::from_pem(&issue::read(&cert)?)?;
        let end = ::pki::ends_at(&old)?;
        let due = before.is_none_or(|b| now.saturating_add(b).is_ok_and(|at| end <= at));
        if !due {
            say::note(format_args!("`{}` is good until {end:.0}: left alone", cert.display()));
            return Ok(ExitCode::SUCCESS);
        }
        let mut authority = place.open()?;
        let signed = match key {
            None => authority.renew(&old, None, lifetime, now)?,
            Some(file) => {
                let fresh = ::pki::KeyType::from(key_type).generate()?;
                let signed = authority.renew(&old, Some(&fresh), lifetime, now)?;
                ::pki::write_private(&file, &::pki::private_key_pem(&fresh)?)?;
                signed
            }
        };
        ::pki::write_public(&cert, &signed.certificate_pem()?)?;
        say::line(format_args!("{}", cert.display()));
        say::note(format_args!("serial {}, good until {:.0}", signed.serial, signed.not_after));
        Ok(ExitCode::SUCCESS)
    }
}
