//! One family: a child a set of label values, found without a lock.
//!
//! 1. Two different sets of values never share a child, whatever stands in them.
//! 2. A child that is asked for again is the same child; one that was removed starts anew.
//! 3. Finding a child is a hash and a comparison. Making one copies a small part of the family:
//!    it happens once a set of values.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus::core::{Collector, Desc, Metric};
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Error, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Opts};

/// Parts of a family: with ten thousand children, making one copies about forty.
const PARTS: usize = 256;

/// A kind of metric that can be a child.
pub(crate) trait Child: Metric + 'static {
    /// What the exposition calls it.
    const KIND: MetricType;
    /// Makes one with these labels.
    fn make(opts: Opts, buckets: &[f64]) -> Result<Self, Error>;
}

macro_rules! child {
    ($($type:ty, $kind:ident;)*) => {$(
        impl Child for $type {
            const KIND: MetricType = MetricType::$kind;

            fn make(opts: Opts, _: &[f64]) -> Result<Self, Error> {
                Self::with_opts(opts)
            }
        }
    )*};
}
child! {
    IntCounter, COUNTER;
    IntGauge, GAUGE;
    Gauge, GAUGE;
}

impl Child for Histogram {
    const KIND: MetricType = MetricType::HISTOGRAM;

    fn make(opts: Opts, buckets: &[f64]) -> Result<Self, Error> {
        Self::with_opts(HistogramOpts { common_opts: opts, buckets: buckets.to_vec() })
    }
}

/// A family of `N` labels. Cloning shares it.
pub(crate) struct Family<M, const N: usize>(Arc<Inner<M, N>>);

struct Inner<M, const N: usize> {
    desc: Desc,
    labels: [&'static str; N],
    buckets: &'static [f64],
    hasher: RandomState,
    parts: Vec<ArcSwap<Part<M, N>>>,
    /// For values that make no metric; not shown.
    spare: M,
}

type Part<M, const N: usize> = HashMap<u64, Vec<([Box<str>; N], M)>>;

impl<M: Child, const N: usize> Family<M, N> {
    /// An empty family.
    ///
    /// # Errors
    /// The name or a label is not one that Prometheus takes.
    pub(crate) fn new(
        name: &str,
        help: &str,
        labels: [&'static str; N],
        buckets: &'static [f64],
    ) -> Result<Self, Error> {
        let names = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), names, HashMap::new())?;
        let spare = make(&desc, labels, [""; N], buckets)?;
        let parts = (0..PARTS).map(|_| ArcSwap::default()).collect();
        let hasher = RandomState::new();
        Ok(Self(Arc::new(Inner { desc, labels, buckets, hasher, parts, spare })))
    }

    /// The child of these values.
    pub(crate) fn get(&self, values: [&str; N]) -> M {
        let hash = self.0.hasher.hash_one(values);
        let Some(part) = self.part(hash) else { return self.0.spare.clone() };
        if let Some(child) = find(&part.load(), hash, values) {
            return child;
        }
        let Inner { desc, labels, buckets, spare, .. } = &*self.0;
        let Ok(made) = make::<M, N>(desc, *labels, values, buckets) else { return spare.clone() };
        // Another thread may have been first: then its child is the one.
        part.rcu(|present| {
            let mut present = Part::clone(present);
            if find(&present, hash, values).is_none() {
                present.entry(hash).or_default().push((values.map(Box::from), made.clone()));
            }
            present
        });
        find(&part.load(), hash, values).unwrap_or(made)
    }

    /// Removes the children whose values are not to be kept.
    pub(crate) fn retain(&self, keep: impl Fn(&[Box<str>; N]) -> bool) {
        for part in &self.0.parts {
            if part.load().values().flatten().all(|(values, _)| keep(values)) {
                continue;
            }
            part.rcu(|present| {
                let mut present = Part::clone(present);
                for children in present.values_mut() {
                    children.retain(|(values, _)| keep(values));
                }
                present.retain(|_, children| !children.is_empty());
                present
            });
        }
    }

    fn part(&self, hash: u64) -> Option<&ArcSwap<Part<M, N>>> {
        self.0.parts.get(usize::try_from(hash % PARTS as u64).unwrap_or_default())
    }
}

fn find<M: Clone, const N: usize>(part: &Part<M, N>, hash: u64, values: [&str; N]) -> Option<M> {
    let same = |present: &[Box<str>; N]| present.iter().zip(values).all(|(a, b)| **a == *b);
    let (_, child) = part.get(&hash)?.iter().find(|(present, _)| same(present))?;
    Some(child.clone())
}

fn make<M: Child, const N: usize>(
    desc: &Desc,
    labels: [&str; N],
    values: [&str; N],
    buckets: &[f64],
) -> Result<M, Error> {
    let pairs =
        labels.iter().zip(values).map(|(label, value)| ((*label).to_owned(), value.to_owned()));
    let opts = Opts::new(desc.fq_name.as_str(), desc.help.as_str()).const_labels(pairs.collect());
    M::make(opts, buckets)
}

impl<M: Child, const N: usize> Collector for Family<M, N> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut metrics = Vec::new();
        for part in &self.0.parts {
            metrics.extend(part.load().values().flatten().map(|(_, child)| child.metric()));
        }
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(M::KIND);
        family.set_metric(metrics);
        vec![family]
    }
}

impl<M, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, const N: usize> std::fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Family").field(&self.0.desc.fq_name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_read_the_same_when_joined_are_kept_apart() {
        let family = Family::<IntCounter, 2>::new("a", "b", ["x", "y"], &[]).unwrap();
        family.get(["ab", "c"]).inc();
        family.get(["a", "bc"]).inc_by(2);
        family.get(["", "abc"]).inc_by(4);
        assert_eq!(family.get(["ab", "c"]).get(), 1);
        assert_eq!(family.get(["a", "bc"]).get(), 2);
        assert_eq!(family.get(["", "abc"]).get(), 4);
        assert_eq!(family.collect()[0].get_metric().len(), 3);
    }

    #[test]
    fn threads_that_make_the_same_child_share_it() {
        let family = Family::<IntCounter, 1>::new("a", "b", ["x"], &[]).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1_000).for_each(|n| family.get([&(n % 50).to_string()]).inc()));
            }
        });
        let counts = (0..50).map(|n| family.get([&n.to_string()]).get()).collect::<Vec<_>>();
        assert_eq!(counts, [160; 50]);
    }

    #[test]
    fn what_is_removed_starts_anew() {
        let family = Family::<IntGauge, 1>::new("a", "b", ["x"], &[]).unwrap();
        let held = family.get(["gone"]);
        held.set(7);
        family.get(["stays"]).set(8);
        family.retain(|[name]| &**name == "stays");
        assert_eq!(family.collect()[0].get_metric().len(), 1);
        assert_eq!(family.get(["gone"]).get(), 0);
        assert_eq!(family.get(["stays"]).get(), 8);
        assert_eq!(held.get(), 7);
    }
}
