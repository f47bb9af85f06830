//! What a 401 asks for.
//!
//! 1. Without a credential, the bare scheme (RFC 6750, 3: no error code).
//! 2. With a wrong one, `error="invalid_token"`.
//! 3. With one that is too weak or too old, `error="insufficient_user_authentication"` and what would
//!    be enough (RFC 9470, 3).

use http::{HeaderValue, StatusCode};
use policy::{Reason, Remedy};

/// 401 where a credential would help, 403 where none would.
pub(super) fn status(remedy: &Remedy) -> StatusCode {
    match remedy {
        Remedy::Login | Remedy::StepUp { acr: _, max_age: _, mfa: _ } => StatusCode::UNAUTHORIZED,
        Remedy::Device | Remedy::Posture => StatusCode::FORBIDDEN,
    }
}

/// The remedy's word.
pub(super) fn word(remedy: &Remedy) -> &'static str {
    match remedy {
        Remedy::Login => "login",
        Remedy::StepUp { acr: _, max_age: _, mfa: _ } => "step-up",
        Remedy::Device => "device",
        Remedy::Posture => "posture",
    }
}

/// `WWW-Authenticate`.
pub(super) fn header(reason: &Reason, remedy: Option<&Remedy>) -> HeaderValue {
    const BARE: &str = r#"Bearer realm="portcullis""#;
    let mut text = BARE.to_owned();
    if let Some(Remedy::StepUp { acr, max_age, mfa: _ }) = remedy {
        text.push_str(r#", error="insufficient_user_authentication""#);
        if let Some(acr) = acr {
            // Only what may stand in a quoted string without an escape.
            let plain = |c: &char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
            text.push_str(r#", acr_values=""#);
            text.extend(acr.chars().filter(plain));
            text.push('"');
        }
        if let Some(max_age) = max_age {
            text.push_str(r#", max_age=""#);
            text.push_str(&max_age.as_secs().to_string());
            text.push('"');
        }
    } else if matches!(reason, Reason::BadToken(_)) {
        text.push_str(r#", error="invalid_token""#);
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(BARE))
}
