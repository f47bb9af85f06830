//! Units, paths, secrets and their schema.
#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use document::{At, Duration, FilePath, OneOrMany, Secret, SecretRef, Size};

#[test]
fn durations_read_and_write_the_same() {
    let millis = |n| Some(std::time::Duration::from_millis(n));
    for (text, expected, shown) in [
        ("500ms", millis(500), "500ms"),
        ("30s", millis(30_000), "30s"),
        ("90s", millis(90_000), "1m30s"),
        ("15m", millis(900_000), "15m"),
        ("12h", millis(43_200_000), "12h"),
        ("7d", millis(604_800_000), "7d"),
        ("1h30m", millis(5_400_000), "1h30m"),
        ("1d1h1m1s1ms", millis(90_061_001), "1d1h1m1s1ms"),
        ("0s", millis(0), "0s"),
        ("0ms", millis(0), "0s"),
        ("18446744073709551615ms", millis(u64::MAX), "213503982334d14h25m51s615ms"),
        ("18446744073709551616ms", None, ""),
        ("213503982335d", None, ""),
        ("213503982334d24h", None, ""),
        ("", None, ""),
        ("30", None, ""),
        ("s", None, ""),
        ("-1s", None, ""),
        ("+1s", None, ""),
        ("1.5s", None, ""),
        ("1 s", None, ""),
        ("1s ", None, ""),
        ("1S", None, ""),
        ("30m1h", None, ""),
        ("1h1h", None, ""),
        ("1hé", None, ""),
    ] {
        let read = text.parse::<Duration>();
        assert_eq!(read.as_ref().ok().map(|duration| duration.0), expected, "{text}");
        if let Ok(duration) = read {
            assert_eq!(duration.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(duration), "{text}");
        }
    }
}

#[test]
fn sizes_read_and_write_the_same() {
    for (text, expected, shown) in [
        ("0B", Some(0), "0B"),
        ("512B", Some(512), "512B"),
        ("64KiB", Some(65_536), "64KiB"),
        ("64KB", Some(64_000), "64000B"),
        ("1MiB", Some(1 << 20), "1MiB"),
        ("1024MiB", Some(1 << 30), "1GiB"),
        ("2GiB", Some(2 << 30), "2GiB"),
        ("3TB", Some(3_000_000_000_000), "2929687500KiB"),
        ("18446744073709551615B", Some(u64::MAX), "18446744073709551615B"),
        ("18446744073709551616B", None, ""),
        ("16777216TiB", None, ""),
        ("64", None, ""),
        ("64kb", None, ""),
        ("64K", None, ""),
        ("1.5MiB", None, ""),
        ("-1B", None, ""),
        ("", None, ""),
    ] {
        let read = text.parse::<Size>();
        assert_eq!(read.as_ref().ok().map(|size| size.0), expected, "{text}");
        if let Ok(size) = read {
            assert_eq!(size.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(size), "{text}");
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path, value: &str) -> T {
    let text = format!("version: 1\nvalue: {value}\n");
    let document = document::load_text(file, &text).expect("it loads");
    document::parse(document.root.get("value").expect("a value")).expect("it is read")
}

#[test]
fn a_bare_number_is_a_number_of_bytes() {
    assert_eq!(read::<Size>(Path::new("a.yaml"), "512"), Size(512));
}

#[test]
fn paths_are_relative_to_the_file_in_which_they_stand() {
    for (file, value, expected) in [
        ("conf/a.yaml", "k.pem", "conf/k.pem"),
        ("/etc/gate/a.yaml", "../k.pem", "/etc/gate/../k.pem"),
        ("a.yaml", "k.pem", "k.pem"),
        ("conf/a.yaml", "/k.pem", "/k.pem"),
        ("conf/a.yaml", "'-'", "-"),
    ] {
        assert_eq!(read::<FilePath>(Path::new(file), value), FilePath(expected.into()), "{value}");
    }
}

#[test]
fn one_value_is_a_list_of_one() {
    let file = Path::new("a.yaml");
    assert_eq!(read::<OneOrMany<u8>>(file, "1").0, [1]);
    assert_eq!(read::<OneOrMany<u8>>(file, "[1, 2]").0, [1, 2]);
    assert_eq!(read::<OneOrMany<u8>>(file, "[]").0, [0; 0]);
    assert_eq!(read::<Option<OneOrMany<u8>>>(file, "~"), None);
}

/// A secret file with this mode and content, and what reading it gives.
#[cfg(unix)]
fn secret(mode: u32, content: &[u8]) -> Result<Secret, document::Mistake> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    std::fs::write(&path, content).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
    let at: At<SecretRef> = read(&directory.path().join("a.yaml"), "{file: secret}");
    SecretRef::read(&at).map_err(|mut mistake| {
        let prefix = format!("{}/", directory.path().display());
        mistake.message = mistake.message.replace(&prefix, "");
        mistake.help = mistake.help.map(|help| help.replace(&prefix, ""));
        mistake
    })
}

#[cfg(unix)]
#[test]
fn only_one_line_end_is_cut_from_a_secret() {
    for (content, expected) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        (" hunter2 \n", " hunter2 "),
    ] {
        let secret = secret(0o600, content.as_bytes()).expect("it is read");
        assert_eq!(secret.expose(), expected, "{content:?}");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_cannot_be_used_says_why() {
    let too_long = vec![b'x'; (64 << 10) + 1];
    for (mode, content, expected) in [
        (
            0o640,
            b"x".as_slice(),
            "the secret `secret` may be read by other users [secret-readable]; run `chmod 600 secret`",
        ),
        (
            0o604,
            b"x",
            "the secret `secret` may be read by other users [secret-readable]; run `chmod 600 secret`",
        ),
        (
            0o600,
            b"",
            "the secret in the file `secret` is empty [secret-empty]; put the secret there, or remove the key that asks for it",
        ),
        (
            0o600,
            b"\n",
            "the secret in the file `secret` is empty [secret-empty]; put the secret there, or remove the key that asks for it",
        ),
        (
            0o600,
            b"\xff",
            "cannot read the secret `secret`: stream did not contain valid UTF-8 [secret-missing]; check the path, and that the gateway's user may read it",
        ),
        (
            0o600,
            &too_long,
            "cannot read the secret `secret`: it is larger than 64 KiB [secret-missing]; check the path, and that the gateway's user may read it",
        ),
    ] {
        let mistake = secret(mode, content).expect_err("it cannot be used");
        let place = mistake.place.as_ref().map(|place| (place.line, place.column));
        assert_eq!(place, Some((2, 8)));
        let text = mistake.to_string();
        assert!(text.ends_with(&format!("a.yaml:2:8: error: {expected}")), "{text}");
    }
}

#[test]
fn a_secret_from_the_environment() {
    let file = Path::new("a.yaml");
    let path: At<SecretRef> = read(file, "{env: PATH}");
    assert!(!SecretRef::read(&path).expect("it is set").expose().is_empty());
    let none: At<SecretRef> = read(file, "{env: PORTCULLIS_TEST_IS_NOT_SET}");
    assert_eq!(
        SecretRef::read(&none).expect_err("it is not set").to_string(),
        "a.yaml:2:8: error: the environment variable `PORTCULLIS_TEST_IS_NOT_SET` is not set [secret-missing]; set `PORTCULLIS_TEST_IS_NOT_SET` for the gateway's process"
    );
}

#[test]
fn the_schema_says_the_same() {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Conf {
        duration: At<Duration>,
        size: Size,
        path: OneOrMany<At<FilePath>>,
        secret: At<SecretRef>,
        raw: document::Node,
    }
    let schema = serde_json::to_value(schemars::schema_for!(Conf)).expect("a schema");
    let property = |name: &str| schema["properties"][name].clone();
    assert_eq!(property("duration")["type"], "string");
    assert_eq!(property("size")["anyOf"][0]["type"], "integer");
    assert_eq!(property("path")["anyOf"][1]["items"]["type"], "string");
    assert_eq!(property("raw"), true);
    let variants = property("secret")["oneOf"].clone();
    assert_eq!(variants[0]["required"][0], "env", "{schema:#}");
    assert_eq!(variants[1]["required"][0], "file", "{schema:#}");
}
