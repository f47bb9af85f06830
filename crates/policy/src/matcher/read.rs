//! From a node to a [`Matcher`], typed against its attribute.

use document::{Kind as NodeKind, Mistake, Mistakes, Node};
use ipnet::IpNet;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

use super::{Clause, Matcher, Operand};
use crate::attribute::{Kind, Reference, quoted};
use crate::suggest;
use crate::version::Version;
use crate::window::{Window, instant};

/// Bytes that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Values that one list may have.
const VALUES_MAX: usize = 10_000;

/// Reads what stands after an attribute's name. What is wrong with it goes to the mistakes.
pub(crate) fn matcher(
    node: &Node,
    attribute: &Reference,
    mistakes: &mut Mistakes,
) -> Option<Matcher> {
    if attribute.attribute.kind == Kind::Window {
        return Window::read(node, mistakes).map(|window| Matcher::Window(Box::new(window)));
    }
    let mut reader = Reader { attribute, kind: attribute.attribute.kind, mistakes };
    let clauses = match &node.kind {
        NodeKind::Map(_) => reader.words(node)?,
        NodeKind::Null
        | NodeKind::Bool(_)
        | NodeKind::Int(_)
        | NodeKind::Float(_)
        | NodeKind::Text(_)
        | NodeKind::List(_) => vec![reader.plain(node)?],
    };
    Some(Matcher::Words(clauses.into()))
}

/// The matcher as an operator would write it, for messages and explanations.
pub(crate) fn describe(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "nothing".to_owned(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Int(value) => value.to_string(),
        NodeKind::Float(value) => value.to_string(),
        NodeKind::Text(text) => text.clone(),
        NodeKind::List(items) => {
            let items: Vec<String> = items.iter().map(describe).collect();
            format!("[{}]", items.join(", "))
        }
        NodeKind::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, node)| format!("{}: {}", key.name, describe(node)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

struct Reader<'a> {
    attribute: &'a Reference,
    kind: Kind,
    mistakes: &'a mut Mistakes,
}

impl Kind {
    /// The words that a matcher of this type knows.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Bool | Self::Word(_) | Self::Address => &["is", "not", "in", "not_in", "exists"],
            Self::Number { .. } | Self::Version => {
                &["is", "not", "in", "not_in", "min", "max", "exists"]
            }
            Self::Text | Self::Lower | Self::Upper => {
                &["is", "not", "in", "not_in", "starts_with", "ends_with", "matches", "exists"]
            }
            Self::Texts => &[
                "is",
                "not",
                "in",
                "not_in",
                "has",
                "has_all",
                "starts_with",
                "ends_with",
                "matches",
                "exists",
            ],
            Self::Span => &["min", "max", "exists"],
            Self::Any => &[
                "is",
                "not",
                "in",
                "not_in",
                "has",
                "has_all",
                "starts_with",
                "ends_with",
                "matches",
                "min",
                "max",
                "after",
                "before",
                "exists",
            ],
            Self::Window => &[],
        }
    }
}

impl Reader<'_> {
    /// A value or a list of values.
    fn plain(&mut self, node: &Node) -> Option<Clause> {
        if self.kind == Kind::Span {
            let message =
                format!("`{}` is a length of time: a single one never holds", self.attribute);
            let help = format!("write `{{max: {}}}` or `{{min: ...}}`", describe(node));
            return self.fail(Mistake::error("wrong-type", &node.place, message).help(help));
        }
        self.operands(node).map(Clause::Any)
    }

    /// A mapping of words.
    fn words(&mut self, node: &Node) -> Option<Vec<Clause>> {
        let NodeKind::Map(entries) = &node.kind else { return None };
        if entries.is_empty() {
            let message = format!("the matcher of `{}` is empty", self.attribute);
            let help = format!("write one of {}", quoted(self.kind.words()));
            return self.fail(Mistake::error("empty-matcher", &node.place, message).help(help));
        }
        let mut clauses = Some(Vec::new());
        for (key, value) in entries {
            if !self.kind.words().contains(&&*key.name) {
                let message = format!("`{}` cannot be matched with `{}`", self.attribute, key.name);
                let help = suggest::among(&key.name, self.kind.words().iter().copied());
                let _: Option<()> =
                    self.fail(Mistake::error("unknown-matcher", &key.place, message).help(help));
                clauses = None;
                continue;
            }
            let clause = self.word(&key.name, value);
            match (&mut clauses, clause) {
                (Some(clauses), Some(clause)) => clauses.push(clause),
                (clauses, _) => *clauses = None,
            }
        }
        clauses
    }

    fn word(&mut self, word: &str, node: &Node) -> Option<Clause> {
        match word {
            "is" | "in" | "has" => self.operands(node).map(Clause::Any),
            "not" | "not_in" => self.operands(node).map(Clause::NotAny),
            "has_all" => self.operands(node).map(Clause::All),
            "starts_with" => self.texts(node).map(Clause::Prefix),
            "ends_with" => self.texts(node).map(Clause::Suffix),
            "matches" => self.pattern(node).map(|pattern| Clause::Pattern(Box::new(pattern))),
            "min" => self.bound(node).map(Clause::Min),
            "max" => self.bound(node).map(Clause::Max),
            "after" => self.instant(node).map(Clause::After),
            "before" => self.instant(node).map(Clause::Before),
            _ => self.flag(node).map(Clause::Exists),
        }
    }

    fn operands(&mut self, node: &Node) -> Option<Box<[Operand]>> {
        let NodeKind::List(items) = &node.kind else {
            return self.operand(node).map(|operand| Box::from([operand]));
        };
        if items.is_empty() {
            let message = format!("the list for `{}` is empty: it never holds", self.attribute);
            let help = "name at least one value, or take the condition out";
            return self.fail(Mistake::error("empty-list", &node.place, message).help(help));
        }
        if items.len() > VALUES_MAX {
            let message = format!("the list has {} values, at most {VALUES_MAX}", items.len());
            return self.fail(Mistake::error("too-many", &node.place, message));
        }
        // Every item is looked at, so that every mistake is reported.
        let operands: Vec<Option<Operand>> = items.iter().map(|item| self.operand(item)).collect();
        operands.into_iter().collect()
    }

    fn operand(&mut self, node: &Node) -> Option<Operand> {
        let operand = match (self.kind, &node.kind) {
            (Kind::Bool | Kind::Any, NodeKind::Bool(value)) => Some(Operand::Bool(*value)),
            (Kind::Number { min, max }, NodeKind::Int(value)) if (min..=max).contains(value) => {
                Some(Operand::Number(*value))
            }
            (Kind::Any, NodeKind::Int(value)) => Some(Operand::Number(*value)),
            (Kind::Text | Kind::Texts | Kind::Any, NodeKind::Text(text)) => {
                Some(Operand::Text(text.as_str().into()))
            }
            (Kind::Lower, NodeKind::Text(text)) => Some(Operand::Text(text.to_lowercase().into())),
            (Kind::Upper, NodeKind::Text(text)) => Some(Operand::Text(text.to_uppercase().into())),
            (Kind::Word(words), NodeKind::Text(text)) if words.contains(&&**text) => {
                Some(Operand::Text(text.as_str().into()))
            }
            (Kind::Version, NodeKind::Text(text)) => Version::read(text).map(Operand::Version),
            (Kind::Version, NodeKind::Int(value)) => {
                Version::read(&value.to_string()).map(Operand::Version)
            }
            (Kind::Span, _) => span(node).map(Operand::Span),
            (Kind::Address, NodeKind::Text(text)) => network(text).map(Operand::Network),
            _ => None,
        };
        if operand.is_none() {
            self.mistyped(node);
        }
        operand
    }

    fn bound(&mut self, node: &Node) -> Option<Operand> {
        match node.kind {
            NodeKind::Bool(_) | NodeKind::Text(_) if self.kind == Kind::Any => {
                let message =
                    format!("`min` and `max` of `{}` want a whole number", self.attribute);
                self.fail(Mistake::error("wrong-type", &node.place, message))
            }
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Int(_)
            | NodeKind::Float(_)
            | NodeKind::Text(_)
            | NodeKind::List(_)
            | NodeKind::Map(_) => self.operand(node),
        }
    }

    fn texts(&mut self, node: &Node) -> Option<Box<[Box<str>]>> {
        let operands = self.operands(node)?.into_vec();
        let texts = operands.into_iter().map(|operand| match operand {
            Operand::Text(text) if !text.is_empty() => Some(text),
            Operand::Text(_)
            | Operand::Bool(_)
            | Operand::Number(_)
            | Operand::Span(_)
            | Operand::Version(_)
            | Operand::Network(_) => None,
        });
        let texts: Option<Box<[Box<str>]>> = texts.collect();
        if texts.is_none() {
            let message = format!("the beginning or end of `{}` wants text", self.attribute);
            self.mistakes.push(Mistake::error("wrong-type", &node.place, message));
        }
        texts
    }

    fn pattern(&mut self, node: &Node) -> Option<Regex> {
        let NodeKind::Text(text) = &node.kind else {
            let message =
                format!("`matches` wants a regular expression, this is {}", node.describe());
            return self.fail(Mistake::error("wrong-type", &node.place, message));
        };
        let built = RegexBuilder::new(text)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build();
        match built {
            Ok(pattern) => {
                if !(text.starts_with('^') && text.ends_with('$')) {
                    let message = format!("`{text}` is found anywhere in `{}`", self.attribute);
                    self.mistakes
                        .push(Mistake::warning("unanchored-pattern", &node.place, message).help(
                            format!("write `^{text}$` if it is meant to be the whole value"),
                        ));
                }
                Some(pattern)
            }
            Err(cause) => {
                let cause = cause.to_string();
                let last = cause.lines().last().unwrap_or_default();
                let cause = last.trim().trim_start_matches("error: ").trim_end_matches('.');
                let cause = cause.to_lowercase();
                let message = format!("the regular expression `{text}` does not compile: {cause}");
                let help = "put it in single quotes, with a `\\` before a sign that means itself";
                self.fail(Mistake::error("bad-pattern", &node.place, message).help(help))
            }
        }
    }

    fn instant(&mut self, node: &Node) -> Option<jiff::Timestamp> {
        let read = match &node.kind {
            NodeKind::Text(text) => instant(text, &TimeZone::UTC),
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Int(_)
            | NodeKind::Float(_)
            | NodeKind::List(_)
            | NodeKind::Map(_) => None,
        };
        if read.is_none() {
            let message = format!("`{}` is no day and no timestamp", describe(node));
            let help = "write `2026-12-25` or `2026-12-25T08:00:00Z`";
            self.mistakes.push(Mistake::error("bad-date", &node.place, message).help(help));
        }
        read
    }

    fn flag(&mut self, node: &Node) -> Option<bool> {
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        let message = format!("`exists` wants true or false, this is {}", node.describe());
        self.fail(Mistake::error("wrong-type", &node.place, message))
    }

    fn mistyped(&mut self, node: &Node) {
        let wants = self.kind.describe();
        let given = match &node.kind {
            NodeKind::Text(text) => format!("this is `{text}`"),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) => {
                format!("this is `{}`", describe(node))
            }
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                format!("this is {}", node.describe())
            }
        };
        let message = format!("`{}` wants {wants}, {given}", self.attribute);
        let mut mistake = Mistake::error("wrong-type", &node.place, message);
        if let Some(help) = self.advice(node) {
            mistake = mistake.help(help);
        }
        self.mistakes.push(mistake);
    }

    fn advice(&self, node: &Node) -> Option<String> {
        match (self.kind, &node.kind) {
            (Kind::Version, NodeKind::Float(_)) => {
                Some("put it in quotes: without them `14.10` is the number `14.1`".to_owned())
            }
            (
                Kind::Text | Kind::Texts | Kind::Lower | Kind::Upper,
                NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_),
            ) => Some(format!("put it in quotes: `\"{}\"`", describe(node))),
            (Kind::Word(words), NodeKind::Text(text)) => {
                suggest::nearest(text, words.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"))
            }
            (Kind::Address, NodeKind::Text(text)) if text.starts_with("list:") => Some(
                "named lists are not available in this build: write the networks here".to_owned(),
            ),
            (Kind::Address, NodeKind::Text(text)) if text.contains('/') => {
                Some("write the address, a slash and the number of leading bits".to_owned())
            }
            (Kind::Bool, NodeKind::Text(_)) => {
                Some("write `true` or `false`, without quotes".to_owned())
            }
            _ => None,
        }
    }

    fn fail<T>(&mut self, mistake: Mistake) -> Option<T> {
        self.mistakes.push(mistake);
        None
    }
}

fn span(node: &Node) -> Option<SignedDuration> {
    let document::Duration(span) = document::parse(node).ok()?;
    SignedDuration::try_from(span).ok()
}

/// A network, or an address as the network of itself; IPv4-mapped ones as IPv4.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().ok()?;
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
    {
        let bits = v6.prefix_len().checked_sub(96)?;
        return ipnet::Ipv4Net::new(v4, bits).ok().map(|net| IpNet::V4(net.trunc()));
    }
    // An address with bits beyond its prefix is more often a slip than a network.
    (network.trunc() == network).then_some(network)
}
