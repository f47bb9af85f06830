//! API tokens through the filter.

use jiff::{SignedDuration, Timestamp};
use policy::{AuthMethod, SubjectKind};

use super::world::{BEGINNING, World};
use crate::api_token::{Created, Kind, NewToken, Store, Token};

fn create(world: &World, owner: &str) -> Created {
    let new = NewToken {
        name: "export".to_owned(),
        owner: owner.to_owned(),
        kind: Kind::Service,
        groups: vec!["batch".to_owned()],
        scopes: vec!["read".to_owned()],
        lifetime: SignedDuration::from_hours(1),
    };
    let now = Timestamp::from_second(BEGINNING).unwrap();
    Store::in_dir(world.path()).create(new, now).unwrap()
}

/// J15: what holds, and what does not.
#[tokio::test]
async fn j15_tokens() {
    let mut world = World::new();
    let (good, revoked) = (create(&world, "svc-a"), create(&world, "svc-b"));
    let now = Timestamp::from_second(BEGINNING).unwrap();
    Store::in_dir(world.path()).revoke(revoked.record.id.as_str(), now).unwrap();
    let (filter, gathered) = world.build("api_tokens: {}").unwrap();
    assert_eq!(gathered.files, [world.path().join("api-tokens.json")]);

    let outcome = world.bearer(&filter, good.token.expose()).await;
    assert_eq!(outcome.told(), "svc-a");
    assert!(outcome.cx.consumed_authorization());
    let facts = outcome.cx.facts();
    assert_eq!(facts.subject().unwrap().kind, SubjectKind::Service);
    let auth = facts.auth().unwrap();
    assert_eq!(auth.method, AuthMethod::ApiToken);
    assert_eq!(auth.token_scopes.as_ref().unwrap().join(" "), "read");

    let text = good.token.expose();
    let other = Token::draw().unwrap();
    let (cut, _) = text.split_at(text.len() - 1);
    let mixed = format!("{}{}", text.split_at(17).0, other.expose().split_at(17).1);
    for (id, token, expect) in [
        ("revoked", revoked.token.expose(), "revoked"),
        ("unknown", other.expose(), "unknown"),
        ("cut", cut, "malformed"),
        ("the id of one and the secret of another", &mixed, "malformed"),
        ("upper case", &text.to_uppercase(), "unknown"),
        ("not a token", "letmein", "unknown"),
        ("a JWT where there are none", "a.b.c", "unknown"),
    ] {
        assert_eq!(
            world.bearer(&filter, token).await.told(),
            format!("bad-token:{expect}"),
            "J15 {id}"
        );
    }
    world.pass(3599);
    assert_eq!(world.bearer(&filter, text).await.told(), "svc-a");
    world.pass(1);
    assert_eq!(world.bearer(&filter, text).await.told(), "bad-token:expired");
    let text = world.services.metrics.render();
    assert!(
        text.contains(
            "portcullis_token_verifications_total{provider=\"api-token\",result=\"ok\"} 2"
        )
    );
    assert!(text.contains(
        "portcullis_token_verifications_total{provider=\"api-token\",result=\"revoked\"} 1"
    ));
}

#[tokio::test]
async fn tokens_are_taken_only_where_they_are_configured() {
    let mut world = World::new();
    let Created { token, .. } = create(&world, "svc-a");
    world.write(
        "jwks.json",
        crate::testing::jwks(&[crate::testing::jwk(&crate::testing::p256_key(), "e")]),
    );
    let filter = world
        .filter("jwt: [{name: a, issuer: 'https://a.example', audiences: [g], jwks: {file: jwks.json}}]")
        .unwrap();
    assert_eq!(world.bearer(&filter, token.expose()).await.told(), "bad-token:malformed");
    let filter = world.filter("{}").unwrap();
    assert_eq!(world.bearer(&filter, token.expose()).await.told(), "nobody");
}

/// J17, as far as a test can say it: the same work is done for an unknown id as for a wrong secret.
/// Medians of interleaved measurements lie within each other's noise.
#[test]
fn j17_an_unknown_id_takes_as_long_as_a_wrong_secret() {
    let world = World::new();
    let known = create(&world, "svc-a");
    let store = Store::in_dir(world.path());
    let mut records = store.list().unwrap();
    let unknown = Token::draw().unwrap();
    // The same token with another secret behind it.
    records[0].sha256 = unknown.digest();
    let book = crate::api_token::Book::new(records);
    let now = Timestamp::from_second(BEGINNING).unwrap();
    let measure = |token: &Token| {
        let begun = std::time::Instant::now();
        assert!(book.holder(token, now).is_err());
        begun.elapsed()
    };
    let (mut wrong, mut none) = (Vec::new(), Vec::new());
    for _ in 0..5_000 {
        wrong.push(measure(&known.token));
        none.push(measure(&unknown));
    }
    wrong.sort_unstable();
    none.sort_unstable();
    let difference = wrong[2_500].abs_diff(none[2_500]);
    assert!(difference < std::time::Duration::from_micros(5), "J17 {difference:?}");
}

#[test]
fn a_store_that_others_can_read_is_a_mistake() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::new();
    create(&world, "svc-a");
    let file = world.path().join("api-tokens.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let mistakes = world.filter("api_tokens: {}").unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message.contains("chmod 600"), "{}", mistakes[0]);
}
