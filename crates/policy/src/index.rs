//! From a host and a path to what was said about them, in time that does not grow with the number
//! of routes and rules.
//!
//! 1. A host has its own table: the exact name, else the wildcard that covers exactly one label.
//!    An exact name hides a wildcard, also on paths that it does not serve.
//! 2. Within a host, and within the rules of a route, templates are kept as a tree of segments.
//! 3. A visit goes from the most specific to the least: a literal before one segment before the
//!    rest. The first route that is visited serves the path.

use std::collections::HashMap;

use crate::quick;
use crate::set::RouteId;
use crate::template::{Segment, Segments, Template, decode};

/// Routes by host and path.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    exact: HashMap<Box<str>, Tree<RouteId>, quick::Build>,
    wildcard: HashMap<Box<str>, Tree<RouteId>, quick::Build>,
}

/// What templates lead to.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    root: Node<T>,
}

/// A place in the tree. What is looked at together lies together: hashes of the names first, then
/// the one child whose hash fits.
#[derive(Debug)]
struct Node<T> {
    hashes: Vec<u32>,
    /// Parallel to `hashes`.
    children: Vec<(Box<str>, Self)>,
    /// Positions in `children`, one more than they are, by hash; zero is free. Empty while there
    /// are few children.
    table: Vec<u32>,
    one: Option<Box<Self>>,
    here: Slot<T>,
    rest: Slot<T>,
}

/// What stands under one template; mostly a single thing, which then needs no other memory.
#[derive(Debug, Default)]
pub(crate) enum Slot<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

/// Up to this many hashes are compared one by one; more have a table.
const FEW_MAX: usize = 16;

impl Hosts {
    /// The slot of a host and template, to add a route to.
    pub(crate) fn slot(&mut self, host: &str, template: &Template) -> &mut Slot<RouteId> {
        let (table, key) = match host.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcard, parent),
            None => (&mut self.exact, host),
        };
        table.entry(key.into()).or_default().slot(template)
    }

    /// The route of a canonical host and path.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<RouteId> {
        self.tree(host)?.first(path).copied()
    }

    /// Whether a host is served at all.
    pub(crate) fn knows(&self, host: &str) -> bool {
        self.tree(host).is_some()
    }

    fn tree(&self, host: &str) -> Option<&Tree<RouteId>> {
        if let Some(tree) = self.exact.get(host) {
            return Some(tree);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        let (label, parent) = host.split_once('.')?;
        if label.is_empty() { None } else { self.wildcard.get(parent) }
    }
}

impl<T> Tree<T> {
    /// The slot of a template, to add to.
    pub(crate) fn slot(&mut self, template: &Template) -> &mut Slot<T> {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literal(text),
                Segment::Any | Segment::Capture(_) | Segment::Fact(_) => {
                    node.one.get_or_insert_default()
                }
            };
        }
        if template.rest { &mut node.rest } else { &mut node.here }
    }

    /// The most specific of what has the shape of the path.
    pub(crate) fn first(&self, path: &str) -> Option<&T> {
        self.root.first(Segments::of(path)?)
    }

    /// Shows everything that has the shape of the path, the most specific first.
    pub(crate) fn each<'t>(&'t self, path: &str, see: &mut impl FnMut(&'t T)) {
        if let Some(segments) = Segments::of(path) {
            self.root.each(segments, see);
        }
    }
}

impl<T> Slot<T> {
    pub(crate) fn push(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(value),
            Self::One(first) => Self::Many(vec![first, value]),
            Self::Many(mut all) => {
                all.push(value);
                Self::Many(all)
            }
        };
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> Node<T> {
    fn literal(&mut self, text: &str) -> &mut Self {
        let hash = quick::of(text);
        let at = self.position(hash, text).unwrap_or_else(|| {
            self.hashes.push(hash);
            self.children.push((text.into(), Self::default()));
            if self.children.len() > FEW_MAX {
                self.enter();
            }
            self.children.len().saturating_sub(1)
        });
        #[expect(clippy::indexing_slicing, reason = "the position was found or made above")]
        &mut self.children[at].1
    }

    /// Enters the last child into the table, which is kept at most half full.
    fn enter(&mut self) {
        let from = if self.table.len() < self.children.len().saturating_mul(2) {
            self.table = vec![0; self.children.len().saturating_mul(4).next_power_of_two()];
            0
        } else {
            self.children.len().saturating_sub(1)
        };
        let mask = self.table.len().saturating_sub(1);
        for (position, hash) in (1..).zip(&self.hashes).skip(from) {
            let mut slot = *hash as usize & mask;
            while self.table.get(slot).is_some_and(|taken| *taken != 0) {
                slot = slot.wrapping_add(1) & mask;
            }
            if let Some(free) = self.table.get_mut(slot) {
                *free = position;
            }
        }
    }

    fn position(&self, hash: u32, text: &str) -> Option<usize> {
        let is = |at: usize| {
            self.hashes.get(at) == Some(&hash)
                && self.children.get(at).is_some_and(|(name, _)| **name == *text)
        };
        if self.table.is_empty() {
            return (0..self.hashes.len()).find(|at| is(*at));
        }
        let mask = self.table.len().saturating_sub(1);
        let mut slot = hash as usize & mask;
        loop {
            let at = (*self.table.get(slot)? as usize).checked_sub(1)?;
            if is(at) {
                return Some(at);
            }
            slot = slot.wrapping_add(1) & mask;
        }
    }

    fn child(&self, text: &str) -> Option<&Self> {
        let at = self.position(quick::of(text), text)?;
        self.children.get(at).map(|(_, node)| node)
    }

    fn first(&self, mut segments: Segments<'_>) -> Option<&T> {
        let found = match segments.next() {
            Some(segment) => {
                let (literal, one) = self.children(segment);
                literal
                    .and_then(|child| child.first(segments.clone()))
                    .or_else(|| one.and_then(|child| child.first(segments)))
            }
            None => self.here.as_slice().first(),
        };
        found.or_else(|| self.rest.as_slice().first())
    }

    fn each<'t>(&'t self, mut segments: Segments<'_>, see: &mut impl FnMut(&'t T)) {
        match segments.next() {
            Some(segment) => {
                let (literal, one) = self.children(segment);
                if let Some(child) = literal {
                    child.each(segments.clone(), see);
                }
                if let Some(child) = one {
                    child.each(segments, see);
                }
            }
            None => self.here.as_slice().iter().for_each(&mut *see),
        }
        self.rest.as_slice().iter().for_each(see);
    }

    /// Where a segment leads: by its own name, and as any segment that is not empty.
    fn children(&self, segment: &str) -> (Option<&Self>, Option<&Self>) {
        let named = !self.hashes.is_empty();
        let literal = if named { decode(segment).and_then(|text| self.child(&text)) } else { None };
        (literal, self.one.as_deref().filter(|_| !segment.is_empty()))
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            hashes: vec![],
            children: vec![],
            table: vec![],
            one: None,
            here: Slot::None,
            rest: Slot::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use document::Place;

    use super::{Hosts, RouteId, Template, Tree};
    use crate::template::tests::matches;

    fn template(text: &str) -> Template {
        let place = Place { file: Path::new("t").into(), line: 1, column: 1 };
        Template::read(text, &place).expect("a good template")
    }

    #[test]
    fn the_tree_finds_what_the_templates_match_most_specific_first() {
        let mut texts: Vec<String> =
            ["/", "/**", "/a", "/a/**", "/*", "/{x}/b", "/a/b", "/a/*", "/*/*", "/a/b/**"]
                .map(str::to_owned)
                .to_vec();
        texts.extend((0..300).map(|i| format!("/a/n{i}/**")));
        let mut tree = Tree::default();
        for text in &texts {
            tree.slot(&template(text)).push(text.clone());
        }
        for path in ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/c", "/x/b", "/a/n7/q", "/x", "/a/b/c/d"]
        {
            let mut seen = Vec::new();
            tree.each(path, &mut |text: &String| seen.push(text.clone()));
            assert_eq!(tree.first(path), seen.first(), "{path}");
            let mut expected: Vec<String> =
                texts.iter().filter(|text| matches(&template(text), path)).cloned().collect();
            let first = seen.first().cloned();
            expected.sort();
            seen.sort();
            assert_eq!(seen, expected, "{path}");
            let best = match path {
                "/" => "/",
                "/a" | "/a/" => "/a",
                "/a/b" | "/a/b/" => "/a/b",
                "/a/c" => "/a/*",
                "/x/b" => "/{x}/b",
                "/a/n7/q" => "/a/n7/**",
                "/x" => "/*",
                _ => "/a/b/**",
            };
            assert_eq!(first.as_deref(), Some(best), "{path}");
        }
    }

    #[test]
    fn hosts_exact_before_one_label() {
        let mut hosts = Hosts::default();
        for (id, host, path) in
            [(0, "a.example.com", "/x/**"), (1, "*.example.com", "/**"), (2, "example.com", "/**")]
        {
            hosts.slot(host, &template(path)).push(RouteId(id));
        }
        for (host, path, expected) in [
            ("a.example.com", "/x", Some(0)),
            ("a.example.com", "/y", None),
            ("b.example.com", "/y", Some(1)),
            ("a.b.example.com", "/y", None),
            (".example.com", "/y", None),
            ("example.com", "/", Some(2)),
            ("com", "/", None),
        ] {
            assert_eq!(hosts.find(host, path), expected.map(RouteId), "{host}{path}");
        }
    }
}
