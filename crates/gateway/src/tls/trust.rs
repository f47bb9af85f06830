//! Who may issue client certificates, and whether a presented one is believed.
//!
//! 1. A chain must end in a self-signed authority of `ca:`, under the TLS library's strict rules,
//!    the purpose of TLS clients, security level 2, at most five authorities, at the given instant.
//! 2. The leaf must then be fit to identify a client (see [`super::leaf`]).
//! 3. Where revocation lists are configured, every certificate below the anchor is looked up. No
//!    current list of its issuer means refused, unless `danger_soft_crl` says otherwise.
//! 4. A verdict holds until the first of: a certificate of the chain ends, a list that was
//!    consulted ends.

use std::sync::Arc;

use document::{Mistake, Mistakes, Place};
use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Name, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};
use policy::Certificate;

use super::crl::{CrlSet, Revocation};
use super::fault::{CertificateFault, FaultKind};
use super::{leaf, pem};
use crate::conf::ClientCertificatesConf;

/// Authorities between a leaf and its anchor.
const AUTHORITIES_MAX: i32 = 5;
/// OpenSSL's security level: 112 bits, so no SHA-1 and no RSA below 2048 bits anywhere.
const SECURITY_LEVEL: i32 = 2;

/// The authorities of client certificates and their revocation lists.
#[derive(Debug)]
pub(super) struct ClientTrust {
    authorities: Vec<X509>,
    crls: Option<CrlSet>,
    soft: bool,
}

/// A client certificate that is believed.
#[derive(Debug)]
pub(super) struct Believed {
    /// What it says.
    pub(super) facts: Arc<Certificate>,
    /// Until when.
    pub(super) until: Timestamp,
}

impl ClientTrust {
    /// Reads authorities and lists; what is wrong is added to `mistakes`.
    pub(super) fn load(
        conf: &ClientCertificatesConf,
        place: &Place,
        now: Timestamp,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut authorities = Vec::new();
        for path in &conf.ca.0 {
            match pem::certificates(path) {
                Ok(found) => {
                    check_authorities(&found, &path.place, now, mistakes);
                    authorities.extend(found);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if conf.ca.0.is_empty() {
            mistakes.push(
                Mistake::error("empty-ca", place, "`ca` names no file")
                    .help("name the authorities that issue client certificates"),
            );
        }
        let crls = if conf.crl.0.is_empty() {
            mistakes.push(
                Mistake::warning("no-crl", place, "client certificates cannot be revoked")
                    .help("name the revocation lists of the authorities under `crl`"),
            );
            None
        } else {
            Some(CrlSet::load(&conf.crl.0, &authorities, now, mistakes))
        };
        Self { authorities, crls, soft: conf.danger_soft_crl }
    }

    /// The names that a client is told to choose its certificate by.
    pub(super) fn names(&self) -> Result<Stack<X509Name>, ErrorStack> {
        let mut names = Stack::new()?;
        for authority in &self.authorities {
            names.push(authority.subject_name().to_owned()?)?;
        }
        Ok(names)
    }

    /// Each authority and its end.
    pub(super) fn expiries(&self) -> impl Iterator<Item = (Box<str>, Timestamp)> {
        self.authorities.iter().filter_map(|authority| {
            Some((leaf::subject(authority), pem::timestamp(authority.not_after())?))
        })
    }

    /// Each issuer of a revocation list and when the list was issued.
    pub(super) fn revocation_ages(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.crls.iter().flat_map(CrlSet::ages)
    }

    /// Whether a presented certificate is believed at an instant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn verify(
        &self,
        presented: &[X509],
        now: Timestamp,
    ) -> Result<Believed, CertificateFault> {
        let verdict = self.judge(presented, now);
        pem::forget_failures();
        verdict
    }

    fn judge(&self, presented: &[X509], now: Timestamp) -> Result<Believed, CertificateFault> {
        let Some(leaf) = presented.first() else { return Err(untrusted("(none)", "no chain")) };
        let fault = |kind| CertificateFault { subject: leaf::subject(leaf), kind };
        let chain = self.chain(presented, now).map_err(fault)?;
        let mut facts = leaf::facts(leaf).map_err(|unfit| fault(FaultKind::Unfit(unfit)))?;
        let Some(anchor) = chain.last() else { return Err(untrusted(&facts.subject, "no chain")) };
        facts.anchor = fingerprint(anchor).ok_or_else(|| untrusted(&facts.subject, "no anchor"))?;
        let ends = chain.iter().filter_map(|certificate| pem::timestamp(certificate.not_after()));
        let mut until = ends.min().unwrap_or(now);
        if let Some(crls) = &self.crls {
            let data = self.check_revocation(crls, &chain, now).map_err(fault)?;
            if let Some((issued, ends)) = data {
                facts.revocation_data_at = Some(issued);
                until = until.min(ends);
            }
        }
        Ok(Believed { facts: Arc::new(facts), until })
    }

    /// The chain from the leaf to its anchor.
    fn chain(&self, presented: &[X509], now: Timestamp) -> Result<Vec<X509>, FaultKind> {
        let broken = |e: ErrorStack| FaultKind::Untrusted(e.to_string().into());
        let store = self.store(now).map_err(broken)?;
        let mut others = Stack::new().map_err(broken)?;
        for certificate in presented.iter().skip(1) {
            others.push(certificate.clone()).map_err(broken)?;
        }
        let Some(leaf) = presented.first() else {
            return Err(FaultKind::Untrusted("no certificate".into()));
        };
        let mut context = X509StoreContext::new().map_err(broken)?;
        let verified = context.init(&store, leaf, &others, |context| {
            if !context.verify_cert()? {
                let end = context.current_cert().and_then(|c| pem::timestamp(c.not_after()));
                return Ok(Err((context.error(), end)));
            }
            let chain = context.chain().map(|chain| chain.iter().map(X509Ref::to_owned).collect());
            Ok(Ok(chain.unwrap_or_default()))
        });
        verified.map_err(broken)?.map_err(|(error, end)| fault_of(error, end, now))
    }

    /// A store with this instant in it: building one costs a fraction of verifying one signature.
    fn store(&self, now: Timestamp) -> Result<X509Store, ErrorStack> {
        let mut param = X509VerifyParam::new()?;
        param.set_time(now.as_second());
        param.set_depth(AUTHORITIES_MAX);
        param.set_auth_level(SECURITY_LEVEL);
        param.set_purpose(X509PurposeId::SSL_CLIENT)?;
        param.set_flags(X509VerifyFlags::X509_STRICT)?;
        let mut builder = X509StoreBuilder::new()?;
        builder.set_param(&param)?;
        for authority in &self.authorities {
            builder.add_cert(authority.clone())?;
        }
        Ok(builder.build())
    }

    /// The age and the end of the oldest data that was consulted.
    fn check_revocation(
        &self,
        crls: &CrlSet,
        chain: &[X509],
        now: Timestamp,
    ) -> Result<Option<(Timestamp, Timestamp)>, FaultKind> {
        let mut data: Option<(Timestamp, Timestamp)> = None;
        for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
            match crls.check(certificate, issuer, now) {
                Revocation::Revoked => return Err(FaultKind::Revoked),
                Revocation::Good { issued, until } => {
                    let (oldest, first) = data.unwrap_or((issued, until));
                    data = Some((oldest.min(issued), first.min(until)));
                }
                Revocation::Unknown if self.soft => log::warn!(
                    "no current revocation list of `{}`: a client certificate is accepted \
                     unchecked, as `danger_soft_crl` says",
                    leaf::subject(issuer)
                ),
                Revocation::Unknown => {
                    return Err(FaultKind::RevocationUnknown(leaf::subject(issuer)));
                }
            }
        }
        Ok(data)
    }
}

fn check_authorities(found: &[X509], place: &Place, now: Timestamp, mistakes: &mut Mistakes) {
    for authority in found {
        let name = leaf::subject(authority);
        let signs = authority
            .key_usage()
            .is_none_or(|usage| usage.contains(openssl::x509::X509KeyUsage::KEY_CERT_SIGN));
        if !leaf::is_authority(authority) || !signs {
            let message = format!("`{name}` is not the certificate of an authority");
            mistakes.push(
                Mistake::error("not-an-authority", place, message)
                    .help("name the certificates of issuers here, not those that they issued"),
            );
        }
        if pem::timestamp(authority.not_after()).is_none_or(|end| end <= now) {
            let message = format!("the authority `{name}` ended; what it issued is refused");
            mistakes.push(Mistake::warning("authority-expired", place, message));
        }
    }
    let root = |authority: &X509| authority.issued(authority) == X509VerifyResult::OK;
    if !found.iter().any(root) {
        let message = "no certificate here is self-signed, so that no chain can end in it";
        mistakes.push(
            Mistake::error("authority-without-root", place, message)
                .help("add the root that the intermediate authorities chain to"),
        );
    }
}

fn fault_of(error: X509VerifyResult, end: Option<Timestamp>, now: Timestamp) -> FaultKind {
    // X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of openssl/x509_vfy.h.
    const NOT_YET_VALID: i32 = 9;
    const HAS_EXPIRED: i32 = 10;
    match error.as_raw() {
        NOT_YET_VALID => FaultKind::NotYetValid,
        HAS_EXPIRED => FaultKind::Expired(end.unwrap_or(now)),
        _ => FaultKind::Untrusted(error.error_string().into()),
    }
}

fn untrusted(subject: &str, why: &str) -> CertificateFault {
    CertificateFault { subject: subject.into(), kind: FaultKind::Untrusted(why.into()) }
}

fn fingerprint(certificate: &X509Ref) -> Option<Box<str>> {
    let digest = certificate.digest(openssl::hash::MessageDigest::sha256()).ok()?;
    Some(pem::hex(&digest).into())
}
