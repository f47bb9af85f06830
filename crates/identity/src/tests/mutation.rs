//! A token has one spelling: whatever is changed in it, it is not accepted.

use openssl::pkey::{PKey, Private};
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

use super::world::{World, claims};
use crate::Authenticate;
use crate::testing::{jwk, jwks, p256_key, rsa_key, token};

struct Stage {
    world: World,
    filter: Authenticate,
    tokens: [String; 3],
    runtime: tokio::runtime::Runtime,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let mut world = World::new();
    let (rsa, ec, ed) = (rsa_key(), p256_key(), PKey::generate_ed25519().unwrap());
    world.write("jwks.json", jwks(&[jwk(&rsa, "r"), jwk(&ec, "e"), jwk(&ed, "d")]));
    let filter = world
        .filter(
            "jwt: [{name: corp, issuer: 'https://sso.example.com', audiences: [gate], \
             jwks: {file: jwks.json}}]",
        )
        .unwrap();
    let make = |alg: &str, kid: &str, key: &PKey<Private>| {
        token(&json!({"alg": alg, "kid": kid}), &claims("ana"), key)
    };
    let tokens = [make("RS256", "r", &rsa), make("ES256", "e", &ec), make("EdDSA", "d", &ed)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Stage { world, filter, tokens, runtime }
});

fn is_refused(token: &[u8]) -> bool {
    let header = [b"Bearer ".as_slice(), token].concat();
    if http::HeaderValue::from_bytes(&header).is_err() {
        return true;
    }
    let outcome =
        STAGE.runtime.block_on(STAGE.world.ask(&STAGE.filter, &[header.as_slice()], None));
    outcome.result.is_err() && outcome.cx.facts().subject().is_none()
}

#[test]
fn the_tokens_themselves_are_accepted() {
    assert!(STAGE.tokens.iter().all(|token| !is_refused(token.as_bytes())));
}

/// The last letter of a part has bits that stand for nothing: they must be zero.
#[test]
fn every_other_letter_in_place_of_each_last_one() {
    for token in &STAGE.tokens {
        let ends = token.match_indices('.').map(|(at, _)| at).chain([token.len()]);
        for last in ends.map(|end| end - 1) {
            for letter in (b'0'..=b'z').filter(u8::is_ascii_alphanumeric).chain(*b"-_=+/") {
                let mut bytes = token.as_bytes().to_vec();
                if bytes[last] != letter {
                    bytes[last] = letter;
                    assert!(is_refused(&bytes), "{last} {letter}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_flipped_bit_is_accepted(which in 0..3_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = STAGE.tokens[which].as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(is_refused(&bytes));
    }

    #[test]
    fn no_cut_or_stretched_token_is_accepted(
        which in 0..3_usize,
        at in any::<prop::sample::Index>(),
        more in "[A-Za-z0-9_.=-]{0,3}",
    ) {
        let token = &STAGE.tokens[which];
        let (head, tail) = token.split_at(at.index(token.len()));
        let (_, rest) = tail.split_at(1);
        for changed in [head.to_owned(), format!("{head}{rest}"), format!("{head}{more}{tail}")] {
            prop_assert!(changed == *token || is_refused(changed.as_bytes()));
        }
    }

    #[test]
    fn nothing_panics(token in "\\PC{0,200}") {
        prop_assert!(is_refused(token.as_bytes()));
    }
}
