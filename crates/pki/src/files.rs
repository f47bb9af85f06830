//! Files that appear whole or not at all.
//!
//! 1. A file is written beside its place, flushed to the disk, and renamed over it.
//! 2. A private file is never, not for an instant, readable by others.
//! 3. The directory is flushed too, so that the rename outlives a power cut.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes a file that anyone may read (mode 0644), atomically.
///
/// # Errors
/// The directory cannot be written.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), Error> {
    write(path, content, 0o644)
}

/// Writes a file that only its owner may read (mode 0600), atomically.
///
/// # Errors
/// The directory cannot be written.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    write(path, content, 0o600)
}

/// Makes a directory of mode 0700, with its parents.
pub(crate) fn private_directory(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create", path))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(failed("read", path))
}

/// Turns an I/O error into ours.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let temporary = beside(path);
    let written = fill(&temporary, content, mode)
        .and_then(|()| std::fs::rename(&temporary, path))
        .and_then(|()| sync_directory(path));
    if written.is_err() {
        // The cause is what the operator must see; a file that is left behind says nothing more.
        drop(std::fs::remove_file(&temporary));
    }
    written.map_err(failed("write", path))
}

fn fill(temporary: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    match std::fs::remove_file(temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // `create_new` follows no link that somebody else has put there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_private_file_is_private_and_replaces_a_public_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        write_public(&path, b"old").unwrap();
        assert_eq!(mode(&path), 0o644);
        write_private(&path, b"new").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = write_public(Path::new("/nonexistent/a.crt"), b"").unwrap_err();
        assert!(error.to_string().contains("`/nonexistent/a.crt`"), "{error}");
    }
}
