//! An explanation as a table for a terminal.

use std::fmt::{self, Write as _};

use super::{Explanation, RuleFinding};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = vec![("request", self.request.clone()), ("at", self.at.to_string())];
        if let (Some(route), Some(upstream)) = (&self.route, &self.upstream) {
            head.push(("route", format!("{route} (upstream {upstream})")));
        }
        head.push(("outcome", self.outcome.to_owned()));
        head.push(("reason", self.reason.clone()));
        if let Some(rule) = &self.rule {
            head.push(("rule", rule.clone()));
        }
        if let Some(remedy) = &self.remedy {
            let mut text = remedy.kind.to_owned();
            if remedy.mfa {
                text.push_str(", more than one factor");
            }
            if let Some(acr) = &remedy.acr {
                text = format!("{text}, acr {acr}");
            }
            if let Some(age) = remedy.max_age_s {
                text = format!("{text}, at most {age} s ago");
            }
            head.push(("remedy", text));
        }
        if let Some(help) = &self.help {
            head.push(("help", help.clone()));
        }
        if let Some(shadow) = &self.shadow {
            head.push(("shadow", format!("would be {} by {}", shadow.would_be, shadow.rule)));
        }
        head.push(("policy", self.policy.clone()));
        for (word, text) in head {
            writeln!(f, "{word:<8} {text}")?;
        }
        if self.rules.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        let mut rows =
            vec![["rule", "effect", "action", "condition", "because", "place"].map(str::to_owned)];
        rows.extend(self.rules.iter().map(row));
        table(f, &rows)
    }
}

fn row(rule: &RuleFinding) -> [String; 6] {
    let mut effect = rule.effect.to_owned();
    if rule.mode == "shadow" {
        effect.push_str(" (shadow)");
    }
    let because = match &rule.because {
        _ if rule.expired => "it has expired".to_owned(),
        Some(because) => {
            let name = because.within.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            format!("{name}{} {}: is {}", because.attribute, because.matcher, because.actual)
        }
        None => "it has no condition".to_owned(),
    };
    let action = match rule.action {
        "true" => "fits",
        _ => "does not fit",
    };
    [
        rule.id.clone(),
        effect,
        action.to_owned(),
        rule.condition.to_owned(),
        because,
        rule.place.clone(),
    ]
}

/// Columns as wide as their widest cell, two spaces between, none at the end of a line.
fn table(f: &mut fmt::Formatter<'_>, rows: &[[String; 6]]) -> fmt::Result {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).unwrap_or_default();
            write!(line, "{cell:<width$}  ")?;
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
