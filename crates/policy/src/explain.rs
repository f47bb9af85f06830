//! Why a decision came out as it did: every rule, what it came to, and the fact that made it so.
//!
//! The outcome is the one of [`PolicySet::decide`](crate::PolicySet::decide), which is called for
//! it; the rules are weighed by the same function. An explanation holds no permit.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::condition::{Condition, Finding, Leaf, Lens, Scope, Written};
use crate::decide::{Question, decide};
use crate::decision::{Decision, Outcome, Remedy, Shadow};
use crate::set::{Entry, PolicySet, Rule, RuleId, Rules};
use crate::truth::Truth;
use crate::{Action, Facts};

mod table;

/// One decision and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `allow`, `challenge` or `deny`.
    pub outcome: &'static str,
    /// Why: a word of [`Reason`](crate::Reason).
    pub reason: String,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the caller could still supply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<RemedyText>,
    /// Text for the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What shadow rules would have done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowText>,
    /// The route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The route's upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The request: method, host and path.
    pub request: String,
    /// The instant of the decision.
    pub at: Timestamp,
    /// The policy's hash.
    pub policy: String,
    /// Every rule of the route and of all routes, those whose action fits first.
    pub rules: Vec<RuleFinding>,
}

/// A remedy, for reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemedyText {
    /// `login`, `step-up`, `device` or `posture`.
    pub kind: &'static str,
    /// Authentication context class to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// How old the authentication may be at most, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// Whether more than one factor is needed.
    pub mfa: bool,
}

/// What shadow rules would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShadowText {
    /// The shadow rule.
    pub rule: String,
    /// `allow`, `challenge` or `deny`.
    pub would_be: &'static str,
}

/// What one rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFinding {
    /// Its id.
    pub id: String,
    /// `allow` or `deny`.
    pub effect: &'static str,
    /// `enforce` or `shadow`.
    pub mode: &'static str,
    /// Whether it is one of the rules of all routes.
    pub global: bool,
    /// File, line and column.
    pub place: String,
    /// Whether its method and path fit: `true` or `false`.
    pub action: &'static str,
    /// What its condition comes to: `true`, `false` or `unknown`.
    pub condition: &'static str,
    /// Whether it ended before this request.
    pub expired: bool,
    /// The comparison that made the condition so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
}

/// A comparison and the fact that it met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    /// The attribute.
    pub attribute: String,
    /// What it was compared with, as written.
    pub matcher: String,
    /// The fact, or `unknown`, or `absent`.
    pub actual: String,
    /// What the comparison came to.
    pub value: &'static str,
    /// The named condition that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// File, line and column of the comparison.
    pub place: String,
}

/// Headers whose values are secrets: an explanation says only that they are there.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

pub(crate) fn explain(
    set: &Arc<PolicySet>,
    facts: &Facts,
    action: &Action<'_>,
    now: Timestamp,
) -> Explanation {
    let Decision { outcome, reason, rule, route, shadow, help } = decide(set, facts, action, now);
    let remedy = match &outcome {
        Outcome::Challenge(remedy) => Some(remedy.into()),
        Outcome::Allow(_) | Outcome::Deny => None,
    };
    let route = route.map(|id| set.route(id));
    let name = |id: RuleId| set.rule_name(id).to_owned();
    Explanation {
        outcome: outcome.word(),
        reason: reason.to_string(),
        rule: rule.map(name),
        remedy,
        help: help.map(Into::into),
        shadow: shadow.map(|Shadow { rule, would_be }| ShadowText { rule: name(rule), would_be }),
        route: route.map(|route| route.name.to_string()),
        upstream: route.map(|route| route.upstream.to_string()),
        request: format!("{} {}{}", action.method, action.host, action.path),
        at: now,
        policy: set.hash().to_owned(),
        rules: rules(set, facts, action, now),
    }
}

fn rules(set: &PolicySet, facts: &Facts, action: &Action<'_>, now: Timestamp) -> Vec<RuleFinding> {
    let Some((_, question)) = Question::new(set, facts, action, now) else { return vec![] };
    let mut findings = Vec::new();
    for (rules, global) in [(question.of_route, false), (&set.of_all, true)] {
        for id in &rules.ids {
            if let Some(rule) = set.rule(*id) {
                findings.push(finding(&question, rules, (*id, rule), global));
            }
        }
    }
    findings.sort_by_key(|finding| finding.action == "false");
    findings
}

fn finding(
    question: &Question<'_>,
    rules: &Rules,
    (id, rule): (RuleId, &Rule),
    global: bool,
) -> RuleFinding {
    // The paths that fit are the ones that the index finds, as in a decision.
    let mut found: Option<(Finding<'_>, u32)> = None;
    let fits = rule.methods.has(question.methods);
    rules.tree.each(question.action.path, &mut |entry: &Entry| {
        if entry.rule == id && fits {
            let more = question.weigh(entry, rule, Lens::default());
            found = Some(match found {
                Some((so_far, arm)) if so_far.or(more).truth == so_far.truth => (so_far, arm),
                Some((so_far, _)) => (so_far.or(more), entry.arm),
                None => (more, entry.arm),
            });
        }
    });
    let action = found.is_some();
    // A rule whose action does not fit is weighed all the same, without its path.
    let (weighed, arm) = found.unwrap_or_else(|| {
        let scope = question.scope(None, Lens::default());
        let open = Finding { truth: Truth::True, leaf: None };
        (rule.when.as_ref().map_or(open, |condition| condition.weigh(&scope)), 0)
    });
    let template = rule.arms.get(arm as usize).filter(|_| action).map(|arm| &arm.template);
    let scope = question.scope(template, Lens::default());
    RuleFinding {
        id: rule.written.name.to_string(),
        effect: rule.effect.word(),
        mode: if rule.shadow { "shadow" } else { "enforce" },
        global,
        place: rule.written.place.to_string(),
        action: Truth::from(action).word(),
        condition: weighed.truth.word(),
        expired: rule.until.is_some_and(|until| question.now >= until),
        because: weighed.leaf.map(|leaf| because(leaf, rule, &scope)),
    }
}

fn because<'a>(leaf: &'a Leaf, rule: &Rule, scope: &Scope<'a>) -> Because {
    let attribute = leaf.attribute();
    let Written { text, place } = &*leaf.written;
    let header = attribute.attribute.name == "request.header";
    let actual = match attribute.attribute.name {
        "time" => scope.now.to_string(),
        _ if header && SECRET.contains(&&*attribute.parameter) => "(a secret)".to_owned(),
        _ => attribute.read(scope).to_string(),
    };
    Because {
        attribute: attribute.to_string(),
        matcher: text.to_string(),
        actual,
        value: leaf.test(scope).word(),
        within: rule.when.as_ref().and_then(|when| within(when, leaf, None)).map(str::to_owned),
        place: place.to_string(),
    }
}

/// The innermost name under which a leaf stands.
fn within<'a>(condition: &'a Condition, leaf: &Leaf, name: Option<&'a str>) -> Option<&'a str> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) | Condition::None(parts) => {
            parts.iter().find_map(|part| within(part, leaf, name))
        }
        Condition::Named(named) => within(&named.condition, leaf, Some(&named.name)),
        Condition::Leaf(own) => std::ptr::eq(own, leaf).then_some(name).flatten(),
    }
}

impl From<&Remedy> for RemedyText {
    fn from(remedy: &Remedy) -> Self {
        let bare = |kind| Self { kind, acr: None, max_age_s: None, mfa: false };
        match remedy {
            Remedy::Login => bare("login"),
            Remedy::StepUp { acr, max_age, mfa } => Self {
                kind: "step-up",
                acr: acr.as_deref().map(str::to_owned),
                max_age_s: max_age.map(|age| age.as_secs()),
                mfa: *mfa,
            },
            Remedy::Device => bare("device"),
            Remedy::Posture => bare("posture"),
        }
    }
}
