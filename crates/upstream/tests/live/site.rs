//! A configuration with its policy, and a client that does what the gateway does.

use std::path::Path;
use std::sync::Arc;

use document::Mistakes;
use jiff::Timestamp;
use metrics::Metrics;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use policy::{Action, Facts, Outcome, Permit, PolicySet, Source};
use tempfile::TempDir;
use upstream::{Kept, Peer, Traffic, Unverified, Upstreams};

use super::now;

/// Upstreams, a route to each by its name, and a pool of connections.
pub(crate) struct Site {
    pub(crate) upstreams: Upstreams,
    pub(crate) warnings: Mistakes,
    pub(crate) metrics: Arc<Metrics>,
    policy: Arc<PolicySet>,
    connector: Connector,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No connection came about.
    Connect,
    /// The other end is not who it should be: no byte of the request was sent.
    Unverified(Unverified),
    /// The other end did not answer.
    NoAnswer,
}

pub(crate) fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Loads `upstreams:` from text.
pub(crate) fn load(dir: &Path, text: &str, kept: &Kept) -> Result<(Upstreams, Mistakes), Mistakes> {
    let document =
        document::load_text(&dir.join("gateway.yaml"), &format!("version: 1\n{text}")).unwrap();
    Upstreams::load(document.root.get("upstreams"), kept, now())
}

pub(crate) fn kept() -> (Kept, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("0", "test").unwrap());
    (Kept::new(Arc::clone(&metrics)), metrics)
}

/// A policy that lets everyone to each of these upstreams, at `<name>.test`; further keys of the
/// routes as they are.
fn policy(names: &[&str], route: &str) -> Arc<PolicySet> {
    let line = |name: &&str| {
        format!(
            "  - {{name: {name}, hosts: [{name}.test], upstream: {name}, {route} \
             rules: [{{id: {name}-open, allow: {{}}}}]}}\n"
        )
    };
    let routes = names.iter().map(line).collect::<Vec<_>>().concat();
    let text = format!("version: 1\nroutes:\n{routes}");
    let document = document::load_text(Path::new("policy.yaml"), &text).unwrap();
    let source = Source { routes: document.root.get("routes"), ..Source::default() };
    PolicySet::compile(source).unwrap().0
}

impl Site {
    pub(crate) fn new(dir: &Path, text: &str) -> Self {
        Self::with_route(dir, text, "")
    }

    pub(crate) fn with_route(dir: &Path, text: &str, route: &str) -> Self {
        let (kept, metrics) = kept();
        let (upstreams, warnings) = load(dir, text, &kept).unwrap_or_else(|mistakes| {
            panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let policy = policy(&upstreams.names(), route);
        Self { upstreams, warnings, metrics, policy, connector: Connector::new(None) }
    }

    pub(crate) fn permit(&self, upstream: &str) -> Permit {
        let headers = http::HeaderMap::new();
        let host = format!("{upstream}.test");
        let action = Action {
            method: "GET",
            host: &host,
            path: "/",
            query: None,
            headers: &headers,
            websocket: false,
            grpc: false,
        };
        match self.policy.decide(&Facts::default(), &action, now()).outcome {
            Outcome::Allow(permit) => permit,
            Outcome::Challenge(_) | Outcome::Deny => panic!("the route is open to everyone"),
        }
    }

    pub(crate) fn peer(&self, upstream: &str, traffic: Traffic) -> Peer {
        self.upstreams.peer(&self.permit(upstream), traffic).unwrap()
    }

    /// One request to the upstream, as the gateway makes it; the answer's body.
    pub(crate) async fn get(&self, upstream: &str) -> Result<String, Refused> {
        self.get_at(upstream, now()).await
    }

    /// The same, at another instant.
    pub(crate) async fn get_at(&self, upstream: &str, now: Timestamp) -> Result<String, Refused> {
        let permit = self.permit(upstream);
        let peer = self.upstreams.peer(&permit, Traffic::Plain).unwrap();
        let connected = self.connector.get_http_session(&*peer.http).await;
        let (mut session, _) = connected.map_err(|_cause| {
            peer.pick.unreached();
            Refused::Connect
        })?;
        if let Err(unverified) = self.upstreams.verify(&permit, session.digest(), now) {
            peer.pick.unreached();
            // As Pingora does: a connection is kept even when it was refused.
            self.connector.release_http_session(session, &*peer.http, None).await;
            return Err(Refused::Unverified(unverified));
        }
        peer.pick.reached();
        let body = exchange(&mut session).await.ok_or(Refused::NoAnswer)?;
        self.connector.release_http_session(session, &*peer.http, None).await;
        Ok(body)
    }
}

async fn exchange(session: &mut HttpSession) -> Option<String> {
    let mut head = RequestHeader::build("GET", b"/", None).unwrap();
    head.insert_header("host", "backend.test").unwrap();
    session.write_request_header(Box::new(head)).await.ok()?;
    session.finish_request_body().await.ok()?;
    session.read_response_header().await.ok()?;
    let mut body = Vec::new();
    while let Some(part) = session.read_response_body().await.ok()? {
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).ok()
}
