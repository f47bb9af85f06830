//! What is known of a token without the token.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use policy::SubjectKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Id;
use crate::text::is_plain;

/// A person or a program, as written in files and on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    Human,
    /// A program.
    #[default]
    Service,
}

/// One token of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its name in logs.
    pub id: Id,
    /// SHA-256 of the whole token, lower-case hex.
    #[serde(with = "hex_digest")]
    pub sha256: [u8; 32],
    /// What it is for.
    pub name: String,
    /// Whose it is: becomes the subject's id.
    pub owner: String,
    /// What the subject is.
    #[serde(default)]
    pub kind: Kind,
    /// The subject's groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What it may be used for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was taken back, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Out of use until this is taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewToken {
    /// What it is for: 1 to 128 bytes of plain text.
    pub name: String,
    /// Whose it is: 1 to 256 bytes of plain text.
    pub owner: String,
    /// What the subject is.
    pub kind: Kind,
    /// The subject's groups: at most 64, each 1 to 256 bytes of plain text.
    pub groups: Vec<String>,
    /// Scopes: at most 64, each a scope token of RFC 6749, section 3.3.
    pub scopes: Vec<String>,
    /// How long it is good for: from a minute to five years.
    pub lifetime: SignedDuration,
}

/// Why a token cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAToken {
    /// The name is empty, too long or not plain text.
    Name(String),
    /// The owner is empty, too long or not plain text.
    Owner(String),
    /// A group is empty, too long or not plain text, or there are too many.
    Group(String),
    /// A scope is not a scope token, or there are too many.
    Scope(String),
    /// It would end too soon or too late.
    Lifetime(SignedDuration),
}

impl NewToken {
    /// The shortest life of a token.
    pub const LIFETIME_MIN: SignedDuration = SignedDuration::from_mins(1);
    /// The longest life of a token: five years.
    pub const LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

    pub(super) fn record(
        self,
        id: Id,
        sha256: [u8; 32],
        now: Timestamp,
    ) -> Result<Record, NotAToken> {
        let Self { name, owner, kind, groups, scopes, lifetime } = self;
        if !is_plain(&name, NAME_BYTES_MAX) {
            return Err(NotAToken::Name(name));
        }
        if !is_plain(&owner, OWNER_BYTES_MAX) {
            return Err(NotAToken::Owner(owner));
        }
        if let Some(wrong) = first_wrong(&groups, |group| is_plain(group, OWNER_BYTES_MAX)) {
            return Err(NotAToken::Group(wrong));
        }
        if let Some(wrong) = first_wrong(&scopes, is_scope) {
            return Err(NotAToken::Scope(wrong));
        }
        if !(Self::LIFETIME_MIN..=Self::LIFETIME_MAX).contains(&lifetime) {
            return Err(NotAToken::Lifetime(lifetime));
        }
        let expires_at =
            now.checked_add(lifetime).map_err(|_out_of_range| NotAToken::Lifetime(lifetime))?;
        Ok(Record {
            id,
            sha256,
            name,
            owner,
            kind,
            groups,
            scopes,
            created_at: now,
            expires_at,
            revoked_at: None,
            disabled: false,
        })
    }
}

impl From<Kind> for SubjectKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Human => Self::Human,
            Kind::Service => Self::Service,
        }
    }
}

const NAME_BYTES_MAX: usize = 128;
const OWNER_BYTES_MAX: usize = 256;
const LIST_LENGTH_MAX: usize = 64;

fn first_wrong(texts: &[String], is_right: impl Fn(&str) -> bool) -> Option<String> {
    match texts.iter().find(|text| !is_right(text)) {
        Some(wrong) => Some(wrong.clone()),
        None => (texts.len() > LIST_LENGTH_MAX).then(|| format!("{} of them", texts.len())),
    }
}

fn is_scope(text: &str) -> bool {
    (1..=OWNER_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "`{}` is not a name: write 1 to 128 bytes of plain text",
                name.escape_debug()
            ),
            Self::Owner(owner) => write!(
                f,
                "`{}` is not an owner: write 1 to 256 bytes of plain text",
                owner.escape_debug()
            ),
            Self::Group(group) => write!(
                f,
                "`{}` is not a group: write 1 to 256 bytes of plain text, at most 64 groups",
                group.escape_debug()
            ),
            Self::Scope(scope) => write!(
                f,
                "`{}` is not a scope: write visible ASCII without quotes, backslashes and spaces, at most 64 scopes",
                scope.escape_debug()
            ),
            Self::Lifetime(lifetime) => {
                write!(f, "a token cannot live for {lifetime:#}: write something from 1m to 1830d")
            }
        }
    }
}

impl std::error::Error for NotAToken {}

mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::text::{from_hex, to_hex};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("a digest is 64 lower-case hexadecimal digits"))
    }
}
