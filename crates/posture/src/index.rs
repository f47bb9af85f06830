//! From a certificate to a device, in one step.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use document::{Mistake, Mistakes, Place};
use filter::Directory;
use policy::{Certificate, Device};

use crate::conf::IdFrom;
use crate::entry::{Entry, Key, KeyKind};

/// Every device, and what leads to it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    by_id: HashMap<Box<str>, usize>,
    san_uri: Keys,
    san_dns: Keys,
    serial: Keys,
    fingerprint: Keys,
    spki: Keys,
}

type Keys = HashMap<Box<str>, (usize, Place)>;

/// Who a certificate belongs to.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// Nobody.
    None,
    /// This device.
    One(&'a Entry),
    /// More than one device: nobody can say which.
    Several,
}

impl Index {
    /// Adds a device. A key that leads to another already is a mistake.
    pub(crate) fn add(&mut self, entry: Entry, keys: Vec<Key>, mistakes: &mut Mistakes) {
        let number = self.entries.len();
        if let Some(id) = &entry.fresh().id {
            self.by_id.insert(id.clone(), number);
        }
        for Key { kind, text, place } in keys {
            let map = self.keys_mut(kind);
            match map.get(&text) {
                Some((other, _)) if *other == number => {}
                Some((_, first)) => {
                    let what = word(kind);
                    let text = format!("two devices have the {what} `{text}`");
                    let mistake = Mistake::error("ambiguous-device", &place, text)
                        .help("a certificate belongs to one device: take it from one of them")
                        .related(first, "the first");
                    mistakes.push(mistake);
                }
                None => {
                    map.insert(text, (number, place));
                }
            }
        }
        self.entries.push(entry);
    }

    /// Whose certificate this is, by the part that names devices or by any.
    pub(crate) fn find(&self, certificate: &Certificate, id_from: Option<IdFrom>) -> Found<'_> {
        let mut found: Option<usize> = None;
        let uses = |kind: IdFrom| id_from.is_none_or(|only| only == kind);
        let mut several = false;
        let mut hit = |keys: &Keys, text: &str| {
            if let Some((number, _)) = keys.get(text) {
                several |= found.is_some_and(|other| other != *number);
                found = Some(*number);
            }
        };
        if uses(IdFrom::SanUri) {
            certificate.san_uri.iter().for_each(|uri| hit(&self.san_uri, uri));
        }
        if uses(IdFrom::Spiffe)
            && let Some(id) = &certificate.spiffe_id
        {
            hit(&self.san_uri, id);
        }
        if uses(IdFrom::SanDns) {
            certificate.san_dns.iter().for_each(|name| hit(&self.san_dns, &lower(name)));
        }
        if uses(IdFrom::Serial) {
            hit(&self.serial, &certificate.serial);
        }
        if uses(IdFrom::Fingerprint) {
            hit(&self.fingerprint, &certificate.fingerprint);
        }
        if uses(IdFrom::Spki) {
            hit(&self.spki, &certificate.spki);
        }
        if several {
            return Found::Several;
        }
        found.and_then(|number| self.entries.get(number)).map_or(Found::None, Found::One)
    }

    pub(crate) fn has_serials(&self) -> bool {
        !self.serial.is_empty()
    }

    fn keys_mut(&mut self, kind: KeyKind) -> &mut Keys {
        match kind {
            KeyKind::SanUri => &mut self.san_uri,
            KeyKind::SanDns => &mut self.san_dns,
            KeyKind::Serial => &mut self.serial,
            KeyKind::Fingerprint => &mut self.fingerprint,
            KeyKind::Spki => &mut self.spki,
        }
    }
}

impl Directory for Index {
    fn device(&self, id: &str) -> Option<Arc<Device>> {
        let number = self.by_id.get(id)?;
        self.entries.get(*number).map(|entry| Arc::clone(entry.fresh()))
    }
}

/// A device that proved that it is one, and that the inventory does not know.
pub(crate) fn stranger(
    certificate: &Certificate,
    id_from: Option<IdFrom>,
    known: Option<bool>,
) -> Device {
    let uri = certificate.san_uri.first();
    let dns = certificate.san_dns.first();
    let id = match id_from {
        None => Some(uri.or(dns).unwrap_or(&certificate.fingerprint)),
        Some(IdFrom::SanUri) => uri,
        Some(IdFrom::SanDns) => dns,
        Some(IdFrom::Spiffe) => certificate.spiffe_id.as_ref(),
        Some(IdFrom::Serial) => Some(&certificate.serial),
        Some(IdFrom::Fingerprint) => Some(&certificate.fingerprint),
        Some(IdFrom::Spki) => Some(&certificate.spki),
    };
    let source = known.map(|_| "inventory".into());
    Device { id: id.cloned(), known, source, attested: true, ..Device::default() }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

fn word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::SanUri => "san_uri",
        KeyKind::SanDns => "san_dns",
        KeyKind::Serial => "serial",
        KeyKind::Fingerprint => "fingerprint",
        KeyKind::Spki => "spki",
    }
}
