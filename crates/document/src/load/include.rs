//! Reads the main file and, depth first, what it includes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{merge, yaml};
use crate::{Kind, Mistake, Mistakes, Node, Place};

/// How deep files may include files.
const DEPTH_MAX: usize = 8;
/// Files of one configuration.
const FILES_MAX: usize = 1_000;

/// What has been read so far.
#[derive(Default)]
pub(super) struct Loader {
    /// Files and their texts, in the order in which they were read.
    pub(super) files: Vec<(Arc<Path>, Arc<str>)>,
    /// All that is wrong.
    pub(super) mistakes: Mistakes,
    /// Where each file was included, by its canonical path; the main file has no such place.
    seen: HashMap<PathBuf, Option<Place>>,
}

impl Loader {
    /// The merged tree of the main file, if it is a mapping.
    pub(super) fn main(&mut self, file: &Arc<Path>, text: &str) -> Option<Node> {
        self.seen.insert(canonical(file), None);
        self.text(file, text, 0)
    }

    fn text(&mut self, file: &Arc<Path>, text: &str, depth: usize) -> Option<Node> {
        self.files.push((Arc::clone(file), Arc::from(text)));
        let mut root = match yaml::read(file, text) {
            Ok(root) => root,
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                return None;
            }
        };
        let Kind::Map(entries) = &mut root.kind else {
            if root.kind != Kind::Null {
                let message = format!("expected a mapping of sections, found {}", root.describe());
                self.mistakes.push(Mistake::error("wrong-type", &root.place, message));
            }
            return None;
        };
        if let Some(at) = entries.iter().position(|(key, _)| key.name == "include") {
            let (_, include) = entries.remove(at);
            for (path, place) in self.paths(file, &include) {
                if let Some(node) = self.file(&path, &place, depth + 1) {
                    merge::into(&mut root, node, &mut self.mistakes);
                }
            }
        }
        Some(root)
    }

    fn file(&mut self, path: &Path, place: &Place, depth: usize) -> Option<Node> {
        if let Some(mistake) = self.refusal(path, place, depth) {
            self.mistakes.push(mistake);
            return None;
        }
        match super::read_file(path) {
            Ok(text) => {
                self.seen.insert(canonical(path), Some(place.clone()));
                self.text(&Arc::from(path), &text, depth)
            }
            Err(why) => {
                let message = format!("cannot read `{}`: {why}", path.display());
                self.mistakes.push(
                    Mistake::error("include", place, message)
                        .help("check the path and who may read it"),
                );
                None
            }
        }
    }

    /// Why a file is not to be read.
    fn refusal(&self, path: &Path, place: &Place, depth: usize) -> Option<Mistake> {
        let shown = path.display();
        if depth > DEPTH_MAX {
            let message = format!("`{shown}` is included more than {DEPTH_MAX} files deep");
            return Some(
                Mistake::error("include", place, message).help("include it from the main file"),
            );
        }
        if self.files.len() >= FILES_MAX {
            let message = format!("more than {FILES_MAX} files are included");
            return Some(Mistake::error("include", place, message).help("put files together"));
        }
        let first = self.seen.get(&canonical(path))?;
        let mistake = Mistake::error("include", place, format!("`{shown}` is read already"))
            .help("a file is read once: remove this entry");
        Some(match first {
            Some(first) => mistake.related(first, "first included here"),
            None => mistake,
        })
    }

    /// The files that the value of `include:` names, each with the place of its name.
    fn paths(&mut self, file: &Path, include: &Node) -> Vec<(PathBuf, Place)> {
        let items = if let Kind::List(items) = &include.kind {
            items.as_slice()
        } else {
            std::slice::from_ref(include)
        };
        let directory = file.parent().unwrap_or(Path::new(""));
        let mut paths = Vec::new();
        for item in items {
            let expanded = match &item.kind {
                Kind::Text(text) if !text.is_empty() => expand(&directory.join(text))
                    .map_err(|message| Mistake::error("include", &item.place, message)),
                Kind::Null
                | Kind::Bool(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text(_)
                | Kind::List(_)
                | Kind::Map(_) => {
                    let message = format!("expected a path, found {}", item.describe());
                    Err(Mistake::error("wrong-type", &item.place, message)
                        .help("write `include: other.yaml` or `include: [a.yaml, b/*.yaml]`"))
                }
            };
            match expanded {
                Ok(found) => paths.extend(found.into_iter().map(|p| (p, item.place.clone()))),
                Err(mistake) => self.mistakes.push(mistake),
            }
        }
        paths
    }
}

/// Two names of one file are equal after this, where the file exists.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The files that a path stands for, sorted where it has a `*`.
fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    if directory.to_string_lossy().contains('*') {
        return Err(format!("a `*` in a directory's name is not understood: `{}`", path.display()));
    }
    let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(pattern) = pattern.filter(|name| name.contains('*')) else {
        return Ok(vec![path.to_owned()]);
    };
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let failed = |why: std::io::Error| format!("cannot list `{}`: {why}", listed.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(listed).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let text = name.to_string_lossy();
        if !text.starts_with('.') && matches(&pattern, &text) {
            found.push(directory.join(&name));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name fits a pattern in which `*` stands for any characters, none included.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        // The leftmost occurrence leaves the most for the parts that follow.
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("*.yaml", ".yaml", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a*", "b", false),
            ("ab*ab", "abab", true),
            ("ab*bc", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
