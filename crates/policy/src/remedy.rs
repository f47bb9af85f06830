//! What the caller could still supply: computed by asking the rules again.
//!
//! 1. There are four remedies, in this order: log in (while nobody is known), authenticate more
//!    strongly or more recently (a known person whose credential can be renewed), come with a good
//!    device, let the device report again (while it is known).
//! 2. Each leaves some facts open; everything else stays as it is. A wrong group stays wrong, so a
//!    known person without it is denied plainly.
//! 3. The remedies that are needed are the smallest set under which some rule would allow and no
//!    `deny` would hold. The first of the set, in the order above, is the challenge; what else is
//!    needed is asked for when the caller comes back.
//! 4. A step-up asks for no more than the rule that is content with the least.
//! 5. Where nothing helps there is no remedy, and the denial says nothing of what was near.

use std::cmp::Reverse;
use std::time::Duration;

use crate::attribute::Supply;
use crate::attribute::fact::Fact;
use crate::condition::{Condition, Leaf, Lens, Scope};
use crate::decide::Question;
use crate::facts::{AuthMethod, SubjectKind};
use crate::matcher::{Clause, Matcher, Operand};
use crate::set::{Effect, Rule, RuleId};
use crate::truth::Truth;
use crate::{Facts, Reason, Remedy};

/// A remedy that would help.
pub(crate) struct Found {
    pub(crate) remedy: Remedy,
    pub(crate) reason: Reason,
    /// The rule that would then allow, and whose demands the remedy names.
    pub(crate) rule: RuleId,
}

/// The remedies, in the order in which they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Login,
    Authenticate,
    Device,
    Posture,
}

/// The smallest remedy, if any would help.
pub(crate) fn find(question: &Question<'_>) -> Option<Found> {
    let steps = available(question.facts);
    let device_known = device_known(question.facts);
    // A choice is a set of steps, the first step its lowest bit.
    let lens = |choice: usize| {
        let chosen = steps.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
        chosen.fold(Lens::default(), |lens, (_, step)| step.open(lens, device_known))
    };
    // Fewest steps first; among equals the earlier ones.
    let mut choices: Vec<usize> = (1..1 << steps.len()).collect();
    choices.sort_by_key(|choice| (choice.count_ones(), *choice));
    choices.into_iter().filter(|choice| helps(question, lens(*choice))).find_map(|choice| {
        let step = *steps.get(choice.trailing_zeros() as usize)?;
        let (rule, need) = demands(question, lens(choice))?;
        let (remedy, reason) = need.into_remedy(step, question.facts)?;
        Some(Found { remedy, reason, rule })
    })
}

impl Step {
    /// What the step leaves open.
    fn open(self, lens: Lens, device_known: bool) -> Lens {
        match self {
            Self::Login => lens.with(Supply::Login).with(Supply::StepUp),
            Self::Authenticate => lens.with(Supply::StepUp),
            Self::Device if device_known => lens.with(Supply::Device),
            Self::Device => lens.with(Supply::Device).with(Supply::AnyDevice).with(Supply::Posture),
            Self::Posture => lens.with(Supply::Posture),
        }
    }
}

fn available(facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::with_capacity(3);
    match facts.subject() {
        None => steps.push(Step::Login),
        Some(subject) => {
            let renewable = facts.auth().is_none_or(|auth| match auth.method {
                AuthMethod::Oidc
                | AuthMethod::Local
                | AuthMethod::Jwt
                | AuthMethod::Introspection => true,
                AuthMethod::ApiToken | AuthMethod::ClientCertificate => false,
            });
            match subject.kind {
                SubjectKind::Human if renewable => steps.push(Step::Authenticate),
                SubjectKind::Human | SubjectKind::Service => {}
            }
        }
    }
    steps.push(Step::Device);
    if device_known(facts) {
        steps.push(Step::Posture);
    }
    steps
}

fn device_known(facts: &Facts) -> bool {
    facts.device().is_some_and(|device| device.known == Some(true))
}

fn helps(question: &Question<'_>, lens: Lens) -> bool {
    let tally = question.tally(lens);
    tally.allow.is_some() && tally.deny.is_none() && tally.deny_unknown.is_none()
}

/// The rule that would allow and asks for the least, with what it and the rules against it need.
fn demands<'a>(question: &Question<'a>, lens: Lens) -> Option<(RuleId, Need<'a>)> {
    let mut against = Need::default();
    let mut best: Option<(RuleId, &'a Rule, Need<'a>)> = None;
    question.each(&mut |entry, rule| {
        let arm = rule.arms.get(entry.arm as usize);
        let scope = question.scope(arm.map(|arm| &arm.template), Lens::default());
        let opened = Scope { lens, ..scope };
        let facts = arm.map_or(&[][..], |arm| &arm.facts);
        match rule.effect {
            Effect::Allow if question.weigh(entry, rule, lens).truth.can_be_true() => {
                let mut need = Need::default();
                for leaf in facts {
                    need.leaf(leaf, true, &scope);
                }
                if let Some(condition) = &rule.when {
                    need.condition(condition, true, &scope, &opened);
                }
                let better = best.as_ref().is_none_or(|(_, other, least)| {
                    (need.rank(), &rule.written.name) < (least.rank(), &other.written.name)
                });
                if better {
                    best = Some((entry.rule, rule, need));
                }
            }
            Effect::Allow => {}
            Effect::Deny => {
                if let Some(condition) = &rule.when
                    && question.weigh(entry, rule, Lens::default()).truth != Truth::False
                {
                    against.condition(condition, false, &scope, &opened);
                }
            }
        }
    });
    best.map(|(id, _, need)| (id, need.merged(&against)))
}

/// What has to change so that a condition comes out as wanted.
#[derive(Debug, Default)]
struct Need<'a> {
    mfa: bool,
    acr: Option<&'a str>,
    max_age: Option<Duration>,
    /// The first device fact that stands in the way.
    device: Option<&'a Leaf>,
    /// The first fact of its posture, and whether it is known and bad.
    posture: Option<(&'a Leaf, bool)>,
}

impl<'a> Need<'a> {
    fn condition(
        &mut self,
        condition: &'a Condition,
        want: bool,
        scope: &Scope<'a>,
        opened: &Scope<'a>,
    ) {
        let stands = condition.weigh(scope).truth;
        if stands == Truth::from(want) {
            return;
        }
        match (condition, want) {
            (Condition::Leaf(leaf), _) => self.leaf(leaf, want, scope),
            (Condition::Named(named), _) => self.condition(&named.condition, want, scope, opened),
            (Condition::All(parts), true) => self.each(parts, true, scope, opened),
            (Condition::Any(parts), false) | (Condition::None(parts), true) => {
                self.each(parts, false, scope, opened);
            }
            (Condition::Any(parts), true) | (Condition::None(parts), false) => {
                self.one(parts, true, scope, opened);
            }
            (Condition::All(parts), false) => self.one(parts, false, scope, opened),
        }
    }

    fn each(&mut self, parts: &'a [Condition], want: bool, scope: &Scope<'a>, opened: &Scope<'a>) {
        for part in parts {
            self.condition(part, want, scope, opened);
        }
    }

    /// Of the parts that could come out as wanted, the one that needs least.
    fn one(&mut self, parts: &'a [Condition], want: bool, scope: &Scope<'a>, opened: &Scope<'a>) {
        let least = parts
            .iter()
            .filter(|part| {
                let could = part.weigh(opened).truth;
                if want { could.can_be_true() } else { could.can_be_false() }
            })
            .map(|part| {
                let mut need = Need::default();
                need.condition(part, want, scope, opened);
                need
            })
            .min_by_key(Need::rank);
        if let Some(least) = least {
            let so_far = std::mem::take(self);
            *self = so_far.merged(&least);
        }
    }

    fn leaf(&mut self, leaf: &'a Leaf, want: bool, scope: &Scope<'a>) {
        if leaf.test(scope) == Truth::from(want) {
            return;
        }
        match leaf.attribute().attribute.supply {
            Supply::Nothing | Supply::Login => {}
            Supply::StepUp => self.step_up(leaf, want, scope),
            Supply::Device | Supply::AnyDevice => {
                self.device.get_or_insert(leaf);
            }
            Supply::Posture => {
                let known = !matches!(leaf.attribute().read(scope), Fact::Unknown);
                let stale = leaf.attribute().attribute.name == "device.posture_age";
                self.posture.get_or_insert((leaf, known && !stale));
            }
        }
    }

    fn step_up(&mut self, leaf: &'a Leaf, want: bool, scope: &Scope<'a>) {
        let Matcher::Words(clauses) = &leaf.test.matcher else { return };
        let one_factor = scope.facts.auth().is_none_or(|auth| auth.mfa != Some(true));
        for clause in clauses {
            match (leaf.attribute().attribute.name, clause) {
                ("auth.mfa", _) => self.mfa = true,
                // No request names a method; more factors are what brings another one.
                ("auth.amr", _) if want => self.mfa |= one_factor,
                ("auth.acr", Clause::Any(operands)) if want => {
                    if let (None, Some(Operand::Text(acr))) = (self.acr, operands.first()) {
                        self.acr = Some(acr);
                    }
                }
                (
                    "auth.age" | "auth.session_age" | "auth.idle",
                    Clause::Max(Operand::Span(age)),
                ) if want => {
                    self.fresher(*age);
                }
                (
                    "auth.age" | "auth.session_age" | "auth.idle",
                    Clause::Min(Operand::Span(age)),
                ) if !want => {
                    self.fresher(age.saturating_sub(jiff::SignedDuration::from_secs(1)));
                }
                _ => {}
            }
        }
    }

    fn fresher(&mut self, age: jiff::SignedDuration) {
        let age = Duration::try_from(age).unwrap_or_default();
        self.max_age = Some(self.max_age.map_or(age, |least| least.min(age)));
    }

    /// Smaller is easier to satisfy.
    fn rank(&self) -> (bool, bool, bool, bool, Option<Reverse<Duration>>) {
        (
            self.device.is_some(),
            self.posture.is_some(),
            self.mfa,
            self.acr.is_some(),
            self.max_age.map(Reverse),
        )
    }

    fn merged(self, other: &Self) -> Self {
        let max_age = match (self.max_age, other.max_age) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            mfa: self.mfa || other.mfa,
            acr: self.acr.or(other.acr),
            max_age,
            device: self.device.or(other.device),
            posture: self.posture.or(other.posture),
        }
    }

    /// `None` where a step-up would have nothing to ask for: it would change nothing.
    fn into_remedy(self, step: Step, facts: &Facts) -> Option<(Remedy, Reason)> {
        match step {
            Step::Login => Some((Remedy::Login, Reason::NoIdentity)),
            Step::Authenticate => {
                let Self { mfa, acr, max_age, device: _, posture: _ } = self;
                let asks = mfa || acr.is_some() || max_age.is_some();
                let remedy = Remedy::StepUp { acr: acr.map(Into::into), max_age, mfa };
                asks.then_some((remedy, Reason::StepUpRequired))
            }
            Step::Device => {
                let first = self.device.map(|leaf| leaf.attribute().attribute.name);
                let reason = match first {
                    Some("device.managed") if device_known(facts) => Reason::DeviceNotManaged,
                    Some("device.compliant") if device_known(facts) => Reason::DeviceNotCompliant,
                    Some(_) | None => Reason::DeviceUnknown,
                };
                Some((Remedy::Device, reason))
            }
            Step::Posture => {
                let bad = self.posture.is_some_and(|(_, bad)| bad);
                let reason = if bad { Reason::DeviceNotCompliant } else { Reason::PostureStale };
                Some((Remedy::Posture, reason))
            }
        }
    }
}
