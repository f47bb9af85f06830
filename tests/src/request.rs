//! One request in the words of the domain, over either version of HTTP.

use std::ops::Deref;

use serde_json::Value;

use crate::certificates::Pair;
use crate::gateway::Gateway;
use crate::reply::{Outcome, Reply};
use crate::tls::Dial;
use crate::tokens::CORP;
use crate::{h1, h2};

/// A request before it is sent.
#[must_use]
#[derive(Clone)]
pub struct Request<'g> {
    gateway: &'g Gateway,
    /// The method.
    pub method: String,
    /// The authority, with a port where the URL has one.
    pub host: String,
    /// The request target as it will be sent.
    pub target: String,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    sni: Option<String>,
    certificate: Option<Pair>,
    h2: bool,
}

/// A response that had the expected status, for further checks.
pub struct Checked<'g> {
    gateway: &'g Gateway,
    reply: Reply,
}

impl<'g> Request<'g> {
    pub(crate) fn new(gateway: &'g Gateway, method: &str, url: &str) -> Self {
        let rest = url.strip_prefix("https://").expect("an https URL");
        let (host, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
        Self {
            gateway,
            method: method.to_owned(),
            host: host.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: None,
            sni: Some(host.split(':').next().unwrap_or(host).to_owned()),
            certificate: None,
            h2: false,
        }
    }

    /// With a good token of this person.
    pub fn as_user(self, user: &str) -> Self {
        self.bearer(&CORP.bearer(user))
    }

    /// With this token.
    pub fn bearer(self, token: &str) -> Self {
        self.gateway.remember_secret(token);
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// From this device: with a certificate of it.
    pub fn on_device(self, id: &str) -> Self {
        let pair = self.gateway.plan.world.device(id);
        self.certificate(&pair)
    }

    /// As this service: with a certificate of it.
    pub fn as_service(self, name: &str) -> Self {
        let pair = self.gateway.plan.world.service(name);
        self.certificate(&pair)
    }

    /// With this client certificate.
    pub fn certificate(mut self, pair: &Pair) -> Self {
        self.certificate = Some(pair.clone());
        self
    }

    /// With a field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With this request target instead of the URL's.
    pub fn raw_target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// With this server name in the handshake; `None` sends none.
    pub fn sni(mut self, name: Option<&str>) -> Self {
        self.sni = name.map(str::to_owned);
        self
    }

    /// Over HTTP/2.
    pub fn h2(self) -> Self {
        self.version(true)
    }

    /// Over HTTP/2 or HTTP/1.1.
    pub fn version(mut self, h2: bool) -> Self {
        self.h2 = h2;
        self
    }

    /// How it connects.
    pub fn dial(&self) -> Dial {
        Dial { sni: self.sni.clone(), certificate: self.certificate.clone(), ..self.gateway.dial() }
    }

    /// The bytes of an HTTP/1.1 request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = head.into_bytes();
        bytes.extend(b"\r\n");
        bytes.extend(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// The fields of an HTTP/2 request.
    pub fn fields(&self) -> h2::Fields {
        let mut fields = h2::fields(&self.method, &self.host, &self.target);
        for (name, value) in &self.headers {
            fields.push((name.to_ascii_lowercase().into(), value.as_str().into()));
        }
        fields
    }

    /// Sends it on a connection of its own.
    pub fn send(&self) -> Outcome {
        if self.h2 {
            match h2::Connection::open(&self.dial()) {
                Ok(mut connection) => connection.ask(&self.fields(), self.body.as_deref()),
                Err(error) => Outcome::Closed(error.to_string()),
            }
        } else {
            match h1::Connection::open(&self.dial()) {
                Ok(mut connection) => connection.ask(&self.bytes()),
                Err(error) => Outcome::Closed(error.to_string()),
            }
        }
    }

    /// Sends it and expects this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Checked<'g> {
        let what = format!("{} {}{} (h2: {})", self.method, self.host, self.target, self.h2);
        match self.send() {
            Outcome::Answer(reply) => {
                if reply.status != status {
                    let record = reply.request_id().map(|id| self.gateway.audit(id));
                    panic!(
                        "expected {status} for {what}\n--- reply\n{}\n--- audit\n{:#}",
                        reply.picture(),
                        record.unwrap_or_default()
                    );
                }
                Checked { gateway: self.gateway, reply }
            }
            other => panic!("expected {status} for {what}: {other:?}"),
        }
    }
}

impl Checked<'_> {
    /// The one audit record of this request.
    #[track_caller]
    pub fn audit(&self) -> Value {
        let id = self.reply.request_id().unwrap_or_else(|| {
            panic!("a response without X-Request-Id:\n{}", self.reply.picture());
        });
        self.gateway.audit(id)
    }

    /// Expects this reason: in the audit, and to the client where it was refused.
    #[track_caller]
    pub fn reason(self, reason: &str) -> Self {
        let record = self.audit();
        assert_eq!(record["decision.reason"], reason, "{record:#}\n{}", self.reply.picture());
        let content_type = self.reply.header("content-type").unwrap_or_default();
        if content_type.starts_with("application/problem+json") {
            assert_eq!(self.reply.json()["reason"], reason, "{}", self.reply.picture());
        }
        self
    }

    /// Expects this rule to have decided.
    #[track_caller]
    pub fn rule(self, rule: &str) -> Self {
        let record = self.audit();
        assert_eq!(record["decision.rule"], rule, "{record:#}");
        self
    }

    /// The response.
    pub fn into_reply(self) -> Reply {
        self.reply
    }
}

impl Deref for Checked<'_> {
    type Target = Reply;
    fn deref(&self) -> &Reply {
        &self.reply
    }
}
