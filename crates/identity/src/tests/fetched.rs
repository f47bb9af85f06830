//! Keys that are fetched: at the start, when they change, and when the provider fails.

use std::time::Duration;

use filter::Health;
use openssl::pkey::{PKey, Private};
use serde_json::{Value, json};

use super::https::{Answer, Server};
use super::world::{BEGINNING, World, changed, claims};
use crate::Authenticate;
use crate::testing::{jwk, jwks, p256_key, token};

struct Stage {
    world: World,
    server: Server,
    key: PKey<Private>,
    section: String,
}

impl Stage {
    async fn new() -> Self {
        Self::with(Server::start().await)
    }

    fn with(server: Server) -> Self {
        let world = World::new();
        world.write("ca.crt", &server.ca);
        let ca = if server.ca.is_empty() { "danger_http: true" } else { "ca: ca.crt" };
        let section = format!(
            "jwt: [{{name: corp, issuer: 'https://sso.example.com', audiences: [gate], \
             jwks: {{url: '{}'}}, {ca}}}]",
            server.url("/keys"),
        );
        Self { world, server, key: p256_key(), section }
    }

    fn publish(&self, entries: &[Value]) {
        self.server.answer("/keys", &Answer::Good("cache-control: max-age=600\r\n", jwks(entries)));
    }

    fn publish_own(&self) {
        self.publish(&[jwk(&self.key, "k1")]);
    }

    fn filter(&mut self) -> Authenticate {
        self.world.filter(&self.section).unwrap()
    }

    fn token(&self, kid: &str) -> String {
        let claims = changed(claims("ana"), &json!({"exp": BEGINNING + 200_000}));
        token(&json!({"alg": "ES256", "kid": kid}), &claims, &self.key)
    }

    async fn told(&self, filter: &Authenticate, kid: &str) -> String {
        self.world.bearer(filter, &self.token(kid)).await.told()
    }

    fn health(&self) -> Option<Health> {
        self.world.services.health.snapshot().get("jwks/corp").cloned()
    }

    /// Until the provider's keys stand so; the tasks run meanwhile.
    async fn until(&self, what: &str, is_so: impl Fn(Option<&Health>) -> bool + Send + Sync) {
        self.until_that(what, || is_so(self.health().as_ref())).await;
    }

    async fn until_that(&self, what: &str, is_so: impl Fn() -> bool + Send + Sync) {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(
            waited.is_ok(),
            "{what}: {:?} after {} requests",
            self.health(),
            self.server.hits()
        );
    }
}

fn good(health: Option<&Health>) -> bool {
    health == Some(&Health::Good)
}

fn down(health: Option<&Health>) -> bool {
    matches!(health, Some(Health::Down(_)))
}

fn degraded(health: Option<&Health>) -> bool {
    matches!(health, Some(Health::Degraded(_)))
}

#[tokio::test]
async fn keys_come_over_https_from_the_pinned_authority() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    assert_eq!(stage.told(&filter, "k1").await, "ana");
    let text = stage.world.services.metrics.render();
    assert!(text.contains("portcullis_jwks_age_seconds{provider=\"corp\"} 0"), "{text}");
}

#[tokio::test]
async fn another_authority_is_not_believed() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    stage.world.write("ca.crt", Server::start().await.ca);
    let filter = stage.filter();
    stage.until("refused", |health| {
        matches!(health, Some(Health::Down(why)) if why.contains("certificate verify failed"))
    })
    .await;
    assert_eq!(stage.told(&filter, "k1").await, "dependency-down:jwks");
    assert_eq!(stage.server.hits(), 0);
}

/// The provider is down at the start: 503 until it comes, and never a way in.
#[tokio::test]
async fn down_at_the_start() {
    let mut stage = Stage::new().await;
    let filter = stage.filter();
    stage
        .until("told", |health| matches!(health, Some(Health::Down(why)) if why.contains("404")))
        .await;
    assert_eq!(stage.told(&filter, "k1").await, "dependency-down:jwks");
    stage.publish_own();
    stage.world.pass(2);
    stage.until("come back", good).await;
    assert_eq!(stage.told(&filter, "k1").await, "ana");
}

/// Garbage of every kind leaves the last set in place, and after a day nothing verifies.
#[tokio::test]
async fn what_is_no_answer_changes_nothing_for_a_day() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    let own = jwks(&[jwk(&stage.key, "k1")]);
    stage.server.answer("/elsewhere", &Answer::Good("", own.clone()));
    let answers = [
        Answer::Status("500 Internal Server Error", own.clone()),
        Answer::Status("203 Non-Authoritative Information", own),
        Answer::Redirect("/elsewhere"),
        Answer::Good("", b"<html>not now</html>".to_vec()),
        Answer::Good("", b"{\"keys\":{}}".to_vec()),
        Answer::Good("", Vec::new()),
        Answer::Cut,
        Answer::Huge(10 * 1024 * 1024),
    ];
    stage.world.pass(600);
    for (number, answer) in answers.into_iter().enumerate() {
        let before = stage.server.hits();
        stage.server.answer("/keys", &answer.clone());
        // Nothing but the clock moves: whoever waits for it is asked to look.
        stage.world.pass(40);
        let (unknown, ()) = tokio::join!(stage.told(&filter, "k2"), async {
            stage.until_that("asked", || stage.server.hits() > before).await;
        });
        assert_eq!(unknown, "bad-token:key", "{number} {answer:?}");
        stage.until("noticed", degraded).await;
        assert_eq!(stage.told(&filter, "k1").await, "ana", "{number}");
    }
    stage.world.pass(24 * 3600);
    assert_eq!(stage.told(&filter, "k1").await, "dependency-down:jwks");
}

/// A server that says one byte and no more is given up after five seconds, and holds nobody up.
#[tokio::test]
async fn a_slow_provider_holds_nobody_up() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    stage.server.answer("/keys", &Answer::Slow);
    stage.world.pass(40);
    let begun = tokio::time::Instant::now();
    assert_eq!(stage.told(&filter, "k2").await, "bad-token:key");
    let waited = begun.elapsed();
    assert!(waited < Duration::from_millis(1_500), "a request waits a second at most: {waited:?}");
    assert_eq!(stage.told(&filter, "k1").await, "ana");
    stage.until("given up", degraded).await;
    let gave_up = begun.elapsed();
    assert!(gave_up < Duration::from_secs(8), "{gave_up:?}");
}

/// A new key is found by the first token that names it; a key that is gone verifies no more, not
/// even what was verified before.
#[tokio::test]
async fn keys_come_and_go() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    assert_eq!(stage.told(&filter, "k1").await, "ana");
    stage.publish(&[jwk(&stage.key, "k2")]);
    stage.world.pass(31);
    assert_eq!(stage.told(&filter, "k1").await, "ana", "nobody has asked yet");
    assert_eq!(stage.told(&filter, "k2").await, "ana", "the wait was worth it");
    assert_eq!(stage.told(&filter, "k1").await, "bad-token:key");
    assert_eq!(stage.server.hits(), 2);

    stage.publish(&[]);
    stage.world.pass(31);
    stage.told(&filter, "k3").await;
    stage.until("empty", down).await;
    assert_eq!(stage.told(&filter, "k2").await, "dependency-down:jwks");
}

/// J7: ten thousand tokens with keys of their own bring two requests at most, and good tokens are
/// verified in between.
#[tokio::test]
async fn j7_a_flood_of_unknown_keys() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    let claims = claims("eve");
    let stranger = p256_key();
    let signed = token(&json!({"alg": "ES256", "kid": "x"}), &claims, &stranger);
    let (_, tail) = signed.split_once('.').unwrap();
    for number in 0..10_000 {
        let header = crate::testing::b64(format!("{{\"alg\":\"ES256\",\"kid\":\"x{number}\"}}"));
        let told = stage.world.bearer(&filter, &format!("{header}.{tail}")).await.told();
        assert_eq!(told, "bad-token:key");
        if number % 1000 == 0 {
            stage.world.pass(1);
            assert_eq!(stage.told(&filter, "k1").await, "ana");
        }
    }
    assert!(stage.server.hits() <= 2, "J7 {}", stage.server.hits());
}

/// J5: a token that brings an address is not followed.
#[tokio::test]
async fn j5_no_address_of_a_token_is_followed() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    stage.server.answer("/evil", &Answer::Good("", jwks(&[jwk(&stage.key, "evil")])));
    let filter = stage.filter();
    stage.until("fetched", good).await;
    for name in ["jku", "x5u"] {
        let header = json!({"alg": "ES256", "kid": "evil", name: stage.server.url("/evil")});
        let token = token(&header, &claims("eve"), &stage.key);
        assert_eq!(stage.world.bearer(&filter, &token).await.told(), "bad-token:header");
    }
    assert_eq!(stage.server.hits(), 1);
}

#[tokio::test]
async fn discovery_says_where_the_keys_are_and_who_it_is() {
    let mut stage = Stage::new().await;
    let issuer = stage.server.url("");
    stage.section = format!(
        "jwt: [{{name: corp, issuer: '{issuer}', audiences: [gate], jwks: auto, ca: ca.crt}}]"
    );
    stage.publish_own();
    let document = |issuer: &str, keys: &str| {
        Answer::Good("", json!({"issuer": issuer, "jwks_uri": keys}).to_string().into_bytes())
    };
    let keys = stage.server.url("/keys");
    for wrong in [
        document(&format!("{issuer}/"), &keys),
        document(&issuer, &keys.replace("https", "http")),
        document(&issuer, "/keys"),
        Answer::Good("", b"{}".to_vec()),
        Answer::Redirect("/document"),
    ] {
        stage.server.answer("/.well-known/openid-configuration", &wrong);
        let before = stage.server.hits();
        let _filter = stage.filter();
        stage.world.pass(60);
        stage.until_that("asked", || stage.server.hits() > before).await;
        stage.until("refused", down).await;
        assert_eq!(stage.server.hits(), before + 1, "the keys were not asked for");
    }
    stage.server.answer("/.well-known/openid-configuration", &document(&issuer, &keys));
    let filter = stage.filter();
    stage.world.pass(60);
    stage.until("found", good).await;
    let claims = changed(claims("ana"), &json!({"iss": issuer}));
    let token = token(&json!({"alg": "ES256", "kid": "k1"}), &claims, &stage.key);
    assert_eq!(stage.world.bearer(&filter, &token).await.told(), "ana");
}

#[tokio::test]
async fn without_tls_only_where_danger_is_named() {
    let mut stage = Stage::with(Server::plain().await);
    stage.publish_own();
    let filter = stage.filter();
    stage.until("fetched", good).await;
    assert_eq!(stage.told(&filter, "k1").await, "ana");
    let safe = stage.section.replace(", danger_http: true", "");
    assert!(stage.world.filter(&safe).is_err());
}

/// A new generation goes on with the keys of the one before, without asking again.
#[tokio::test]
async fn keys_outlive_a_generation() {
    let mut stage = Stage::new().await;
    stage.publish_own();
    drop(stage.filter());
    stage.until("fetched", good).await;
    for _ in 0..5 {
        let filter = stage.filter();
        assert_eq!(stage.told(&filter, "k1").await, "ana");
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.server.hits(), 1);
    let _without = stage.world.filter("{}").unwrap();
    stage.until("forgotten", |health| health.is_none()).await;
    let text = stage.world.services.metrics.render();
    assert!(!text.contains("provider=\"corp\""), "{text}");
}
