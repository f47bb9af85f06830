//! What is wrong with a configuration, where, and what to write instead.

use crate::{Document, Place};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The configuration is not loaded.
    Error,
    /// It is loaded, and an operator should look.
    Warning,
}

/// One thing that is wrong. Texts are lower-case, without a full stop, the operator's own words in
/// backticks, the cause after a colon; no Rust type names.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// How bad.
    pub level: Level,
    /// Stable kebab-case name, for documentation and scripts: `unknown-key`, `open-to-all`.
    pub code: &'static str,
    /// Where, if it has a place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to it, each with a word.
    pub related: Vec<(Place, String)>,
}

/// All that is wrong.
pub type Mistakes = Vec<Mistake>;

impl Mistake {
    /// An error at a place.
    pub fn error(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, Some(place.clone()), message.into())
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, Some(place.clone()), message.into())
    }

    /// An error that has no place in a file.
    pub fn without_place(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, None, message.into())
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names another place that belongs to it.
    #[must_use]
    pub fn related(mut self, place: &Place, word: impl Into<String>) -> Self {
        self.related.push((place.clone(), word.into()));
        self
    }

    /// The whole text for a terminal: `file:line:column: error: message [code]`, the line of the
    /// file with a caret under the place, related places, and the help.
    pub fn render(&self, document: Option<&Document>) -> String {
        crate::render::render(self, document)
    }

    fn new(level: Level, code: &'static str, place: Option<Place>, message: String) -> Self {
        Self { level, code, place, message, help: None, related: Vec::new() }
    }
}

/// Sorts by file, line and column; what has no place comes first.
pub fn sort(mistakes: &mut Mistakes) {
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
}

/// `file:line:column: error: message [code]; help`, on one line.
impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::render::headline(self))?;
        match &self.help {
            Some(help) => write!(f, "; {}", crate::render::printable(help)),
            None => Ok(()),
        }
    }
}
