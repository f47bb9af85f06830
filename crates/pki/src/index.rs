//! What was issued and revoked: a file of JSON lines that only grows.
//!
//! 1. One line is one event: issued, revoked, list made. The file is the truth; the entries in
//!    memory are what its lines add up to.
//! 2. A line is on the disk before the event is acted on.
//! 3. A writer holds the file's lock and first reads what others have added, so that several
//!    processes may use one authority at once.
//! 4. A last line without its end was torn by a crash: nothing acted on it, it is cut off by the
//!    next writer. Any other bad line is an error.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{Error, Names, Purpose, Reason, Serial, files::failed};

/// One certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Serial number.
    pub serial: Serial,
    /// Common name of the subject.
    pub common_name: String,
    /// Subject alternative names.
    pub names: Names,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
    /// SHA-256 of its DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// Whether it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

/// A revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// A line of the file.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    Issued(Box<Entry>),
    Revoked { serial: Serial, at: Timestamp, reason: Reason },
    ListMade(ListMade),
}

/// The events, added up; in memory alone, or a file's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    path: Option<PathBuf>,
    read_bytes: u64,
    read_lines: usize,
    entries: BTreeMap<Serial, Entry>,
    order: Vec<Serial>,
    last_list: Option<ListMade>,
}

/// When the last list was made, until when it is good, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ListMade {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) next_update: Timestamp,
}

impl Index {
    /// Reads a file; one that does not exist yet is empty.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let mut index = Self { path: Some(path.to_owned()), ..Self::default() };
        match File::open(path) {
            Ok(file) => {
                file.lock_shared().map_err(failed("lock", path))?;
                index.catch_up(&file)?;
                Ok(index)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(index),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Puts the events so far into a new file, and goes on there.
    pub(crate) fn save(&mut self, path: &Path) -> Result<(), Error> {
        let mut text = String::new();
        let mut count = 0;
        if let Some(list) = self.last_list {
            text.push_str(&line(path, &Event::ListMade(list))?);
            count += 1;
        }
        for entry in self.entries() {
            let revoked = entry.revoked;
            let issued = Event::Issued(Box::new(Entry { revoked: None, ..entry.clone() }));
            let revocation = revoked.map(|Revoked { at, reason }| Event::Revoked {
                serial: entry.serial.clone(),
                at,
                reason,
            });
            for event in std::iter::once(issued).chain(revocation) {
                text.push_str(&line(path, &event)?);
                count += 1;
            }
        }
        crate::files::write_private(path, text.as_bytes())?;
        self.path = Some(path.to_owned());
        self.read_bytes = text.len() as u64;
        self.read_lines = count;
        Ok(())
    }

    /// What was issued, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|serial| self.entries.get(serial))
    }

    pub(crate) fn get(&self, serial: &Serial) -> Option<&Entry> {
        self.entries.get(serial)
    }

    /// Reads what others have added, lets `make` decide on it, and writes the event that it makes.
    pub(crate) fn record(
        &mut self,
        make: impl FnOnce(&Self) -> Result<Event, Error>,
    ) -> Result<(), Error> {
        let Some(path) = self.path.clone() else {
            let event = make(self)?;
            self.apply(event);
            return Ok(());
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("write", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        self.catch_up(&file)?;
        let event = make(self)?;
        let line = line(&path, &event)?;
        file.set_len(self.read_bytes)
            .and_then(|()| file.write_all(line.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(failed("write", &path))?;
        self.read_bytes += line.len() as u64;
        self.read_lines += 1;
        self.apply(event);
        Ok(())
    }

    /// The number of the next revocation list.
    pub(crate) fn next_list_number(&self) -> u64 {
        self.last_list.map_or(1, |list| list.number.saturating_add(1))
    }

    fn catch_up(&mut self, mut file: &File) -> Result<(), Error> {
        let path = self.path.clone().unwrap_or_default();
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(self.read_bytes))
            .and_then(|_position| file.read_to_end(&mut text))
            .map_err(failed("read", &path))?;
        for line in text.split_inclusive(|b| *b == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else { break };
            let event = serde_json::from_slice(whole).map_err(|source| Error::Index {
                path: path.clone(),
                line: self.read_lines + 1,
                source,
            })?;
            self.apply(event);
            self.read_lines += 1;
            self.read_bytes += line.len() as u64;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Issued(entry) => {
                self.order.push(entry.serial.clone());
                self.entries.insert(entry.serial.clone(), *entry);
            }
            Event::Revoked { serial, at, reason } => {
                if let Some(entry) = self.entries.get_mut(&serial) {
                    entry.revoked = Some(Revoked { at, reason });
                }
            }
            Event::ListMade(list) => self.last_list = Some(list),
        }
    }
}

fn line(path: &Path, event: &Event) -> Result<String, Error> {
    let text = serde_json::to_string(event).map_err(|source| Error::Index {
        path: path.to_owned(),
        line: 0,
        source,
    })?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(serial: &str) -> Event {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        Event::Issued(Box::new(Entry {
            serial: Serial::parse(serial).unwrap(),
            common_name: "a".into(),
            names: Names::default(),
            purpose: Purpose::Client,
            issued_at: at,
            not_after: at,
            fingerprint: "00".into(),
            revoked: None,
        }))
    }

    fn serials(index: &Index) -> Vec<&str> {
        index.entries().map(|e| e.serial.as_str()).collect()
    }

    #[test]
    fn a_torn_last_line_is_cut_and_the_rest_stands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.jsonl");
        Index::load(&path).unwrap().record(|_| Ok(issued("1"))).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"event":"issued","serial":"2","#).unwrap();
        let mut index = Index::load(&path).unwrap();
        assert_eq!(serials(&index), ["1"]);
        index.record(|_| Ok(issued("3"))).unwrap();
        assert_eq!(serials(&Index::load(&path).unwrap()), ["1", "3"]);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.jsonl");
        std::fs::write(&path, "{\"event\":\"list-made\"}\nrest\n").unwrap();
        let error = Index::load(&path).unwrap_err().to_string();
        assert!(error.contains("index.jsonl:1:"), "{error}");
    }

    #[test]
    fn two_writers_see_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.jsonl");
        let (mut one, mut two) = (Index::load(&path).unwrap(), Index::load(&path).unwrap());
        one.record(|_| Ok(issued("a"))).unwrap();
        two.record(|index| {
            assert_eq!(serials(index), ["a"]);
            Ok(issued("b"))
        })
        .unwrap();
        one.record(|_| Ok(issued("c"))).unwrap();
        assert_eq!(serials(&one), ["a", "b", "c"]);
    }
}
