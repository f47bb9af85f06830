//! Any text is a token in parts, or refused; what is refused is not echoed.

#![no_main]

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use identity::api_token::Token;
use identity::jwt::compact;
use identity::{credential, strict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(token) = compact::parse(text) {
        assert!(text.len() <= compact::TOKEN_BYTES_MAX);
        assert!(text.as_bytes().starts_with(token.message) && !token.signature.is_empty());
    }
    assert!(Token::parse(text).is_none() || text.len() == Token::LENGTH_BYTES);
    if let Ok(object) = strict::object(text.as_bytes()) {
        let written = serde_json::to_vec(&object).expect("an object is written");
        assert!(strict::object(&written).is_ok(), "what was read cannot be read again");
    }
    if let Ok(value) = HeaderValue::from_str(text) {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        if let Ok(Some(token)) = credential::bearer(&headers) {
            assert!(!token.is_empty() && !token.contains(' '));
        }
    }
});
