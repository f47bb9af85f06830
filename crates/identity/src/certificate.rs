//! Client certificates that are an identity of their own.
//!
//! The gateway has verified the certificate (chain, purpose, version, validity, revocation) before
//! it is a fact; here it is only asked whose it is.
//!
//! 1. An entry accepts the trust anchors of its `ca` file, told by their SHA-256. A certificate of
//!    another anchor is no identity; it may be a device's.
//! 2. The subject is the one name of the entry's type among the subject's alternative names, never
//!    the common name. No such name: no identity by this entry. Two of them: the certificate is
//!    refused, for it cannot be known who is meant.
//! 3. Where the entry has a `match`, other names are no identity by this entry. An expression
//!    matches from beginning to end.
//! 4. Two entries that both recognise a certificate contradict each other: it is refused.
//! 5. A mail address and a principal name have one `@`; their domain is compared in lower case, as
//!    are DNS names. A name that is not plain text is refused.

use std::sync::Arc;

use document::{At, Mistake, Mistakes};
use filter::Setup;
use policy::{Auth, AuthMethod, Binding, Certificate, Subject, SubjectKind};
use regex::{Regex, RegexBuilder};

use crate::api_token::{Holder, Kind};
use crate::conf::{ClientCertificateConf, MatchConf, UserFrom};
use crate::fault::Fault;
use crate::jwt::claims::email;
use crate::observe::{Meters, ProviderMeters};
use crate::pem;
use crate::text::is_plain;

/// Every entry.
#[derive(Debug, Default)]
pub struct Certificates {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    anchors: Vec<Box<str>>,
    kind: SubjectKind,
    user_from: UserFrom,
    matches: Option<Match>,
    groups: Box<[Box<str>]>,
    meters: ProviderMeters,
}

#[derive(Debug)]
enum Match {
    Prefix(String),
    Whole(Regex),
}

impl Certificates {
    /// Builds the entries.
    ///
    /// # Errors
    /// Every mistake of the section.
    pub(crate) fn new(
        conf: Vec<At<ClientCertificateConf>>,
        setup: &Setup<'_>,
        meters: &Meters,
    ) -> Result<Self, Mistakes> {
        let (mut entries, mut mistakes) = (Vec::new(), Mistakes::new());
        for At { value, place: _ } in conf {
            match Entry::new(value, setup, meters) {
                Ok(entry) => entries.push(entry),
                Err(more) => mistakes.extend(more),
            }
        }
        if mistakes.is_empty() { Ok(Self { entries }) } else { Err(mistakes) }
    }

    /// What its entries are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// Whose certificate this is, if an entry knows.
    ///
    /// # Errors
    /// It does not name one subject.
    pub fn holder(&self, certificate: &Certificate) -> Result<Option<Holder>, Fault> {
        let mut found = None;
        for entry in self.entries.iter().filter(|entry| entry.trusts(certificate)) {
            let name = entry.name_of(certificate).inspect_err(|fault| {
                entry.meters.verified(Some(fault));
            })?;
            let Some(name) = name else { continue };
            if found.replace((entry, name)).is_some() {
                let fault = Fault::Certificate("two entries recognise the client certificate");
                entry.meters.verified(Some(&fault));
                return Err(fault);
            }
        }
        Ok(found.map(|(entry, name)| {
            entry.meters.verified(None);
            entry.holder(name, certificate)
        }))
    }
}

impl Entry {
    fn new(
        conf: ClientCertificateConf,
        setup: &Setup<'_>,
        meters: &Meters,
    ) -> Result<Self, Mistakes> {
        let ClientCertificateConf { name, ca, kind, user_from, matches, groups } = conf;
        let mut mistakes = Mistakes::new();
        let mut anchors = Vec::new();
        for file in &ca.0 {
            setup.watch(&file.value.0);
            match pem::certificates(file) {
                Ok(found) => anchors.extend(pem::fingerprints(&found)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if ca.0.is_empty() {
            let message = "without a `ca` no certificate is an identity";
            mistakes.push(
                Mistake::error("no-authority", setup.place(), message).help("name a PEM file"),
            );
        }
        let matches = matches
            .and_then(|matches| Match::new(matches).map_err(|mistake| mistakes.push(mistake)).ok());
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut groups: Vec<Box<str>> = groups.into_iter().map(Box::from).collect();
        groups.sort_unstable();
        groups.dedup();
        let name = name.map_or_else(|| NAME_DEFAULT.to_owned(), |name| name.value);
        Ok(Self {
            meters: meters.provider(&name),
            name: name.into(),
            anchors,
            kind: kind.unwrap_or(Kind::Service).into(),
            user_from,
            matches,
            groups: groups.into(),
        })
    }

    fn trusts(&self, certificate: &Certificate) -> bool {
        self.anchors.contains(&certificate.anchor)
    }

    fn name_of(&self, certificate: &Certificate) -> Result<Option<Box<str>>, Fault> {
        let names = match self.user_from {
            UserFrom::SanUri => &certificate.san_uri,
            UserFrom::SanEmail => &certificate.san_email,
            UserFrom::SanDns => &certificate.san_dns,
            UserFrom::Upn => &certificate.san_upn,
        };
        let name = match &**names {
            [] => return Ok(None),
            [name] => name,
            [_, _, ..] => {
                return Err(Fault::Certificate(
                    "the client certificate has two names of the type that is the user",
                ));
            }
        };
        let name = self.canonical(name).ok_or(Fault::Certificate(
            "the name that is the user is not a plain one of its type",
        ))?;
        let is_ours = self.matches.as_ref().is_none_or(|matches| matches.holds(&name));
        Ok(is_ours.then_some(name))
    }

    fn canonical(&self, name: &str) -> Option<Box<str>> {
        if !is_plain(name, NAME_BYTES_MAX) {
            return None;
        }
        match self.user_from {
            UserFrom::SanUri => Some(name.into()),
            UserFrom::SanEmail | UserFrom::Upn => email(name),
            UserFrom::SanDns => Some(name.to_ascii_lowercase().into()),
        }
    }

    fn holder(&self, id: Box<str>, certificate: &Certificate) -> Holder {
        let email = (self.user_from == UserFrom::SanEmail).then(|| id.clone());
        let subject = Subject {
            id,
            name: None,
            email,
            groups: Some(self.groups.clone()),
            roles: None,
            kind: self.kind,
            idp: Some(self.name.clone()),
            claims: serde_json::Map::new(),
        };
        let auth = Auth {
            method: AuthMethod::ClientCertificate,
            mfa: None,
            acr: None,
            amr: None,
            authenticated_at: None,
            session_started_at: None,
            last_seen_at: None,
            session_id: None,
            token_id: None,
            token_scopes: None,
            bound: Binding::Certificate,
            expires_at: Some(certificate.not_after),
        };
        Holder { subject: Arc::new(subject), auth: Arc::new(auth) }
    }
}

impl Match {
    fn new(At { value, place }: At<MatchConf>) -> Result<Self, Mistake> {
        match value {
            MatchConf::Prefix(prefix) => Ok(Self::Prefix(prefix)),
            MatchConf::Regex(text) => RegexBuilder::new(&format!("^(?:{text})$"))
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map(Self::Whole)
                .map_err(|error| {
                    let message =
                        format!("`{}` is not an expression: {error}", text.escape_debug());
                    Mistake::error("bad-regex", &place, message).help("write one, or use `prefix`")
                }),
        }
    }

    fn holds(&self, name: &str) -> bool {
        match self {
            Self::Prefix(prefix) => name.starts_with(prefix),
            Self::Whole(regex) => regex.is_match(name),
        }
    }
}

const NAME_DEFAULT: &str = "client-certificate";
const NAME_BYTES_MAX: usize = 256;
const REGEX_BYTES_MAX: usize = 1 << 20;
