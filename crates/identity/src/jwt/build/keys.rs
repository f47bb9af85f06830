//! Where a provider's keys come from: a file that is read now, or an address that is asked later.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use document::{At, FilePath, Mistake, Place};
use openssl::sha::sha256;
use openssl::x509::X509;

use super::Builder;
use crate::conf::JwksConf;
use crate::jwks::fetch::{self, Fetcher, Source};
use crate::jwks::keeper::{self, Keeper};
use crate::jwks::{Cell, KeySet, Skipped};
use crate::jwt::{Keys, Rules};
use crate::pem;
use crate::text::to_hex;

/// What the configuration says of a provider's keys.
pub(super) struct KeySource {
    pub(super) jwks: At<JwksConf>,
    pub(super) authority: Option<Vec<X509>>,
    pub(super) danger_http: bool,
}

impl Builder<'_> {
    pub(super) fn authority(&mut self, ca: &At<FilePath>) -> Option<Vec<X509>> {
        self.setup.watch(&ca.value.0);
        pem::certificates(ca).map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    pub(super) fn keys(&mut self, source: KeySource, rules: &Rules) -> Option<(Keys, String)> {
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
        self.keys_of_network(&source, authority.as_deref(), danger_http, rules)
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
                let unfit =
                    skipped.iter().map(|Skipped { name, why }| format!("{name} is ignored: {why}"));
                let outside = set.outside(&rules.algorithms);
                let outside = outside.map(|name| format!("`{name}` fits none of the `algorithms`"));
                for what in unfit.chain(outside) {
                    let message = format!("the key {what} (in `{shown}`)");
                    self.setup.warn(Mistake::warning("unfit-key", place, message));
                }
                let is_usable = set.keys().iter().any(|key| key.fits_any(&rules.algorithms));
                is_usable.then_some(set).ok_or_else(|| format!("`{shown}` has no usable key"))
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
        source: &Source,
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
