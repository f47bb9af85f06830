//! One device of the inventory: as written, and as facts.

use std::sync::Arc;

use document::{At, Mistake, Mistakes, OneOrMany, Place};
use jiff::{SignedDuration, Timestamp};
use policy::{Device, Os};
use serde::Deserialize;

/// One device, as written. What is not written is unknown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceConf {
    pub(crate) id: At<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    san_uri: OneOrMany<At<String>>,
    #[serde(default)]
    san_dns: OneOrMany<At<String>>,
    #[serde(default)]
    serial: OneOrMany<At<String>>,
    #[serde(default)]
    fingerprint: OneOrMany<At<String>>,
    #[serde(default)]
    spki: OneOrMany<At<String>>,
    #[serde(default)]
    managed: Option<bool>,
    #[serde(default)]
    compliant: Option<bool>,
    #[serde(default)]
    grace_until: Option<Timestamp>,
    #[serde(default)]
    os: Option<OsConf>,
    #[serde(default)]
    os_version: Option<String>,
    #[serde(default)]
    encryption: Option<bool>,
    #[serde(default)]
    screen_lock: Option<bool>,
    #[serde(default)]
    firewall: Option<bool>,
    #[serde(default)]
    edr: Option<bool>,
    #[serde(default)]
    score: Option<At<u8>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    seen_at: Option<Timestamp>,
}

/// Operating systems, as written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OsConf {
    Windows,
    Macos,
    Linux,
    Ios,
    Android,
    Chromeos,
    Other,
}

/// Which part of a certificate a key is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    SanUri,
    SanDns,
    Serial,
    Fingerprint,
    Spki,
}

/// A part of a certificate that names a device, in the form that certificates are reported in.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kind: KeyKind,
    pub(crate) text: Box<str>,
    pub(crate) place: Place,
}

/// What is known of one device, made once.
#[derive(Debug)]
pub(crate) struct Entry {
    fresh: Arc<Device>,
    stale: Arc<Device>,
}

impl DeviceConf {
    /// Its facts, and the keys that lead to them.
    pub(crate) fn compile(self, mistakes: &mut Mistakes) -> (Entry, Vec<Key>) {
        let Self {
            id,
            owner,
            san_uri,
            san_dns,
            serial,
            fingerprint,
            spki,
            managed,
            compliant,
            grace_until,
            os,
            os_version,
            encryption,
            screen_lock,
            firewall,
            edr,
            score,
            tags,
            seen_at,
        } = self;
        if id.value.is_empty() {
            let mistake = Mistake::error("no-id", &id.place, "a device's id is empty");
            mistakes.push(mistake.help("name it as its people know it"));
        }
        let mut keys = Vec::new();
        for (kind, all) in [
            (KeyKind::SanUri, san_uri),
            (KeyKind::SanDns, san_dns),
            (KeyKind::Serial, serial),
            (KeyKind::Fingerprint, fingerprint),
            (KeyKind::Spki, spki),
        ] {
            keys.extend(all.0.into_iter().filter_map(|text| key(kind, text, mistakes)));
        }
        let who = Device {
            id: Some(id.value.into()),
            known: Some(true),
            owner: owner.map(Into::into),
            tags: tags.map(sorted),
            observed_at: seen_at,
            source: Some("inventory".into()),
            attested: true,
            ..Device::default()
        };
        let fresh = Device {
            managed,
            compliant,
            grace_until,
            os: os.map(OsConf::family),
            os_version: os_version.map(Into::into),
            encryption,
            screen_lock,
            firewall,
            edr,
            score: score.and_then(|score| percent(&score, mistakes)),
            ..who.clone()
        };
        (Entry { fresh: Arc::new(fresh), stale: Arc::new(who) }, keys)
    }
}

impl Entry {
    /// Everything that the inventory states.
    pub(crate) fn fresh(&self) -> &Arc<Device> {
        &self.fresh
    }

    /// The same, without its posture.
    pub(crate) fn stale(&self) -> &Arc<Device> {
        &self.stale
    }

    /// Whether its posture was seen at most this long ago.
    pub(crate) fn is_fresh(&self, now: Timestamp, max_age: SignedDuration) -> bool {
        self.fresh.observed_at.is_some_and(|seen| now.duration_since(seen) <= max_age)
    }
}

impl OsConf {
    fn family(self) -> Os {
        match self {
            Self::Windows => Os::Windows,
            Self::Macos => Os::Macos,
            Self::Linux => Os::Linux,
            Self::Ios => Os::Ios,
            Self::Android => Os::Android,
            Self::Chromeos => Os::Chromeos,
            Self::Other => Os::Other,
        }
    }
}

fn key(kind: KeyKind, at: At<String>, mistakes: &mut Mistakes) -> Option<Key> {
    let At { value, place } = at;
    let text = match kind {
        KeyKind::SanUri => Some(value.clone()).filter(|uri| !uri.is_empty()),
        KeyKind::SanDns => Some(value.to_ascii_lowercase()).filter(|name| !name.is_empty()),
        KeyKind::Serial => hex(&value).map(|digits| digits.trim_start_matches('0').to_owned()),
        KeyKind::Fingerprint | KeyKind::Spki => hex(&value).filter(|digits| digits.len() == 64),
    };
    if text.is_none() {
        let (text, help) = match kind {
            KeyKind::SanUri | KeyKind::SanDns => ("a name is empty".to_owned(), "write the name"),
            KeyKind::Serial => {
                (format!("`{value}` is no serial number"), "write it in hex, in quotes")
            }
            KeyKind::Fingerprint | KeyKind::Spki => {
                (format!("`{value}` is no SHA-256"), "write 64 hex digits, in quotes")
            }
        };
        mistakes.push(Mistake::error("bad-key", &place, text).help(help));
    }
    Some(Key { kind, text: text?.into(), place })
}

/// Hex digits in lower case; colons between them and `0x` before them are for people.
fn hex(text: &str) -> Option<String> {
    let digits = text.replace(':', "").to_ascii_lowercase();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits).to_owned();
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    good.then_some(digits)
}

fn percent(score: &At<u8>, mistakes: &mut Mistakes) -> Option<u8> {
    if score.value > 100 {
        let text = format!("a score is 0 to 100, not {}", score.value);
        let mistake = Mistake::error("out-of-range", &score.place, text);
        mistakes.push(mistake.help("bring the vendor's scale to 0 to 100"));
        return None;
    }
    Some(score.value)
}

fn sorted(mut tags: Vec<String>) -> Box<[Box<str>]> {
    tags.sort_unstable();
    tags.dedup();
    tags.into_iter().map(Into::into).collect()
}
