//! Files, includes, and texts that nobody should write.
#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::fmt::Write as _;
use std::path::Path;

use document::{Kind, Node, load, load_text};
use proptest::prelude::*;

/// A directory with these files.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    directory
}

/// The mistakes of `main.yaml`, with the directory's name cut from them.
fn mistakes(directory: &tempfile::TempDir) -> Vec<String> {
    let prefix = format!("{}/", directory.path().display());
    let mistakes = load(&directory.path().join("main.yaml")).expect_err("there are mistakes");
    mistakes.iter().map(|mistake| mistake.render(None).replace(&prefix, "")).collect()
}

fn texts(node: &Node) -> Vec<String> {
    match &node.kind {
        Kind::List(items) => items.iter().flat_map(texts).collect(),
        Kind::Map(entries) => entries.iter().flat_map(|(_, value)| texts(value)).collect(),
        Kind::Text(text) => vec![text.clone()],
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => Vec::new(),
    }
}

#[test]
fn included_files_are_merged_in_order_and_keep_their_places() {
    let directory = files(&[
        (
            "main.yaml",
            "version: 1\ninclude: [conf.d/*.yaml, more/x.yaml]\nrules: [a]\nserver: {k: s}\n",
        ),
        ("conf.d/20.yaml", "rules: [c]\nidentity: {jwt: j}\n"),
        ("conf.d/10.yaml", "version: 1\nrules:\n  - b\n"),
        ("conf.d/.hidden.yaml", "rules: [z]\n"),
        ("conf.d/other.txt", "rules: [y]\n"),
        ("more/x.yaml", "include: y.yaml\nidentity: {oidc: o}\n"),
        ("more/y.yaml", "rules: [d]\n# nothing else\n"),
    ]);
    let document = load(&directory.path().join("main.yaml")).expect("it loads");
    let rules = document.root.get("rules").expect("rules");
    assert_eq!(texts(rules), ["a", "b", "c", "d"]);
    let Kind::List(rules) = &rules.kind else { panic!("a list") };
    let places = rules.iter().map(|rule| rule.place.to_string()).collect::<Vec<_>>();
    let at = |place: &str| format!("{}/{place}", directory.path().display());
    assert_eq!(
        places,
        [
            at("main.yaml:3:9"),
            at("conf.d/10.yaml:3:5"),
            at("conf.d/20.yaml:1:9"),
            at("more/y.yaml:1:9")
        ]
    );
    assert_eq!(texts(document.root.get("identity").expect("identity")), ["j", "o"]);
    assert_eq!(document.root.get("include"), None);
    assert_eq!(document.files.len(), 5);
    let (path, text) = &document.files[1];
    assert!(path.ends_with("conf.d/10.yaml"), "{path:?}");
    assert_eq!(&**text, "version: 1\nrules:\n  - b\n");
}

#[test]
fn what_two_files_give_is_a_mistake_that_names_both() {
    let directory = files(&[
        ("main.yaml", "version: 1\ninclude: b.yaml\nname: a\nserver: {k: 1}\nlist: []\n"),
        ("b.yaml", "name: b\nserver:\n  k: 2\n  l: 3\nlist: {}\n"),
    ]);
    assert_eq!(
        mistakes(&directory),
        [
            "b.yaml:1:1: error: `name` is given in two files [duplicate-key]\nmain.yaml:3:1: first given here\nhelp: keep it in one file\n",
            "b.yaml:3:3: error: `k` is given in two files [duplicate-key]\nmain.yaml:4:10: first given here\nhelp: keep it in one file\n",
            "b.yaml:5:1: error: `list` is given in two files [duplicate-key]\nmain.yaml:5:1: first given here\nhelp: keep it in one file\n",
        ]
    );
}

#[test]
fn what_cannot_be_included_is_named_at_the_including_line() {
    let directory = files(&[
        (
            "main.yaml",
            "version: 1\ninclude: [none.yaml, a.yaml, 'x*/a.yaml', 3, ./a.yaml, d/*.yaml]\n",
        ),
        ("a.yaml", "include: main.yaml\n"),
        ("d/1.yaml", "- list\n"),
        ("d/2.yaml", "a: [\n"),
    ]);
    let found = mistakes(&directory)
        .iter()
        .map(|text| text.lines().next().unwrap_or_default().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            "a.yaml:1:10: error: `main.yaml` is read already [include]",
            "d/1.yaml:1:1: error: expected a mapping of sections, found a list [wrong-type]",
            "d/2.yaml:1:4: error: not YAML: unclosed bracket '[' [yaml]",
            "main.yaml:2:11: error: cannot read `none.yaml`: No such file or directory (os error 2) [include]",
            "main.yaml:2:30: error: a `*` in a directory's name is not understood: `x*/a.yaml` [include]",
            "main.yaml:2:43: error: expected a path, found a whole number [wrong-type]",
            "main.yaml:2:46: error: `./a.yaml` is read already [include]",
        ]
    );
}

#[test]
fn includes_are_at_most_eight_deep() {
    let names = (0..12).map(|n| (format!("{n}.yaml"), format!("include: {}.yaml\n", n + 1)));
    let mut all = names.collect::<Vec<_>>();
    all.push(("main.yaml".to_owned(), "version: 1\ninclude: 0.yaml\n".to_owned()));
    let all = all.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>();
    let found = mistakes(&files(&all));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("7.yaml:1:10: error: `8.yaml` is included more than 8 files deep"),
        "{found:?}"
    );
}

#[test]
fn a_main_file_that_cannot_be_read_is_named() {
    let directory = files(&[]);
    assert_eq!(
        mistakes(&directory),
        [
            "error: cannot read `main.yaml`: No such file or directory (os error 2) [unreadable]\nhelp: check the path and who may read it\n"
        ]
    );
    std::fs::write(directory.path().join("main.yaml"), b"version: 1\nname: \xff\n")
        .expect("a file");
    assert_eq!(
        mistakes(&directory),
        [
            "error: cannot read `main.yaml`: it is not UTF-8 text from byte 17 on [unreadable]\nhelp: check the path and who may read it\n"
        ]
    );
}

#[test]
fn scalars_are_what_they_look_like() {
    let text = "version: 1\nv: [yes, 'true', true, \"1\", 1, -7, 1.5, 0755, 1_000, 0x1f, ~, null, '', 2026-01-01, 12:30:00, !!str 5, 1e3]\n";
    let document = load_text(Path::new("a.yaml"), text).expect("it loads");
    let Some(Kind::List(items)) = document.root.get("v").map(|v| v.kind.clone()) else {
        panic!("a list")
    };
    let text = |text: &str| Kind::Text(text.to_owned());
    let expected = [
        text("yes"),
        text("true"),
        Kind::Bool(true),
        text("1"),
        Kind::Int(1),
        Kind::Int(-7),
        Kind::Float(1.5),
        text("0755"),
        text("1_000"),
        Kind::Int(31),
        Kind::Null,
        Kind::Null,
        text(""),
        text("2026-01-01"),
        text("12:30:00"),
        text("5"),
        Kind::Float(1000.0),
    ];
    assert_eq!(items.into_iter().map(|item| item.kind).collect::<Vec<_>>(), expected);
}

#[test]
fn keys_are_the_text_that_was_written() {
    let text = "version: 1\nmap: {1: a, true: b, 0x1f: c, 1.50: d, 'q': e}\n";
    let document = load_text(Path::new("a.yaml"), text).expect("it loads");
    let Some(Kind::Map(entries)) = document.root.get("map").map(|v| v.kind.clone()) else {
        panic!("a map")
    };
    let keys = entries.iter().map(|(key, _)| key.name.as_str()).collect::<Vec<_>>();
    assert_eq!(keys, ["1", "true", "0x1f", "1.50", "q"]);
    let places = entries.iter().map(|(key, _)| key.place.column).collect::<Vec<_>>();
    assert_eq!(places, [7, 13, 22, 31, 40]);
}

#[test]
fn an_alias_stands_where_its_value_was_written() {
    let text = "version: 1\na: &x\n  - one\nb: *x\nc: &m {k: v}\nd:\n  <<: *m\n  l: w\n";
    let document = load_text(Path::new("a.yaml"), text).expect("it loads");
    let b = document.root.get("b").expect("b");
    assert_eq!(texts(b), ["one"]);
    let Kind::List(items) = &b.kind else { panic!("a list") };
    assert_eq!(items[0].place.to_string(), "a.yaml:3:5");
    assert_eq!(document.root.get("d").map(texts), Some(vec!["w".to_owned(), "v".to_owned()]));
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = n - 1;
        let nine = vec![format!("*a{before}"); 9].join(", ");
        writeln!(text, "a{n}: &a{n} [{nine}]").expect("a text takes it");
    }
    let mistakes = load_text(Path::new("a.yaml"), &text).expect_err("it is a bomb");
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].code, "yaml");
    assert!(mistakes[0].help.is_some(), "{mistakes:?}");
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        format!("version: 1\na: {}{}\n", "[".repeat(5_000), "]".repeat(5_000)),
        format!("version: 1\na:\n  {}x\n", "- ".repeat(5_000)),
        format!("version: 1\na: {}", "{a: ".repeat(5_000)),
    ] {
        let mistakes = load_text(Path::new("a.yaml"), &text).expect_err("too deep");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(mistakes[0].code, "yaml");
    }
}

#[test]
fn the_deepest_nesting_is_read() {
    let text = format!("version: 1\na: {}a{}\n", "[".repeat(31), "]".repeat(31));
    let document = load_text(Path::new("a.yaml"), &text).expect("it loads");
    assert_eq!(texts(&document.root), ["a"]);
    let nested = format!("version: 1\na: {}a{}\n", "{c: {d: 1, a: ".repeat(15), "}}".repeat(15));
    let document = load_text(Path::new("a.yaml"), &nested).expect("it loads");
    let a = document.root.get("a").expect("a");
    assert!(document::parse::<document::At<Any2>>(a).is_ok());
}

#[test]
fn ten_thousand_routes_load() {
    let mut text = "version: 1\nroutes:\n".to_owned();
    for n in 0..10_000 {
        writeln!(text, "  - name: r{n}\n    host: h{n}.example.com\n    rules: [a, b, c, d, e, f]")
            .expect("a text takes it");
    }
    let document = load_text(Path::new("a.yaml"), &text).expect("it loads");
    let Some(Kind::List(routes)) = document.root.get("routes").map(|r| &r.kind) else {
        panic!("a list")
    };
    assert_eq!(routes.len(), 10_000);
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that reading ends is looked at")]
struct Any {
    version: u8,
    #[serde(default)]
    a: Vec<document::At<Any2>>,
    b: Option<document::Duration>,
    c: std::collections::HashMap<String, document::OneOrMany<document::FilePath>>,
    d: document::At<document::SecretRef>,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only that reading ends is looked at")]
#[serde(rename_all = "lowercase")]
enum Any2 {
    A,
    B(String),
    C { d: u8, a: Box<Self> },
    D(Vec<Self>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(text in "(version: 1\n)?[a-d:\\-\\[\\]{}&*!|>'\"#%@,? \n\t~0-9é\u{1b}]{0,80}") {
        if let Ok(document) = load_text(Path::new("a.yaml"), &text)
            && let Err(mistakes) = document::parse::<Any>(&document.root) {
            for mistake in mistakes {
                prop_assert!(!mistake.render(Some(&document)).is_empty());
            }
        }
    }

    #[test]
    fn no_characters_make_it_panic(text in any::<String>()) {
        for text in [text.clone(), format!("version: 1\na: {text}"), format!("version: 1\n{text}: a")] {
            if let Err(mistakes) = load_text(Path::new("a.yaml"), &text) {
                prop_assert!(!mistakes.is_empty());
            }
        }
    }

    #[test]
    fn no_nodes_make_it_panic(text in r"version: 1\n([abcd]: ((\[|\{)?([abcd]|[0-9]{1,3}|~|[abcd]: ){0,3}(\]|\})?)\n){0,5}") {
        if let Ok(document) = load_text(Path::new("a.yaml"), &text)
            && let Err(mistakes) = document::parse::<Any>(&document.root) {
                prop_assert!(!mistakes.is_empty());
        }
    }
}
