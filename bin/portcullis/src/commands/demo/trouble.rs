//! Why there is no demo.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use document::Mistakes;

use crate::commands::say;

#[derive(Debug)]
pub(super) enum Trouble {
    Authority(pki::Error),
    Token(identity::api_token::StoreFault),
    Crypto(openssl::error::ErrorStack),
    Signature(jsonwebtoken::errors::Error),
    Configuration(Mistakes),
    File { path: PathBuf, source: std::io::Error },
    PortTaken { port: u16, source: std::io::Error },
    AddressInUse { address: SocketAddr, config: PathBuf, source: std::io::Error },
    NotAnAddress { what: &'static str, config: PathBuf },
    Backend(String),
    Gateway(String),
}

impl Trouble {
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Self::Configuration(mistakes) => say::misconfigured(mistakes),
            Self::Authority(_)
            | Self::Token(_)
            | Self::Crypto(_)
            | Self::Signature(_)
            | Self::File { .. }
            | Self::PortTaken { .. }
            | Self::AddressInUse { .. }
            | Self::NotAnAddress { .. }
            | Self::Backend(_)
            | Self::Gateway(_) => say::failed(self),
        }
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(cause) => cause.fmt(f),
            Self::Token(cause) => cause.fmt(f),
            Self::Crypto(cause) => write!(f, "the cryptographic library refused: {cause}"),
            Self::Signature(cause) => write!(f, "a token cannot be signed: {cause}"),
            Self::Configuration(mistakes) => {
                write!(f, "{} mistakes in the configuration", mistakes.len())
            }
            Self::File { path, source } => write!(f, "`{}`: {source}", path.display()),
            Self::PortTaken { port, source } => write!(
                f,
                "cannot listen on port {port}: {source}; choose another with `--port`, or `--port 0`"
            ),
            Self::AddressInUse { address, config, source } => write!(
                f,
                "cannot listen on `{address}`: {source}; end the program that listens there, or \
                 write another address into `{}`",
                config.display()
            ),
            Self::NotAnAddress { what, config } => write!(
                f,
                "`{}` has no address at `{what}`; take the file away to have it made anew",
                config.display()
            ),
            Self::Backend(cause) => write!(f, "a backend cannot start: {cause}"),
            Self::Gateway(cause) => f.write_str(cause),
        }
    }
}

impl From<pki::Error> for Trouble {
    fn from(cause: pki::Error) -> Self {
        Self::Authority(cause)
    }
}

impl From<identity::api_token::StoreFault> for Trouble {
    fn from(cause: identity::api_token::StoreFault) -> Self {
        Self::Token(cause)
    }
}

impl From<openssl::error::ErrorStack> for Trouble {
    fn from(cause: openssl::error::ErrorStack) -> Self {
        Self::Crypto(cause)
    }
}

impl From<jsonwebtoken::errors::Error> for Trouble {
    fn from(cause: jsonwebtoken::errors::Error) -> Self {
        Self::Signature(cause)
    }
}
