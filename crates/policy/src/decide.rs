//! The decision.
//!
//! 1. The route is found by host and path alone; where there is none, nothing is allowed.
//! 2. Every rule whose method and path fit is weighed: those of the route and those of all routes.
//! 3. A `deny` that is true denies. One that is unknown denies too, unless a remedy could settle it.
//! 4. An `allow` that is true allows, where no `deny` stands against it.
//! 5. Otherwise a remedy is looked for, and where none would help it is a plain denial.
//! 6. Shadow rules are left out of all this; the question is asked once more with them, and where
//!    the answer differs, that is reported.
//!
//! Which rule is named does not depend on the order of the file: rules are visited by how specific
//! their paths are, and by name.

use std::sync::Arc;

use jiff::Timestamp;

use crate::condition::{Finding, Leaf, Lens, Scope};
use crate::decision::{Decision, Outcome, Permit, Shadow};
use crate::method::Methods;
use crate::set::{Effect, Entry, PolicySet, Route, RouteId, Rule, RuleId, Rules};
use crate::truth::Truth;
use crate::{Action, Facts, Reason, remedy};

/// A question on a route.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) route: &'a Route,
    pub(crate) of_route: &'a Rules,
    pub(crate) facts: &'a Facts,
    pub(crate) action: &'a Action<'a>,
    pub(crate) now: Timestamp,
    pub(crate) methods: Methods,
    /// Whether shadow rules count.
    pub(crate) shadow: bool,
}

/// What the rules say under one lens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally<'a> {
    pub(crate) deny: Option<RuleId>,
    pub(crate) deny_unknown: Option<(RuleId, Option<&'a Leaf>)>,
    pub(crate) allow: Option<RuleId>,
    /// A rule whose action fits and that has a text for the client.
    pub(crate) help: Option<RuleId>,
}

/// The answer, before it becomes a decision.
enum Answer {
    Allow(RuleId),
    Challenge(remedy::Found),
    Deny { reason: Reason, rule: Option<RuleId>, help: Option<RuleId> },
}

pub(crate) fn decide(
    set: &Arc<PolicySet>,
    facts: &Facts,
    action: &Action<'_>,
    now: Timestamp,
) -> Decision {
    let Some((id, question)) = Question::new(set, facts, action, now) else {
        return Decision {
            outcome: Outcome::Deny,
            reason: Reason::NoRoute,
            rule: None,
            route: None,
            shadow: None,
            help: None,
        };
    };
    let answer = question.answer();
    let shadow = if set.of_all.shadow || question.of_route.shadow {
        question.difference(answer.word())
    } else {
        None
    };
    answer.into_decision(set, id, shadow)
}

impl<'a> Question<'a> {
    /// `None` where no route serves the host and path.
    pub(crate) fn new(
        set: &'a PolicySet,
        facts: &'a Facts,
        action: &'a Action<'a>,
        now: Timestamp,
    ) -> Option<(RouteId, Self)> {
        let id = set.hosts.find(action.host, action.path)?;
        let route = set.routes.get(id.index())?;
        let of_route = set.of_route.get(id.index())?;
        let methods = Methods::of(action.method);
        Some((id, Self { set, route, of_route, facts, action, now, methods, shadow: false }))
    }

    fn answer(&self) -> Answer {
        let tally = self.tally(Lens::default());
        if let Some(rule) = tally.deny {
            // A remedy may end what denies: "deny where nobody is known" asks for a login.
            return match remedy::find(self) {
                Some(found) => Answer::Challenge(found),
                None => Answer::Deny {
                    reason: Reason::Denied(self.set.rule_name(rule).into()),
                    rule: Some(rule),
                    help: Some(rule),
                },
            };
        }
        if let (Some(rule), None) = (tally.allow, tally.deny_unknown) {
            return Answer::Allow(rule);
        }
        if let Some(found) = remedy::find(self) {
            return Answer::Challenge(found);
        }
        if let Some((rule, leaf)) = tally.deny_unknown {
            let attribute = leaf.map_or_else(String::new, |leaf| leaf.attribute().to_string());
            let reason = Reason::Unknown(attribute.into());
            return Answer::Deny { reason, rule: Some(rule), help: Some(rule) };
        }
        Answer::Deny { reason: Reason::NoRuleAllows, rule: None, help: tally.help }
    }

    /// What would be if shadow rules counted, where that differs.
    fn difference(&self, enforced: &'static str) -> Option<Shadow> {
        let answer = Self { shadow: true, ..*self }.answer();
        let would_be = answer.word();
        if would_be == enforced {
            return None;
        }
        let rule = match answer {
            Answer::Allow(rule) => rule,
            Answer::Challenge(found) => found.rule,
            Answer::Deny { rule, .. } => rule?,
        };
        Some(Shadow { rule, would_be })
    }

    /// Weighs every rule whose method and path fit.
    pub(crate) fn tally(&self, lens: Lens) -> Tally<'a> {
        let mut tally = Tally::default();
        self.each(&mut |entry, rule| {
            if tally.deny.is_some() || (rule.effect == Effect::Allow && tally.allow.is_some()) {
                return;
            }
            let found = self.weigh(entry, rule, lens);
            match (rule.effect, found.truth) {
                (Effect::Allow, Truth::True | Truth::Open) => tally.allow = Some(entry.rule),
                (Effect::Allow, Truth::False | Truth::Unknown) => {
                    if tally.help.is_none() && rule.written.help.is_some() {
                        tally.help = Some(entry.rule);
                    }
                }
                (Effect::Deny, Truth::True) => tally.deny = Some(entry.rule),
                (Effect::Deny, Truth::Unknown) => {
                    tally.deny_unknown.get_or_insert((entry.rule, found.leaf));
                }
                (Effect::Deny, Truth::False | Truth::Open) => {}
            }
        });
        tally
    }

    /// Shows every rule that counts and whose method and path fit, once for each path that does.
    pub(crate) fn each(&self, see: &mut impl FnMut(&Entry, &'a Rule)) {
        for rules in [&self.set.of_all, self.of_route] {
            rules.tree.each(self.action.path, &mut |entry: &Entry| {
                if entry.methods.has(self.methods)
                    && let Some(rule) = self.set.rule(entry.rule)
                    && (self.shadow || !rule.shadow)
                {
                    see(entry, rule);
                }
            });
        }
    }

    /// What a rule comes to under one of its paths: the facts in the path, then the condition.
    pub(crate) fn weigh(&self, entry: &Entry, rule: &'a Rule, lens: Lens) -> Finding<'a> {
        if rule.until.is_some_and(|until| self.now >= until) {
            return Finding { truth: Truth::False, leaf: None };
        }
        let arm = rule.arms.get(entry.arm as usize);
        let scope = self.scope(arm.map(|arm| &arm.template), lens);
        let mut result = Finding { truth: Truth::True, leaf: None };
        for leaf in arm.filter(|_| entry.facts).map_or(&[][..], |arm| &arm.facts) {
            result = result.and(Finding { truth: leaf.weigh(&scope), leaf: Some(leaf) });
            if result.truth == Truth::False {
                return result;
            }
        }
        match &rule.when {
            Some(condition) => result.and(condition.weigh(&scope)),
            None => result,
        }
    }

    pub(crate) fn scope(
        &self,
        template: Option<&'a crate::template::Template>,
        lens: Lens,
    ) -> Scope<'a> {
        Scope {
            facts: self.facts,
            action: self.action,
            route: self.route,
            now: self.now,
            template,
            lens,
        }
    }
}

impl Finding<'_> {
    /// Both; the leaf is the one that decides between them.
    pub(crate) fn and(self, other: Self) -> Self {
        let truth = self.truth.and(other.truth);
        let leaf = if truth == self.truth && truth != Truth::True { self.leaf } else { other.leaf };
        Self { truth, leaf: leaf.or(self.leaf) }
    }

    /// Either; the leaf is the one that decides between them.
    pub(crate) fn or(self, other: Self) -> Self {
        let truth = self.truth.or(other.truth);
        let leaf = if truth == self.truth { self.leaf } else { other.leaf };
        Self { truth, leaf: leaf.or(self.leaf) }
    }
}

impl Answer {
    fn word(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Challenge(_) => "challenge",
            Self::Deny { .. } => "deny",
        }
    }

    fn into_decision(
        self,
        set: &Arc<PolicySet>,
        route: RouteId,
        shadow: Option<Shadow>,
    ) -> Decision {
        let (outcome, reason, rule, help) = match self {
            Self::Allow(rule) => {
                let permit = Permit::new(Arc::clone(set), route, rule);
                (Outcome::Allow(permit), Reason::Allowed, Some(rule), None)
            }
            Self::Challenge(remedy::Found { remedy, reason, rule }) => {
                (Outcome::Challenge(remedy), reason, Some(rule), Some(rule))
            }
            Self::Deny { reason, rule, help } => (Outcome::Deny, reason, rule, help),
        };
        let help = help.and_then(|rule| set.rule(rule)).and_then(|rule| rule.written.help.clone());
        Decision { outcome, reason, rule, route: Some(route), shadow, help }
    }
}
