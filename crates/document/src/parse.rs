//! From a [`Node`] to any type, with every mistake.

use crate::{Mistakes, Node};

/// Turns a node into a value.
///
/// # Errors
/// Every mistake below the node, in the order of the file.
pub fn parse<T: serde::de::DeserializeOwned>(node: &Node) -> Result<T, Mistakes> {
    todo!("{node:?}")
}
