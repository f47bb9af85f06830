//! The five stages in `conf/`: the guide's commands make their files, and `check` says what the
//! guide promises.

use serde_json::Value;

use super::page;

/// Each stage, its file, and the warnings that are left.
const STAGES: [(&str, &str, &[&str]); 5] = [
    (
        "Stage 1",
        "1-behind-the-door.yaml",
        &["danger-plaintext", "danger-plaintext", "open-to-all", "open-to-all"],
    ),
    ("Stage 2", "2-identity.yaml", &["danger-plaintext", "danger-plaintext"]),
    ("Stage 3", "3-backends.yaml", &[]),
    ("Stage 4", "4-rules-by-url.yaml", &[]),
    ("Stage 5", "5-devices.yaml", &[]),
];

#[test]
fn each_stage_needs_what_was_made_so_far_and_has_the_warnings_expected() {
    let dir = page::copy_of_conf();
    for (stage, file, expected) in STAGES {
        page::make(dir.path(), stage);
        let done = page::shell(dir.path(), &format!("portcullis check -c {file} --json")).expect(0);
        let json = done.stdout.lines().find(|line| line.starts_with('[')).unwrap_or("[]");
        let found: Value = serde_json::from_str(json).unwrap();
        let codes = found.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap());
        let mut codes: Vec<&str> = codes.collect();
        codes.sort_unstable();
        assert_eq!(codes, expected, "{file}: {}", done.stdout);
    }
}

#[test]
fn the_guide_names_each_file_and_the_warnings_of_each() {
    let guide = page::text("conf/README.md");
    let rows = page::rows(&guide, "stage");
    assert_eq!(rows.len(), STAGES.len());
    for ((_, cells), (_, file, expected)) in rows.iter().zip(STAGES) {
        assert!(cells[1].contains(&format!("({file})")), "{cells:?}");
        let mut codes = page::quoted(&cells[3]);
        codes.sort_unstable();
        let mut once: Vec<&str> = expected.to_vec();
        once.dedup();
        assert_eq!(codes, once, "{file}");
    }
    for entry in std::fs::read_dir(page::root().join("conf")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || guide.contains(&format!("({name})")), "{name} is not told");
    }
}
