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
        crate::load::render(self, document)
    }

    fn new(level: Level, code: &'static str, place: Option<Place>, message: String) -> Self {
        Self { level, code, place, message, help: None, related: Vec::new() }
    }
}

/// `file:line:column: error: message [code]`, on one line.
impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{level}: {} [{}]", self.message, self.code)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}
