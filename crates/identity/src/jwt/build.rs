//! From the configuration to providers, with every mistake.

mod keys;

use std::collections::BTreeMap;

use document::{At, Mistake, Mistakes, OneOrMany, Place};
use filter::Setup;
use jiff::SignedDuration;
use openssl::sha::sha256;

use self::keys::KeySource;
use super::claims::ClaimPath;
use super::{Jwt, Parties, Provider, Remembered, Rules};
use crate::api_token::Kind;
use crate::conf::{JwtConf, TokenCacheConf};
use crate::jwks::Alg;
use crate::observe::Meters;
use crate::text::is_plain;

impl Jwt {
    /// Builds the providers; `None` where there are none.
    ///
    /// # Errors
    /// Every mistake of the section.
    pub(crate) fn new(
        conf: Vec<At<JwtConf>>,
        cache: &TokenCacheConf,
        setup: &Setup<'_>,
        meters: &Meters,
    ) -> Result<Option<Self>, Mistakes> {
        if conf.is_empty() {
            return Ok(None);
        }
        let mut mistakes = twice(&conf);
        let mut tags = Vec::new();
        let mut providers = Vec::new();
        for At { value, place } in conf {
            let builder = Builder { setup, place, meters, mistakes: Vec::new() };
            match builder.provider(value) {
                Ok((provider, source)) => {
                    tags.push(format!("{:?}\n{source}", provider.rules));
                    providers.push(provider);
                }
                Err(more) => mistakes.extend(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let remembered = remembered(cache, setup);
        let tag = sha256(tags.join("\n").as_bytes());
        Ok(Some(Self { providers, tag, remembered, meters: meters.clone() }))
    }
}

const ENTRIES_DEFAULT: u64 = 10_000;
const LEEWAY_DEFAULT: SignedDuration = SignedDuration::from_secs(30);
const LEEWAY_MAX: SignedDuration = SignedDuration::from_mins(5);
const TYP_DEFAULT: [&str; 4] = ["JWT", "at+jwt", "application/at+jwt", TYP_ABSENT];
const TYP_ABSENT: &str = "absent";
/// Words of RFC 8176, and of Entra, that stand for a second factor or for more than one.
const MFA_AMR_DEFAULT: [&str; 11] =
    ["mfa", "ngcmfa", "otp", "hwk", "swk", "sc", "fido", "face", "fpt", "iris", "retina"];
const NAME_BYTES_MAX: usize = 64;

fn remembered(cache: &TokenCacheConf, setup: &Setup<'_>) -> Option<Remembered> {
    let entries = cache.entries.unwrap_or(ENTRIES_DEFAULT);
    let name = format!("identity/token-cache/{entries}");
    let keep = || setup.services().survivors.keep(&name, || Remembered::new(entries));
    (entries > 0).then(|| Remembered::clone(&keep()))
}

fn twice(conf: &[At<JwtConf>]) -> Mistakes {
    let mut mistakes = Mistakes::new();
    let mut names: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut issuers: BTreeMap<&str, &Place> = BTreeMap::new();
    for At { value: JwtConf { name, issuer, .. }, .. } in conf {
        if let Some(first) = names.insert(&name.value, &name.place) {
            let message = format!("two providers are called `{}`", name.value);
            mistakes.push(
                Mistake::error("duplicate-provider", &name.place, message)
                    .help("give each its own name")
                    .related(first, "the first one"),
            );
        }
        if let Some(first) = issuers.insert(&issuer.value, &issuer.place) {
            let message = format!("two providers have the issuer `{}`", issuer.value);
            mistakes.push(
                Mistake::error("duplicate-issuer", &issuer.place, message)
                    .help("a token's `iss` chooses one provider: put all `audiences` into one")
                    .related(first, "the first one"),
            );
        }
    }
    mistakes
}

struct Builder<'a> {
    setup: &'a Setup<'a>,
    place: Place,
    meters: &'a Meters,
    mistakes: Mistakes,
}

impl Builder<'_> {
    /// The provider, and what its keys depend on.
    fn provider(mut self, conf: JwtConf) -> Result<(Provider, String), Mistakes> {
        let JwtConf {
            name,
            issuer,
            audiences,
            jwks,
            ca,
            danger_http,
            algorithms,
            leeway,
            typ,
            authorized_parties,
            danger_any_authorized_party,
            groups_claim,
            roles_claim,
            kind,
            mfa_amr,
            required_claims,
            max_age,
            danger_unverified_email,
        } = conf;
        self.check_name(&name);
        self.check_issuer(&issuer);
        self.check_audiences(&audiences);
        let (typ, typ_absent) = self.typ(typ);
        let leeway = self.leeway(leeway);
        let algorithms = self.algorithms(algorithms);
        let groups = self.claim_path(groups_claim.as_ref(), "groups");
        let roles = self.claim_path(roles_claim.as_ref(), "roles");
        let required = self.required(required_claims);
        let parties = self.parties(authorized_parties, danger_any_authorized_party);
        if danger_unverified_email {
            self.warn(
                "danger-unverified-email",
                "addresses count that the provider did not verify",
            );
        }
        let authority = ca.and_then(|ca| self.authority(&ca));
        let source = KeySource { jwks, authority, danger_http };
        let (rules, keys) = (
            Rules {
                name: name.value.into(),
                issuer: issuer.value.into(),
                audiences: audiences.value,
                algorithms,
                leeway,
                typ,
                typ_absent,
                parties,
                groups,
                roles,
                kind: kind.unwrap_or(Kind::Human).into(),
                mfa_amr: mfa_amr
                    .unwrap_or_else(|| MFA_AMR_DEFAULT.into_iter().map(String::from).collect()),
                required,
                max_age: max_age.and_then(|max_age| self.span(&max_age)),
                unverified_email: danger_unverified_email,
            },
            source,
        );
        let Some((keys, tag)) = self.keys(keys, &rules) else { return Err(self.mistakes) };
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let meters = self.meters.provider(&rules.name);
        Ok((Provider { rules, keys, meters }, tag))
    }

    fn wrong(&mut self, code: &'static str, place: &Place, message: String, help: &str) {
        self.mistakes.push(Mistake::error(code, place, message).help(help));
    }

    fn warn(&self, code: &'static str, message: &str) {
        self.setup.warn(Mistake::warning(code, &self.place, message));
    }

    fn check_name(&mut self, name: &At<String>) {
        let plain = (1..=NAME_BYTES_MAX).contains(&name.value.len())
            && name.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !plain {
            let message = format!("`{}` is not a provider's name", name.value.escape_debug());
            self.wrong(
                "bad-provider-name",
                &name.place,
                message,
                "write letters, digits, `-`, `_` and `.`, at most 64",
            );
        }
    }

    fn check_issuer(&mut self, issuer: &At<String>) {
        if !is_plain(&issuer.value, 1024) {
            let message = format!("`{}` is not an issuer", issuer.value.escape_debug());
            self.wrong("bad-issuer", &issuer.place, message, "copy the `iss` of one of its tokens");
        }
    }

    fn check_audiences(&mut self, audiences: &At<Vec<String>>) {
        let At { value, place } = audiences;
        if value.is_empty() || value.iter().any(String::is_empty) {
            let message = "without an audience every token of the issuer would do".to_owned();
            self.wrong(
                "no-audience",
                place,
                message,
                "write what the provider puts into `aud` for this gateway",
            );
        }
    }

    fn typ(&mut self, typ: Option<At<Vec<String>>>) -> (Vec<String>, bool) {
        if let Some(At { place, .. }) = typ.as_ref().filter(|typ| typ.value.is_empty()) {
            let message = "with no `typ` no token would do".to_owned();
            self.wrong("no-typ", place, message, "name the values, or leave `typ` out");
        }
        let typ = typ.map_or_else(
            || TYP_DEFAULT.into_iter().map(String::from).collect(),
            |typ: At<Vec<String>>| typ.value,
        );
        let absent = typ.iter().any(|word| word == TYP_ABSENT);
        (typ.into_iter().filter(|word| word != TYP_ABSENT).collect(), absent)
    }

    fn leeway(&mut self, leeway: Option<At<document::Duration>>) -> SignedDuration {
        let Some(leeway) = leeway else { return LEEWAY_DEFAULT };
        let span = self.span(&leeway).unwrap_or(LEEWAY_DEFAULT);
        if span > LEEWAY_MAX {
            let message =
                format!("a leeway of `{}` keeps tokens alive that are over", leeway.value);
            self.wrong(
                "leeway-too-long",
                &leeway.place,
                message,
                "write at most `5m`, and set the clocks",
            );
        }
        span
    }

    fn span(&mut self, duration: &At<document::Duration>) -> Option<SignedDuration> {
        let span = SignedDuration::try_from(duration.value.0);
        if span.is_err() {
            let message = format!("`{}` is too long", duration.value);
            self.wrong("duration-too-long", &duration.place, message, "write fewer days");
        }
        span.ok()
    }

    fn algorithms(&mut self, algorithms: Option<At<Vec<Alg>>>) -> Vec<Alg> {
        let Some(At { value, place }) = algorithms else { return Alg::DEFAULT.to_vec() };
        if value.is_empty() {
            let message = "without an algorithm no token would do".to_owned();
            self.wrong(
                "no-algorithm",
                &place,
                message,
                "name what the provider signs with, or leave `algorithms` out",
            );
            return Alg::DEFAULT.to_vec();
        }
        value
    }

    fn claim_path(&mut self, path: Option<&At<String>>, default: &str) -> ClaimPath {
        let text = path.map_or(default, |path| &path.value);
        if let Some(path) = ClaimPath::parse(text) {
            return path;
        }
        if let Some(At { value, place }) = path {
            let message = format!("`{}` is not the name of a claim", value.escape_debug());
            self.wrong("bad-claim", place, message, "write a name, or names with dots between");
        }
        ClaimPath::default()
    }

    fn required(
        &mut self,
        claims: BTreeMap<String, OneOrMany<String>>,
    ) -> Vec<(ClaimPath, Vec<String>)> {
        let mut required = Vec::new();
        for (name, OneOrMany(texts)) in claims {
            match ClaimPath::parse(&name) {
                Some(path) if !texts.is_empty() => required.push((path, texts)),
                Some(_) | None => {
                    let message =
                        format!("the required claim `{}` can never hold", name.escape_debug());
                    let place = self.place.clone();
                    self.wrong(
                        "bad-claim",
                        &place,
                        message,
                        "write a name and the texts that it may have",
                    );
                }
            }
        }
        required
    }

    fn parties(&self, listed: Vec<String>, any: bool) -> Parties {
        if any {
            self.warn(
                "danger-any-authorized-party",
                "tokens count whatever party they were issued to",
            );
            return Parties::Any;
        }
        if listed.is_empty() { Parties::Audiences } else { Parties::Listed(listed) }
    }
}
