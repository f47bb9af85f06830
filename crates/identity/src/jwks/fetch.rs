//! Asks a provider for its keys.
//!
//! 1. Only `https`, unless the configuration says `danger_http`. No redirects: an address that
//!    moved is to be written down. No proxy from the environment.
//! 2. Connecting, and the whole exchange, take at most [`TIMEOUT`]; a body has at most
//!    [`BODY_BYTES_MAX`] bytes; the answer is 200 or a failure.
//! 3. With a pinned authority (`ca`), only it is trusted.
//! 4. Discovery (OpenID Connect Discovery 1.0, section 4): the document's `issuer` equals the
//!    configured one byte for byte, and its `jwks_uri` obeys rule 1.
//! 5. A failure says what failed: name, connection, TLS, status, size, content.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use document::Mistake;
use openssl::x509::X509;
use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use crate::strict;

/// How long one exchange may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Where keys are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Where the issuer's discovery document says.
    Discovery {
        /// The issuer, as configured.
        issuer: String,
    },
    /// Here.
    Address(Url),
}

/// Fetches the keys of one provider.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    source: Source,
    danger_http: bool,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub text: Vec<u8>,
    /// How long the provider says that it may be kept.
    pub max_age: Option<Duration>,
}

/// Why nothing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which exchange: `discovery` or `jwks`.
    pub endpoint: &'static str,
    /// What happened, for the operator.
    pub why: String,
}

impl Fetcher {
    /// Prepares to fetch.
    ///
    /// # Errors
    /// The TLS library does not take the authority.
    pub fn new(source: Source, ca: Option<&[X509]>, danger_http: bool) -> Result<Self, Mistake> {
        let mistake = |why: String| {
            Mistake::without_place("identity-jwks-client", format!("cannot fetch keys: {why}"))
        };
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!danger_http)
            .no_proxy()
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        if let Some(authorities) = ca {
            let certificates = authorities
                .iter()
                .map(|authority| {
                    let der = authority.to_der().map_err(|error| mistake(error.to_string()))?;
                    reqwest::Certificate::from_der(&der).map_err(|error| mistake(explain(&error)))
                })
                .collect::<Result<Vec<_>, Mistake>>()?;
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| mistake(explain(&error)))?;
        Ok(Self { client, source, danger_http })
    }

    /// Fetches once.
    ///
    /// # Errors
    /// The exchange failed, or discovery did not say where the keys are.
    pub async fn fetch(&self) -> Result<Fetched, Failed> {
        let address = match &self.source {
            Source::Address(address) => address.clone(),
            Source::Discovery { issuer } => {
                self.discover(issuer).await.map_err(|why| Failed { endpoint: "discovery", why })?
            }
        };
        self.get(address).await.map_err(|why| Failed { endpoint: "jwks", why })
    }

    async fn discover(&self, issuer: &str) -> Result<Url, String> {
        let Fetched { text, max_age: _ } = self.get(discovery_address(issuer)?).await?;
        let address = keys_address(&text, issuer)?;
        secure(&address, self.danger_http)?;
        Ok(address)
    }

    async fn get(&self, address: Url) -> Result<Fetched, String> {
        let request = self.client.get(address.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("`{address}` answered {}", response.status()));
        }
        let max_age = max_age(&response);
        let too_large = || format!("`{address}` sent more than {BODY_BYTES_MAX} bytes");
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            if text.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(too_large());
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Fetched { text, max_age })
    }
}

/// The address of an issuer's discovery document.
///
/// # Errors
/// The issuer is no address that can be extended.
pub fn discovery_address(issuer: &str) -> Result<Url, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let address = format!("{base}/.well-known/openid-configuration");
    let address = Url::parse(&address).map_err(|error| format!("`{issuer}`: {error}"))?;
    if address.query().is_some() || address.fragment().is_some() {
        return Err(format!("`{issuer}` has a query or a fragment"));
    }
    Ok(address)
}

/// The address of the keys, from a discovery document.
///
/// # Errors
/// The document is not one, or is of another issuer.
pub fn keys_address(document: &[u8], issuer: &str) -> Result<Url, String> {
    let members = strict::object(document)
        .map_err(|error| format!("the discovery document is not plain JSON: {error}"))?;
    let text = |name| {
        let found = members.get(name).and_then(Value::as_str);
        found.ok_or_else(|| format!("the discovery document has no `{name}`"))
    };
    let said = text("issuer")?;
    if said != issuer {
        return Err(format!(
            "the discovery document is of the issuer `{}`, not `{issuer}`",
            said.escape_debug()
        ));
    }
    let address = text("jwks_uri")?;
    Url::parse(address)
        .map_err(|error| format!("`jwks_uri` is `{}`: {error}", address.escape_debug()))
}

/// Whether an address may be asked.
///
/// # Errors
/// It is not `https` (or `http` where that is allowed), has no host, or holds a password.
pub fn secure(address: &Url, danger_http: bool) -> Result<(), String> {
    let scheme = address.scheme();
    if scheme != "https" && !(danger_http && scheme == "http") {
        return Err(format!("`{address}` is not https"));
    }
    if !address.has_host() || !address.username().is_empty() || address.password().is_some() {
        return Err("an address of keys has a host, and no user or password".to_owned());
    }
    Ok(())
}

fn max_age(response: &Response) -> Option<Duration> {
    let values = response.headers().get_all(CACHE_CONTROL).into_iter();
    let directives: Vec<&str> =
        values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    keep_for(&directives)
}

/// How long `Cache-Control` (RFC 9111, section 5.2) lets an answer be kept.
fn keep_for(directives: &[&str]) -> Option<Duration> {
    let directives = || directives.iter().map(|directive| directive.trim());
    if directives()
        .any(|d| d.eq_ignore_ascii_case("no-store") || d.eq_ignore_ascii_case("no-cache"))
    {
        return Some(Duration::ZERO);
    }
    directives()
        .filter_map(|directive| directive.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

/// An error and all that caused it.
fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail; a cause that is lost loses nothing but words.
        if write!(text, ": {error}").is_err() {
            break;
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_is_of_the_very_issuer() {
        let issuer = "https://sso.example.com/realms/corp";
        let document = |issuer: &str, uri: &str| {
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"{uri}"}}"#).into_bytes()
        };
        let good = keys_address(&document(issuer, "https://sso.example.com/keys"), issuer).unwrap();
        assert_eq!(good.as_str(), "https://sso.example.com/keys");
        for wrong in [
            document(&format!("{issuer}/"), "https://sso.example.com/keys"),
            document("https://SSO.example.com/realms/corp", "https://sso.example.com/keys"),
            document(issuer, "keys"),
            br#"{"jwks_uri":"https://sso.example.com/keys"}"#.to_vec(),
            br#"{"issuer":"https://sso.example.com/realms/corp"}"#.to_vec(),
            b"<html>".to_vec(),
        ] {
            assert!(keys_address(&wrong, issuer).is_err(), "{}", String::from_utf8_lossy(&wrong));
        }
    }

    #[test]
    fn where_discovery_is() {
        let well_known = "/.well-known/openid-configuration";
        for (issuer, expect) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example/", "https://a.example"),
            ("https://a.example/r/x", "https://a.example/r/x"),
        ] {
            let address = discovery_address(issuer).unwrap();
            assert_eq!(address.as_str(), format!("{expect}{well_known}"));
        }
        assert!(discovery_address("https://a.example/?x=").is_err());
        assert!(discovery_address("corp").is_err());
    }

    #[test]
    fn only_https_unless_danger_is_named() {
        let check = |text: &str, danger| secure(&Url::parse(text).unwrap(), danger).is_ok();
        assert!(check("https://a.example/k", false));
        assert!(!check("http://a.example/k", false));
        assert!(check("http://a.example/k", true));
        assert!(!check("file:///etc/passwd", true));
        assert!(!check("https://user:secret@a.example/k", false));
    }

    #[test]
    fn how_long_an_answer_may_be_kept() {
        let seconds = |text: &str| keep_for(&text.split(',').collect::<Vec<_>>());
        for (text, expect) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=600, must-revalidate", Some(600)),
            ("max-age=\"60\"", Some(60)),
            ("no-store, max-age=600", Some(0)),
            ("max-age=-1", None),
            ("max-age=abc", None),
            ("public", None),
        ] {
            assert_eq!(seconds(text), expect.map(Duration::from_secs), "{text}");
        }
    }
}
