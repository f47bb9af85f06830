//! Sections that are wrong: every mistake, at its place, with a remedy.

use super::world::World;
use crate::testing::{jwk, jwks, p256_key};

fn world() -> World {
    let world = World::new();
    world.write("jwks.json", jwks(&[jwk(&p256_key(), "e")]));
    world.write("empty.json", jwks(&[]));
    world.write("oct.json", br#"{"keys":[{"kty":"oct","kid":"o","k":"AAAA"}]}"#);
    world.write("garbage.json", "<html>");
    world.write("empty.crt", "");
    world
}

/// One provider with something changed.
fn provider(changes: &str) -> String {
    let base = [
        ("name", "corp"),
        ("issuer", "'https://sso.example.com'"),
        ("audiences", "[gate]"),
        ("jwks", "{file: jwks.json}"),
    ];
    let kept = base.iter().filter(|(name, _)| !changes.contains(&format!("{name}:")));
    let kept: Vec<String> = kept.map(|(name, value)| format!("{name}: {value}")).collect();
    let all: Vec<&str> =
        kept.iter().map(String::as_str).chain([changes]).filter(|s| !s.is_empty()).collect();
    format!("jwt: [{{{}}}]", all.join(", "))
}

/// F2: what does not hold together is not loaded.
#[test]
fn f2_each_mistake_is_named() {
    let cases = [
        (provider("audiences: []"), "no-audience"),
        (provider("audiences: ['']"), "no-audience"),
        (provider("name: 'a b'"), "bad-provider-name"),
        (provider("issuer: ''"), "bad-issuer"),
        (provider("leeway: 6m"), "leeway-too-long"),
        (provider("algorithms: []"), "no-algorithm"),
        (provider("typ: []"), "no-typ"),
        (provider("groups_claim: ''"), "bad-claim"),
        (provider("required_claims: {tenant: []}"), "bad-claim"),
        (provider("jwks: {file: none.json}"), "bad-jwks-file"),
        (provider("jwks: {file: garbage.json}"), "bad-jwks-file"),
        (provider("jwks: {file: empty.json}"), "bad-jwks-file"),
        (provider("jwks: {file: oct.json}"), "bad-jwks-file"),
        (provider("algorithms: [RS256]"), "bad-jwks-file"),
        (provider("jwks: {url: 'http://sso.example.com/k'}"), "bad-jwks-address"),
        (provider("jwks: {url: 'sso.example.com/k'}"), "bad-jwks-address"),
        (provider("jwks: {url: 'https://u:p@sso.example.com/k'}"), "bad-jwks-address"),
        (provider("jwks: auto, issuer: 'http://sso.example.com'"), "bad-jwks-address"),
        (provider("jwks: auto, issuer: corp"), "bad-jwks-address"),
        (provider("jwks: auto, ca: none.crt"), "unreadable-file"),
        (provider("jwks: auto, ca: empty.crt"), "no-certificate"),
        ("client_certificates: [{ca: none.crt, user_from: san_uri}]".to_owned(), "unreadable-file"),
        ("client_certificates: [{ca: empty.crt, user_from: san_uri}]".to_owned(), "no-certificate"),
        ("client_certificates: [{ca: [], user_from: san_uri}]".to_owned(), "no-authority"),
    ];
    for (section, code) in cases {
        let mistakes = world().filter(&section).expect_err(&section);
        let codes: Vec<&str> = mistakes.iter().map(|mistake| mistake.code).collect();
        assert_eq!(codes, [code], "{section}");
        assert!(
            mistakes.iter().all(|mistake| mistake.place.is_some() && mistake.help.is_some()),
            "{section}"
        );
    }
}

#[test]
fn f2_what_the_types_refuse() {
    for section in [
        provider("algorithms: [HS256]"),
        provider("algorithms: [none]"),
        provider("audience: gate"),
        provider("jwks: {adress: x}"),
        provider("leeway: 30"),
        "oidc: []".to_owned(),
        "local: {users: users.yaml}".to_owned(),
        "introspection: []".to_owned(),
        "api_tokens: {file: x}".to_owned(),
        "client_certificates: [{ca: a.crt, user_from: cn}]".to_owned(),
        "client_certificates: [{ca: a.crt}]".to_owned(),
    ] {
        assert!(world().filter(&section).is_err(), "{section}");
    }
}

#[test]
fn every_mistake_of_a_section_at_once() {
    let section = "
jwt:
  - {name: corp, issuer: 'https://a.example', audiences: [], jwks: {file: none.json}}
  - {name: corp, issuer: 'https://a.example', audiences: [gate], jwks: {file: jwks.json}, leeway: 1h}
client_certificates:
  - {ca: none.crt, user_from: upn, match: {regex: '('}}
";
    let mistakes = world().filter(section).unwrap_err();
    let mut codes: Vec<&str> = mistakes.iter().map(|mistake| mistake.code).collect();
    codes.sort_unstable();
    let expect = [
        "bad-jwks-file",
        "bad-regex",
        "duplicate-issuer",
        "duplicate-provider",
        "leeway-too-long",
        "no-audience",
        "unreadable-file",
    ];
    assert_eq!(codes, expect);
}

#[test]
fn what_weakens_is_warned_of_and_files_are_watched() {
    let mut world = world();
    let rsa_1024 =
        openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
    world.write("jwks.json", jwks(&[jwk(&p256_key(), "e"), jwk(&rsa_1024, "weak")]));
    let section = provider("danger_any_authorized_party: true, danger_unverified_email: true");
    let (_, gathered) = world.build(&section).unwrap();
    let codes: Vec<&str> = gathered.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["danger-any-authorized-party", "danger-unverified-email", "unfit-key"]);
    assert_eq!(gathered.files, [world.path().join("jwks.json")]);
    world.write("jwks.json", jwks(&[jwk(&p256_key(), "e"), jwk(&crate::testing::rsa_key(), "r")]));
    let (_, gathered) = world.build(&provider("algorithms: [ES256]")).unwrap();
    let messages: Vec<&str> =
        gathered.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert!(matches!(messages[..], [one] if one.contains("`r` fits none")), "{messages:?}");
    let (_, gathered) =
        world.build(&provider("jwks: {url: 'http://127.0.0.1:1/k'}, danger_http: true")).unwrap();
    assert!(gathered.warnings.iter().any(|warning| warning.code == "danger-http"));
}

#[test]
fn the_schema_is_made() {
    let schema = schemars::schema_for!(crate::Conf);
    let text = serde_json::to_string(&schema).unwrap();
    assert!(text.contains("authorized_parties") && text.contains("san_uri"));
}
