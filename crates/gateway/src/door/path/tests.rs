//! The P cases, and what must hold for any path.

use Malformed::{Backslash, ControlByte, DotSegment, Escape, Fragment, PathParameter, Target};
use proptest::prelude::*;

use super::*;
use crate::conf::LimitsConf;

const STRICT: PathProfile =
    PathProfile { parameters: false, danger_encoded_slash: false, danger_encoded_backslash: false };
/// Case, path, and what it is in the strict profile.
const STRICTLY: &[(&str, &str, Result<&str, Malformed>)] = &[
    ("P1", "/public/../admin/x", Ok("/admin/x")),
    ("P1", "/public/./../admin", Ok("/admin")),
    ("P1", "/../admin", Err(DotSegment)),
    ("P1", "/a/../../b", Err(DotSegment)),
    ("P1", "/..", Err(DotSegment)),
    ("P2", "/public/%2e%2e/admin", Ok("/admin")),
    ("P2", "/public/.%2e/admin", Ok("/admin")),
    ("P2", "/public/%2E%2E%2Fadmin", Err(Escape)),
    ("P3", "/public/..%2fadmin", Err(Escape)),
    ("P3", "/public%2f..%2fadmin", Err(Escape)),
    ("P3", "/public/..%5cadmin", Err(Escape)),
    ("P4", "/public/..;/admin", Err(PathParameter)),
    ("P4", "/public/.;/admin", Err(PathParameter)),
    ("P4", "/admin;x=1", Err(PathParameter)),
    ("P4", "/public;/../admin", Err(PathParameter)),
    ("P4", "/public/..%3B/admin", Err(DotSegment)),
    ("P4", "/public/%3b/admin", Err(DotSegment)),
    ("P4", "/a%3bb", Ok("/a%3Bb")),
    ("P5", "//admin", Ok("/admin")),
    ("P5", "///admin", Ok("/admin")),
    ("P5", "/public//../admin", Err(DotSegment)),
    ("P5", "/a//b/../c", Err(DotSegment)),
    ("P5", "/a//", Ok("/a/")),
    ("P5", "//", Ok("/")),
    ("P6", "/\\admin", Err(Backslash)),
    ("P6", "/public\\..\\admin", Err(Backslash)),
    ("P6", "/%5cadmin", Err(Escape)),
    ("P7", "/admin%00", Err(Escape)),
    ("P7", "/admin%0a", Err(Escape)),
    ("P7", "/admin%0d%0a", Err(Escape)),
    ("P7", "/admin%7F", Err(Escape)),
    ("P7", "/admin\x0b", Err(ControlByte)),
    ("P7", "/admin x", Err(ControlByte)),
    ("P7", "/admin\x7f", Err(ControlByte)),
    ("P8", "/%61dmin", Ok("/admin")),
    ("P8", "/adm%69n", Ok("/admin")),
    ("P8", "/%41%2D%2e%5F%7E", Ok("/A-._~")),
    ("P9", "/%2561dmin", Ok("/%2561dmin")),
    ("P9", "/%252e%252e/", Ok("/%252e%252e/")),
    ("P10", "/admin#", Err(Fragment)),
    ("P12", "/admin%3f/public", Ok("/admin%3F/public")),
    ("P12", "/admin%23", Ok("/admin%23")),
    ("P13", "/ADMIN", Ok("/ADMIN")),
    ("P14", "/admin/", Ok("/admin/")),
    ("P14", "/admin/.", Ok("/admin/")),
    ("P14", "/admin/./", Ok("/admin/")),
    ("P14", "/admin/x/..", Ok("/admin/")),
    ("P14", "/admin/%2e", Ok("/admin/")),
    ("P14", "/admin.", Ok("/admin.")),
    ("P14", "/admin%20", Ok("/admin%20")),
    ("P14", "/admin/%20", Ok("/admin/%20")),
    ("P16", "admin", Err(Target)),
    ("P16", "*", Err(Target)),
    ("P16", "", Err(Target)),
    ("P17", "/%c0%ae%c0%ae/admin", Err(Escape)),
    ("P17", "/%e0%80%ae", Err(Escape)),
    ("P17", "/%ed%a0%80", Err(Escape)),
    ("P17", "/%f5%80%80%80", Err(Escape)),
    ("P17", "/%c3", Err(Escape)),
    ("P17", "/%c3a", Err(Escape)),
    ("P17", "/%c3%", Err(Escape)),
    ("P17", "/%80", Err(Escape)),
    ("P17", "/%", Err(Escape)),
    ("P17", "/%2", Err(Escape)),
    ("P17", "/%zz", Err(Escape)),
    ("P17", "/%2%35", Err(Escape)),
    ("P17", "/%c3%a9%f0%9f%92%a9", Ok("/%C3%A9%F0%9F%92%A9")),
    ("P18", "/%ef%bd%81dmin", Ok("/%EF%BD%81dmin")),
    ("P18", "/adm%c4%b1n", Ok("/adm%C4%B1n")),
    ("P18", "/é", Err(ControlByte)),
    ("-", "/", Ok("/")),
    ("-", "/.portcullis/whoami", Ok("/.portcullis/whoami")),
    ("-", "/...", Ok("/...")),
    ("-", "/..a/.b", Ok("/..a/.b")),
    ("-", "/a|b{c}[d]^\"<>`", Ok("/a%7Cb%7Bc%7D%5Bd%5D%5E%22%3C%3E%60")),
];

const WIDE: PathProfile =
    PathProfile { parameters: true, danger_encoded_slash: true, danger_encoded_backslash: true };

fn limits() -> Limits {
    Limits::new(&LimitsConf::default()).unwrap()
}

fn form(path: &str, profile: PathProfile) -> Result<String, Malformed> {
    match canonical(path, &limits(), profile) {
        Ok(form) => Ok(form.into_owned()),
        Err(Fault::Malformed(what, _)) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn p1_to_p18_in_the_strict_profile() {
    for (case, path, expected) in STRICTLY {
        assert_eq!(form(path, STRICT), expected.map(str::to_owned), "{case} {path}");
    }
}

#[test]
fn p3_p4_p6_a_wide_profile_still_hides_no_dot_segment() {
    for (path, expected) in [
        ("/a;x=1/b", Ok("/a;x=1/b")),
        ("/a;", Ok("/a;")),
        ("/a;;b", Ok("/a;;b")),
        ("/a%2fb%5cc", Ok("/a%2Fb%5Cc")),
        ("/https%3A%2F%2Fexample.com", Ok("/https%3A%2F%2Fexample.com")),
        ("/..;/admin", Err(DotSegment)),
        ("/.;x/admin", Err(DotSegment)),
        ("/%2e%2e;/admin", Err(DotSegment)),
        ("/a;../admin", Err(DotSegment)),
        ("/;x/admin", Err(DotSegment)),
        ("/public/..%2fadmin", Err(DotSegment)),
        ("/public%2f..%2fadmin", Err(DotSegment)),
        ("/public%2f%2e%2e", Err(DotSegment)),
        ("/%2fadmin", Err(DotSegment)),
        ("/x%5c..%5cadmin", Err(DotSegment)),
        ("/\\admin", Err(Backslash)),
    ] {
        assert_eq!(form(path, WIDE), expected.map(str::to_owned), "{path}");
    }
}

#[test]
fn p19_too_long_or_too_deep() {
    let too_long = Fault::TargetTooLong("the path is longer than its limit");
    let long = format!("/{}", "a".repeat(8192));
    assert_eq!(canonical(&long, &limits(), STRICT), Err(too_long));
    let fits = format!("/{}", "a".repeat(8191));
    assert!(canonical(&fits, &limits(), STRICT).is_ok());
    let deep = "/a".repeat(257);
    assert!(matches!(canonical(&deep, &limits(), STRICT), Err(Fault::TargetTooLong(_))));
    assert!(canonical(&"/a".repeat(256), &limits(), STRICT).is_ok());
    let grows = format!("/{}", "|".repeat(4000));
    assert!(matches!(canonical(&grows, &limits(), STRICT), Err(Fault::TargetTooLong(_))));
}

#[test]
fn a_canonical_path_is_not_copied() {
    for path in ["/", "/a/b.c", "/a%20b", "/.portcullis/x", "/%C3%A9", "/a%3Bb"] {
        assert!(matches!(canonical(path, &limits(), STRICT), Ok(Cow::Borrowed(_))), "{path}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/".to_owned()),
        Just(".".to_owned()),
        Just("..".to_owned()),
        Just(";".to_owned()),
        Just("\\".to_owned()),
        Just("%".to_owned()),
        Just("#".to_owned()),
        (0_u8..=255).prop_map(|octet| format!("%{octet:02x}")),
        (0_u8..=255).prop_map(|octet| format!("%{octet:02X}")),
        Just("%c3%a9".to_owned()),
        "[ -~]",
        "[a-c]{1,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|all| format!("/{}", all.concat()))
}

fn holds(path: &str, profile: PathProfile) -> Result<(), TestCaseError> {
    let Ok(form) = form(path, profile) else { return Ok(()) };
    prop_assert_eq!(self::form(&form, profile), Ok(form.clone()));
    prop_assert!(form.starts_with('/') && !form.contains("//"), "{}", form);
    let banned = |byte: u8| !(0x21..=0x7e).contains(&byte) || matches!(byte, b'\\' | b'#');
    prop_assert!(!form.bytes().any(banned), "{}", form);
    let mut parts = form.split(['/', ';']).flat_map(|part| part.split("%2F"));
    prop_assert!(!parts.any(|part| matches!(part, "." | "..")), "{}", form);
    if profile == STRICT {
        prop_assert_eq!(profile.admits(&form), Ok(()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i3_what_comes_out_comes_back_as_it_is(path in pieces()) {
        holds(&path, STRICT)?;
        holds(&path, WIDE)?;
    }

    #[test]
    fn i3_any_text_is_canonical_or_refused(path in any::<String>()) {
        holds(&path, STRICT)?;
        holds(&format!("/{path}"), WIDE)?;
    }
}
