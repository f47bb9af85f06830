//! A configuration file as a tree that knows its lines.
//!
//! Ground floor: no network, no clock, nothing of ours. It reads one YAML file and the files that
//! it includes into [`Node`]s, each with its [`Place`], and turns a node into any serde type while
//! collecting *every* mistake instead of the first one.
//!
//! 1. A key that no type knows is a mistake, with the nearest known key as the suggestion.
//! 2. A mistake names its file, line and column and says what to write instead.
//! 3. A secret is written by reference (`{env: NAME}`, `{file: PATH}`) and cannot be printed.
//! 4. A path is relative to the file in which it stands.

pub mod mistake;
pub mod node;
pub mod secret;
pub mod units;

mod load;
mod parse;
mod render;
mod suggest;

pub use load::{Document, load, load_text};
pub use mistake::{Level, Mistake, Mistakes, sort};
pub use node::{At, Key, Kind, Node, Place};
pub use parse::parse;
pub use secret::{Secret, SecretRef};
pub use suggest::suggest;
pub use units::{Duration, FilePath, OneOrMany, Size};
