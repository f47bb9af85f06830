//! From the text of a token to its parts, before anything is believed.
//!
//! 1. At most [`TOKEN_BYTES_MAX`] bytes, measured before anything is decoded.
//! 2. Exactly two dots, no part empty: five parts are encryption (JWE) and not done here.
//! 3. Each part is base64url without padding and without stray bits in its last letter, so a token
//!    has one spelling.
//! 4. Header and claims are JSON objects by the rules of [`strict`].
//! 5. `alg` names an algorithm of [`Alg`], by its exact letters. `none` and HMAC are not among them.
//! 6. `crit`, `b64`, `zip`, `enc` and `cty` are refused: nothing here honours them. `jwk`, `jku`,
//!    `x5u` and `x5c` are refused: keys come from the provider, never from the token. Thumbprints
//!    (`x5t`) and unknown members are not looked at.
//! 7. `kid` and `typ` are text, or absent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::jwks::Alg;
use crate::strict;

/// The longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A token in parts. Nothing of it is verified.
#[derive(Debug)]
pub struct Unverified<'a> {
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
    /// The header.
    pub header: Header,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Which algorithm.
    pub alg: Alg,
    /// Which key.
    pub kid: Option<Box<str>>,
    /// Which kind of token.
    pub typ: Option<Box<str>>,
}

/// Takes a token apart.
///
/// # Errors
/// The token breaks a rule above.
pub fn parse(token: &str) -> Result<Unverified<'_>, Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    let malformed = Fault::Malformed("the token is not three parts of base64url");
    let Some((message, signature)) = token.rsplit_once('.') else { return Err(malformed) };
    let Some((header, claims)) = message.split_once('.') else { return Err(malformed) };
    if claims.contains('.') || [header, claims, signature].iter().any(|part| part.is_empty()) {
        return Err(malformed);
    }
    let header = header_of(&decode(header)?)?;
    let claims = strict::object(&decode(claims)?)
        .map_err(|_says_bytes_of_it| Fault::Malformed("the token's claims are not plain JSON"))?;
    Ok(Unverified { message: message.as_bytes(), signature: decode(signature)?, header, claims })
}

const REFUSED_MEMBERS: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"];

fn header_of(text: &[u8]) -> Result<Header, Fault> {
    let members = strict::object(text)
        .map_err(|_says_bytes_of_it| Fault::Malformed("the token's header is not plain JSON"))?;
    if let Some(name) = REFUSED_MEMBERS.iter().find(|name| members.contains_key(**name)) {
        return Err(Fault::Parameter(name));
    }
    let alg = members.get("alg").and_then(Value::as_str).and_then(Alg::parse);
    let alg = alg.ok_or(Fault::Algorithm)?;
    let kid = text_or_absent(&members, "kid").map_err(|()| Fault::Key)?;
    let typ = text_or_absent(&members, "typ").map_err(|()| Fault::Type)?;
    Ok(Header { alg, kid, typ })
}

fn text_or_absent(members: &Map<String, Value>, name: &str) -> Result<Option<Box<str>>, ()> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_),
        ) => Err(()),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_says_bytes_of_it| Fault::Malformed("a part of the token is not base64url"))
}
