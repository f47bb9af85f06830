//! What is wrong with a request, before it is a [`Stop`].

use std::borrow::Cow;

use filter::{Refusal, Status, Stop};
use policy::{Malformed, Reason};

/// Why a request does not pass the door, with a text for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// 400.
    Malformed(Malformed, &'static str),
    /// 405.
    Method(&'static str),
    /// 414.
    TargetTooLong(&'static str),
    /// 417.
    Expect(&'static str),
    /// 421.
    Misdirected,
    /// 431.
    FieldsTooLarge(&'static str),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        let refuse = |status, reason, detail| {
            Self::Refuse(Refusal { status, reason, detail: Cow::Borrowed(detail) })
        };
        let malformed = Reason::Malformed;
        match fault {
            Fault::Malformed(what, detail) => refuse(Status::BadRequest, malformed(what), detail),
            Fault::Method(detail) => {
                refuse(Status::MethodNotAllowed, malformed(Malformed::Method), detail)
            }
            Fault::TargetTooLong(detail) => refuse(Status::UriTooLong, Reason::TooLarge, detail),
            Fault::Expect(detail) => {
                refuse(Status::ExpectationFailed, malformed(Malformed::Expect), detail)
            }
            Fault::Misdirected => Self::Misdirected,
            Fault::FieldsTooLarge(detail) => {
                refuse(Status::HeaderFieldsTooLarge, Reason::TooLarge, detail)
            }
        }
    }
}
