//! The keys that assertions are signed with: made here, kept on disk, changed once a month.
//!
//! 1. P-256 keys (ES256) in `assertion-keys.json` below the state directory, readable by the
//!    gateway's user only, written whole or not at all.
//! 2. A file that is there and cannot be used is a mistake. It is never replaced: backends may
//!    hold its public keys.
//! 3. A key is 30 days old when the next one is made. The next is published ten minutes before it
//!    signs, so that a backend that caches the set has it, and the old one for a day after.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use document::Mistake;
use jiff::{SignedDuration, Timestamp};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Name of the file below the state directory.
pub const FILE: &str = "assertion-keys.json";
/// How long a key signs.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a key is published before it signs.
const ANNOUNCED: SignedDuration = SignedDuration::from_mins(10);
/// How long a key is published after it signed last.
const RETIRED: SignedDuration = SignedDuration::from_hours(24);
/// Octets of a coordinate and of half a signature.
const COORDINATE_BYTES: i32 = 32;

/// The keys of one moment, newest first.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    saved: bool,
}

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    id: String,
    created: Timestamp,
    private: EcKey<Private>,
    x: String,
    y: String,
    /// `{"alg":"ES256",...}` in base64url, and the dot after it.
    head: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    keys: Vec<StoredKey>,
}

#[derive(Deserialize, Serialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    #[zeroize(skip)]
    created: Timestamp,
    pem: String,
}

#[derive(Serialize)]
struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

/// RFC 7517 section 4, RFC 7518 section 6.2.1.
#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    crv: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: &'a str,
    x: &'a str,
    y: &'a str,
}

impl KeySet {
    /// Reads the keys, or makes the first where there is no file.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub(super) fn load(state_dir: &Path, now: Timestamp) -> Result<Self, Mistake> {
        let path = state_dir.join(FILE);
        let shown = path.display();
        let fault = |code, message: String| {
            Mistake::without_place(code, message).help(
                "restore the file from a backup, or remove it: backends then have to fetch the \
                 new key from `/.portcullis/jwks.json`",
            )
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = Key::generate(now).map_err(|e| fault("assertion-keys", e.to_string()))?;
                return Ok(Self { keys: vec![key], saved: false });
            }
            Err(e) => {
                let message = format!("cannot read the assertion keys in `{shown}`: {e}");
                return Err(fault("assertion-keys", message));
            }
        };
        let mode = std::fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0 {
            let message = format!("others may read the assertion keys in `{shown}`");
            return Err(Mistake::without_place("assertion-keys-open", message)
                .help(format!("take the right away (`chmod 600 {shown}`), or remove the file")));
        }
        let bad = |why: String| {
            fault("bad-assertion-keys", format!("`{shown}` does not hold assertion keys: {why}"))
        };
        let stored: Stored = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let keys: Result<Vec<_>, _> = stored.keys.iter().map(Key::restore).collect();
        let mut keys = keys.map_err(|e| bad(e.to_string()))?;
        if keys.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        keys.sort_by_key(|key| std::cmp::Reverse(key.created));
        Ok(Self { keys, saved: true })
    }

    /// Whether the file holds these keys.
    pub(super) fn is_saved(&self) -> bool {
        self.saved
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key that signs now: the newest that was published long enough.
    pub(super) fn signing(&self, now: Timestamp) -> Option<&Key> {
        let known = |key: &&Key| now.duration_since(key.created) >= ANNOUNCED;
        self.keys.iter().find(known).or_else(|| self.keys.last())
    }

    /// The next set, written, where one is due.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn kept_up(
        &self,
        state_dir: &Path,
        now: Timestamp,
    ) -> Result<Option<Self>, Mistake> {
        let age = |key: &Key| now.duration_since(key.created);
        let due = self.keys.first().is_none_or(|newest| age(newest) >= AGE_MAX);
        let over = self.retired(now);
        if !due && !over && self.saved {
            return Ok(None);
        }
        let fault = |cause: String| {
            let shown = state_dir.join(FILE);
            let message = format!("cannot write `{}`: {cause}", shown.display());
            Mistake::without_place("assertion-keys-unwritable", message)
                .help("give the gateway's user the right to write in `state_dir`")
        };
        let mut keys = self.keys.clone();
        if over {
            keys.truncate(1);
        }
        if due {
            keys.insert(0, Key::generate(now).map_err(|e| fault(e.to_string()))?);
        }
        let next = Self { keys, saved: true };
        next.write(state_dir).map_err(|e| fault(e.to_string()))?;
        Ok(Some(next))
    }

    /// The public keys.
    pub(super) fn jwks(&self) -> String {
        let keys = self.keys.iter().map(Key::public).collect();
        serde_json::to_string(&Jwks { keys }).unwrap_or_default()
    }

    /// Whether what came before the newest key has been published long enough.
    fn retired(&self, now: Timestamp) -> bool {
        let end = |key: &Key| now.duration_since(key.created) >= ANNOUNCED + RETIRED;
        self.keys.len() > 1 && self.keys.first().is_some_and(end)
    }

    fn write(&self, state_dir: &Path) -> std::io::Result<()> {
        let stored = self.keys.iter().map(Key::stored).collect::<Result<_, _>>();
        let stored = Stored { keys: stored.map_err(std::io::Error::other)? };
        let text = Zeroizing::new(serde_json::to_vec_pretty(&stored)?);
        let written = state_dir.join(format!("{FILE}.{}.new", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&written)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&written, state_dir.join(FILE))
    }
}

impl Key {
    /// A JWS in compact form (RFC 7515 section 3.1, RFC 7518 section 3.4).
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, ErrorStack> {
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let mut token = self.head.clone();
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = EcdsaSig::sign(&sha256(token.as_bytes()), &self.private)?;
        let mut raw = signature.r().to_vec_padded(COORDINATE_BYTES)?;
        raw.extend(signature.s().to_vec_padded(COORDINATE_BYTES)?);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(raw, &mut token);
        Ok(token)
    }

    fn public(&self) -> Jwk<'_> {
        let Self { id, x, y, created: _, private: _, head: _ } = self;
        Jwk { kty: "EC", crv: "P-256", r#use: "sig", alg: "ES256", kid: id, x, y }
    }

    fn generate(now: Timestamp) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::new(EcKey::generate(&group)?, now)
    }

    fn restore(stored: &StoredKey) -> Result<Self, ErrorStack> {
        let private = EcKey::private_key_from_pem(stored.pem.as_bytes())?;
        private.check_key()?;
        Self::new(private, stored.created)
    }

    fn stored(&self) -> Result<StoredKey, ErrorStack> {
        let pem = Zeroizing::new(self.private.private_key_to_pem()?);
        let pem = String::from_utf8_lossy(&pem).into_owned();
        Ok(StoredKey { created: self.created, pem })
    }

    fn new(private: EcKey<Private>, created: Timestamp) -> Result<Self, ErrorStack> {
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        let mut context = BigNumContext::new()?;
        private.public_key().affine_coordinates(private.group(), &mut x, &mut y, &mut context)?;
        let coordinate = |n: BigNum| {
            n.to_vec_padded(COORDINATE_BYTES).map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
        };
        let (x, y) = (coordinate(x)?, coordinate(y)?);
        // RFC 7638 section 3: the members in this order, and nothing else.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()));
        let head = format!(r#"{{"alg":"ES256","kid":"{id}","typ":"JWT"}}"#);
        let head = format!("{}.", URL_SAFE_NO_PAD.encode(head));
        Ok(Self { id, created, private, x, y, head })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
