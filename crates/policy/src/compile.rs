//! From a source to a [`PolicySet`]: names are resolved, meanings checked, indexes built. Every
//! mistake is found before any is returned.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use document::{At, Level, Mistake, Mistakes, OneOrMany, Place};

use crate::attribute::Reference;
use crate::condition::read::{self, Names, Shape};
use crate::condition::{Leaf, Test, Written};
use crate::fingerprint::Fingerprint;
use crate::index::Hosts;
use crate::matcher::Matcher;
use crate::method::Methods;
use crate::set::{
    Arm, Effect, Entry, Forwarding, PolicySet, Route, RouteId, Rule, RuleId, RuleText, Rules,
    Source,
};
use crate::source::{self, ActionShape, Mode, RouteShape, RouteSource, RuleShape, RuleSource};
use crate::template::{Segment, Template};
use crate::{lint, window};

mod host;

/// Compiles a policy.
pub(crate) fn compile(source: Source<'_>) -> Result<(Arc<PolicySet>, Mistakes), Mistakes> {
    let Source { conditions, rules, routes } = source;
    let mut hash = Fingerprint::new();
    hash.section("conditions", conditions);
    hash.section("rules", rules);
    hash.section("routes", routes);

    let mut mistakes = Mistakes::new();
    let names = Names::collect(conditions, &mut mistakes);
    let everywhere = source::rules(rules, &mut mistakes);
    let routes = source::routes(routes, &mut mistakes);

    let mut builder = Builder { names, mistakes, rules: vec![], ids: HashMap::new() };
    let of_all = builder.rules(everywhere, Mode::Enforce);
    let (routes, of_route, hosts) = builder.routes(routes, &of_all);
    let Builder { names, mut mistakes, rules, ids: _ } = builder;
    names.finish(&mut mistakes);
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
    if mistakes.iter().any(|mistake| mistake.level == Level::Error) {
        // What was not read cannot be said to be missing.
        mistakes.retain(|mistake| !lint::FROM_ABSENCE.contains(&mistake.code));
        return Err(mistakes);
    }
    let hash = hash.finish();
    let set = PolicySet { routes, of_route, of_all, rules, hosts, hash, nowhere: nowhere() };
    Ok((Arc::new(set), mistakes))
}

struct Builder<'a> {
    names: Names<'a>,
    mistakes: Mistakes,
    rules: Vec<Rule>,
    /// Where each rule's name was written.
    ids: HashMap<String, Place>,
}

impl<'a> Builder<'a> {
    fn routes(
        &mut self,
        sources: Vec<RouteSource<'a>>,
        of_all: &Rules,
    ) -> (Vec<Route>, Vec<Rules>, Hosts) {
        let (mut routes, mut of_route, mut hosts) = (Vec::new(), Vec::new(), Hosts::default());
        let mut names: HashMap<String, Place> = HashMap::new();
        for RouteSource { place, shape, forwarding, rules } in sources {
            let Some(RouteShape { name, hosts: names_of, paths, upstream, labels, mode }) = shape
            else {
                self.rules(rules, Mode::Enforce);
                continue;
            };
            let mode = mode.map(|mode| source::mode(&mode, &mut self.mistakes));
            self.name("route", &name);
            if let Some(first) = names.insert(name.value.clone(), name.place.clone()) {
                let message = format!("two routes are called `{}`", name.value);
                self.mistakes.push(
                    Mistake::error("duplicate-route", &name.place, message)
                        .help("give one of them another name")
                        .related(&first, "the first"),
                );
            }
            let templates = self.route_paths(paths, &place);
            let hosts_of = host::read(&names_of, &mut self.mistakes);
            let Ok(number) = u32::try_from(routes.len()) else { break };
            let id = RouteId(number);
            for (host, at) in &hosts_of {
                for template in &templates {
                    let slot = hosts.slot(host, template);
                    if let Some(first) =
                        slot.as_slice().first().and_then(|id| routes.get(id.index()))
                    {
                        let first: &Route = first;
                        let message = format!(
                            "`{host}{template}` is served by the route `{}` already",
                            first.name
                        );
                        self.mistakes.push(
                            Mistake::error("duplicate-path", at, message)
                                .help("give one of the routes another host or path")
                                .related(&first.place, "the other route"),
                        );
                    } else if slot.as_slice().is_empty() {
                        slot.push(id);
                    }
                }
            }
            let own = self.rules(rules, mode.unwrap_or(Mode::Enforce));
            lint::route(&name, &own, of_all, &self.rules, &mut self.mistakes);
            self.forwarding(&forwarding, &place);
            routes.push(Route {
                name: name.value.into(),
                place,
                hosts: hosts_of.into_iter().map(|(host, _)| host).collect(),
                upstream: upstream.value.into(),
                upstream_place: upstream.place,
                labels: labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
                forwarding,
            });
            of_route.push(own);
        }
        (routes, of_route, hosts)
    }

    /// The paths that a route serves: all where none are named, and never a fact.
    fn route_paths(
        &mut self,
        paths: Option<At<OneOrMany<At<String>>>>,
        place: &Place,
    ) -> Vec<Template> {
        let Some(paths) = paths else { return vec![Template::everything(place)] };
        let templates = self.templates(paths);
        for template in &templates {
            if template.segments.iter().any(|segment| matches!(segment, Segment::Fact(_))) {
                let message = format!("the path `{template}` of a route names a fact");
                let help =
                    "a route is found by host and path alone: use `*` here and the fact in a rule";
                self.mistakes.push(Mistake::error("bad-path", &template.place, message).help(help));
            }
        }
        templates
    }

    fn templates(&mut self, At { value, place }: At<OneOrMany<At<String>>>) -> Vec<Template> {
        let OneOrMany(paths) = value;
        if paths.is_empty() {
            let message = "the list of paths is empty: nothing is meant by it";
            let help = "name a path, or leave `paths` out for all";
            self.mistakes.push(Mistake::error("empty-list", &place, message).help(help));
        }
        let mut templates: Vec<Template> = Vec::new();
        for At { value, place } in paths {
            match Template::read(&value, &place) {
                Ok(template) => templates.push(template),
                Err(bad) => self
                    .mistakes
                    .push(Mistake::error("bad-path", &place, bad.message).help(bad.help)),
            }
        }
        templates
    }

    fn forwarding(&mut self, forwarding: &Forwarding, place: &Place) {
        let Some(prefix) = &forwarding.strip_prefix else { return };
        let literal = |t: &Template| {
            !t.rest && t.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
        };
        let whole =
            Template::read(prefix, place).is_ok_and(|t| literal(&t) && !t.segments.is_empty());
        if !whole || prefix.ends_with('/') {
            let message = format!("`strip_prefix: {prefix}` is no path of whole segments");
            let help = "write it as `/app`, without a slash at the end";
            self.mistakes.push(Mistake::error("bad-path", place, message).help(help));
        }
    }

    /// Compiles rules and indexes them. They enter the index by name, so that the order of the
    /// file shows nowhere.
    fn rules(&mut self, sources: Vec<RuleSource<'a>>, mode: Mode) -> Rules {
        let mut rules = Rules::default();
        for source in sources {
            if let Some(rule) = self.rule(source, mode)
                && let Ok(number) = u32::try_from(self.rules.len())
            {
                rules.shadow |= rule.shadow;
                rules.ids.push(RuleId(number));
                self.rules.push(rule);
            }
        }
        let mut by_name: Vec<(RuleId, &Rule)> = rules
            .ids
            .iter()
            .filter_map(|id| self.rules.get(id.0 as usize).map(|rule| (*id, rule)))
            .collect();
        by_name.sort_by_key(|(_, rule)| &rule.written.name);
        for (id, rule) in by_name {
            for (number, arm) in (0..).zip(&rule.arms) {
                let facts = !arm.facts.is_empty();
                let entry = Entry { methods: rule.methods, rule: id, arm: number, facts };
                rules.tree.slot(&arm.template).push(entry);
            }
        }
        rules
    }

    fn rule(&mut self, source: RuleSource<'a>, mode: Mode) -> Option<Rule> {
        let RuleSource { place, shape, when } = source;
        // The condition of a rule whose rest is wrong is read all the same, for its mistakes.
        let condition = when.map(|node| self.names.read(node, &mut self.mistakes));
        let RuleShape { id, allow, deny, mode: own_mode, until, help, .. } = shape?;
        self.name("rule", &id);
        if let Some(first) = self.ids.insert(id.value.clone(), id.place.clone()) {
            let message = format!("two rules are called `{}`", id.value);
            self.mistakes.push(
                Mistake::error("duplicate-rule", &id.place, message)
                    .help("give one of them another id: reasons and records name it")
                    .related(&first, "the first"),
            );
        }
        let until = until.and_then(|until| self.until(&until));
        let action = self.effect(&id, allow, deny);
        let own_mode = own_mode.map(|mode| source::mode(&mode, &mut self.mistakes));
        let (effect, action) = action?;
        let methods = self.methods(action.value.methods);
        let templates = match action.value.paths {
            Some(paths) => self.templates(paths),
            None => vec![Template::everything(&action.place)],
        };
        let (when, shape) = match condition {
            None => (None, Shape::default()),
            Some(read) => {
                let (condition, shape) = read?;
                (Some(condition), shape)
            }
        };
        self.segments(&shape, &templates);
        let arms: Box<[Arm]> = templates.into_iter().map(|template| self.arm(template)).collect();
        let identity = shape.identity
            || arms.iter().all(|arm| arm.facts.iter().any(|leaf| leaf.attribute().is_identity()));
        if effect == Effect::Allow && !identity {
            self.mistakes.push(lint::open_to_all(&id));
        }
        let written = RuleText { name: id.value.into(), place, help: help.map(Into::into) };
        Some(Rule {
            effect,
            shadow: own_mode.unwrap_or(mode) == Mode::Shadow,
            methods,
            when,
            until,
            arms,
            written: Box::new(written),
        })
    }

    fn effect(
        &mut self,
        id: &At<String>,
        allow: Option<At<ActionShape>>,
        deny: Option<At<ActionShape>>,
    ) -> Option<(Effect, At<ActionShape>)> {
        match (allow, deny) {
            (Some(action), None) => Some((Effect::Allow, action)),
            (None, Some(action)) => Some((Effect::Deny, action)),
            (Some(_), Some(deny)) => {
                let message = format!("the rule `{}` says `allow` and `deny`", id.value);
                let help = "make two rules of it";
                self.mistakes.push(Mistake::error("bad-rule", &deny.place, message).help(help));
                None
            }
            (None, None) => {
                let message = format!("the rule `{}` says neither `allow` nor `deny`", id.value);
                let help =
                    "write `allow: {methods: [...], paths: [...]}`, or `allow: {}` for everything";
                self.mistakes.push(Mistake::error("bad-rule", &id.place, message).help(help));
                None
            }
        }
    }

    fn methods(&mut self, methods: Option<At<OneOrMany<At<String>>>>) -> Methods {
        let Some(At { value: OneOrMany(methods), place }) = methods else { return Methods::ALL };
        if methods.is_empty() {
            let message = "the list of methods is empty: nothing is meant by it";
            let help = "name a method, or leave `methods` out for all";
            self.mistakes.push(Mistake::error("empty-list", &place, message).help(help));
        }
        let mut set = Methods::NONE;
        for At { value, place } in methods {
            match Methods::read(&value) {
                Ok(method) => set = set.with(method),
                Err(help) => {
                    let message = format!("there is no method `{value}`");
                    self.mistakes
                        .push(Mistake::error("unknown-method", &place, message).help(help));
                }
            }
        }
        set
    }

    fn until(&mut self, until: &At<String>) -> Option<jiff::Timestamp> {
        let end = window::end(&until.value);
        if end.is_none() {
            let message = format!("`{}` is no day and no timestamp", until.value);
            let help = "write `2026-12-31` (to its end, in UTC) or `2026-12-31T18:00:00Z`";
            self.mistakes.push(Mistake::error("bad-date", &until.place, message).help(help));
        }
        end
    }

    /// Every capture that a condition asks for is in every path of the rule.
    fn segments(&mut self, shape: &Shape, templates: &[Template]) {
        for (name, place) in &shape.segments {
            if let Some(without) = templates.iter().find(|t| t.position(name).is_none()) {
                let message = format!("the path `{without}` of the rule has no `{{{name}}}`");
                let help = format!("name the segment in each path of the rule: `/.../{{{name}}}`");
                self.mistakes.push(
                    Mistake::error("unknown-segment", place, message)
                        .help(help)
                        .related(&without.place, "the path"),
                );
            }
        }
    }

    /// The facts that a path names become comparisons with its segments.
    fn arm(&mut self, template: Template) -> Arm {
        let mut facts = Vec::new();
        for (at, segment) in template.segments.iter().enumerate() {
            let Segment::Fact(name) = segment else { continue };
            let found = Reference::find(name);
            if found.is_none() {
                self.mistakes.push(read::unknown_attribute(name, &template.place, &self.names));
            } else if let Some(attribute) = found.filter(Reference::fits_path) {
                let text = format!("is the segment `{{{name}}}` of `{template}`").into();
                let place = template.place.clone();
                let written = Box::new(Written { text, place });
                let test = Arc::new(Test { attribute, matcher: Matcher::Segment(at) });
                facts.push(Leaf { test, written });
            } else {
                let message = format!("the path `{template}` names `{name}`, which is no text");
                let help = "paths can name attributes that are text, such as `{user.id}`";
                let mistake = Mistake::error("bad-path", &template.place, message);
                self.mistakes.push(mistake.help(help));
            }
        }
        Arm { facts: facts.into(), template }
    }

    fn name(&mut self, what: &str, name: &At<String>) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let text = &name.value;
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.chars().all(fits) {
            let message = format!("`{text}` is no name for a {what}");
            let help = format!(
                "names are made of letters, digits, `-`, `_` and `.`, at most {NAME_BYTES_MAX} of them"
            );
            self.mistakes.push(Mistake::error("bad-name", &name.place, message).help(help));
        }
    }
}

/// Letters that a name may have: it becomes a label of metrics and a field of records.
const NAME_BYTES_MAX: usize = 128;

fn nowhere() -> Route {
    let place = Place { file: Path::new("").into(), line: 0, column: 0 };
    Route {
        name: Box::default(),
        place: place.clone(),
        hosts: vec![],
        upstream: Box::default(),
        upstream_place: place,
        labels: vec![],
        forwarding: Forwarding::default(),
    }
}
