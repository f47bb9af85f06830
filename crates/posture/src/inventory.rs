//! The inventory file: `version: 1` and a list of `devices`, each read on its own so that one
//! mistake hides no other.

use std::collections::HashMap;

use document::{At, FilePath, Kind, Mistake, Mistakes, Node, Place};
use filter::Setup;

use crate::entry::DeviceConf;
use crate::index::Index;

/// Reads the inventory; `None` where it has mistakes, which are told.
pub(crate) fn load(
    file: &At<FilePath>,
    setup: &Setup<'_>,
    mistakes: &mut Mistakes,
) -> Option<Index> {
    let document = match document::load(&file.value.0) {
        Ok(document) => document,
        Err(found) => {
            mistakes.extend(found.into_iter().map(|mistake| {
                let place = mistake.place.clone().unwrap_or_else(|| file.place.clone());
                Mistake { place: Some(place), ..mistake }
            }));
            return None;
        }
    };
    for (path, _) in &document.files {
        setup.watch(path);
    }
    let before = mistakes.len();
    let index = read(&document.root, setup, mistakes);
    (mistakes.len() == before).then_some(index)
}

fn read(root: &Node, setup: &Setup<'_>, mistakes: &mut Mistakes) -> Index {
    let mut index = Index::default();
    check_keys(root, mistakes);
    let Some(devices) = root.get("devices") else {
        let mistake = Mistake::error("no-devices", &root.place, "the inventory has no `devices`");
        mistakes.push(mistake.help("write `devices: []` if there are none yet"));
        return index;
    };
    let Kind::List(entries) = &devices.kind else {
        let text = format!("`devices` is {}, not a list", devices.describe());
        let mistake = Mistake::error("wrong-type", &devices.place, text);
        mistakes.push(mistake.help("write each device as an item: `- id: ...`"));
        return index;
    };
    let mut ids: HashMap<String, Place> = HashMap::new();
    for entry in entries {
        match document::parse::<DeviceConf>(entry) {
            Ok(conf) => add(conf, &mut index, &mut ids, setup, mistakes),
            Err(found) => mistakes.extend(found),
        }
    }
    index
}

fn add(
    conf: DeviceConf,
    index: &mut Index,
    ids: &mut HashMap<String, Place>,
    setup: &Setup<'_>,
    mistakes: &mut Mistakes,
) {
    let At { value: id, place } = conf.id.clone();
    if let Some(first) = ids.get(&id) {
        let mistake =
            Mistake::error("duplicate-id", &place, format!("two devices are called `{id}`"));
        mistakes.push(mistake.help("give one of them another id").related(first, "the first"));
    } else {
        ids.insert(id.clone(), place.clone());
    }
    let (entry, keys) = conf.compile(mistakes);
    if keys.is_empty() {
        let text = format!("device `{id}` names no certificate: no request can come from it");
        let help = "write `san_uri`, `san_dns`, `serial`, `fingerprint` or `spki`";
        setup.warn(Mistake::warning("no-key", &place, text).help(help));
    }
    index.add(entry, keys, mistakes);
}

fn check_keys(root: &Node, mistakes: &mut Mistakes) {
    const KNOWN: [&str; 2] = ["version", "devices"];
    let Kind::Map(entries) = &root.kind else { return };
    for (key, _) in entries.iter().filter(|(key, _)| !KNOWN.contains(&key.name.as_str())) {
        let text = format!("unknown key `{}`", key.name);
        let mistake = Mistake::error("unknown-key", &key.place, text);
        mistakes.push(match document::suggest(&key.name, KNOWN) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake.help("an inventory has `version` and `devices`"),
        });
    }
}
