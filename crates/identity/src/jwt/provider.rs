//! One provider: what its tokens must be, and what they say.
//!
//! A token that names this issuer is accepted if all of these hold, in this order:
//!
//! 1. `typ` is one of the provider's, and nothing marks the token as another kind: an ID token
//!    (`nonce`, `at_hash`, `c_hash`, `token_use: id`), a logout or security event token (`events`),
//!    or what Keycloak calls `ID`, `Refresh`, `Offline` or `Logout` in the claim `typ`.
//! 2. `alg` is one of the provider's, the key set has a key for it, and the signature is that key's.
//! 3. `exp` is there. With the leeway: it lies ahead, `nbf` and `iat` do not. `max_age` counts
//!    from `iat`, which is then required.
//! 4. `aud` has one of the provider's audiences.
//! 5. `azp`, if there, is an audience or a listed party. Where parties are listed, `azp` or
//!    `client_id` must be there and be one.
//! 6. Required claims have their values.
//! 7. `sub` is plain text.
//! 8. `cnf` is absent, or `x5t#S256` alone; whether the client has that certificate is looked at on
//!    every request. A token that is bound to a key (`jkt`) is no bearer token.
//!
//! What it says: groups and roles are lists of texts or unknown. `email` is known only if it is
//! well-formed and `email_verified` is `true`. More than one factor is known only from `amr`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use policy::{Auth, AuthMethod, Binding, Subject, SubjectKind};
use serde_json::Value;

use super::claims::{self, ClaimPath, Claims};
use super::compact::Unverified;
use crate::fault::Fault;
use crate::jwks::{Alg, KeySet};
use crate::text::to_hex;

/// What the tokens of a provider must be.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Its name.
    pub name: Box<str>,
    /// The exact `iss`.
    pub issuer: Box<str>,
    /// Ours among `aud`.
    pub audiences: Vec<String>,
    /// Algorithms.
    pub algorithms: Vec<Alg>,
    /// How far clocks may differ.
    pub leeway: SignedDuration,
    /// Values of `typ`, lower case.
    pub typ: Vec<String>,
    /// Whether `typ` may be absent.
    pub typ_absent: bool,
    /// Parties that tokens may have been issued to.
    pub parties: Parties,
    /// Where the groups are.
    pub groups: ClaimPath,
    /// Where the roles are.
    pub roles: ClaimPath,
    /// What its subjects are.
    pub kind: SubjectKind,
    /// Values of `amr` that stand for more than one factor.
    pub mfa_amr: Vec<String>,
    /// Claims with the texts that they may have.
    pub required: Vec<(ClaimPath, Vec<String>)>,
    /// How long after `iat` a token is taken.
    pub max_age: Option<SignedDuration>,
    /// Whether `email` counts without `email_verified`.
    pub unverified_email: bool,
}

/// Parties that tokens may have been issued to.
#[derive(Clone, Debug)]
pub enum Parties {
    /// Any.
    Any,
    /// `azp`, if there, is an audience.
    Audiences,
    /// `azp` or `client_id` is there, and is an audience or one of these.
    Listed(Vec<String>),
}

/// A token that was accepted.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Who.
    pub subject: Arc<Subject>,
    /// How they proved it.
    pub auth: Arc<Auth>,
    /// From when it is good, the leeway counted in.
    pub from: Timestamp,
    /// Until when it is good, the leeway counted in; that instant is out.
    pub until: Timestamp,
    /// SHA-256 of the certificate that the client must have, lower-case hex.
    pub certificate: Option<Box<str>>,
}

impl Verified {
    /// Whether it is good at this instant.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

impl Rules {
    /// Verifies a token and reads it.
    ///
    /// # Errors
    /// The first rule above that the token breaks. [`Fault::Key`] if the set has no such key.
    pub fn accept(
        &self,
        token: Unverified<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified, Fault> {
        let Unverified { message, signature, header, claims } = token;
        self.check_kind(header.typ.as_deref(), &claims)?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Fault::Algorithm);
        }
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or(Fault::Key)?;
        if !key.verifies(header.alg, message, &signature) {
            return Err(Fault::Signature);
        }
        let (from, until, expires_at) = self.window(&claims, now)?;
        claims::audience(&claims, &self.audiences)?;
        self.check_party(&claims)?;
        self.check_required(&claims)?;
        let subject = claims::subject(&claims)?.into();
        let certificate = confirmation(&claims)?;
        let auth = self.auth(&claims, certificate.is_some(), expires_at, now);
        let subject = self.subject(subject, claims);
        Ok(Verified { subject: Arc::new(subject), auth: Arc::new(auth), from, until, certificate })
    }

    fn check_kind(&self, typ: Option<&str>, claims: &Claims) -> Result<(), Fault> {
        let listed = match typ {
            None => self.typ_absent,
            Some(typ) => self.typ.iter().any(|listed| listed.eq_ignore_ascii_case(typ)),
        };
        if !listed {
            return Err(Fault::Type);
        }
        if ["nonce", "at_hash", "c_hash"].iter().any(|name| claims.contains_key(*name)) {
            return Err(Fault::Kind("an ID token"));
        }
        if claims.contains_key("events") {
            return Err(Fault::Kind("a logout or security event token"));
        }
        let word = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let other =
            OTHER_KINDS.iter().find(|(claim, value, _)| word(*claim).eq_ignore_ascii_case(value));
        other.map_or(Ok(()), |(_, _, kind)| Err(Fault::Kind(kind)))
    }

    /// From when until when it is good with the leeway, and its `exp`.
    fn window(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<(Timestamp, Timestamp, Timestamp), Fault> {
        let expires_at = claims::date(claims, "exp")?.ok_or(Fault::Claim("exp"))?;
        let not_before = claims::date(claims, "nbf")?;
        let issued_at = claims::date(claims, "iat")?;
        let later = |time: Timestamp, by| time.checked_add(by).unwrap_or(Timestamp::MAX);
        let mut until = later(expires_at, self.leeway);
        if now >= until {
            return Err(Fault::Expired);
        }
        let begins = not_before.max(issued_at).unwrap_or(Timestamp::MIN);
        let from = begins.checked_sub(self.leeway).unwrap_or(Timestamp::MIN);
        if now < from {
            return Err(Fault::NotYet);
        }
        if let Some(max_age) = self.max_age {
            let issued_at = issued_at.ok_or(Fault::Claim("iat"))?;
            until = until.min(later(later(issued_at, max_age), self.leeway));
            if now >= until {
                return Err(Fault::TooOld);
            }
        }
        Ok((from, until, expires_at))
    }

    fn check_party(&self, claims: &Claims) -> Result<(), Fault> {
        let party = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(party)) => Ok(Some(party)),
            Some(_) => Err(Fault::Claim(name)),
        };
        let (azp, client) = (party("azp")?, party("client_id")?);
        let (party, listed): (_, &[String]) = match &self.parties {
            Parties::Any => return Ok(()),
            Parties::Audiences => (azp, &[]),
            Parties::Listed(listed) => (Some(azp.or(client).ok_or(Fault::Claim("azp"))?), listed),
        };
        match party {
            Some(party) if !self.audiences.contains(party) && !listed.contains(party) => {
                Err(Fault::AuthorizedParty(party.chars().take(PARTY_CHARS_MAX).collect()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_required(&self, claims: &Claims) -> Result<(), Fault> {
        let wrong = self.required.iter().find(|(path, expected)| {
            let found = claims::texts(path.find(claims)).unwrap_or_default();
            !found.iter().any(|text| expected.iter().any(|one| **one == **text))
        });
        wrong.map_or(Ok(()), |(path, _)| Err(Fault::RequiredClaim(path.as_str().into())))
    }

    fn auth(&self, claims: &Claims, is_bound: bool, expires_at: Timestamp, now: Timestamp) -> Auth {
        let amr = claims::texts(claims.get("amr"));
        let mfa =
            amr.as_ref().map(|amr| amr.iter().any(|one| self.mfa_amr.iter().any(|m| **m == **one)));
        let authenticated_at = claims::date(claims, "auth_time").ok().flatten();
        Auth {
            method: AuthMethod::Jwt,
            mfa,
            acr: claims::text(claims, "acr").map(Box::from),
            amr,
            // One that lies ahead is no knowledge of when it was.
            authenticated_at: authenticated_at.filter(|at| at.duration_since(now) <= self.leeway),
            session_started_at: None,
            last_seen_at: None,
            session_id: None,
            token_id: claims::text(claims, "jti").map(Box::from),
            token_scopes: claims::scopes(claims),
            bound: if is_bound { Binding::Certificate } else { Binding::None },
            expires_at: Some(expires_at),
        }
    }

    fn subject(&self, id: Box<str>, claims: Claims) -> Subject {
        let name =
            ["preferred_username", "name"].iter().find_map(|name| claims::text(&claims, name));
        let verified = claims.get("email_verified");
        let counts = match verified {
            Some(verified) => verified == &Value::Bool(true),
            None => self.unverified_email,
        };
        let email = claims.get("email").filter(|_| counts).and_then(Value::as_str);
        Subject {
            name: name.map(Box::from),
            email: email.and_then(claims::email),
            groups: claims::texts(self.groups.find(&claims)),
            roles: claims::texts(self.roles.find(&claims)),
            kind: self.kind,
            idp: Some(self.name.clone()),
            id,
            claims,
        }
    }
}

/// Claims that mark a token as something else than an access token.
const OTHER_KINDS: [(&str, &str, &str); 6] = [
    ("token_use", "id", "an ID token"),
    ("typ", "ID", "an ID token"),
    ("typ", "Refresh", "a refresh token"),
    ("typ", "Offline", "a refresh token"),
    ("typ", "Logout", "a logout token"),
    ("typ", "RegistrationAccessToken", "a registration token"),
];
const PARTY_CHARS_MAX: usize = 128;

/// The certificate that a token is bound to (RFC 8705), as lower-case hex.
fn confirmation(claims: &Claims) -> Result<Option<Box<str>>, Fault> {
    let Some(cnf) = claims.get("cnf") else { return Ok(None) };
    let members = cnf.as_object().ok_or(Fault::Claim("cnf"))?;
    if members.contains_key("jkt") {
        return Err(Fault::Binding("the token is bound to a key (`jkt`) and was sent as a bearer"));
    }
    let thumbprint = members.get("x5t#S256").filter(|_| members.len() == 1);
    let digest = thumbprint
        .and_then(Value::as_str)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .filter(|digest| digest.len() == 32);
    match digest {
        Some(digest) => Ok(Some(to_hex(&digest).into())),
        None => Err(Fault::Binding("the token is bound in a way (`cnf`) that is not known here")),
    }
}
