//! What is told of a policy that is wrong: the whole text, with its place and what to write
//! instead, everything at once.
//!
//! `mistakes/conditions.txt` holds conditions, each followed by what is said of it, indented;
//! `mistakes/policies.txt` holds policies, each followed by what is said of it after `====`, with
//! `----` between them. The line of the version is the first of every file, so that the first line
//! of a policy is the second.

use std::path::Path;

use crate::ask::{compile, document, told};

/// What compiling a text says, all of it, a line for each mistake.
fn said(text: &str) -> String {
    match compile(&document("p.yaml", text).root) {
        Ok((_, warnings)) => told(&warnings),
        Err(mistakes) => told(&mistakes),
    }
}

/// A condition stands alone on line 5.
fn of_condition(condition: &str) -> String {
    let route = "{name: a, hosts: [a.test], upstream: u, rules: [";
    said(&format!("routes:\n- {route}\n    {{id: r, allow: {{}}, when:\n{condition}\n}}]}}"))
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    std::fs::read_to_string(folder.join(name)).expect("readable")
}

#[test]
fn conditions_that_are_wrong() {
    let text = read("conditions.txt");
    let mut found = Vec::new();
    for condition in text.lines().filter(|line| !line.starts_with(' ')) {
        found.push(condition.to_owned());
        found.extend(of_condition(condition).lines().map(|line| format!("    {line}")));
    }
    assert_eq!(found, text.lines().collect::<Vec<_>>());
}

#[test]
fn policies_that_are_wrong() {
    for block in read("policies.txt").split("\n----\n") {
        let (policy, expected) = block.split_once("\n====\n").expect("`====`");
        let found = said(policy);
        assert_eq!(
            found.lines().collect::<Vec<_>>(),
            expected.trim_end().lines().collect::<Vec<_>>(),
            "{policy}"
        );
    }
}

#[test]
fn conditions_have_limits() {
    let chain = |length: usize| {
        let links = (1..length).map(|i| format!("  c{i}: {{none: [c{}]}}\n", i - 1));
        let links: String = links.collect();
        let route = "{name: a, hosts: a.test, upstream: u, rules: [";
        let rule = format!("{{id: r, allow: {{}}, when: c{}}}]}}", length - 1);
        said(&format!("conditions:\n  c0: {{user.id: x}}\n{links}routes:\n- {route}{rule}\n"))
    };
    assert_eq!(chain(32), "");
    assert!(chain(40).contains("nested more than 64 deep"), "{}", chain(40));

    let doubled = (1..14).map(|i| format!("  c{i}: {{any: [c{0}, c{0}]}}", i - 1));
    let doubled: String = doubled.flat_map(|line| [line, "\n".to_owned()]).collect();
    let route = "{name: a, hosts: a.test, upstream: u, rules: [{id: r, allow: {}, when: c13}]}";
    let text = format!("conditions:\n  c0: {{user.id: x}}\n{doubled}routes:\n- {route}\n");
    let many = "p.yaml:18:74: error: the condition makes more than 4096 comparisons [too-many]; \
                names that name names multiply: say it once";
    assert_eq!(said(&text), many);
}
