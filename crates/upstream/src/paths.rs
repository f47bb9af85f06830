//! Which paths a backend understands as the gateway does.
//!
//! 1. A path that reaches a profile is canonical already: no dot segments, no empty segments but the
//!    last, unreserved octets decoded, the remaining escapes in upper case.
//! 2. What is left can still mean two things: `;` is a parameter to some backends and a letter to
//!    others; `%2F` and `%5C` are separators to a backend that decodes before it routes. Each is
//!    refused unless the backend's profile says otherwise.
//! 3. The door asks with the [`union`](PathProfile::union) of all profiles, because no route is
//!    known yet; once one is, its own profile is asked with [`PathProfile::admits`].
//!
//! *Why a profile of the upstream and not of the route:* how a path is read is a property of the
//! program that reads it.

use policy::Malformed;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a backend's paths may hold beyond the strict form; the default admits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathProfile {
    /// `;` in a segment (RFC 3986, 3.3). Dot segments with parameters (`..;x`) stay refused.
    pub parameters: bool,
    /// `%2F`. A rule that names a prefix does not see through it: a backend that decodes it before
    /// it routes reads another path than the policy did.
    pub danger_encoded_slash: bool,
    /// `%5C`. As for `danger_encoded_slash`, where a backend takes `\` for a separator.
    pub danger_encoded_backslash: bool,
}

impl PathProfile {
    /// What either admits.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            parameters: self.parameters || other.parameters,
            danger_encoded_slash: self.danger_encoded_slash || other.danger_encoded_slash,
            danger_encoded_backslash: self.danger_encoded_backslash
                || other.danger_encoded_backslash,
        }
    }

    /// Whether a canonical path fits this backend.
    ///
    /// # Errors
    /// What does not fit: [`Malformed::PathParameter`] or [`Malformed::Escape`].
    pub fn admits(self, path: &str) -> Result<(), Malformed> {
        let bytes = path.as_bytes();
        if !bytes.iter().any(|byte| matches!(byte, b';' | b'%')) {
            return Ok(());
        }
        if !self.parameters && bytes.contains(&b';') {
            return Err(Malformed::PathParameter);
        }
        let escaped = |code: &[u8]| bytes.windows(3).any(|at| at.eq_ignore_ascii_case(code));
        if (!self.danger_encoded_slash && escaped(b"%2F"))
            || (!self.danger_encoded_backslash && escaped(b"%5C"))
        {
            return Err(Malformed::Escape);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: PathProfile = PathProfile {
        parameters: false,
        danger_encoded_slash: false,
        danger_encoded_backslash: false,
    };

    #[test]
    fn p3_p4_p6_a_profile_admits_only_what_it_names() {
        let parameters = PathProfile { parameters: true, ..STRICT };
        let slash = PathProfile { danger_encoded_slash: true, ..STRICT };
        let backslash = PathProfile { danger_encoded_backslash: true, ..STRICT };
        for (path, by) in [("/a;x=1", parameters), ("/a%2Fb", slash), ("/a%5Cb", backslash)] {
            assert_eq!(by.admits(path), Ok(()), "{path}");
            for other in [STRICT, parameters, slash, backslash] {
                assert_eq!(other.admits(path).is_ok(), other == by, "{path} {other:?}");
            }
        }
        for path in ["/", "/a/b", "/a%20b", "/%25%C3%A9"] {
            assert_eq!(STRICT.admits(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_union_admits_what_either_does() {
        let parameters = PathProfile { parameters: true, ..STRICT };
        let slash = PathProfile { danger_encoded_slash: true, ..STRICT };
        let both = parameters.union(slash);
        assert_eq!(
            (both.admits("/a;b%2Fc"), both.admits("/%5C")),
            (Ok(()), Err(Malformed::Escape))
        );
        assert_eq!(STRICT.union(STRICT), PathProfile::default());
    }
}
