//! Every file of `corpus/` is a policy with cases: facts and a request, and what must come of them.
//! For each case the decision and the explanation are compared with what is expected.

use std::path::Path;

use document::At;
use jiff::Timestamp;
use serde::Deserialize;

use crate::ask::{Known, Request, compile, decide, document, explain, told};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    at: Option<Timestamp>,
    request: Request,
    #[serde(default)]
    facts: Known,
    expect: String,
    reason: String,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    shadow: Option<Shadow>,
    #[serde(default)]
    remedy: Option<Remedy>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Shadow {
    rule: String,
    would_be: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Remedy {
    kind: String,
    #[serde(default)]
    acr: Option<String>,
    #[serde(default)]
    max_age_s: Option<u64>,
    #[serde(default)]
    mfa: bool,
}

/// A Monday: 10:00 in Taipei, 02:00 in UTC.
const NOW: &str = "2026-11-23T02:00:00Z";

#[test]
fn every_case_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let (mut cases, mut wrong) = (0, Vec::new());
    for file in &files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("readable");
        // The line that the version takes is the first, which each file leaves to it.
        let text = text.strip_prefix('\n').unwrap_or(&text);
        cases += run(&name, text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 120, "only {cases} cases");
}

fn run(name: &str, text: &str, wrong: &mut Vec<String>) -> usize {
    let document = document(name, text);
    let policy = document.root.get("policy").expect("`policy:`");
    let cases = document.root.get("cases").expect("`cases:`");
    let set = match compile(policy) {
        Ok((set, _)) => set,
        Err(mistakes) => panic!("{}", told(&mistakes)),
    };
    let cases: Vec<At<Case>> =
        document::parse(cases).unwrap_or_else(|mistakes| panic!("{}", told(&mistakes)));
    for At { value: case, place } in &cases {
        let now = case.at.unwrap_or_else(|| NOW.parse().expect("an instant"));
        let decision = decide(&set, &case.facts, &case.request, now);
        let told = explain(&set, &case.facts, &case.request, now);
        let found = (
            decision.outcome.word().to_owned(),
            decision.reason.to_string(),
            decision.rule.map(|rule| set.rule_name(rule).to_owned()),
            decision.help.map(String::from),
        );
        let expected =
            (case.expect.clone(), case.reason.clone(), case.rule.clone(), case.help.clone());
        if found != expected {
            wrong.push(format!("{place}: {}: {found:?}, expected {expected:?}", case.name));
        }
        let same = (told.outcome.to_owned(), told.reason, told.rule, told.help);
        if same != found {
            wrong.push(format!("{place}: {}: explained as {same:?}", case.name));
        }
        let remedy = told.remedy.map(|remedy| Remedy {
            kind: remedy.kind.to_owned(),
            acr: remedy.acr,
            max_age_s: remedy.max_age_s,
            mfa: remedy.mfa,
        });
        if remedy != case.remedy {
            wrong.push(format!("{place}: {}: remedy {remedy:?}", case.name));
        }
        let shadow = told
            .shadow
            .map(|shadow| Shadow { rule: shadow.rule, would_be: shadow.would_be.to_owned() });
        if shadow != case.shadow {
            wrong.push(format!("{place}: {}: shadow {shadow:?}", case.name));
        }
    }
    cases.len()
}
