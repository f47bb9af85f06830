//! Builds a chain of filters from a configuration: each filter's section becomes its own type,
//! and every mistake of every filter is gathered before the first is reported.

use std::cell::RefCell;
use std::sync::Arc;

use document::{Document, Kind, Mistakes, Node, Place};
use filter::setup::Gathered;
use filter::{Filter, Services, Setup};
use policy::PolicySet;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::chain::Link;

/// A chain under construction. `main` calls [`Assembly::filter`] once for each filter, in order.
pub struct Assembly<'a, C> {
    chain: Option<C>,
    site: Site<'a>,
    claimed: Vec<Claimed>,
    mistakes: Mistakes,
}

/// A section that a filter reads, and what may stand in it.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The filter's name, which is the section's.
    pub name: &'static str,
    /// The section's schema.
    pub schema: schemars::Schema,
}

/// What is being assembled from.
#[derive(Clone, Copy)]
pub(crate) enum Site<'a> {
    /// A configuration.
    Document {
        document: &'a Document,
        services: &'a Services,
        policy: &'a Arc<PolicySet>,
        gathered: &'a RefCell<Gathered>,
    },
    /// Nothing: only the sections' names and schemas are wanted.
    Schema,
}

/// A chain that is built, or why it is not.
pub(crate) struct Assembled<C> {
    pub(crate) chain: Option<C>,
    pub(crate) claimed: Vec<Claimed>,
    pub(crate) mistakes: Mistakes,
}

impl<'a> Assembly<'a, ()> {
    pub(crate) fn begin(site: Site<'a>) -> Self {
        Self { chain: Some(()), site, claimed: Vec::new(), mistakes: Mistakes::new() }
    }
}

impl<'a, C> Assembly<'a, C> {
    /// Appends a filter. `new` is its constructor: it takes the filter's section, parsed into the
    /// type that the constructor names, and a [`Setup`] with what outlives a generation. A section
    /// that is not written is parsed from an empty mapping.
    #[must_use]
    pub fn filter<F, Conf>(
        mut self,
        new: impl FnOnce(Conf, &Setup<'_>) -> Result<F, Mistakes>,
    ) -> Assembly<'a, Link<C, F>>
    where
        F: Filter,
        Conf: DeserializeOwned + JsonSchema,
    {
        self.claimed.push(Claimed { name: F::NAME, schema: schemars::schema_for!(Conf) });
        let built = match self.build(F::NAME, new) {
            Ok(built) => built,
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                None
            }
        };
        let Self { chain, site, claimed, mistakes } = self;
        let chain = chain.zip(built).map(|(chain, filter)| Link::new(chain, filter));
        Assembly { chain, site, claimed, mistakes }
    }

    pub(crate) fn finish(self) -> Assembled<C> {
        let Self { chain, site: _, claimed, mistakes } = self;
        Assembled { chain, claimed, mistakes }
    }

    fn build<F, Conf: DeserializeOwned>(
        &self,
        name: &str,
        new: impl FnOnce(Conf, &Setup<'_>) -> Result<F, Mistakes>,
    ) -> Result<Option<F>, Mistakes> {
        let Site::Document { document, services, policy, gathered } = self.site else {
            return Ok(None);
        };
        let absent = absent_section(&document.root);
        let section = document.root.get(name).unwrap_or(&absent);
        let setup = Setup::new(services, policy, section.place.clone(), gathered);
        new(document::parse(section)?, &setup).map(Some)
    }
}

/// An empty mapping where the document begins.
fn absent_section(root: &Node) -> Node {
    let place = Place { file: Arc::clone(&root.place.file), line: 1, column: 1 };
    Node { kind: Kind::Map(Vec::new()), place }
}

impl<C> std::fmt::Debug for Assembly<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").field("claimed", &self.claimed).finish_non_exhaustive()
    }
}
