//! The `identity:` section, as written.
//!
//! A section that is absent configures nothing: no credential is ours, and nobody has an identity.

use std::collections::BTreeMap;

use document::{At, Duration, FilePath, OneOrMany};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api_token::Kind;
use crate::jwks::Alg;

/// `identity:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conf {
    /// Providers of bearer JWTs. A token's `iss` chooses among them.
    #[serde(default)]
    pub jwt: Vec<At<JwtConf>>,
    /// Verified tokens that are remembered.
    #[serde(default)]
    pub token_cache: TokenCacheConf,
    /// API tokens of the gateway itself (`portcullis token create`); `{}` turns them on.
    #[serde(default)]
    pub api_tokens: Option<ApiTokensConf>,
    /// Client certificates that are an identity of their own.
    #[serde(default)]
    pub client_certificates: Vec<At<ClientCertificateConf>>,
}

/// One provider of bearer JWTs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConf {
    /// What it is called in facts, metrics and messages.
    pub name: At<String>,
    /// The exact `iss` of its tokens.
    pub issuer: At<String>,
    /// A token's `aud` must have one of them.
    pub audiences: At<Vec<String>>,
    /// Where its keys are.
    pub jwks: At<JwksConf>,
    /// PEM: the one authority to trust when fetching keys; the system's where absent.
    #[serde(default)]
    pub ca: Option<At<FilePath>>,
    /// Lets keys be fetched without TLS: whoever is on the way can replace them.
    #[serde(default)]
    pub danger_http: bool,
    /// Signature algorithms (default RS256, PS256, ES256, ES384, `EdDSA`).
    #[serde(default)]
    pub algorithms: Option<At<Vec<Alg>>>,
    /// How far clocks may differ (default 30s, at most 5m).
    #[serde(default)]
    pub leeway: Option<At<Duration>>,
    /// Values of the `typ` header, in any case; `absent` stands for none (default `JWT`, `at+jwt`,
    /// `application/at+jwt`, `absent`).
    #[serde(default)]
    pub typ: Option<At<Vec<String>>>,
    /// Parties that tokens may have been issued to (`azp`, or `client_id`), besides the audiences.
    #[serde(default)]
    pub authorized_parties: Vec<String>,
    /// Accepts tokens whatever party they were issued to.
    #[serde(default)]
    pub danger_any_authorized_party: bool,
    /// The claim with the groups, a name or a path with dots (default `groups`).
    #[serde(default)]
    pub groups_claim: Option<At<String>>,
    /// The claim with the roles, a name or a path with dots (default `roles`).
    #[serde(default)]
    pub roles_claim: Option<At<String>>,
    /// Whether its subjects are people or programs (default `human`).
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Values of `amr` that stand for more than one factor.
    #[serde(default)]
    pub mfa_amr: Option<Vec<String>>,
    /// Claims that a token must have, each with its text or one of several.
    #[serde(default)]
    pub required_claims: BTreeMap<String, OneOrMany<String>>,
    /// How long after `iat` a token is taken; where set, `iat` is required.
    #[serde(default)]
    pub max_age: Option<At<Duration>>,
    /// Takes `email` without `email_verified: true`, from a provider that never sends it and lets
    /// nobody choose the address of another.
    #[serde(default)]
    pub danger_unverified_email: bool,
}

/// Where a provider's keys are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JwksConf {
    /// Where the issuer's discovery document says.
    Auto,
    /// At this address.
    Url(String),
    /// In this file.
    File(FilePath),
}

/// Verified tokens that are remembered.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCacheConf {
    /// How many (default 10000; 0 remembers none).
    #[serde(default)]
    pub entries: Option<u64>,
}

/// API tokens.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiTokensConf {}

/// Client certificates of one authority that are an identity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificateConf {
    /// What it is called in facts and metrics (default `client-certificate`).
    #[serde(default)]
    pub name: Option<At<String>>,
    /// PEM: the trust anchors (one file, or a list).
    pub ca: OneOrMany<At<FilePath>>,
    /// Whether its subjects are people or programs (default `service`).
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Which name of the certificate is the subject. A certificate of this authority with two
    /// names of this type is refused.
    pub user_from: UserFrom,
    /// Which names are subjects (default all).
    #[serde(default, rename = "match")]
    pub matches: Option<At<MatchConf>>,
    /// Groups of its subjects.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Which name of a certificate is the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserFrom {
    /// The URI.
    SanUri,
    /// The mail address.
    SanEmail,
    /// The DNS name.
    SanDns,
    /// Microsoft's user principal name.
    Upn,
}

/// Which names are subjects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchConf {
    /// Those that begin with this text.
    Prefix(String),
    /// Those that this expression matches from beginning to end.
    Regex(String),
}
