//! The operator's listener: metrics, health, and what is loaded. Never on a public listener.
//!
//! It answers only requests whose `Host` is an address or `localhost`: a page in an operator's
//! browser cannot reach it by a name that it rebinds.

use std::sync::Arc;

use async_trait::async_trait;
use filter::Health;
use http::{Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::json;
use upstream::Expiry;

use crate::chain::Chain;
use crate::live::Live;
use crate::tls;

/// Answers the operator.
pub(crate) struct Admin<C> {
    live: Arc<Live<C>>,
}

impl<C: Chain> Admin<C> {
    pub(crate) fn new(live: Arc<Live<C>>) -> Self {
        Self { live }
    }

    fn serve(&self, path: &str) -> Response<Vec<u8>> {
        match path {
            "/metrics" => text(StatusCode::OK, "text/plain; version=0.0.4", self.metrics()),
            "/livez" => text(StatusCode::OK, "text/plain", "ok\n".to_owned()),
            "/readyz" => self.ready(),
            "/v1/config" => self.config(),
            _ => text(StatusCode::NOT_FOUND, "text/plain", "no such page\n".to_owned()),
        }
    }

    /// Ages and ends are set as they are read: what is told is true at this moment.
    fn metrics(&self) -> String {
        let metrics = &self.live.services.metrics;
        let now = self.live.services.clock.now();
        let listeners = self.live.listeners.iter().filter_map(|(_, tls)| tls.as_ref());
        tls::report(listeners, metrics, now);
        let generation = self.live.generation();
        for Expiry { role, name, ends } in generation.upstreams.expiries() {
            metrics.certificate_expiry(role, name, ends.as_second());
        }
        for (issuer, issued) in generation.upstreams.revocation_lists() {
            metrics.revocation_age(issuer).set(now.duration_since(issued).as_secs_f64());
        }
        metrics.render()
    }

    /// 200 while requests are served, 503 while the gateway ends or cannot record; what is degraded
    /// is told in the body and does not take the gateway out of service.
    fn ready(&self) -> Response<Vec<u8>> {
        let board = self.live.services.health.snapshot();
        let (draining, recording) = (self.live.draining(), self.live.audit.healthy());
        let status = if draining || !recording { "unready" } else { worst(board.values()) };
        let code =
            if status == "unready" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let dependencies: serde_json::Map<_, _> =
            board.iter().map(|(name, health)| (name.clone(), health_json(health))).collect();
        let body = json!({
            "status": status,
            "draining": draining,
            "audit": if recording { "good" } else { "down" },
            "generation": self.live.generation().number,
            "dependencies": dependencies,
        });
        text(code, "application/json", body.to_string())
    }

    fn config(&self) -> Response<Vec<u8>> {
        let generation = self.live.generation();
        let last = self.live.reloads.last();
        let routes: Vec<_> = generation
            .policy
            .routes()
            .iter()
            .map(|route| json!({ "name": route.name, "hosts": route.hosts, "upstream": route.upstream }))
            .collect();
        let body = json!({
            "generation": generation.number,
            "policy_hash": generation.policy.hash(),
            "last_reload": {
                "at": last.at.map(|at| at.to_string()),
                "success": last.mistakes.is_empty(),
                "mistakes": last.mistakes,
                "warnings": last.warnings,
            },
            "routes": routes,
        });
        text(StatusCode::OK, "application/json", body.to_string())
    }
}

#[async_trait]
impl<C: Chain> ServeHttp for Admin<C> {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        if head.method != http::Method::GET && head.method != http::Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".to_owned());
        }
        let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(is_address) {
            let body = "use the address of the admin listener, not a name\n".to_owned();
            return text(StatusCode::MISDIRECTED_REQUEST, "text/plain", body);
        }
        self.serve(head.uri.path())
    }
}

/// Whether a `Host` is an address or `localhost`, with or without a port.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

fn worst<'a>(states: impl Iterator<Item = &'a Health>) -> &'static str {
    let good = |health: &Health| match health {
        Health::Good => true,
        Health::Degraded(_) | Health::Down(_) => false,
    };
    if states.into_iter().all(good) { "ready" } else { "degraded" }
}

fn health_json(health: &Health) -> serde_json::Value {
    match health {
        Health::Good => json!({ "status": "good" }),
        Health::Degraded(why) => json!({ "status": "degraded", "why": why }),
        Health::Down(why) => json!({ "status": "down", "why": why }),
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Vec<u8>> {
    let length = body.len();
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for host in ["127.0.0.1:9901", "[::1]:9901", "localhost", "LOCALHOST:1"] {
            assert!(is_address(host), "{host}");
        }
        for host in
            ["evil.test", "evil.test:9901", "localhost.evil.test", "", "127.0.0.1.evil.test"]
        {
            assert!(!is_address(host), "{host}");
        }
    }
}
