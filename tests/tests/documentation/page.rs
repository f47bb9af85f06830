//! Pages of Markdown, as far as the tests read them.

use std::path::{Path, PathBuf};

use scenarios::process::program;
use scenarios::verbs::{Done, run};

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The word after the fence.
    pub(crate) language: String,
    /// Its lines.
    pub(crate) text: String,
    /// The heading of level two that it stands under.
    pub(crate) heading: String,
    /// The line of its fence, from 1.
    pub(crate) line: usize,
}

/// The directory of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of a file of the repository.
pub(crate) fn text(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every fenced block of a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut heading, mut open) = (String::new(), false);
    for (number, line) in (1..).zip(page.lines()) {
        if let Some(language) = line.strip_prefix("```") {
            open = !open;
            if open {
                let (language, text) = (language.to_owned(), String::new());
                blocks.push(Block { language, text, heading: heading.clone(), line: number });
            }
        } else if open {
            let block = blocks.last_mut().unwrap();
            block.text.push_str(line);
            block.text.push('\n');
        } else if let Some(words) = line.strip_prefix("## ") {
            heading = words.to_owned();
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

/// Every row of every table whose first cell of the heading begins with these words: that cell,
/// then the cells of the row.
pub(crate) fn rows(page: &str, first: &str) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    let mut title: Option<String> = None;
    for line in page.lines() {
        let Some(inner) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            title = None;
            continue;
        };
        let cells: Vec<String> = inner.split(" |").map(|cell| cell.trim().to_owned()).collect();
        match &title {
            None => title = Some(cells[0].clone()),
            Some(_) if cells[0].starts_with("---") => {}
            Some(title) if title.starts_with(first) => rows.push((title.clone(), cells)),
            Some(_) => {}
        }
    }
    rows
}

/// The words in backticks.
pub(crate) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Runs a line of a shell in a directory, with the gateway's binary at hand; its complaints are
/// part of its output.
pub(crate) fn shell(dir: &Path, line: &str) -> Done {
    let binary = program("portcullis");
    let path = std::env::var("PATH").unwrap_or_default();
    let line = format!("PATH='{}':'{path}'; {line}", binary.parent().unwrap().display());
    run(Path::new("sh"), dir, &["-c", &format!("exec 2>&1; {line}")])
}

/// The configurations of `conf/` in a directory of their own; [`make`] adds what they name.
pub(crate) fn copy_of_conf() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("portcullis-docs-").tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("conf")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// Runs every command of `conf/README.md` under headings that begin so.
#[track_caller]
pub(crate) fn make(dir: &Path, heading: &str) {
    for block in blocks(&text("conf/README.md")) {
        if block.language == "sh" && block.heading.starts_with(heading) {
            shell(dir, &format!("set -e\n{}", block.text)).expect(0);
        }
    }
}
