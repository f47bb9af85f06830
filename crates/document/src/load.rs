//! From files to a [`Document`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Mistake, Mistakes, Node};

/// A configuration: its tree and the text of each of its files.
#[derive(Clone, Debug)]
pub struct Document {
    /// The mapping at the top, the included files merged into it.
    pub root: Node,
    /// Every file that was read, with its text: for rendering mistakes, and for watching.
    pub files: Vec<(Arc<Path>, Arc<str>)>,
}

/// Reads a file and what it includes (`include: [a.yaml, conf.d/*.yaml]`).
///
/// # Errors
/// A file that cannot be read, is not YAML, repeats a key, or holds no mapping.
pub fn load(path: &Path) -> Result<Document, Mistakes> {
    todo!("{path:?}")
}

/// The same for a text that is in memory, named `path` in messages.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &Path, text: &str) -> Result<Document, Mistakes> {
    todo!("{path:?} {text}")
}

pub(crate) fn render(mistake: &Mistake, document: Option<&Document>) -> String {
    let _: Option<PathBuf> = None;
    todo!("{mistake:?} {document:?}")
}
