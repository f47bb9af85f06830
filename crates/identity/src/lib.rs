//! Who asks: credentials in, `facts.subject` and `facts.auth` out.
//!
//! 1. Missing is not wrong. A request without a credential has no subject; that is a fact, and the
//!    policy decides what it means. A credential that is there and wrong ends the request.
//! 2. One credential counts: the `Authorization` header with a bearer token (a JWT of a provider or
//!    an API token of the gateway), or the client's TLS certificate. See [`credential`].
//! 3. A bearer token and a certificate that is an identity must name one subject (`sub`, the
//!    token's owner, the certificate's name), unless the token is bound to that very certificate.
//!    The token's facts are then the ones established. A certificate that no entry of
//!    `client_certificates` recognises is not an identity and contradicts nothing.
//! 4. A `Bearer` header is ours as soon as JWTs or API tokens are configured, and is then not
//!    forwarded, whether it was right or not. Otherwise, and for every other scheme, the header is
//!    left to the backend and names nobody here.
//! 5. A malformed or contradictory header is 400, a wrong token 401, and a provider whose keys are
//!    out of reach 503. What the client is told holds nothing of the token; nor do the logs.
//!
//! The kinds of credentials: [`jwt`] with the providers' keys in [`jwks`], [`api_token`],
//! [`certificate`].

pub mod api_token;
pub mod certificate;
pub mod conf;
pub mod credential;
pub mod fault;
pub mod jwks;
pub mod jwt;
pub mod strict;

mod authenticate;
mod observe;
mod pem;
mod text;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use authenticate::Authenticate;
pub use conf::Conf;
