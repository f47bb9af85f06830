//! The store as a request sees it: in memory, made once a generation.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Auth, AuthMethod, Binding, Subject};
use subtle::ConstantTimeEq as _;

use super::{Id, Record, Token};
use crate::fault::Fault;

/// Every token by its id.
#[derive(Debug, Default)]
pub struct Book {
    entries: HashMap<Id, Entry>,
}

/// Who holds a token: the facts of a request, made beforehand.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who.
    pub subject: Arc<Subject>,
    /// How they proved it.
    pub auth: Arc<Auth>,
}

#[derive(Debug)]
struct Entry {
    sha256: [u8; 32],
    ended: bool,
    expires_at: Timestamp,
    holder: Holder,
}

impl Book {
    /// Makes the book of a store.
    pub fn new(records: Vec<Record>) -> Self {
        Self {
            entries: records.into_iter().map(|record| (record.id, Entry::new(record))).collect(),
        }
    }

    /// Whose token this is. The secret is hashed and compared in the same way whether the id is
    /// known or not, and what is wrong with a token is told to those alone who have its secret.
    ///
    /// # Errors
    /// The token is unknown, was taken back, is out of use, or is over.
    pub fn holder(&self, token: &Token, now: Timestamp) -> Result<&Holder, Fault> {
        let digest = token.digest();
        let entry = self.entries.get(&token.id());
        let expected = entry.map_or(&[0; 32], |entry| &entry.sha256);
        let same = bool::from(digest.ct_eq(expected));
        match entry {
            Some(entry) if same => entry.holder(now),
            Some(_) | None => Err(Fault::UnknownToken),
        }
    }
}

impl Entry {
    fn new(record: Record) -> Self {
        let Record {
            id,
            sha256,
            name,
            owner,
            kind,
            groups,
            scopes,
            created_at: _,
            expires_at,
            revoked_at,
            disabled,
        } = record;
        let subject = Subject {
            id: owner.into(),
            name: Some(name.into()),
            email: None,
            groups: Some(sorted(groups)),
            roles: None,
            kind: kind.into(),
            idp: None,
            claims: serde_json::Map::new(),
        };
        let auth = Auth {
            method: AuthMethod::ApiToken,
            mfa: None,
            acr: None,
            amr: None,
            authenticated_at: None,
            session_started_at: None,
            last_seen_at: None,
            session_id: None,
            token_id: Some(id.as_str().into()),
            token_scopes: Some(sorted(scopes)),
            bound: Binding::None,
            expires_at: Some(expires_at),
        };
        Self {
            sha256,
            ended: revoked_at.is_some() || disabled,
            expires_at,
            holder: Holder { subject: Arc::new(subject), auth: Arc::new(auth) },
        }
    }

    fn holder(&self, now: Timestamp) -> Result<&Holder, Fault> {
        if self.ended {
            return Err(Fault::Revoked);
        }
        if now >= self.expires_at {
            return Err(Fault::Expired);
        }
        Ok(&self.holder)
    }
}

fn sorted(texts: Vec<String>) -> Box<[Box<str>]> {
    let mut texts: Vec<Box<str>> = texts.into_iter().map(String::into_boxed_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use policy::SubjectKind;

    use super::*;
    use crate::api_token::{Created, Kind, NewToken, Store};

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn created(store: &Store, kind: Kind) -> Created {
        let new = NewToken {
            name: "nightly export".to_owned(),
            owner: "svc-export".to_owned(),
            kind,
            groups: vec!["b".to_owned(), "a".to_owned(), "b".to_owned()],
            scopes: vec!["ledger:read".to_owned()],
            lifetime: SignedDuration::from_hours(1),
        };
        store.create(new, now()).unwrap()
    }

    /// J15: revoked, out of use, over, unknown, the right id with another's secret.
    #[test]
    fn j15_tokens_that_do_not_hold() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        let [good, revoked, disabled] = std::array::from_fn(|_| created(&store, Kind::Service));
        store.revoke(revoked.record.id.as_str(), now()).unwrap();
        store.set_disabled(disabled.record.id.as_str(), true).unwrap();
        let unknown = Token::draw().unwrap();
        let book = Book::new(store.list().unwrap());
        let hour = SignedDuration::from_hours(1);
        let cases = [
            (&revoked.token, now(), Fault::Revoked),
            (&disabled.token, now(), Fault::Revoked),
            (&good.token, now() + hour, Fault::Expired),
            (&unknown, now(), Fault::UnknownToken),
        ];
        for (token, at, expect) in cases {
            assert_eq!(book.holder(token, at).unwrap_err(), expect, "{token:?}");
        }
        let moment = SignedDuration::from_nanos(1);
        assert!(book.holder(&good.token, now() + hour - moment).is_ok());

        let mut others = good.record.clone();
        others.sha256 = revoked.record.sha256;
        let book = Book::new(vec![others]);
        assert_eq!(book.holder(&good.token, now()).unwrap_err(), Fault::UnknownToken);
    }

    #[test]
    fn the_facts_of_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        let Created { token, record } = created(&store, Kind::Human);
        let book = Book::new(store.list().unwrap());
        let Holder { subject, auth } = book.holder(&token, now()).unwrap();
        assert_eq!(&*subject.id, "svc-export");
        assert_eq!(subject.kind, SubjectKind::Human);
        assert_eq!(subject.groups.as_deref(), Some(&["a".into(), "b".into()][..]));
        assert_eq!(auth.method, AuthMethod::ApiToken);
        assert_eq!(auth.token_id.as_deref(), Some(record.id.as_str()));
        assert_eq!(auth.token_scopes.as_deref(), Some(&["ledger:read".into()][..]));
        assert_eq!(auth.expires_at, Some(record.expires_at));
    }
}
