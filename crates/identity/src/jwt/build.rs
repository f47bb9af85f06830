//! From the configuration to providers, with every mistake.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use document::{At, FilePath, Mistake, Mistakes, OneOrMany, Place};
use filter::Setup;
use jiff::SignedDuration;
use openssl::sha::sha256;
use openssl::x509::X509;

use super::claims::ClaimPath;
use super::{Jwt, Keys, Parties, Provider, Remembered, Rules};
use crate::api_token::Kind;
use crate::conf::{JwksConf, JwtConf, TokenCacheConf};
use crate::jwks::fetch::{self, Fetcher, Source};
use crate::jwks::keeper::{self, Keeper};
use crate::jwks::{Alg, Cell, KeySet};
use crate::observe::Meters;
use crate::pem;
use crate::text::{is_plain, to_hex};

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
        let mut tag = String::new();
        let mut providers = Vec::new();
        for At { value, place } in conf {
            let builder = Builder { setup, place, meters, mistakes: Vec::new() };
            match builder.provider(value) {
                Ok((provider, source)) => {
                    tag.push_str(&format!("{:?}\n{source}\n", provider.rules));
                    providers.push(provider);
                }
                Err(more) => mistakes.extend(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let remembered = remembered(cache, setup);
        let tag = sha256(tag.as_bytes());
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
        let groups = self.claim_path(groups_claim, "groups");
        let roles = self.claim_path(roles_claim, "roles");
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
        }
        value
    }

    fn claim_path(&mut self, path: Option<At<String>>, default: &str) -> ClaimPath {
        let text = path.as_ref().map_or(default, |path| &path.value);
        if let Some(path) = ClaimPath::parse(text) {
            return path;
        }
        if let Some(At { value, place }) = &path {
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

    fn authority(&mut self, ca: &At<FilePath>) -> Option<Vec<X509>> {
        self.setup.watch(&ca.value.0);
        pem::certificates(ca).map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    fn keys(&mut self, source: KeySource, rules: &Rules) -> Option<(Keys, String)> {
        let KeySource { jwks: At { value, place }, authority, danger_http } = source;
        let source = match value {
            JwksConf::File(FilePath(file)) => return self.keys_of_file(&file, &place, rules),
            JwksConf::Auto => fetch::discovery_address(&rules.issuer)
                .map(|address| (Source::Discovery { issuer: rules.issuer.to_string() }, address)),
            JwksConf::Url(text) => reqwest::Url::parse(&text)
                .map(|address| (Source::Address(address.clone()), address))
                .map_err(|error| format!("`{}`: {error}", text.escape_debug())),
        };
        let checked = source
            .and_then(|(source, address)| fetch::secure(&address, danger_http).map(|()| source));
        let source = checked
            .map_err(|why| {
                let help = "write an `https` address, or `file:` with a copy of the keys";
                self.wrong("bad-jwks-address", &place, why, help);
            })
            .ok()?;
        if danger_http {
            self.warn(
                "danger-http",
                "keys may be fetched without TLS: whoever is on the way can replace them",
            );
        }
        self.keys_of_network(source, authority.as_deref(), danger_http, rules)
    }

    fn keys_of_file(
        &mut self,
        file: &Path,
        place: &Place,
        rules: &Rules,
    ) -> Option<(Keys, String)> {
        self.setup.watch(file);
        let shown = file.display();
        let read = fs::read(file)
            .map_err(|error| format!("cannot read `{shown}`: {error}"))
            .and_then(|text| {
                let parsed = KeySet::parse(&text);
                parsed.map_err(|why| format!("`{shown}` is not a key set: {why}"))
            })
            .and_then(|(set, skipped)| {
                for skipped in &skipped {
                    let message = format!(
                        "the key {} of `{shown}` is ignored: {}",
                        skipped.name, skipped.why
                    );
                    self.setup.warn(Mistake::warning("unfit-key", place, message));
                }
                let usable = !set.keys().is_empty();
                usable.then_some(set).ok_or_else(|| format!("`{shown}` has no usable key"))
            });
        match read {
            Ok(set) => {
                let services = self.setup.services();
                let task = keeper::tell_age(
                    rules.name.clone(),
                    Arc::clone(&services.clock),
                    services.health.clone(),
                    self.meters.keys_age(&rules.name),
                );
                self.background(rules, task);
                Some((Keys::File(Arc::new(set)), shown.to_string()))
            }
            Err(why) => {
                self.wrong(
                    "bad-jwks-file",
                    place,
                    why,
                    "write a file with the provider's JSON Web Key Set",
                );
                None
            }
        }
    }

    fn keys_of_network(
        &mut self,
        source: Source,
        authority: Option<&[X509]>,
        danger_http: bool,
        rules: &Rules,
    ) -> Option<(Keys, String)> {
        let fetcher = Fetcher::new(source.clone(), authority, danger_http)
            .map_err(|mistake| {
                self.mistakes.push(Mistake { place: Some(self.place.clone()), ..mistake });
            })
            .ok()?;
        // Keys that were fetched in another way are other keys.
        let way = format!("{source:?} {danger_http} {:?}", authority.map(pem::fingerprints));
        let name = format!("identity/jwks/{}", to_hex(&sha256(way.as_bytes())));
        let cell = self.setup.services().survivors.keep(&name, Cell::default);
        let keeper = Keeper::new(rules, Arc::clone(&cell), fetcher, self.setup, self.meters);
        self.background(rules, keeper.run());
        Some((Keys::Fetched(cell), name))
    }

    fn background(&self, rules: &Rules, task: impl Future<Output = ()> + Send + 'static) {
        self.setup.background(&format!("identity/jwks/{}", rules.name), task);
    }
}

struct KeySource {
    jwks: At<JwksConf>,
    authority: Option<Vec<X509>>,
    danger_http: bool,
}
