//! Secrets: written by reference, never printed.

use crate::{At, FilePath, Mistake};

/// A secret's text. It has no way to be printed; [`Secret::expose`] is the one place to look for.
#[derive(Clone)]
pub struct Secret(secrecy::SecretString);

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
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
        todo!("{at:?}")
    }
}
