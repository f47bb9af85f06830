//! The directory of the demo.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use identity::api_token::{Created, Kind, NewToken, Store};
use jiff::{SignedDuration, Timestamp};

use super::addresses::Addresses;
use super::trouble::Trouble;
use super::{authorities, issuer};
use crate::commands::token::state_dir;

/// Everything that the demo needs, on disk.
#[derive(Debug)]
pub(super) struct World {
    /// The directory, absolute.
    pub(super) directory: PathBuf,
    /// Where everything listens.
    pub(super) addresses: Addresses,
    /// When it was made.
    pub(super) now: Timestamp,
}

const CONFIGURATION: &str = include_str!("portcullis.yaml");
const INVENTORY: &str = include_str!("devices.yaml");
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

impl World {
    /// Makes what is missing, and what ends by itself.
    pub(super) fn make(directory: &Path, port: u16, now: Timestamp) -> Result<Self, Trouble> {
        for part in ["", "pki", "issuer", "tokens"] {
            let path = directory.join(part);
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(Trouble::file(&path))?;
        }
        let directory = directory.canonicalize().map_err(Trouble::file(directory))?;
        let config = directory.join("portcullis.yaml");
        if !config.exists() {
            let chosen = Addresses::choose(port)?;
            pki::write_public(&config, configuration(&chosen).as_bytes())?;
        }
        let addresses = Addresses::read(&config)?;
        addresses.check_free(&config)?;
        authorities::make(&directory.join("pki"), now)?;
        issuer::make(&directory.join("issuer"), &directory.join("tokens"), now)?;
        inventory(&directory.join("devices.yaml"), now)?;
        api_token(&config, &directory.join("tokens/reporter.token"), now)?;
        Ok(Self { directory, addresses, now })
    }

    /// A file of the demo.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn configuration(addresses: &Addresses) -> String {
    let Addresses { gateway, admin, wiki, payroll } = addresses;
    let texts =
        [("@GATEWAY@", gateway), ("@ADMIN@", admin), ("@WIKI@", wiki), ("@PAYROLL@", payroll)];
    texts.into_iter().fold(CONFIGURATION.to_owned(), |text, (mark, address)| {
        text.replace(mark, &address.to_string())
    })
}

/// Makes the inventory, or sets the age of the one that is there; what else stands in it stays.
fn inventory(file: &Path, now: Timestamp) -> Result<(), Trouble> {
    const KEY: &str = "seen_at:";
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => INVENTORY.to_owned(),
        Err(error) => return Err(Trouble::file(file)(error)),
    };
    let fresh: String = text
        .lines()
        .map(|line| match line.split_once(KEY) {
            Some((before, _)) if before.trim().is_empty() => {
                format!("{before}{KEY} {now:.0}\n")
            }
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    Ok(pki::write_public(file, fresh.as_bytes())?)
}

/// A token for a program. It would be shown once; here it is kept in a file.
fn api_token(config: &Path, file: &Path, now: Timestamp) -> Result<(), Trouble> {
    let state = state_dir(config).map_err(Trouble::Configuration)?;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&state);
    made.map_err(Trouble::file(&state))?;
    if file.exists() {
        return Ok(());
    }
    let new = NewToken {
        name: "nightly report".to_owned(),
        owner: "reporter".to_owned(),
        kind: Kind::Service,
        groups: vec!["engineering".to_owned()],
        scopes: Vec::new(),
        lifetime: TOKEN_LIFETIME,
    };
    let Created { token, record: _ } = Store::in_dir(&state).create(new, now)?;
    Ok(pki::write_private(file, token.expose().as_bytes())?)
}
