//! What an operator reads: the full text of each mistake, and all of them at once.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeMap;
use std::path::Path;

use document::{At, Document, Duration, FilePath, Node, OneOrMany, SecretRef, Size};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is looked at by other tests")]
struct Conf {
    version: u8,
    #[serde(default)]
    timeout: Option<Duration>,
    #[serde(default)]
    body: Option<Size>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    address: Option<At<std::net::SocketAddr>>,
    #[serde(default)]
    listen: Vec<At<Listen>>,
    #[serde(default)]
    secret: Option<At<SecretRef>>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
    #[serde(default)]
    check: Option<Condition>,
    #[serde(default)]
    even: Option<Even>,
    #[serde(default)]
    both: Option<Both>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Optional,
    Required,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only mistakes are looked at")]
struct Listen {
    address: At<std::net::SocketAddr>,
    name: String,
    idle: Duration,
    #[serde(default)]
    ca: OneOrMany<FilePath>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only mistakes are looked at")]
enum Condition {
    Not(Box<Self>),
    All(Vec<Self>),
    Is { key: String, value: Option<String> },
    Always,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Even;

impl TryFrom<i64> for Even {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        if number % 2 == 0 { Ok(Self) } else { Err(format!("`{number}` is odd")) }
    }
}

/// A type that looks at two of its keys together.
#[derive(Debug, Deserialize)]
#[serde(try_from = "BothRaw")]
struct Both;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BothRaw {
    low: u8,
    high: u8,
}

impl TryFrom<BothRaw> for Both {
    type Error = String;

    fn try_from(raw: BothRaw) -> Result<Self, String> {
        if raw.low < raw.high { Ok(Self) } else { Err("`low` is not below `high`".to_owned()) }
    }
}

fn document(text: &str) -> Document {
    document::load_text(Path::new("conf/gate.yaml"), text).expect("the text loads")
}

/// Every mistake of the text, rendered.
fn mistakes(text: &str) -> String {
    let rendered = |mistakes: document::Mistakes, document: Option<&Document>| {
        mistakes.iter().map(|m| m.render(document)).collect::<Vec<_>>().join("\n")
    };
    match document::load_text(Path::new("conf/gate.yaml"), text) {
        Err(mistakes) => rendered(mistakes, None),
        Ok(document) => match document::parse::<Conf>(&document.root) {
            Ok(conf) => panic!("no mistake in {conf:?}"),
            Err(mistakes) => rendered(mistakes, Some(&document)),
        },
    }
}

/// The first lines only.
fn headlines(text: &str) -> Vec<String> {
    match document::load_text(Path::new("conf/gate.yaml"), text) {
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        Ok(document) => match document::parse::<Conf>(&document.root) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        },
    }
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_key_that_was_meant() {
    assert_eq!(
        mistakes("version: 1\ntimeut: 30s\n"),
        "\
conf/gate.yaml:2:1: error: unknown key `timeut` [unknown-key]
  |
2 | timeut: 30s
  | ^^^^^^
help: did you mean `timeout`?
"
    );
}

#[test]
fn a_repeated_key_is_shown_with_both_places() {
    assert_eq!(
        mistakes("version: 1\nname: a\nname: b\n"),
        "\
conf/gate.yaml:3:1: error: the key `name` is given twice [duplicate-key]
conf/gate.yaml:2:1: first given here
help: remove one of the two
"
    );
}

/// A text, and its one mistake.
const EACH: &[(&str, &str)] = &[
    // What is not a configuration at all.
    (
        "",
        "1:1: error: the file is empty [version]; write `version: 1` at the top, then the sections",
    ),
    ("- 1", "1:1: error: expected a mapping of sections, found a list [wrong-type]"),
    (
        "name: a",
        "1:1: error: the version of the format is missing [version]; write `version: 1` at the top of the main file",
    ),
    (
        "version: 2",
        "1:10: error: this version of the format is not known [version]; write `version: 1`",
    ),
    (
        "version: \"1\"",
        "1:10: error: this version of the format is not known [version]; write `version: 1`",
    ),
    (
        "version: 1\nport: 99999999999999999999999999999",
        "2:7: error: expected a whole number, found a number [wrong-type]",
    ),
    (
        "version: 1\nport: 18446744073709551615",
        "2:7: error: the whole number `18446744073709551615` is too large [invalid-value]; the largest is `9223372036854775807`; quote it if it is text",
    ),
    // Wrong types.
    ("version: 1\nport: x", "2:7: error: expected a whole number, found text [wrong-type]"),
    (
        "version: 1\nport: 70000",
        "2:7: error: expected a whole number from 0 to 65535, found `70000` [invalid-value]",
    ),
    (
        "version: 1\nport: -1",
        "2:7: error: expected a whole number from 0 to 65535, found `-1` [invalid-value]",
    ),
    (
        "version: 1\nname: 12",
        "2:7: error: expected text, found a whole number [wrong-type]; put it in quotes: `\"12\"`",
    ),
    (
        "version: 1\nname: true",
        "2:7: error: expected text, found true or false [wrong-type]; put it in quotes: `\"true\"`",
    ),
    (
        "version: 1\nname: 1.5",
        "2:7: error: expected text, found a number [wrong-type]; put it in quotes: `\"1.5\"`",
    ),
    ("version: 1\nname: [a]", "2:7: error: expected text, found a list [wrong-type]"),
    (
        "version: 1\non: yes",
        "2:5: error: expected true or false, found text [wrong-type]; write `true`",
    ),
    (
        "version: 1\non: off",
        "2:5: error: expected true or false, found text [wrong-type]; write `false`",
    ),
    ("version: 1\nlisten: a", "2:9: error: expected a list, found text [wrong-type]"),
    (
        "version: 1\nlisten:",
        "2:7: error: expected a list, found nothing [wrong-type]; write `[]` for none",
    ),
    ("version: 1\nlisten: [x]", "2:10: error: expected a mapping, found text [wrong-type]"),
    (
        "version: 1\npair: [1]",
        "2:7: error: expected a tuple of size 2, found 1 items [invalid-value]",
    ),
    (
        "version: 1\npair: [1, 2, 3]",
        "2:7: error: expected a list of 2 items, found 3 items [invalid-value]",
    ),
    // Units.
    (
        "version: 1\ntimeout: 30",
        "2:10: error: the length of time `30` has no unit: write a number and `ms`, `s`, `m`, `h` or `d`, as in `15m` or `1h30m` [invalid-value]",
    ),
    (
        "version: 1\ntimeout: 30x",
        "2:10: error: `30x` is not a length of time: write a number and `ms`, `s`, `m`, `h` or `d`, as in `15m` or `1h30m` [invalid-value]",
    ),
    (
        "version: 1\ntimeout: 99999999999999d",
        "2:10: error: `99999999999999d` is too long a time [invalid-value]",
    ),
    (
        "version: 1\ntimeout: []",
        "2:10: error: expected a length of time such as `15m`, found a list [wrong-type]",
    ),
    (
        "version: 1\nbody: 1 MB",
        "2:7: error: `1 MB` is not a size: write a number and `B`, `KiB`, `MiB` or `GiB`, as in `64KiB` [invalid-value]",
    ),
    (
        "version: 1\nbody: 99999999999TiB",
        "2:7: error: `99999999999TiB` is too large a size [invalid-value]",
    ),
    (
        "version: 1\nbody: -5",
        "2:7: error: `-5` is not a size: write a number and `B`, `KiB`, `MiB` or `GiB`, as in `64KiB` [invalid-value]",
    ),
    // One of several.
    (
        "version: 1\nmode: requird",
        "2:7: error: unknown value `requird` [invalid-value]; did you mean `required`?",
    ),
    (
        "version: 1\nmode: never",
        "2:7: error: unknown value `never` [invalid-value]; known values: `optional`, `required`",
    ),
    (
        "version: 1\nmode: 1",
        "2:7: error: expected one of `optional`, `required`, found a whole number [wrong-type]; put it in quotes if it is text",
    ),
    (
        "version: 1\nmode: {required: 1}",
        "2:18: error: expected `required` without a value, found a whole number [wrong-type]",
    ),
    (
        "version: 1\ncheck: {nto: always}",
        "2:9: error: unknown key `nto` [unknown-key]; did you mean `not`?",
    ),
    (
        "version: 1\ncheck: {not: always, all: []}",
        "2:8: error: expected one of `not`, `all`, `is`, `always`, found a mapping of 2 keys [invalid-value]",
    ),
    (
        "version: 1\ncheck: not",
        "2:8: error: expected `not` with a value, found text [wrong-type]; write `{not: ...}`",
    ),
    ("version: 1\ncheck: {is: {value: x}}", "2:13: error: the key `key` is missing [missing-key]"),
    // In the words of the type itself.
    ("version: 1\neven: 3", "2:7: error: `3` is odd [invalid-value]"),
    ("version: 1\naddress: here", "2:10: error: invalid socket address syntax [invalid-value]"),
    (
        "version: 1\nboth: {low: 2, high: 1}",
        "2:7: error: `low` is not below `high` [invalid-value]",
    ),
    // Secrets.
    (
        "version: 1\nsecret: hunter2",
        "2:9: error: a secret is not written here but by reference [secret-by-value]; write `{env: NAME}` or `{file: PATH}`",
    ),
    (
        "version: 1\nsecret: {envv: A}",
        "2:10: error: unknown key `envv` [unknown-key]; did you mean `env`?",
    ),
];

#[test]
fn each_kind_of_mistake_in_full() {
    for (text, expected) in EACH {
        let found = headlines(text)
            .iter()
            .map(|line| line.replace("conf/gate.yaml:", ""))
            .collect::<Vec<_>>();
        assert_eq!(found, [*expected], "{text}");
    }
}

#[test]
fn all_mistakes_of_a_file_at_once_in_its_order() {
    let text = "\
version: 1
timeut: 30s
listen:
  - address: nowhere
    name: 7
  - naem: public
  - address: 127.0.0.1:1
    name: x
    idle: 5
    ca: [a, 3, {}]
  - 9
port: 70000
check:
  all:
    - not: {is: {valeu: y}}
    - alway
    - always
both: {low: 300}
mode: requird
";
    let found =
        headlines(text).iter().map(|line| line.replace("conf/gate.yaml:", "")).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            "2:1: error: unknown key `timeut` [unknown-key]; did you mean `timeout`?",
            "4:5: error: the key `idle` is missing [missing-key]",
            "4:14: error: invalid socket address syntax [invalid-value]",
            "5:11: error: expected text, found a whole number [wrong-type]; put it in quotes: `\"7\"`",
            "6:5: error: unknown key `naem` [unknown-key]; did you mean `name`?",
            "6:5: error: the key `address` is missing [missing-key]",
            "6:5: error: the key `idle` is missing [missing-key]",
            "9:11: error: the length of time `5` has no unit: write a number and `ms`, `s`, `m`, `h` or `d`, as in `15m` or `1h30m` [invalid-value]",
            "10:13: error: expected text, found a whole number [wrong-type]; put it in quotes: `\"3\"`",
            "10:16: error: expected text, found a mapping [wrong-type]",
            "11:5: error: expected a mapping, found a whole number [wrong-type]",
            "12:7: error: expected a whole number from 0 to 65535, found `70000` [invalid-value]",
            "15:17: error: the key `key` is missing [missing-key]",
            "16:7: error: unknown value `alway` [invalid-value]; did you mean `always`?",
            "18:7: error: the key `high` is missing [missing-key]",
            "18:13: error: expected a whole number from 0 to 255, found `300` [invalid-value]",
            "19:7: error: unknown value `requird` [invalid-value]; did you mean `required`?",
        ]
    );
}

#[test]
fn every_repeated_key_is_named_at_its_second_place() {
    let found = headlines("version: 1\nname: a\nname: b\nlisten: [{x: 1, x: 2}]\n");
    assert_eq!(
        found,
        [
            "conf/gate.yaml:3:1: error: the key `name` is given twice [duplicate-key]; remove one of the two",
            "conf/gate.yaml:4:17: error: the key `x` is given twice [duplicate-key]; remove one of the two",
        ]
    );
}

#[test]
fn what_an_alias_repeats_is_wrong_once() {
    let found =
        headlines("version: 1\nlisten:\n  - &x {address: 127.0.0.1:1, name: n, idle: 1}\n  - *x\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("conf/gate.yaml:3:46: "), "{found:?}");
}

#[test]
fn a_secret_written_by_value_is_not_shown() {
    let text = mistakes("version: 1\nsecret: hunter2\n");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.starts_with("conf/gate.yaml:2:9: error: "), "{text}");
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let text = mistakes("version: 1\n\"a\\e[31mb\\n\": 1\n");
    assert!(
        text.starts_with("conf/gate.yaml:2:1: error: unknown key `a\\u{1b}[31mb\\u{a}` "),
        "{text}"
    );
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

#[test]
fn a_caret_stands_under_its_character_not_its_byte() {
    assert_eq!(
        mistakes("version: 1\nboth: {\"ü\": 1, low: 1, high: 2}\n"),
        "\
conf/gate.yaml:2:8: error: unknown key `ü` [unknown-key]
  |
2 | both: {\"ü\": 1, low: 1, high: 2}
  |        ^^^
help: known keys: `low`, `high`
"
    );
}

#[test]
fn places_are_kept_in_lists_options_enums_and_maps() {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Either {
        Text(At<String>),
        Keyed { value: At<u8> },
    }
    #[derive(Deserialize)]
    struct Places {
        list: Vec<At<u8>>,
        some: Option<At<String>>,
        none: Option<At<String>>,
        text: Either,
        keyed: Either,
        map: BTreeMap<String, At<bool>>,
        one: OneOrMany<At<FilePath>>,
        raw: Node,
    }
    let document = document(
        "version: 1
list: [1,  2]
some: here
none: ~
text: {text: t}
keyed:
  keyed:
    value: 3
map: {a: true}
one: k.pem
raw: {x: [1]}
",
    );
    let places: Places = document::parse(&document.root).expect("it is read");
    let at = |place: &document::Place| (place.line, place.column);
    assert_eq!(
        places.list.iter().map(|v| (v.value, at(&v.place))).collect::<Vec<_>>(),
        [(1, (2, 8)), (2, (2, 12))]
    );
    assert_eq!(places.some.map(|v| (v.value, at(&v.place))), Some(("here".to_owned(), (3, 7))));
    assert_eq!(places.none, None);
    assert!(matches!(&places.text, Either::Text(v) if v.value == "t" && at(&v.place) == (5, 14)));
    assert!(
        matches!(&places.keyed, Either::Keyed { value } if value.value == 3 && at(&value.place) == (8, 12))
    );
    assert_eq!(places.map.get("a").map(|v| (v.value, at(&v.place))), Some((true, (9, 10))));
    assert_eq!(places.one.0.len(), 1);
    assert_eq!(places.one[0].value.as_path(), Path::new("conf/k.pem"));
    assert_eq!(places.raw, *document.root.get("raw").expect("it is there"));
}

#[test]
fn other_deserializers_cannot_make_a_place() {
    assert!(serde_json::from_str::<At<String>>("\"a\"").is_err());
    assert!(serde_json::from_str::<Node>("\"a\"").is_err());
    assert!(serde_json::from_str::<OneOrMany<String>>("\"a\"").is_err());
    assert_eq!(serde_json::from_str::<FilePath>("\"a\"").expect("text"), FilePath("a".into()));
    assert_eq!(serde_json::from_str::<Size>("\"1KiB\"").expect("text"), Size(1024));
    let quarter = Duration(std::time::Duration::from_mins(15));
    assert_eq!(serde_json::from_str::<Duration>("\"15m\"").expect("text"), quarter);
}
