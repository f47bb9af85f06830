//! From a [`Node`] to any type, with every mistake.
//!
//! serde stops at the first error. So an attempt that fails is repeated with less to fail on:
//!
//! 1. The map entry or list item in which the error arose is left out.
//! 2. A key that is missing is made up (an empty text, zero, an empty list), so that the next
//!    missing key shows. Where that cannot be done the whole mapping is left out.
//! 3. A key that is missing because its entry was left out is no mistake, nor is a misspelt key's
//!    right spelling, nor is what a type says about a value that was not whole.
//!
//! A value is returned only by an attempt that left out and made up nothing.

mod access;
mod fault;
mod key;
mod made_up;
mod value;

pub(crate) use value::{AT, HANDED, Handed, NODE, ONE_OR_MANY, PATH, take_place};

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use fault::{Cause, Fault};
use made_up::TEXTS;

use crate::{Mistake, Mistakes, Node};

/// Attempts after which an operator has enough to mend.
const ATTEMPTS_MAX: usize = 500;

/// Turns a node into a value.
///
/// # Errors
/// Every mistake below the node, in the order of the file.
pub fn parse<T: serde::de::DeserializeOwned>(node: &Node) -> Result<T, Mistakes> {
    let state = State::default();
    let mut mistakes = Mistakes::new();
    for _ in 0..ATTEMPTS_MAX {
        match T::deserialize(value::Value { node, state: &state }) {
            Ok(value) if state.is_whole() => return Ok(value),
            Ok(_) => break,
            Err(fault) => {
                let (mistake, again) = state.learn(*fault.0, node);
                mistakes.extend(mistake);
                if !again {
                    break;
                }
            }
        }
    }
    if mistakes.is_empty() {
        // Only a type whose errors depend on something other than its input comes here.
        mistakes.push(Mistake::error("invalid-value", &node.place, "this cannot be read"));
    }
    crate::mistake::sort(&mut mistakes);
    // What is used in several places by an alias is wrong once.
    mistakes.dedup();
    Err(mistakes)
}

/// A node's identity while the tree is borrowed: its address.
type Id = usize;

fn id(node: &Node) -> Id {
    std::ptr::from_ref(node).addr()
}

/// What earlier attempts taught.
#[derive(Default)]
struct State(RefCell<Lessons>);

#[derive(Default)]
struct Lessons {
    /// Values that are left out, of mappings and of lists.
    left_out: HashSet<Id>,
    /// Keys of a mapping that were left out, or whose misspelling was.
    keys_left_out: HashMap<Id, HashSet<String>>,
    /// Keys that are made up at the end of a mapping, each with the number of its text.
    made_up: HashMap<Id, Vec<(&'static str, usize)>>,
    /// Values that are not whole: something below them is left out or made up.
    partial: HashSet<Id>,
}

impl State {
    fn is_whole(&self) -> bool {
        self.0.borrow().partial.is_empty()
    }

    fn is_left_out(&self, node: &Node) -> bool {
        self.0.borrow().left_out.contains(&id(node))
    }

    /// The keys to make up, each with its text.
    fn made_up(&self, node: &Node) -> Vec<(&'static str, &'static str)> {
        let lessons = self.0.borrow();
        let keys = lessons.made_up.get(&id(node)).into_iter().flatten();
        keys.map(|(key, text)| (*key, TEXTS.get(*text).copied().unwrap_or_default())).collect()
    }

    /// The mistake of a fault, if it is one, and whether another attempt can find more.
    fn learn(&self, fault: Fault, root: &Node) -> (Option<Mistake>, bool) {
        let mut lessons = self.0.borrow_mut();
        let Fault { cause, place, owner, entry, trail } = fault;
        let partial = owner.is_some_and(|owner| lessons.partial.contains(&owner));
        lessons.partial.extend(trail);
        lessons.partial.insert(id(root));
        let place = place.unwrap_or_else(|| root.place.clone());

        if let (Cause::MissingKey(key), Some(owner)) = (&cause, owner) {
            let expected =
                lessons.keys_left_out.get(&owner).is_some_and(|keys| keys.contains(*key));
            lessons.made_up.entry(owner).or_default().push((key, 0));
            return ((!expected).then(|| cause.mistake(&place)), true);
        }
        if let Cause::MadeUp { owner, key } = &cause
            && lessons.has_another_text(*owner, key)
        {
            return (None, true);
        }
        if let (Cause::UnknownKey { suggestion: Some(meant), .. }, Some(entry)) = (&cause, &entry) {
            lessons.keys_left_out.entry(entry.owner).or_default().insert((*meant).to_owned());
        }
        let mistake = match cause {
            Cause::MadeUp { .. } => None,
            // INVARIANT: what made the value partial has been reported already.
            Cause::Custom(_) | Cause::Length { .. } if partial => None,
            Cause::MissingKey(_)
            | Cause::UnknownKey { .. }
            | Cause::UnknownVariant { .. }
            | Cause::WrongType { .. }
            | Cause::Invalid { .. }
            | Cause::Length { .. }
            | Cause::Custom(_)
            | Cause::Known(_) => Some(cause.mistake(&place)),
        };
        let Some(entry) = entry else { return (mistake, false) };
        let again = lessons.left_out.insert(entry.value);
        if let Some(key) = entry.key {
            lessons.keys_left_out.entry(entry.owner).or_default().insert(key);
        }
        (mistake, again)
    }
}

impl Lessons {
    /// Goes on to the next text for a key that is made up, if there is one.
    fn has_another_text(&mut self, owner: Id, key: &str) -> bool {
        let keys = self.made_up.entry(owner).or_default();
        match keys.iter_mut().find(|(made_up, _)| *made_up == key) {
            Some((_, text)) => {
                *text += 1;
                *text < TEXTS.len()
            }
            None => false,
        }
    }
}
