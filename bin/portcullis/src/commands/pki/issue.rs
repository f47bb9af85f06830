//! `portcullis pki issue`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ::pki::{Error, Leaf, Purpose, Serial};
use clap::Args;

use super::{Key, Place};
use crate::commands::{lifetime, say};

#[derive(Debug, Args)]
pub(super) struct Issue {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    whom: Whom,
    /// A further DNS name (repeatable)
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,
    /// A further address (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// A further URI (repeatable)
    #[arg(long, value_name = "URI")]
    uri: Vec<String>,
    /// A further mail address (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// How long it lives
    #[arg(long, default_value = "90d", value_parser = lifetime::parse)]
    lifetime: Duration,
    /// Kind of key
    #[arg(long, value_enum, default_value = "p256")]
    key: Key,
    /// Certify the key of this PKCS #10 request; the names that it asks for are ignored
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    csr: Option<PathBuf>,
    /// Write OUT.crt and OUT.key; named after the subject where absent
    #[arg(long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Whom it is for: exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// A device: a client certificate that names `urn:device:ID`
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// A service: a certificate for both ends that names its SPIFFE id
    #[arg(long, value_name = "SPIFFE_ID", value_parser = spiffe_id)]
    service: Option<String>,
    /// A server: a certificate for a DNS name or an address
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
}

/// What was issued, for scripts.
#[derive(serde::Serialize)]
struct Receipt {
    serial: Serial,
    not_after: jiff::Timestamp,
    certificate: PathBuf,
    key: Option<PathBuf>,
}

impl Issue {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let mut authority = self.place.open()?;
        let (leaf, stem) = self.leaf();
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from(stem));
        let now = lifetime::now();
        let certificate = extended(&out, "crt");
        let receipt = if let Some(request) = &self.csr {
            let signed = authority.issue_request(&read(request)?, &leaf, now)?;
            ::pki::write_public(&certificate, &signed.certificate_pem()?)?;
            Receipt { serial: signed.serial, not_after: signed.not_after, certificate, key: None }
        } else {
            let issued = authority.issue(&leaf, now)?;
            let key = extended(&out, "key");
            ::pki::write_private(&key, &issued.key_pem()?)?;
            ::pki::write_public(&certificate, &issued.certificate_pem()?)?;
            let (serial, not_after) = (issued.serial, issued.not_after);
            Receipt { serial, not_after, certificate, key: Some(key) }
        };
        if self.json {
            return Ok(say::json(&receipt));
        }
        let Receipt { serial, not_after, certificate, key } = receipt;
        say::line(format_args!("{}", certificate.display()));
        if let Some(key) = key {
            say::line(format_args!("{}", key.display()));
        }
        say::note(format_args!("serial {serial}, good until {not_after:.0}"));
        Ok(ExitCode::SUCCESS)
    }

    /// What to ask for, and what to call its files.
    fn leaf(&self) -> (Leaf, String) {
        let Whom { device, service, server } = &self.whom;
        let mut leaf = match (device, service, server) {
            (Some(id), _, _) => Leaf::client(id).uri(&format!("urn:device:{id}")),
            (_, Some(id), _) => Leaf::workload(id).purpose(Purpose::Both),
            (_, _, Some(name)) => Leaf::server(name),
            // The group is required: nobody gets here, and a leaf without names is refused.
            (None, None, None) => Leaf::client(""),
        };
        leaf.names.dns.extend(self.dns.iter().cloned());
        leaf.names.ips.extend(self.ip.iter().copied());
        leaf.names.uris.extend(self.uri.iter().cloned());
        leaf.names.emails.extend(self.email.iter().cloned());
        let stem = leaf.common_name.replace(['/', '*', ':'], "_");
        (leaf.lifetime(self.lifetime).key_type(self.key.into()), stem)
    }
}

/// Exactly what X.509-SVID allows: `spiffe://trust-domain/path`.
fn spiffe_id(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 2048;
    const TRUST_DOMAIN_BYTES_MAX: usize = 255;
    let wrong =
        || format!("`{text}` is no SPIFFE id; write something like `spiffe://example.com/payroll`");
    let rest = text.strip_prefix("spiffe://").ok_or_else(wrong)?;
    let (domain, path) = rest.split_once('/').ok_or_else(wrong)?;
    let in_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let segment = |s: &str| !matches!(s, "" | "." | "..") && s.bytes().all(in_path);
    let good = text.len() <= BYTES_MAX
        && (1..=TRUST_DOMAIN_BYTES_MAX).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.split('/').all(segment);
    if good { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// `a.b` becomes `a.b.crt`, not `a.crt`.
fn extended(path: &std::path::Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

pub(super) fn read(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spiffe_id_is_exactly_that() {
        for good in ["spiffe://example.com/a", "spiffe://td/ns/prod/sa/api-1_x.y"] {
            assert_eq!(spiffe_id(good).as_deref(), Ok(good));
        }
        for bad in [
            "payroll",
            "spiffe://example.com",
            "spiffe://example.com/",
            "spiffe://Example.com/a",
            "spiffe://example.com:8443/a",
            "spiffe://u@example.com/a",
            "spiffe://example.com/a/../b",
            "spiffe://example.com/a?x",
            "spiffe://example.com/a//b",
            "spiffe:///a",
        ] {
            assert!(spiffe_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_files_keep_their_dots() {
        assert_eq!(
            extended("a/wiki.example.com".as_ref(), "crt"),
            PathBuf::from("a/wiki.example.com.crt")
        );
    }
}
