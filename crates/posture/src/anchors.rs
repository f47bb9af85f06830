//! The authorities that certify devices, by the digest that a verified certificate carries.

use std::collections::HashSet;

use document::{At, FilePath, Mistake, Mistakes};
use filter::Setup;
use openssl::x509::X509;

/// SHA-256 of each authority's DER, lower-case hex.
#[derive(Debug, Default)]
pub(crate) struct Anchors(HashSet<Box<str>>);

impl Anchors {
    pub(crate) fn load(files: &[At<FilePath>], setup: &Setup<'_>, mistakes: &mut Mistakes) -> Self {
        let mut all = Self::default();
        if files.is_empty() {
            let text = "`certificates.ca` names no authority: no device could prove itself";
            let help = "name the PEM file of the authority that certifies devices";
            mistakes.push(Mistake::error("no-device-ca", setup.place(), text).help(help));
        }
        for file in files {
            setup.watch(&file.value.0);
            match read(file) {
                Ok(digests) => all.0.extend(digests),
                Err(why) => {
                    let path = file.value.0.display();
                    let text = format!("the authority file `{path}` {why}");
                    let help = "name a PEM file with the certificates of authorities";
                    mistakes.push(Mistake::error("ca-unreadable", &file.place, text).help(help));
                }
            }
        }
        all
    }

    /// Whether a certificate that ended in this authority is a device's.
    pub(crate) fn hold(&self, anchor: &str) -> bool {
        self.0.contains(anchor)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

fn read(file: &At<FilePath>) -> Result<Vec<Box<str>>, String> {
    let pem = std::fs::read(&file.value.0).map_err(|cause| format!("cannot be read: {cause}"))?;
    let certificates =
        X509::stack_from_pem(&pem).map_err(|_cause| "holds what is no certificate".to_owned())?;
    if certificates.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    certificates
        .iter()
        .map(|certificate| {
            let der =
                certificate.to_der().map_err(|cause| format!("cannot be encoded: {cause}"))?;
            Ok(openssl::sha::sha256(&der).iter().map(|byte| format!("{byte:02x}")).collect())
        })
        .collect()
}
