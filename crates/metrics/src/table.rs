//! The few children that one route or upstream uses, found again by a comparison or two.

use arc_swap::ArcSwap;

/// Children by a small key. A route answers with a handful of methods and codes, so a list that is
/// searched from the front is faster than a hash, and takes no memory before it is used.
pub(crate) struct Table<K, M>(ArcSwap<Vec<(K, M)>>);

impl<K: PartialEq + Copy, M: Clone> Table<K, M> {
    /// Uses the child of this key, which `make` finds the first time.
    pub(crate) fn with(&self, key: K, make: impl Fn() -> M, apply: impl FnOnce(&M)) {
        if let Some((_, child)) = self.0.load().iter().find(|(present, _)| *present == key) {
            return apply(child);
        }
        let child = make();
        self.0.rcu(|present| {
            let mut present = Vec::clone(present);
            if !present.iter().any(|(present, _)| *present == key) {
                present.push((key, child.clone()));
            }
            present
        });
        apply(&child);
    }
}

impl<K, M> Default for Table<K, M> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}

impl<K, M> std::fmt::Debug for Table<K, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("len", &self.0.load().len()).finish_non_exhaustive()
    }
}
