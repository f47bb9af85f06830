//! Why a request ends here. Closed and exhaustive: each has one meaning in HTTP, and the gateway's
//! `answer.rs` is the one place that turns it into bytes.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use policy::{Malformed, Reason, Remedy};

/// A request ends here.
#[derive(Debug)]
pub enum Stop {
    /// The request is wrong (400 and its kin).
    Refuse(Refusal),
    /// Not yet: the caller can supply what is missing (401, or a page that leads there).
    Challenge(Challenge),
    /// No (403).
    Deny(Denial),
    /// Not on this connection (421).
    Misdirected,
    /// Not so fast (429).
    Wait(Wait),
    /// Not now (503): something that the answer needs is out of reach.
    Fail(Failure),
    /// The filter holds the whole answer: a preflight, a redirect of its own.
    Answer(Box<http::Response<Bytes>>),
}

/// A wrong request.
#[derive(Debug)]
pub struct Refusal {
    /// Which 4xx.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// For the operator alone.
    pub detail: Cow<'static, str>,
}

/// Which 4xx a wrong request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 400.
    BadRequest,
    /// 404: no such page of the gateway's own, or no such route.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 413.
    ContentTooLarge,
    /// 414.
    UriTooLong,
    /// 417.
    ExpectationFailed,
    /// 431.
    HeaderFieldsTooLarge,
}

/// Something is missing that the caller can supply.
#[derive(Debug)]
pub struct Challenge {
    /// Why.
    pub reason: Reason,
    /// What to supply.
    pub remedy: Remedy,
    /// From the rule, for the client.
    pub help: Option<Box<str>>,
    /// For the operator alone.
    pub detail: Cow<'static, str>,
}

/// A plain no.
#[derive(Debug)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// From the rule, for the client.
    pub help: Option<Box<str>>,
    /// For the operator alone.
    pub detail: Cow<'static, str>,
}

/// Too many.
#[derive(Debug)]
pub struct Wait {
    /// When to try again.
    pub retry_after: Duration,
    /// For the operator alone.
    pub detail: Cow<'static, str>,
}

/// Out of reach.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// For the operator alone.
    pub detail: Cow<'static, str>,
}

impl Stop {
    /// The metric's label: one word a variant.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refuse(_) => "refuse",
            Self::Challenge(_) => "challenge",
            Self::Deny(_) => "deny",
            Self::Misdirected => "misdirected",
            Self::Wait(_) => "wait",
            Self::Fail(_) => "fail",
            Self::Answer(_) => "answer",
        }
    }

    /// A request that cannot be made unambiguous (400).
    pub fn malformed(what: Malformed, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Refuse(Refusal {
            status: Status::BadRequest,
            reason: Reason::Malformed(what),
            detail: detail.into(),
        })
    }

    /// A credential that is wrong (401).
    pub fn bad_token(why: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Challenge(Challenge {
            reason: Reason::BadToken(why),
            remedy: Remedy::Login,
            help: None,
            detail: detail.into(),
        })
    }

    /// A plain no (403).
    pub fn deny(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Deny(Denial { reason, help: None, detail: detail.into() })
    }

    /// Something is out of reach (503).
    pub fn down(which: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail(Failure { reason: Reason::DependencyDown(which.into()), detail: detail.into() })
    }

    /// Why, where the stop has a reason.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refuse(refusal) => Some(refusal.reason.clone()),
            Self::Challenge(challenge) => Some(challenge.reason.clone()),
            Self::Deny(denial) => Some(denial.reason.clone()),
            Self::Misdirected => Some(Reason::Misdirected),
            Self::Wait(_) => Some(Reason::RateLimited),
            Self::Fail(failure) => Some(failure.reason.clone()),
            Self::Answer(_) => None,
        }
    }
}

impl Denial {
    /// A third-party filter's denial with a reason of its own.
    pub fn custom(word: &'static str) -> Self {
        Self { reason: Reason::Custom(word), help: None, detail: Cow::Borrowed("") }
    }
}
