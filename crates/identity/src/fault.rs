//! What can be wrong with a credential: one word for the client and the metrics, one sentence for
//! the operator. Neither holds any part of the credential.

use std::borrow::Cow;

use filter::Stop;
use policy::Malformed;

/// Why a credential is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The header is not one well-formed credential.
    Header(&'static str),
    /// Two credentials of one request name two subjects.
    Conflict,
    /// The token is larger than its limit.
    TooLarge,
    /// The token is not a JWT in compact form, or not a token at all.
    Malformed(&'static str),
    /// The signature algorithm is not one that the provider may use.
    Algorithm,
    /// The header asks for something that is not done here: `crit`, `b64`, a key of its own, ...
    Parameter(&'static str),
    /// The `typ` header is not one that the provider's access tokens have.
    Type,
    /// The token is another kind of token: an ID token, a logout token, ...
    Kind(&'static str),
    /// Nobody vouches for this issuer.
    Issuer,
    /// The provider has no such key.
    Key,
    /// The signature is not the key's.
    Signature,
    /// A claim is missing or has the wrong type.
    Claim(&'static str),
    /// A claim that the provider must send has another value or is missing.
    RequiredClaim(Box<str>),
    /// The token was made for somebody else.
    Audience,
    /// The token was given to a party that is not listed.
    AuthorizedParty(Box<str>),
    /// The token is over.
    Expired,
    /// The token begins later, or was issued later than now.
    NotYet,
    /// The token was issued too long ago.
    TooOld,
    /// The token is bound to a certificate or key that the client did not prove.
    Binding(&'static str),
    /// The API token was taken back or is out of use.
    Revoked,
    /// There is no such API token, or its secret is another.
    UnknownToken,
    /// A certificate of an identity's authority does not name one subject.
    Certificate(&'static str),
    /// The provider's keys are out of reach.
    KeysDown(&'static str),
}

impl Fault {
    /// The word after `bad-token:`, and the metric's label.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Header(_) | Self::Malformed(_) => "malformed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::Algorithm => "algorithm",
            Self::Parameter(_) => "header",
            Self::Type => "type",
            Self::Kind(_) => "kind",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claim(_) | Self::RequiredClaim(_) => "claims",
            Self::Audience => "audience",
            Self::AuthorizedParty(_) => "authorized-party",
            Self::Expired => "expired",
            Self::NotYet => "not-yet-valid",
            Self::TooOld => "too-old",
            Self::Binding(_) => "binding",
            Self::Revoked => "revoked",
            Self::UnknownToken => "unknown",
            Self::Certificate(_) => "certificate-ambiguous",
            Self::KeysDown(_) => "keys-down",
        }
    }

    /// What the operator reads.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Header(what) | Self::Malformed(what) | Self::Certificate(what) => {
                Cow::Borrowed(what)
            }
            Self::Conflict => {
                "the bearer token and the client certificate name two subjects".into()
            }
            Self::TooLarge => "the token is larger than 16 KiB".into(),
            Self::Algorithm => "the token's `alg` is not in the provider's `algorithms`".into(),
            Self::Parameter(name) => {
                format!("the token's header has `{name}`, which is never honoured").into()
            }
            Self::Type => "the token's `typ` is not in the provider's `typ`".into(),
            Self::Kind(kind) => format!("this is {kind}, not an access token").into(),
            Self::Issuer => "no provider of `identity.jwt` has this issuer".into(),
            Self::Key => "the provider's key set has no key for this token".into(),
            Self::Signature => "the signature does not verify".into(),
            Self::Claim(name) => format!("the claim `{name}` is missing or malformed").into(),
            Self::RequiredClaim(name) => {
                format!("the claim `{name}` is not as `required_claims` says").into()
            }
            Self::Audience => "none of the provider's `audiences` is in the token's `aud`".into(),
            Self::AuthorizedParty(party) => format!(
                "the token was issued to `{}`, which is not in `authorized_parties`",
                party.escape_debug()
            )
            .into(),
            Self::Expired => "the token is over".into(),
            Self::NotYet => "the token is not valid yet: compare the clocks".into(),
            Self::TooOld => "the token was issued longer ago than `max_age`".into(),
            Self::Binding(what) => Cow::Borrowed(what),
            Self::Revoked => "the token was revoked or disabled".into(),
            Self::UnknownToken => "there is no such token".into(),
            Self::KeysDown(why) => Cow::Borrowed(why),
        }
    }

    /// How the request ends.
    pub fn stop(self) -> Stop {
        match &self {
            Self::Header(_) | Self::Conflict => {
                Stop::malformed(Malformed::Credential, self.detail())
            }
            Self::KeysDown(_) => Stop::down("jwks", self.detail()),
            Self::TooLarge
            | Self::Malformed(_)
            | Self::Algorithm
            | Self::Parameter(_)
            | Self::Type
            | Self::Kind(_)
            | Self::Issuer
            | Self::Key
            | Self::Signature
            | Self::Claim(_)
            | Self::RequiredClaim(_)
            | Self::Audience
            | Self::AuthorizedParty(_)
            | Self::Expired
            | Self::NotYet
            | Self::TooOld
            | Self::Binding(_)
            | Self::Revoked
            | Self::UnknownToken
            | Self::Certificate(_) => Stop::bad_token(self.word(), self.detail()),
        }
    }
}
