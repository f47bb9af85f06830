//! The file of tokens.
//!
//! `<state_dir>/api-tokens.json`: `{"version": 1, "tokens": [...]}`. It is written to a neighbour,
//! flushed, and renamed over the old one, so that a reader sees the old file or the new one. A
//! lock on `<state_dir>/api-tokens.lock` makes writers take turns.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Id, NewToken, NotAToken, Record, Token};

/// The tokens of one gateway.
#[derive(Clone, Debug)]
pub struct Store {
    file: PathBuf,
}

/// A new token: the one time that it is seen.
#[derive(Debug)]
pub struct Created {
    /// The token, to be shown to its owner.
    pub token: Token,
    /// What the store keeps of it.
    pub record: Record,
}

/// Why the store could not be read or changed.
#[derive(Debug)]
pub enum StoreFault {
    /// The file or its directory cannot be read or written.
    Io {
        /// What was tried: `read`, `write`, `lock`.
        doing: &'static str,
        /// On which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read the file.
    Exposed {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is larger than a store can be.
    TooLarge {
        /// Which file.
        file: PathBuf,
    },
    /// The file is not a store.
    Garbled {
        /// Which file.
        file: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The file is of a version that is not known here.
    Version {
        /// Which file.
        file: PathBuf,
        /// Which version.
        version: u32,
    },
    /// Two tokens have one id.
    Twice {
        /// Which file.
        file: PathBuf,
        /// Which id.
        id: Id,
    },
    /// There is no such token.
    Unknown(String),
    /// The new token is not one.
    Refused(NotAToken),
    /// The system has no randomness to give.
    Randomness(openssl::error::ErrorStack),
}

impl Store {
    /// The store of a state directory. Nothing is read yet.
    pub fn in_dir(state_dir: &Path) -> Self {
        Self { file: state_dir.join("api-tokens.json") }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Every token, oldest first. A store that was never written holds none.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or it is not a store.
    pub fn list(&self) -> Result<Vec<Record>, StoreFault> {
        let file = || self.file.clone();
        let io = |source| StoreFault::Io { doing: "read", file: file(), source };
        let about = match fs::metadata(&self.file) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mode = about.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(StoreFault::Exposed { file: file(), mode });
        }
        if about.len() > FILE_BYTES_MAX {
            return Err(StoreFault::TooLarge { file: file() });
        }
        let text = fs::read(&self.file).map_err(io)?;
        let content: Content = serde_json::from_slice(&text)
            .map_err(|source| StoreFault::Garbled { file: file(), source })?;
        let Content { version, tokens } = content;
        if version != VERSION {
            return Err(StoreFault::Version { file: file(), version });
        }
        let mut ids: Vec<Id> = tokens.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        match ids.windows(2).find_map(|pair| pair.first().filter(|id| pair.last() == Some(id))) {
            Some(id) => Err(StoreFault::Twice { file: file(), id: *id }),
            None => Ok(tokens),
        }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// As [`Self::list`]; the file cannot be written; the new token is not one.
    pub fn create(&self, new: NewToken, now: Timestamp) -> Result<Created, StoreFault> {
        let token = Token::draw().map_err(StoreFault::Randomness)?;
        let record = new.record(token.id(), token.digest(), now).map_err(StoreFault::Refused)?;
        self.change(|tokens| {
            tokens.push(record.clone());
            Ok(())
        })?;
        Ok(Created { token, record })
    }

    /// Takes a token back, for good. Again is no mistake: the first time counts.
    ///
    /// # Errors
    /// As [`Self::list`]; the file cannot be written; there is no such token.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<Record, StoreFault> {
        self.change_one(id, |record| record.revoked_at = record.revoked_at.or(Some(now)))
    }

    /// Takes a token out of use, or back into it.
    ///
    /// # Errors
    /// As [`Self::list`]; the file cannot be written; there is no such token.
    pub fn set_disabled(&self, id: &str, disabled: bool) -> Result<Record, StoreFault> {
        self.change_one(id, |record| record.disabled = disabled)
    }

    fn change_one(&self, id: &str, change: impl FnOnce(&mut Record)) -> Result<Record, StoreFault> {
        self.change(|tokens| {
            let found = tokens.iter_mut().find(|record| record.id.as_str() == id);
            let record = found.ok_or_else(|| StoreFault::Unknown(id.to_owned()))?;
            change(record);
            Ok(record.clone())
        })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Record>) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        // Held until the end of this function; the system lets go of it if the process dies.
        let _turn = self.take_turn()?;
        let mut tokens = self.list()?;
        let changed = change(&mut tokens)?;
        self.write(&Content { version: VERSION, tokens })?;
        Ok(changed)
    }

    fn take_turn(&self) -> Result<File, StoreFault> {
        let file = self.file.with_extension("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let taken = options.open(&file).and_then(|lock| lock.lock().map(|()| lock));
        taken.map_err(|source| StoreFault::Io { doing: "lock", file, source })
    }

    fn write(&self, content: &Content) -> Result<(), StoreFault> {
        let mut text = serde_json::to_vec_pretty(content)
            .map_err(|source| StoreFault::Garbled { file: self.file.clone(), source })?;
        text.push(b'\n');
        let next = self.file.with_extension("json.new");
        self.replace(&next, &text).map_err(|source| StoreFault::Io {
            doing: "write",
            file: self.file.clone(),
            source,
        })
    }

    fn replace(&self, next: &Path, text: &[u8]) -> io::Result<()> {
        match fs::remove_file(next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(next)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(next, &self.file)?;
        match self.file.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    tokens: Vec<Record>,
}

const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, file, source } => {
                write!(f, "cannot {doing} `{}`: {source}", file.display())
            }
            Self::Exposed { file, mode } => write!(
                f,
                "`{0}` has mode {mode:04o}, others can read it: run `chmod 600 {0}`, and make new tokens if others could",
                file.display(),
            ),
            Self::TooLarge { file } => write!(
                f,
                "`{}` is larger than {FILE_BYTES_MAX} bytes: it is not a store of tokens",
                file.display(),
            ),
            Self::Garbled { file, source } => write!(
                f,
                "`{}` is not a store of tokens: {source}; restore it from a copy",
                file.display(),
            ),
            Self::Version { file, version } => write!(
                f,
                "`{}` is of version {version}, this program knows {VERSION}: use the program that wrote it",
                file.display(),
            ),
            Self::Twice { file, id } => write!(
                f,
                "`{}` has two tokens with the id `{id}`: take one of them out",
                file.display(),
            ),
            Self::Unknown(id) => write!(
                f,
                "there is no token with the id `{}`: `portcullis token list` shows them",
                id.escape_debug(),
            ),
            Self::Refused(why) => why.fmt(f),
            Self::Randomness(source) => {
                write!(f, "the system has no randomness to give: {source}")
            }
        }
    }
}

impl std::error::Error for StoreFault {}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::api_token::Kind;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn new(owner: &str) -> NewToken {
        NewToken {
            name: "nightly export".to_owned(),
            owner: owner.to_owned(),
            kind: Kind::Service,
            groups: vec!["batch".to_owned()],
            scopes: vec!["ledger:read".to_owned()],
            lifetime: SignedDuration::from_hours(24),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        (dir, store)
    }

    #[test]
    fn what_is_made_is_listed_and_the_secret_is_not_kept() {
        let (_dir, store) = store();
        assert_eq!(store.list().unwrap(), []);
        let Created { token, record } = store.create(new("ci"), now()).unwrap();
        let second = store.create(new("cron"), now()).unwrap();
        assert_eq!(store.list().unwrap(), [record.clone(), second.record]);
        assert_eq!(record.sha256, token.digest());
        let text = fs::read_to_string(store.file()).unwrap();
        let (_, secret) = token.expose().rsplit_once('_').unwrap();
        assert!(!text.contains(secret));
        assert_eq!(fs::metadata(store.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn revoking_is_for_good_and_disabling_is_not() {
        let (_dir, store) = store();
        let id = store.create(new("ci"), now()).unwrap().record.id;
        let later = now() + SignedDuration::from_hours(1);
        assert!(store.set_disabled(id.as_str(), true).unwrap().disabled);
        assert!(!store.set_disabled(id.as_str(), false).unwrap().disabled);
        assert_eq!(store.revoke(id.as_str(), now()).unwrap().revoked_at, Some(now()));
        assert_eq!(store.revoke(id.as_str(), later).unwrap().revoked_at, Some(now()));
        assert!(matches!(store.revoke("nobody", now()), Err(StoreFault::Unknown(_))));
    }

    #[test]
    fn a_token_needs_a_name_an_owner_and_an_end() {
        let (_dir, store) = store();
        let wrong = [
            NewToken { name: String::new(), ..new("ci") },
            NewToken { owner: "a\nb".to_owned(), ..new("ci") },
            NewToken { groups: vec![" a".to_owned()], ..new("ci") },
            NewToken { groups: vec!["a".to_owned(); 65], ..new("ci") },
            NewToken { scopes: vec!["a b".to_owned()], ..new("ci") },
            NewToken { scopes: vec!["a\"b".to_owned()], ..new("ci") },
            NewToken { lifetime: SignedDuration::ZERO, ..new("ci") },
            NewToken { lifetime: SignedDuration::from_hours(24 * 365 * 6), ..new("ci") },
        ];
        for wrong in wrong {
            let said = store.create(wrong.clone(), now()).unwrap_err();
            assert!(matches!(said, StoreFault::Refused(_)), "{wrong:?}: {said}");
        }
        assert_eq!(store.list().unwrap(), []);
    }

    #[test]
    fn a_store_that_is_wrong_is_refused_and_left_alone() {
        let cases: [(&str, u32, &str); 6] = [
            ("{\"version\":1,\"tokens\":[]}", 0o644, "chmod 600"),
            ("", 0o600, "not a store"),
            ("{\"version\":1", 0o600, "not a store"),
            ("{\"version\":2,\"tokens\":[]}", 0o600, "version 2"),
            ("{\"version\":1,\"tokens\":[],\"extra\":1}", 0o600, "not a store"),
            ("{\"version\":1,\"tokens\":[{\"id\":\"ABC\"}]}", 0o600, "not a store"),
        ];
        for (text, mode, expect) in cases {
            let (_dir, store) = store();
            fs::write(store.file(), text).unwrap();
            fs::set_permissions(store.file(), fs::Permissions::from_mode(mode)).unwrap();
            let said = store.create(new("ci"), now()).unwrap_err().to_string();
            assert!(said.contains(expect), "{text}: {said}");
            assert_eq!(fs::read_to_string(store.file()).unwrap(), text);
        }
    }

    #[test]
    fn writers_take_turns() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..5 {
                        store.create(new(&format!("writer {writer}")), now()).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.list().unwrap().len(), 40);
    }
}
