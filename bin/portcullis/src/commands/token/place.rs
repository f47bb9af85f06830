//! From a configuration to the store of its tokens.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use document::{Mistake, Mistakes};
use identity::api_token::{Store, StoreFault};

/// Why a token command could not be done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The configuration does not say where the store is.
    Configuration(Mistakes),
    /// The store.
    Store(StoreFault),
}

/// The store of the gateway that this file configures; its directory is made if it is missing.
pub(super) fn store(config: &Path) -> Result<Store, Trouble> {
    let directory = state_dir(config).map_err(Trouble::Configuration)?;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .map_err(|source| StoreFault::Io { doing: "create", file: directory.clone(), source })?;
    Ok(Store::in_dir(&directory))
}

/// `server.state_dir`, relative to its file.
pub(in crate::commands) fn state_dir(config: &Path) -> Result<PathBuf, Mistakes> {
    let document = document::load(config)?;
    let node = document.root.get("server").and_then(|server| server.get("state_dir"));
    let Some(node) = node else {
        let what = "`server.state_dir` is missing: it says where tokens are kept";
        return Err(vec![Mistake::error("missing-key", &document.root.place, what)]);
    };
    let document::FilePath(path) = document::parse(node)?;
    Ok(path)
}
