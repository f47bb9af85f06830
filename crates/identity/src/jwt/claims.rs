//! Claims, each read by its type. A claim of another type is a fault where a token stands or falls
//! with it, and unknown where a rule may ask for it; it is never taken for another value.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::text::is_plain;

/// The claims of a token.
pub type Claims = Map<String, Value>;

/// Where a claim is: a member of this very name, or else a path with dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimPath(Box<str>);

impl ClaimPath {
    /// Reads a path.
    pub fn parse(text: &str) -> Option<Self> {
        is_plain(text, TEXT_BYTES_MAX).then(|| Self(text.into()))
    }

    /// The claim.
    pub fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        if let Some(value) = claims.get(&*self.0) {
            return Some(value);
        }
        let mut steps = self.0.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_object()?.get(step))
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest text that becomes a fact.
pub(crate) const TEXT_BYTES_MAX: usize = 256;

/// A date (RFC 7519, `NumericDate`): a number of seconds since 1970, whole or not, up to the year 9999.
pub(crate) fn date(claims: &Claims, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..DATE_SECONDS_END).contains(seconds));
    // The last hours of the year 9999 are beyond what can be reckoned with: they count as its end.
    let read = match (value.as_i64(), seconds) {
        (Some(whole), Some(_)) => Some(Timestamp::from_second(whole).unwrap_or(Timestamp::MAX)),
        (None, Some(seconds)) => SignedDuration::try_from_secs_f64(seconds)
            .ok()
            .map(|since| Timestamp::UNIX_EPOCH.checked_add(since).unwrap_or(Timestamp::MAX)),
        (_, None) => None,
    };
    read.map(Some).ok_or(Fault::Claim(name))
}

/// The subject: plain text of at most 256 bytes.
pub(crate) fn subject(claims: &Claims) -> Result<&str, Fault> {
    text(claims, "sub").ok_or(Fault::Claim("sub"))
}

/// A text that is fit to be a fact.
pub(crate) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().filter(|text| is_plain(text, TEXT_BYTES_MAX))
}

/// A list of texts, or one text; sorted, each once. `None` if any part of it is something else.
pub(crate) fn texts(value: Option<&Value>) -> Option<Box<[Box<str>]>> {
    let one =
        |value: &Value| value.as_str().filter(|text| is_plain(text, TEXT_BYTES_MAX)).map(Box::from);
    let mut texts: Vec<Box<str>> = match value? {
        Value::Array(items) => items.iter().map(one).collect::<Option<_>>()?,
        value => vec![one(value)?],
    };
    texts.sort_unstable();
    texts.dedup();
    Some(texts.into_boxed_slice())
}

/// Scopes: `scope` as one text with spaces (RFC 9068), or `scp` as such a text or a list.
pub(crate) fn scopes(claims: &Claims) -> Option<Box<[Box<str>]>> {
    let value = claims.get("scope").or_else(|| claims.get("scp"))?;
    let Some(text) = value.as_str() else { return texts(Some(value)) };
    let words = text.split(' ').filter(|word| !word.is_empty()).map(Value::from).collect();
    texts(Some(&Value::Array(words)))
}

/// Whether the token was made for one of these: `aud` is a text or a list of texts.
pub(crate) fn audience(claims: &Claims, ours: &[String]) -> Result<(), Fault> {
    let named = match claims.get("aud") {
        Some(Value::String(one)) => ours.contains(one),
        Some(Value::Array(several)) => {
            let texts: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            let texts = texts.ok_or(Fault::Claim("aud"))?;
            texts.iter().any(|text| ours.iter().any(|our| our == text))
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            return Err(Fault::Claim("aud"));
        }
    };
    named.then_some(()).ok_or(Fault::Audience)
}

/// A mail address that can be compared: one `@`, a plain local part, a domain of letters, digits
/// and hyphens, which is put in lower case.
pub(crate) fn email(text: &str) -> Option<Box<str>> {
    let (local, domain) = text.split_once('@')?;
    let local_is_plain = !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&b));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let domain_is_plain = domain.len() <= 253 && domain.split('.').all(label);
    (local_is_plain && domain_is_plain)
        .then(|| format!("{local}@{}", domain.to_ascii_lowercase()).into())
}

/// The first second of the year 10000.
const DATE_SECONDS_END: f64 = 253_402_300_800.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    /// J9: what is and what is not a date.
    #[test]
    fn j9_dates() {
        for (value, expect) in [
            (json!(0), Some(0)),
            (json!(1_800_000_000), Some(1_800_000_000_000)),
            (json!(1_800_000_000.25), Some(1_800_000_000_250)),
            (json!(1.8e9), Some(1_800_000_000_000)),
            (json!(253_402_207_200_i64), Some(253_402_207_200_000)),
            (json!(253_402_300_799_i64), Some(Timestamp::MAX.as_millisecond())),
            (json!(253_402_300_800_i64), None),
            (json!(-1), None),
            (json!(-0.5), None),
            (json!(1e300), None),
            (json!(9_223_372_036_854_775_808_u64), None),
            (json!("1800000000"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([1_800_000_000]), None),
            (json!({}), None),
        ] {
            let read = date(&claims(&json!({"exp": value})), "exp");
            let millis = read.as_ref().map(|date| date.unwrap().as_millisecond());
            assert_eq!(millis.ok(), expect, "{value}");
        }
        assert_eq!(date(&claims(&json!({})), "exp"), Ok(None));
    }

    /// J10: `aud`.
    #[test]
    fn j10_audiences() {
        let ours = ["gate".to_owned(), "door".to_owned()];
        for (value, expect) in [
            (json!("gate"), Ok(())),
            (json!(["other", "door"]), Ok(())),
            (json!("gat"), Err(Fault::Audience)),
            (json!("gate2"), Err(Fault::Audience)),
            (json!("Gate"), Err(Fault::Audience)),
            (json!("gate/"), Err(Fault::Audience)),
            (json!(""), Err(Fault::Audience)),
            (json!([]), Err(Fault::Audience)),
            (json!([["gate"]]), Err(Fault::Claim("aud"))),
            (json!(["gate", 1]), Err(Fault::Claim("aud"))),
            (json!(["gate", null]), Err(Fault::Claim("aud"))),
            (json!({"gate": true}), Err(Fault::Claim("aud"))),
            (json!(null), Err(Fault::Claim("aud"))),
            (json!(true), Err(Fault::Claim("aud"))),
        ] {
            assert_eq!(audience(&claims(&json!({"aud": value})), &ours), expect, "{value}");
        }
        assert_eq!(audience(&claims(&json!({})), &ours), Err(Fault::Claim("aud")));
    }

    /// J19: addresses that name one person at one domain.
    #[test]
    fn j19_addresses() {
        for (text, expect) in [
            ("x@company.test", Some("x@company.test")),
            ("X.y+z@COMPANY.test", Some("X.y+z@company.test")),
            ("x@evil.test@company.test", None),
            ("x@company.test\0", None),
            ("x@company.test ", None),
            ("x\r\n@company.test", None),
            ("\"x@evil.test\"@company.test", None),
            ("@company.test", None),
            ("x@", None),
            ("x", None),
            ("x@company..test", None),
            ("x@company.test.", None),
            ("x@-company.test", None),
            ("x@[127.0.0.1]", None),
            ("x@cömpany.test", None),
            ("<x@company.test>", None),
        ] {
            assert_eq!(email(text).as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn lists_are_lists_of_texts_or_unknown() {
        let list = |value: &Value| texts(Some(value)).map(|texts| texts.join(" "));
        for (value, expect) in [
            (json!(["b", "a", "b"]), Some("a b")),
            (json!([]), Some("")),
            (json!("a"), Some("a")),
            (json!(["a", 1]), None),
            (json!(["a", null]), None),
            (json!(["a\n"]), None),
            (json!([""]), None),
            (json!([["a"]]), None),
            (json!(""), None),
            (json!(null), None),
            (json!(1), None),
            (json!({"a": true}), None),
        ] {
            assert_eq!(list(&value).as_deref(), expect, "{value}");
        }
        assert_eq!(texts(None), None);
    }

    #[test]
    fn paths_lead_through_objects() {
        let claims = claims(&json!({
            "groups": ["g"], "realm_access": {"roles": ["r"]}, "https://a.example/groups": ["h"],
            "a.b": 1, "a": {"b": 2}, "list": [{"x": 1}],
        }));
        for (path, expect) in [
            ("groups", Some(json!(["g"]))),
            ("realm_access.roles", Some(json!(["r"]))),
            ("https://a.example/groups", Some(json!(["h"]))),
            ("a.b", Some(json!(1))),
            ("realm_access.none", None),
            ("groups.0", None),
            ("list.0.x", None),
            ("none", None),
        ] {
            let found = ClaimPath::parse(path).unwrap();
            assert_eq!(found.find(&claims), expect.as_ref(), "{path}");
        }
        assert_eq!(ClaimPath::parse(""), None);
    }

    #[test]
    fn scopes_of_either_name() {
        let read = |value| scopes(&claims(&value)).map(|scopes| scopes.join(","));
        assert_eq!(read(json!({"scope": "b a  b"})).as_deref(), Some("a,b"));
        assert_eq!(read(json!({"scope": ""})).as_deref(), Some(""));
        assert_eq!(read(json!({"scp": ["b", "a"]})).as_deref(), Some("a,b"));
        assert_eq!(read(json!({"scp": "a b"})).as_deref(), Some("a,b"));
        assert_eq!(read(json!({"scope": 1})), None);
        assert_eq!(read(json!({})), None);
    }
}
