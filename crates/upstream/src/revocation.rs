//! Which certificates of backends are revoked.
//!
//! 1. With any list, every certificate below the anchor needs a current list of its issuer: one
//!    that is missing or overdue refuses (the operator asked for revocation, so not knowing is no).
//! 2. A list counts only if one of the upstream's authorities signed it. Delta lists and lists for
//!    a part of an authority's certificates are refused at load: half a list must not look whole.

use std::collections::{HashMap, HashSet};

use document::{At, FilePath, Mistake, Mistakes};
use jiff::Timestamp;
use openssl::x509::{X509, X509Crl, X509CrlRef};

use crate::seen::{Link, name_text};
use crate::trust::{read, serial_bytes, timestamp};
use crate::verify::Unverified;

/// The lists of one upstream, by the issuer's name in DER. Empty: revocation is not asked for.
#[derive(Debug, Default)]
pub(crate) struct Revocation {
    lists: HashMap<Vec<u8>, List>,
    digest: Vec<u8>,
}

/// One list.
#[derive(Debug)]
struct List {
    issuer: String,
    issued: Timestamp,
    due: Timestamp,
    serials: HashSet<Vec<u8>>,
}

impl Revocation {
    /// Reads the lists of one upstream.
    pub(crate) fn load(
        files: &[At<FilePath>],
        authorities: &[X509],
        now: Timestamp,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut all = Self::default();
        for file in files {
            let Some(bytes) = read(file, "revocation list", mistakes) else { continue };
            let lists = match parse(&bytes) {
                Ok(lists) if !lists.is_empty() => lists,
                Ok(_) | Err(_) => {
                    let text = format!("`{}` holds no revocation list", file.value.0.display());
                    let help = "write the authority's list into it, as PEM or DER";
                    mistakes.push(Mistake::error("crl-unreadable", &file.place, text).help(help));
                    continue;
                }
            };
            for crl in lists {
                if let Err(mistake) = all.add(&crl, file, authorities) {
                    mistakes.push(mistake);
                }
            }
            all.digest.extend_from_slice(&openssl::sha::sha256(&bytes));
        }
        all.warn_of_overdue(files, now, mistakes);
        all
    }

    /// Whether every certificate of a chain is known not to be revoked.
    pub(crate) fn check(&self, chain: &[Link], now: Timestamp) -> Result<(), Unverified> {
        if self.lists.is_empty() {
            return Ok(());
        }
        for link in chain {
            let Some(list) = self.lists.get(&link.issuer) else {
                return Err(Unverified::NoList(issuer_text(&link.issuer)));
            };
            if list.serials.contains(&link.serial) {
                return Err(Unverified::Revoked(hex(&link.serial)));
            }
            if now > list.due {
                return Err(Unverified::StaleList { issuer: list.issuer.clone(), due: list.due });
            }
        }
        Ok(())
    }

    /// Names the lists: it changes when one of them does.
    pub(crate) fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Each issuer, and when its list was issued.
    pub(crate) fn issued(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.lists.values().map(|list| (list.issuer.as_str(), list.issued))
    }

    fn add(
        &mut self,
        crl: &X509CrlRef,
        file: &At<FilePath>,
        authorities: &[X509],
    ) -> Result<(), Mistake> {
        let error = |code, text: String| Mistake::error(code, &file.place, text);
        let issuer = name_text(crl.issuer_name());
        let unreadable = |cause: openssl::error::ErrorStack| {
            error("crl-unreadable", format!("the list of `{issuer}` cannot be read: {cause}"))
        };
        let key = crl.issuer_name().to_der().map_err(unreadable)?;
        if !signed_by_any(crl, &key, authorities) {
            let text = format!("the list of `{issuer}` is signed by none of the upstream's `ca`");
            return Err(
                error("crl-untrusted", text).help("add the authority that issues it to `ca`")
            );
        }
        if is_partial(&crl.to_der().map_err(unreadable)?) {
            let text = format!("the list of `{issuer}` is a delta or covers a part only");
            return Err(error("crl-partial", text).help("name the authority's complete list"));
        }
        let issued = timestamp(crl.last_update());
        let due = crl.next_update().and_then(timestamp);
        let (Some(issued), Some(due)) = (issued, due) else {
            let text = format!("the list of `{issuer}` does not say when the next one is due");
            return Err(error("crl-unreadable", text).help("issue it with a next update"));
        };
        let mut serials = HashSet::new();
        for revoked in crl.get_revoked().into_iter().flatten() {
            serials.extend(serial_bytes(revoked.serial_number()));
        }
        let newer = self.lists.get(&key).is_none_or(|known| known.issued < issued);
        if newer {
            self.lists.insert(key, List { issuer, issued, due, serials });
        }
        Ok(())
    }

    fn warn_of_overdue(&self, files: &[At<FilePath>], now: Timestamp, mistakes: &mut Mistakes) {
        let Some(first) = files.first() else { return };
        for list in self.lists.values().filter(|list| now > list.due) {
            let text = format!(
                "the list of `{}` was to be replaced by {}: its backends are refused",
                list.issuer, list.due
            );
            let help = "fetch the authority's current list";
            mistakes.push(Mistake::warning("crl-overdue", &first.place, text).help(help));
        }
    }
}

fn signed_by_any(crl: &X509CrlRef, issuer: &[u8], authorities: &[X509]) -> bool {
    authorities.iter().any(|authority| {
        authority.subject_name().to_der().is_ok_and(|name| name == issuer)
            && authority.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false)
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<X509Crl>, openssl::error::ErrorStack> {
    const BEGIN: &str = "-----BEGIN X509 CRL-----";
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(BEGIN) => text
            .split(BEGIN)
            .skip(1)
            .map(|rest| X509Crl::from_pem(format!("{BEGIN}{rest}").as_bytes()))
            .collect(),
        Ok(_) | Err(_) => Ok(vec![X509Crl::from_der(bytes)?]),
    }
}

/// The identifiers of delta, distribution point and certificate issuer (RFC 5280 §5.2.4, §5.2.5,
/// §5.3.3), looked for as bytes: the library has no names for them, and a coincidence only refuses.
fn is_partial(der: &[u8]) -> bool {
    [0x1b_u8, 0x1c, 0x1d]
        .iter()
        .any(|last| der.windows(5).any(|bytes| bytes == [0x06, 0x03, 0x55, 0x1d, *last]))
}

fn issuer_text(der: &[u8]) -> String {
    openssl::x509::X509Name::from_der(der).map_or_else(|_| hex(der), |name| name_text(&name))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(digit).collect()
}

fn digit(half: u8) -> Option<char> {
    char::from_digit(u32::from(half), 16)
}
