//! From files to a [`Document`].
//!
//! 1. The main file is a mapping that says `version: 1`. An included file may say it too.
//! 2. `include:` at the top of a file names one file or a list of them, relative to the directory
//!    of the file in which it stands. A `*` in the last part of a path stands for any characters;
//!    what it finds is sorted, and hidden files are left out. A pattern may find nothing, a plain
//!    path must exist.
//! 3. A file is read once: including it again, or itself, is a mistake.
//! 4. Sections merge one level deep: the entries of mappings are put together, lists are appended
//!    in the order of the files. Whatever is given twice otherwise is a mistake that names both
//!    places; nothing overrides.

mod include;
mod merge;
mod yaml;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::{Kind, Mistake, Mistakes, Node, Place};

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A configuration: its tree and the text of each of its files.
#[derive(Clone, Debug)]
pub struct Document {
    /// The mapping at the top, the included files merged into it. The key `include` is gone.
    pub root: Node,
    /// Every file that was read, with its text: for rendering mistakes, and for watching.
    pub files: Vec<(Arc<Path>, Arc<str>)>,
}

/// Reads a file and what it includes (`include: [a.yaml, conf.d/*.yaml]`).
///
/// # Errors
/// A file that cannot be read, is not YAML, repeats a key, or holds no mapping; a main file
/// without `version: 1`.
pub fn load(path: &Path) -> Result<Document, Mistakes> {
    match read_file(path) {
        Ok(text) => load_text(path, &text),
        Err(why) => Err(vec![
            Mistake::without_place(
                "unreadable",
                format!("cannot read `{}`: {why}", path.display()),
            )
            .help("check the path and who may read it"),
        ]),
    }
}

/// The same for a text that is in memory, named `path` in messages.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &Path, text: &str) -> Result<Document, Mistakes> {
    let file: Arc<Path> = Arc::from(path);
    let mut loader = include::Loader::default();
    let root = loader.main(&file, text);
    let include::Loader { files, mut mistakes, .. } = loader;
    match root {
        Some(root) => {
            mistakes.extend(version(&root));
            if mistakes.is_empty() {
                return Ok(Document { root, files });
            }
        }
        None if mistakes.is_empty() => mistakes.push(empty(&file)),
        None => {}
    }
    crate::mistake::sort(&mut mistakes);
    Err(mistakes)
}

fn version(root: &Node) -> Option<Mistake> {
    match root.get("version") {
        Some(Node { kind: Kind::Int(1), .. }) => None,
        Some(other) => Some(
            Mistake::error("version", &other.place, "this version of the format is not known")
                .help("write `version: 1`"),
        ),
        None => Some(
            Mistake::error("version", &root.place, "the version of the format is missing")
                .help("write `version: 1` at the top of the main file"),
        ),
    }
}

fn empty(file: &Arc<Path>) -> Mistake {
    let place = Place { file: Arc::clone(file), line: 1, column: 1 };
    Mistake::error("version", &place, "the file is empty")
        .help("write `version: 1` at the top, then the sections")
}

/// The text of a file, or why there is none, in an operator's words.
fn read_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!("it is not UTF-8 text from byte {} on", error.utf8_error().valid_up_to())
    })
}
