//! Versions: numbers with dots, compared number by number, missing ones as zero.
//!
//! `14.10` is newer than `14.9`; `14` equals `14.0`. What follows the numbers is a build
//! (`10.0.19045 (22H2)`, `1.2+7`), which does not count, or after `-` a pre-release, which is older
//! than the release. Anything else is no version, and a comparison with it is unknown.

use std::cmp::Ordering;

/// A version of the policy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: Box<[u64]>,
    pre_release: bool,
}

impl Version {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (core, pre_release) = split(text)?;
        let numbers = numbers(core).collect::<Option<_>>()?;
        Some(Self { numbers, pre_release })
    }

    /// How a fact stands to a version; `None` where it is no version. Allocates nothing.
    pub(crate) fn compare(fact: &str, wanted: &Self) -> Option<Ordering> {
        let (core, pre_release) = split(fact)?;
        let mut order = Ordering::Equal;
        let mut wanted_numbers = wanted.numbers.iter().copied();
        for number in numbers(core) {
            order = order.then(number?.cmp(&wanted_numbers.next().unwrap_or(0)));
        }
        for number in wanted_numbers {
            order = order.then(0.cmp(&number));
        }
        Some(order.then(wanted.pre_release.cmp(&pre_release)))
    }
}

/// The numbers, and whether a pre-release follows.
fn split(text: &str) -> Option<(&str, bool)> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (core, rest) = text.split_at_checked(end)?;
    match rest.chars().next() {
        None | Some(' ' | '+') => Some((core, false)),
        Some('-') => Some((core, true)),
        Some(_) => None,
    }
}

fn numbers(core: &str) -> impl Iterator<Item = Option<u64>> {
    core.split('.').map(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Ordering, Version};

    #[test]
    fn versions_compare_number_by_number() {
        let cases = [
            ("14.10", "14.9", Some(Ordering::Greater)),
            ("14", "14.0.0", Some(Ordering::Equal)),
            ("14.0.1", "14", Some(Ordering::Greater)),
            ("13.6.9", "14", Some(Ordering::Less)),
            ("10.0.19045 (22H2)", "10.0.19045", Some(Ordering::Equal)),
            ("v6.1+deb12", "6.1", Some(Ordering::Equal)),
            ("15.0-beta2", "15.0", Some(Ordering::Less)),
            ("15.0", "15.0-beta2", Some(Ordering::Greater)),
            ("15.1-rc1", "15.0", Some(Ordering::Greater)),
            ("", "1", None),
            ("1..2", "1", None),
            ("1.x", "1", None),
            ("sonoma", "14", None),
            ("99999999999999999999", "1", None),
        ];
        for (fact, wanted, expected) in cases {
            let wanted = Version::read(wanted).expect("a version");
            assert_eq!(Version::compare(fact, &wanted), expected, "{fact:?} {wanted:?}");
        }
        assert_eq!(Version::read("14.x"), None);
    }
}
