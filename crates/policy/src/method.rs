//! Sets of methods, as bits.

use crate::suggest;

/// The methods that policies can name, each a bit. The last bit stands for every other one.
pub(crate) const NAMES: [&str; 26] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "MKCALENDAR",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "ACL",
    "BIND",
    "UNBIND",
    "PURGE",
    "LINK",
    "UNLINK",
];

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Methods(u32);

impl Methods {
    /// Every method, known or not.
    pub(crate) const ALL: Self = Self(u32::MAX);
    /// No method.
    pub(crate) const NONE: Self = Self(0);

    /// The set of the method of a request.
    pub(crate) fn of(method: &str) -> Self {
        Self::named(method).unwrap_or(Self(1 << 31))
    }

    /// The set of a method that a policy names.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn read(method: &str) -> Result<Self, String> {
        Self::named(method).ok_or_else(|| suggest::among(method, NAMES.into_iter()))
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn named(method: &str) -> Option<Self> {
        NAMES.iter().position(|name| *name == method).map(|bit| Self(1 << bit))
    }
}

#[cfg(test)]
mod tests {
    use super::Methods;

    #[test]
    fn unknown_methods_are_only_in_the_set_of_all() {
        let get = Methods::read("GET").expect("known");
        assert!(get.has(Methods::of("GET")) && !get.has(Methods::of("HEAD")));
        assert!(!get.has(Methods::of("get")) && !get.has(Methods::of("BREW")));
        assert!(Methods::ALL.has(Methods::of("BREW")));
        assert!(!Methods::NONE.has(Methods::of("BREW")));
        assert_eq!(Methods::read("PSOT"), Err("did you mean `POST`?".to_owned()));
        assert_eq!(Methods::read("get"), Err("did you mean `GET`?".to_owned()));
    }
}
