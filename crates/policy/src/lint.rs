//! What is allowed to be written and yet is worth a look: warnings.

use document::{At, Mistake, Mistakes};

use crate::set::{Effect, Rule, RuleId, Rules};

/// Warnings that something is not there: only true of a policy that was read whole.
pub(crate) const FROM_ABSENCE: [&str; 2] = ["unused-condition", "no-allow"];

/// An `allow` that asks for nothing that was authenticated.
pub(crate) fn open_to_all(id: &At<String>) -> Mistake {
    let message = format!("the rule `{}` allows anyone: it asks for no identity", id.value);
    let help = "ask for `user.`, `auth.`, `cert.` or `device.`; if anyone may, say so with \
                `user.anonymous: [true, false]`";
    Mistake::warning("open-to-all", &id.place, message).help(help)
}

/// A route on which nothing can be allowed.
pub(crate) fn route(
    name: &At<String>,
    own: &Rules,
    of_all: &Rules,
    rules: &[Rule],
    mistakes: &mut Mistakes,
) {
    let allows = |id: &RuleId| {
        rules.get(id.0 as usize).is_some_and(|rule| rule.effect == Effect::Allow && !rule.shadow)
    };
    if !own.ids.iter().chain(&of_all.ids).any(allows) {
        let message = format!("no rule allows anything on the route `{}`", name.value);
        let help = "add a rule with `allow`, or take the route out";
        mistakes.push(Mistake::warning("no-allow", &name.place, message).help(help));
    }
}
