//! A listener without TLS: it serves nothing and points to HTTPS, on hosts that have a route.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use crate::audit::{DecisionPart, Record, Shown};
use crate::chain::Chain;
use crate::door::{self, Arrival};
use crate::live::Live;

/// Redirects to HTTPS.
pub(crate) struct Redirect<C> {
    live: Arc<Live<C>>,
    port: u16,
}

impl<C: Chain> Redirect<C> {
    pub(crate) fn new(live: Arc<Live<C>>, port: u16) -> Self {
        Self { live, port }
    }

    /// The address that a request should have asked, if its host is one of ours.
    fn location(&self, session: &ServerSession) -> Option<String> {
        let generation = self.live.generation();
        let raw = session.to_h1_raw();
        let arrival = Arrival { head: session.req_header(), raw: Some(&raw), tls: None };
        let asked = door::enter(&arrival, &generation.limits, generation.widest).ok()?;
        generation.policy.knows_host(&asked.host).then(|| match self.port {
            443 => format!("https://{}{}", asked.host, asked.target),
            port => format!("https://{}:{port}{}", asked.host, asked.target),
        })
    }

    fn record(&self, session: &ServerSession, status: StatusCode) {
        let head = session.req_header();
        let peer = session.client_addr().and_then(|address| address.as_inet());
        let refused = status == StatusCode::BAD_REQUEST;
        self.live.audit.write(&Record {
            timestamp: Shown(self.live.services.clock.now()),
            event: "http.redirect",
            request_id: Shown(filter::RequestId(fastrand::u128(..))),
            client_address: peer.map(std::net::SocketAddr::ip),
            method: Some(head.method.as_str()),
            path: Some(head.uri.path()).filter(|_| !refused),
            status: Some(status.as_u16()),
            decision: DecisionPart {
                outcome: if refused { "refuse" } else { "answer" },
                reason: if refused { "no-route" } else { "https-only" }.into(),
                by: Some("redirect"),
                ..DecisionPart::default()
            },
            ..Record::default()
        });
    }
}

#[async_trait]
impl<C: Chain> ServeHttp for Redirect<C> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        session.set_keepalive(None);
        let mut response = Response::new(Vec::new());
        let location = self.location(session).and_then(|to| http::HeaderValue::try_from(to).ok());
        // 308 keeps the method: a form that was sent in the clear is not turned into a GET.
        *response.status_mut() = match &location {
            Some(_) => StatusCode::PERMANENT_REDIRECT,
            None => StatusCode::BAD_REQUEST,
        };
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(0));
        if let Some(location) = location {
            headers.insert(http::header::LOCATION, location);
        }
        self.record(session, response.status());
        response
    }
}
