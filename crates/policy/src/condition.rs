//! Conditions: trees over leaves, each leaf an attribute and a matcher.
//!
//! One evaluator serves decisions, remedies and explanations. It says what a condition comes to and
//! which leaf made it so; a [`Lens`] says which facts count as still obtainable.

use std::sync::Arc;

use document::Place;
use jiff::{SignedDuration, Timestamp};

use crate::attribute::fact::Fact;
use crate::attribute::{Kind, Reference, Supply};
use crate::matcher::Matcher;
use crate::set::Route;
use crate::template::Template;
use crate::truth::Truth;
use crate::{Action, Facts};

pub(crate) mod read;

/// A condition, compiled.
#[derive(Debug)]
pub(crate) enum Condition {
    /// Every one holds.
    All(Box<[Self]>),
    /// At least one holds.
    Any(Box<[Self]>),
    /// Not one holds.
    None(Box<[Self]>),
    /// A condition of `conditions:`, shared by all who name it.
    Named(Arc<Named>),
    /// A comparison.
    Leaf(Leaf),
}

/// A condition of `conditions:`.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: Box<str>,
    pub(crate) condition: Condition,
}

/// A comparison at its place.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Shared by all that are written alike, so that decisions find it in the cache.
    pub(crate) test: Arc<Test>,
    pub(crate) written: Box<Written>,
}

/// An attribute and what it is compared with.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) attribute: Reference,
    pub(crate) matcher: Matcher,
}

/// A comparison as it was written: for explanations, and not touched by decisions.
#[derive(Debug)]
pub(crate) struct Written {
    /// The matcher.
    pub(crate) text: Box<str>,
    pub(crate) place: Place,
}

/// What a condition is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) action: &'a Action<'a>,
    pub(crate) route: &'a Route,
    pub(crate) now: Timestamp,
    /// The template of the rule that has the shape of the path.
    pub(crate) template: Option<&'a Template>,
    pub(crate) lens: Lens,
}

/// Which facts count as obtainable: none for a decision, some when asking again. A bit for each
/// [`Supply`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lens(u8);

/// What a condition comes to, and the leaf that made it so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) truth: Truth,
    pub(crate) leaf: Option<&'a Leaf>,
}

impl Condition {
    /// What the condition comes to.
    pub(crate) fn weigh<'a>(&'a self, scope: &Scope<'a>) -> Finding<'a> {
        match self {
            Self::All(parts) => fold(parts, scope, Truth::True, Truth::False, Truth::and),
            Self::Any(parts) => fold(parts, scope, Truth::False, Truth::True, Truth::or),
            Self::None(parts) => {
                let any = fold(parts, scope, Truth::False, Truth::True, Truth::or);
                Finding { truth: any.truth.not(), leaf: any.leaf }
            }
            Self::Named(named) => named.condition.weigh(scope),
            Self::Leaf(leaf) => Finding { truth: leaf.weigh(scope), leaf: Some(leaf) },
        }
    }
}

/// Combines parts until one settles it. The leaf is the one that settled it, else the first that
/// moved the result away from where it began, else the last that was asked.
fn fold<'a>(
    parts: &'a [Condition],
    scope: &Scope<'a>,
    start: Truth,
    end: Truth,
    combine: impl Fn(Truth, Truth) -> Truth,
) -> Finding<'a> {
    let mut result = Finding { truth: start, leaf: None };
    for part in parts {
        let found = part.weigh(scope);
        if found.truth == end {
            return found;
        }
        let truth = combine(result.truth, found.truth);
        if truth != result.truth || result.truth == start {
            result.leaf = found.leaf;
        }
        result.truth = truth;
    }
    result
}

impl Leaf {
    /// What the comparison comes to: with the fact as it stands, or with what a remedy would make
    /// of it. A remedy takes nothing away: what holds without it is not expected to end by it.
    pub(crate) fn weigh<'a>(&'a self, scope: &Scope<'a>) -> Truth {
        let Test { attribute, matcher } = &*self.test;
        let supply = attribute.attribute.supply;
        if !scope.lens.opens(supply) {
            return self.test(scope);
        }
        if let Some(best) = attribute.best() {
            return matcher.test(&best, scope.action.path, scope.now);
        }
        match self.test(scope) {
            Truth::True => Truth::True,
            Truth::False if supply == Supply::Login => Truth::False,
            Truth::False | Truth::Unknown | Truth::Open => Truth::Open,
        }
    }

    /// What the comparison comes to with the fact as it stands.
    pub(crate) fn test<'a>(&'a self, scope: &Scope<'a>) -> Truth {
        let Test { attribute, matcher } = &*self.test;
        matcher.test(&attribute.read(scope), scope.action.path, scope.now)
    }

    /// The attribute that is compared.
    pub(crate) fn attribute(&self) -> &Reference {
        &self.test.attribute
    }
}

impl Reference {
    /// What a remedy makes of the attribute, where that is certain: a login ends anonymity, a
    /// step-up proves factors and is fresh, a good device says yes to every question.
    fn best(&self) -> Option<Fact<'static>> {
        match self.attribute.kind {
            Kind::Bool => Some(Fact::Bool(self.attribute.name != "user.anonymous")),
            Kind::Span if self.attribute.name != "cert.expires_in" => {
                Some(Fact::Span(SignedDuration::ZERO))
            }
            Kind::Span
            | Kind::Number { .. }
            | Kind::Text
            | Kind::Lower
            | Kind::Upper
            | Kind::Texts
            | Kind::Word(_)
            | Kind::Version
            | Kind::Address
            | Kind::Any
            | Kind::Window => None,
        }
    }
}

impl Lens {
    /// The same with one more kind of facts open.
    #[must_use]
    pub(crate) fn with(self, supply: Supply) -> Self {
        Self(self.0 | supply.bit())
    }

    /// Whether a fact counts as obtainable.
    pub(crate) fn opens(self, supply: Supply) -> bool {
        self.0 & supply.bit() != 0
    }
}

impl Supply {
    fn bit(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Login => 1,
            Self::StepUp => 2,
            Self::Device => 4,
            Self::AnyDevice => 8,
            Self::Posture => 16,
        }
    }
}
