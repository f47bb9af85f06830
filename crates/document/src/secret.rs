//! Secrets: written by reference, never printed.
//!
//! 1. `{env: NAME}` is the value of an environment variable, `{file: PATH}` the content of a file.
//! 2. A file that its group or others may read is refused. It is opened once, and the open file is
//!    what is asked: nobody can put another in between.
//! 3. One line end is cut from the end of a file; nothing else is changed.
//! 4. An empty secret is none.

use std::io::Read as _;

use crate::{At, FilePath, Mistake, Place};

/// Bytes of a file that holds a secret.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret's text. It has no way to be printed; [`Secret::expose`] is the one place to look for.
#[derive(Clone)]
pub struct Secret(secrecy::SecretString);

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename = "$document::SecretRef", rename_all = "lowercase")]
#[schemars(rename = "SecretRef")]
pub enum SecretRef {
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without its last line end. The file must not be readable by others.
    File(FilePath),
}

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        secrecy::ExposeSecret::expose_secret(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// The variable is not set, the file cannot be read, others may read it, or it is empty.
    pub fn read(at: &At<Self>) -> Result<Secret, Mistake> {
        let text = match &at.value {
            Self::Env(name) => read_env(name, &at.place)?,
            Self::File(path) => read_file(path, &at.place)?,
        };
        if text.is_empty() {
            let message = format!("the secret in {} is empty", at.value);
            return Err(Mistake::error("secret-empty", &at.place, message)
                .help("put the secret there, or remove the key that asks for it"));
        }
        Ok(Secret::new(text))
    }
}

/// Where it is to be found: ``the file `PATH` ``.
impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
        }
    }
}

fn read_env(name: &str, place: &Place) -> Result<String, Mistake> {
    #[expect(clippy::disallowed_methods, reason = "this is the place for it")]
    let value = std::env::var(name);
    value.map_err(|error| {
        let why = match error {
            std::env::VarError::NotPresent => "is not set",
            std::env::VarError::NotUnicode(_) => "is not UTF-8 text",
        };
        Mistake::error("secret-missing", place, format!("the environment variable `{name}` {why}"))
            .help(format!("set `{name}` for the gateway's process"))
    })
}

fn read_file(path: &FilePath, place: &Place) -> Result<String, Mistake> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Mistake::error("secret-missing", place, format!("cannot read the secret `{path}`: {why}"))
            .help("check the path, and that the gateway's user may read it")
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    if readable_by_others(&file).map_err(|error| unreadable(&error))? {
        let message = format!("the secret `{path}` may be read by other users");
        return Err(Mistake::error("secret-readable", place, message)
            .help(format!("run `chmod 600 {path}`")));
    }
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| unreadable(&e))?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(unreadable(&format!("it is larger than {} KiB", SECRET_BYTES_MAX >> 10)));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(unix)]
fn readable_by_others(file: &std::fs::File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

/// Elsewhere a file's mode does not tell.
#[cfg(not(unix))]
fn readable_by_others(_: &std::fs::File) -> std::io::Result<bool> {
    Ok(false)
}
