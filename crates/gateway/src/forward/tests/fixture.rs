//! Requests with real permits, ready to be changed by a test before they go.

use std::path::Path;
use std::sync::Arc;

use filter::{Canonical, Client, Tls};
use jiff::Timestamp;
use policy::{Facts, PolicySet, Subject, SubjectKind, TlsVersion};

use super::super::*;

pub(crate) const ID: RequestId = RequestId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
pub(crate) const ID_HEX: &str = "0123456789abcdef0011223344556677";

/// A request on its way, to be changed by a test before it goes.
pub(crate) struct Request {
    pub(crate) facts: Facts,
    pub(crate) target: &'static str,
    pub(crate) port: Option<u16>,
    pub(crate) websocket: bool,
    pub(crate) consumed: bool,
    pub(crate) forwarding: Forwarding,
    pub(crate) peer: &'static str,
}

fn set_of(text: &str) -> Arc<PolicySet> {
    let document = document::load_text(Path::new("gw.yaml"), text).unwrap();
    let section = |name| document.root.get(name);
    let source = policy::set::Source {
        conditions: section("conditions"),
        rules: section("rules"),
        routes: section("routes"),
    };
    PolicySet::compile(source).unwrap().0
}

pub(crate) fn policy() -> Arc<PolicySet> {
    set_of(
        "version: 1\nroutes:\n  - {name: payroll, hosts: [app.gw.test, other.gw.test], upstream: payroll, \
         rules: [{id: everyone, allow: {}}]}\n",
    )
}

pub(crate) fn alice() -> Subject {
    Subject {
        id: "alice".into(),
        name: None,
        email: Some("alice@gw.test".into()),
        groups: Some(["eng".into(), "ops".into()].into()),
        roles: None,
        kind: SubjectKind::Human,
        idp: Some("corp".into()),
        claims: serde_json::Map::new(),
    }
}

pub(crate) fn context(facts: Facts, target: &str, host: &str, policy: &Arc<PolicySet>) -> Context {
    let client = Client {
        peer: "198.51.100.7:4711".parse().unwrap(),
        tls: Some(Tls { sni: Some(host.into()), version: TlsVersion::Tls13, certificate: None }),
    };
    let request = Canonical {
        method: http::Method::GET,
        host: host.into(),
        port: None,
        target: target.parse().unwrap(),
        websocket: false,
        grpc: false,
    };
    concluded(ID, client, request, facts, policy)
}

fn concluded(
    id: RequestId,
    client: Client,
    request: Canonical,
    facts: Facts,
    policy: &Arc<PolicySet>,
) -> Context {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let headers = http::HeaderMap::new();
    let decision = policy.decide(&facts, &request.action(&headers), now);
    let mut cx = Context::new(id, Arc::new(client), request, now);
    *cx.facts_mut() = facts;
    cx.conclude(decision);
    assert!(cx.permit().is_some(), "the test's policy allows");
    cx
}

pub(crate) fn signer() -> Signer {
    Signer::ephemeral(Timestamp::from_second(1_800_000_000).unwrap())
}

impl Request {
    pub(crate) fn new() -> Self {
        let mut facts = Facts::default();
        facts.establish_subject(Arc::new(alice())).unwrap();
        Self {
            facts,
            target: "/a/b?x=1",
            port: None,
            websocket: false,
            consumed: false,
            forwarding: Forwarding::default(),
            peer: "198.51.100.7:4711",
        }
    }

    pub(crate) fn anonymous() -> Self {
        Self { facts: Facts::default(), ..Self::new() }
    }

    pub(crate) fn context(&self) -> Context {
        let client = Client {
            peer: self.peer.parse().unwrap(),
            tls: Some(Tls { sni: None, version: TlsVersion::Tls13, certificate: None }),
        };
        let request = Canonical {
            method: http::Method::GET,
            host: "app.gw.test".into(),
            port: self.port,
            target: self.target.parse().unwrap(),
            websocket: self.websocket,
            grpc: false,
        };
        let mut cx = concluded(ID, client, request, self.facts.clone(), &policy());
        if self.consumed {
            cx.consume_authorization();
        }
        cx
    }

    pub(crate) fn goes(&self, sent: &[(&str, &str)]) -> Result<RequestHeader, Stop> {
        let mut head = RequestHeader::build("POST", b"/evil", None).unwrap();
        for (name, value) in sent {
            head.append_header((*name).to_owned(), *value).unwrap();
        }
        let onward = Onward { forwarding: &self.forwarding, server_name: "payroll.internal" };
        upstream_head(&mut head, &self.context(), onward, &signer()).map(|()| head)
    }

    #[track_caller]
    pub(crate) fn check(&self, sent: &[(&str, &str)], name: &str, expected: &[&str]) {
        let head = self.goes(sent).unwrap();
        assert_eq!(all(&head, name), expected, "`{name}` of {sent:?}");
        let wire = wire(&head);
        let lines = wire.lines().filter(|line| {
            line.split(':').next().is_some_and(|sent| sent.eq_ignore_ascii_case(name))
        });
        assert_eq!(lines.count(), expected.len(), "on the wire: {wire}");
    }
}

pub(crate) fn all<'a>(head: &'a RequestHeader, name: &str) -> Vec<&'a str> {
    head.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

pub(crate) fn wire(head: &RequestHeader) -> String {
    let mut bytes = bytes::BytesMut::new();
    head.header_to_h1_wire(&mut bytes);
    String::from_utf8(bytes.to_vec()).unwrap()
}
