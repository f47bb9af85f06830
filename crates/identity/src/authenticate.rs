//! The filter.

use document::{Mistake, Mistakes};
use filter::{Context, Filter, RequestHeader, Setup, Stop};

use crate::api_token::{Book, Holder, Store, Token};
use crate::certificate::Certificates;
use crate::conf::Conf;
use crate::credential;
use crate::fault::Fault;
use crate::jwt::Jwt;
use crate::observe::{Meters, ProviderMeters};

/// Establishes who asks.
#[derive(Debug)]
pub struct Authenticate {
    jwt: Option<Jwt>,
    api_tokens: Option<ApiTokens>,
    certificates: Certificates,
    meters: Meters,
}

#[derive(Debug)]
struct ApiTokens {
    book: Book,
    meters: ProviderMeters,
}

/// A subject that a credential proved.
struct Proved {
    holder: Holder,
    /// The credential is bound to the client's certificate, so the two speak with one voice.
    is_bound: bool,
}

impl Authenticate {
    /// Builds the filter from its section.
    ///
    /// # Errors
    /// Every mistake of the section.
    pub fn new(conf: Conf, setup: &Setup<'_>) -> Result<Self, Mistakes> {
        let Conf { jwt, token_cache, api_tokens, client_certificates } = conf;
        let meters = Meters::new(&setup.services().metrics);
        let mut mistakes = Mistakes::new();
        let jwt = Jwt::new(jwt, &token_cache, setup, &meters)
            .map_err(|more| mistakes.extend(more))
            .unwrap_or_default();
        let certificates = Certificates::new(client_certificates, setup, &meters)
            .map_err(|more| mistakes.extend(more))
            .unwrap_or_default();
        let api_tokens = api_tokens
            .and_then(|_| ApiTokens::new(setup, &meters).map_err(|one| mistakes.push(one)).ok());
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let names = jwt.iter().flat_map(Jwt::names).chain(certificates.names());
        let names = names.chain(api_tokens.iter().map(|tokens| tokens.meters.provider()));
        meters.forget_others(names.map(Box::from).collect(), setup);
        Ok(Self { jwt, api_tokens, certificates, meters })
    }

    async fn bearer(&self, token: &str, cx: &Context) -> Result<Proved, Fault> {
        match (&self.api_tokens, &self.jwt) {
            (Some(api_tokens), _) if Token::claims(token) => {
                let holder = api_tokens.holder(token, cx)?.clone();
                Ok(Proved { holder, is_bound: false })
            }
            (_, Some(jwt)) => {
                let certificate = cx.facts().certificate().map(AsRef::as_ref);
                let verified = jwt.verify(token, certificate, cx.now()).await?;
                let holder =
                    Holder { subject: verified.subject.clone(), auth: verified.auth.clone() };
                Ok(Proved { holder, is_bound: verified.certificate.is_some() })
            }
            (_, None) => {
                self.meters.unknown_provider(&Fault::UnknownToken);
                Err(Fault::UnknownToken)
            }
        }
    }
}

impl ApiTokens {
    fn new(setup: &Setup<'_>, meters: &Meters) -> Result<Self, Mistake> {
        let store = Store::in_dir(&setup.services().state_dir);
        setup.watch(store.file());
        let records = store
            .list()
            .map_err(|fault| Mistake::error("bad-token-store", setup.place(), fault.to_string()))?;
        Ok(Self { book: Book::new(records), meters: meters.provider("api-token") })
    }

    fn holder(&self, text: &str, cx: &Context) -> Result<&Holder, Fault> {
        let token = Token::parse(text).ok_or(Fault::Malformed("the API token was cut or mistyped"));
        let holder = token.and_then(|token| self.book.holder(&token, cx.now()));
        self.meters.verified(holder.as_ref().err());
        holder
    }
}

impl Filter for Authenticate {
    const NAME: &'static str = "identity";

    async fn request(&self, head: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
        let token = credential::bearer(&head.headers).map_err(Fault::stop)?;
        // Without a kind of bearer token that is known here, the header is the backend's.
        let token = token.filter(|_| self.jwt.is_some() || self.api_tokens.is_some());
        let by_token = match token {
            Some(token) => {
                cx.consume_authorization();
                Some(self.bearer(token, cx).await.map_err(Fault::stop)?)
            }
            None => None,
        };
        let certificate = cx.facts().certificate().map(|cert| self.certificates.holder(cert));
        let by_certificate = certificate.transpose().map_err(Fault::stop)?.flatten();
        let holder = one_of(by_token, by_certificate).map_err(Fault::stop)?;
        holder.map_or(Ok(()), |holder| establish(holder, cx).map_err(Fault::stop))
    }
}

/// A token says more than a certificate, and goes first; it must not say somebody else.
fn one_of(
    by_token: Option<Proved>,
    by_certificate: Option<Holder>,
) -> Result<Option<Holder>, Fault> {
    match (by_token, by_certificate) {
        (None, by_certificate) => Ok(by_certificate),
        (Some(Proved { holder, is_bound }), Some(other))
            if !is_bound && holder.subject.id != other.subject.id =>
        {
            Err(Fault::Conflict)
        }
        (Some(Proved { holder, .. }), _) => Ok(Some(holder)),
    }
}

/// A subject that another filter established before is a second credential.
fn establish(Holder { subject, auth }: Holder, cx: &mut Context) -> Result<(), Fault> {
    let facts = cx.facts_mut();
    let subject = facts.establish_subject(subject);
    subject.and_then(|()| facts.establish_auth(auth)).map_err(|_established| Fault::Conflict)
}
