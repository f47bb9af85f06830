//! Puts the sections of an included file to those that are there.

use crate::{Key, Kind, Mistake, Mistakes, Node};

/// Merges the mapping `from` into the mapping `root`.
pub(super) fn into(root: &mut Node, from: Node, mistakes: &mut Mistakes) {
    let (Kind::Map(entries), Kind::Map(added)) = (&mut root.kind, from.kind) else { return };
    for (key, value) in added {
        match entries.iter_mut().find(|(present, _)| present.name == key.name) {
            // An included file may say the version, for those who read it on its own.
            Some((_, present)) if key.name == "version" && present.kind == value.kind => {}
            Some((first, present)) => section(first, present, (key, value), mistakes),
            None => entries.push((key, value)),
        }
    }
}

fn section(first: &Key, present: &mut Node, added: (Key, Node), mistakes: &mut Mistakes) {
    let (key, value) = added;
    match (&mut present.kind, value.kind) {
        (_, Kind::Null) => {}
        (empty @ Kind::Null, kind) => {
            *empty = kind;
            present.place = value.place;
        }
        (Kind::List(items), Kind::List(more)) => items.extend(more),
        (Kind::Map(entries), Kind::Map(more)) => {
            for (key, value) in more {
                match entries.iter().find(|(present, _)| present.name == key.name) {
                    Some((first, _)) => mistakes.push(twice(first, &key)),
                    None => entries.push((key, value)),
                }
            }
        }
        (
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_),
            _,
        ) => mistakes.push(twice(first, &key)),
    }
}

fn twice(first: &Key, second: &Key) -> Mistake {
    let message = format!("`{}` is given in two files", second.name);
    Mistake::error("duplicate-key", &second.place, message)
        .help("keep it in one file")
        .related(&first.place, "first given here")
}
