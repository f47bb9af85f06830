//! What is said to people: what happened, and what they can do.

use policy::{Reason, Remedy};

/// One reason in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// A few words.
    pub(super) title: &'static str,
    /// One sentence.
    pub(super) what: &'static str,
    /// What to do next.
    pub(super) next: &'static str,
}

/// A reason in plain words.
pub(super) fn of(reason: &Reason) -> Words {
    match reason {
        Reason::Allowed | Reason::Internal => INTERNAL,
        Reason::Malformed(_) => MALFORMED,
        Reason::Misdirected => MISDIRECTED,
        Reason::NoRoute => NO_ROUTE,
        Reason::NoIdentity => NO_IDENTITY,
        Reason::BadToken(_) => BAD_TOKEN,
        Reason::SessionExpired | Reason::SessionIdle => SESSION_OVER,
        Reason::SessionRevoked => SESSION_REVOKED,
        Reason::StepUpRequired => STEP_UP,
        Reason::NoRuleAllows | Reason::Denied(_) | Reason::Unknown(_) | Reason::Custom(_) => DENIED,
        Reason::DeviceUnknown | Reason::DeviceNotManaged => DEVICE_UNKNOWN,
        Reason::DeviceNotCompliant => DEVICE_NOT_COMPLIANT,
        Reason::PostureStale => POSTURE_STALE,
        Reason::CertificateExpired => CERTIFICATE_EXPIRED,
        Reason::CertificateRevoked => CERTIFICATE_REVOKED,
        Reason::CertificateUntrusted => CERTIFICATE_UNTRUSTED,
        Reason::RateLimited => RATE_LIMITED,
        Reason::TooLarge => TOO_LARGE,
        Reason::UpstreamUnreachable | Reason::UpstreamUnverified => UPSTREAM,
        Reason::DependencyDown(_) => DEPENDENCY,
    }
}

/// What a remedy asks of people, where that is more than the reason says.
pub(super) fn remedy(remedy: &Remedy) -> &'static str {
    match remedy {
        Remedy::Login => LOGIN,
        Remedy::StepUp { acr: _, max_age: _, mfa: _ } => {
            "Sign in again with all the factors that you are asked for."
        }
        Remedy::Device => DEVICE,
        Remedy::Posture => "Let the management agent of the device report, then try again.",
    }
}

const fn words(title: &'static str, what: &'static str, next: &'static str) -> Words {
    Words { title, what, next }
}

const ASK: &str = "If you think that you should have access, ask whoever runs this service and give them the request id.";
const AGAIN: &str = "Wait a moment and try again. If it keeps happening, report the request id.";
const LOGIN: &str = "Sign in, or send a credential that this service accepts.";
const SIGN_IN: &str = "Sign in again, or send a new credential.";
const DEVICE: &str =
    "Use a device that your organisation manages, or ask its support to enrol this one.";
const CERTIFICATE: &str = "Ask your organisation's support for a new certificate for this device.";

const INTERNAL: Words =
    words("Something went wrong", "The gateway could not handle this request.", AGAIN);
const MALFORMED: Words = words(
    "This request is not valid",
    "The request could be read in more than one way, so it was not passed on.",
    "Check the address for unusual characters. If you followed a link, report it with the request id.",
);
const MISDIRECTED: Words = words(
    "Wrong connection",
    "The request came in by a connection that was opened for another host.",
    "Open the address again in a new window.",
);
const NO_ROUTE: Words = words(
    "Nothing here",
    "Nothing is served at this address.",
    "Check the address for typing mistakes.",
);
const NO_IDENTITY: Words = words("Sign in first", "This service needs to know who you are.", LOGIN);
const BAD_TOKEN: Words = words(
    "Your credential was not accepted",
    "The credential that came with the request is not valid.",
    SIGN_IN,
);
const SESSION_OVER: Words =
    words("Your session has ended", "You have been signed in for too long.", SIGN_IN);
const SESSION_REVOKED: Words =
    words("Your session was ended", "You or an administrator ended this session.", SIGN_IN);
const STEP_UP: Words = words(
    "One more check is needed",
    "This service needs a stronger or more recent proof of who you are.",
    "Sign in again with all the factors that you are asked for.",
);
const DENIED: Words =
    words("You do not have access", "The policy does not allow this request.", ASK);
const DEVICE_UNKNOWN: Words =
    words("This device is not known", "This service needs a managed device.", DEVICE);
const DEVICE_NOT_COMPLIANT: Words = words(
    "This device needs attention",
    "The device does not meet your organisation's requirements.",
    "Install pending updates, check that the disk is encrypted and the screen locks, then try again.",
);
const POSTURE_STALE: Words = words(
    "This device has not reported lately",
    "What is known of the device's state is too old.",
    "Let the management agent of the device report, then try again.",
);
const CERTIFICATE_EXPIRED: Words = words(
    "The certificate has expired",
    "The client certificate is not valid at this time.",
    CERTIFICATE,
);
const CERTIFICATE_REVOKED: Words =
    words("The certificate was revoked", "The client certificate was revoked.", CERTIFICATE);
const CERTIFICATE_UNTRUSTED: Words = words(
    "The certificate is not accepted",
    "The client certificate is not one that this service accepts.",
    CERTIFICATE,
);
const RATE_LIMITED: Words = words(
    "Too many requests",
    "There were too many requests in a short time.",
    "Wait a moment and try again.",
);
const TOO_LARGE: Words = words(
    "Too large",
    "The address, a header or the body is larger than what is accepted.",
    "Send less at once.",
);
const UPSTREAM: Words = words(
    "The service is not available",
    "The service behind this gateway cannot be used at the moment.",
    AGAIN,
);
const DEPENDENCY: Words = words(
    "Not available at the moment",
    "Something that is needed to decide this request is out of reach.",
    AGAIN,
);
