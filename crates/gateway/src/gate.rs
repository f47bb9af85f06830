//! What stands around Pingora's proxy: each request becomes an exchange, is counted among those in
//! flight, and leaves its record even if Pingora refuses it before any hook.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf as PingoraConf;

use crate::audit::{DecisionPart, Record, Shown};
use crate::chain::Chain;
use crate::conf::ServerConf;
use crate::front::{EXCHANGE, Exchange, HeadEnd, Refusal, Unheard};
use crate::live::Live;
use crate::proxy::Proxy;
use crate::{answer, door};

/// Pingora's proxy, with the exchange around each request.
pub(crate) struct Gate<C: Chain> {
    live: Arc<Live<C>>,
    proxy: Arc<HttpProxy<Proxy<C>>>,
    options: HttpServerOptions,
    h2: H2Options,
}

impl<C: Chain> Gate<C> {
    pub(crate) fn new(live: &Arc<Live<C>>, pingora: &Arc<PingoraConf>, conf: &ServerConf) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(conf.limits.idle_max.0);
        // Pingora's defaults bound the header list and malformed streams; a new set would not.
        let mut h2 = default_h2_options();
        h2.max_concurrent_streams(conf.limits.http2_streams_max);
        h2.max_header_list_size(u32::try_from(conf.limits.header_bytes_max.0).unwrap_or(u32::MAX));
        let proxy = http_proxy(pingora, Proxy::new(Arc::clone(live)));
        Self { live: Arc::clone(live), proxy: Arc::new(proxy), options, h2 }
    }

    /// A request that ended before any hook leaves its record here.
    fn record_unheard(&self, exchange: &Exchange, unheard: &Unheard, peer: Option<SocketAddr>) {
        self.live.services.metrics.rejected("malformed");
        let stop = door::unheard(&unheard.head, &self.live.generation().limits);
        let line = unheard
            .head
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .find(|line| !line.is_empty())
            .unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let method = words.next().map(String::from_utf8_lossy);
        let target = words.next().map(|target| {
            let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
            String::from_utf8_lossy(path.get(..1024).unwrap_or(path))
        });
        let error = match (unheard.status, unheard.ended) {
            (Some(_), _) => "malformed",
            (None, HeadEnd::Late) => "header-timeout",
            (None, HeadEnd::Open | HeadEnd::Complete) => "client-gone",
        };
        self.live.audit.write(&Record {
            timestamp: Shown(self.live.services.clock.now()),
            event: "http.request",
            request_id: Shown(exchange.id),
            client_address: peer.map(|peer| peer.ip()),
            method: method.as_deref().map(|method| method.get(..32).unwrap_or(method)),
            path_raw: target.as_deref(),
            status: unheard.status,
            decision: DecisionPart {
                outcome: "refuse",
                reason: stop.reason().map(|reason| reason.to_string().into()).unwrap_or_default(),
                by: Some("front"),
                ..DecisionPart::default()
            },
            error: Some(error),
            ..Record::default()
        });
    }
}

#[async_trait]
impl<C: Chain> HttpServerApp for Gate<C> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let _in_flight = self.live.enter();
        let peer = session.client_addr().and_then(|address| address.as_inet()).copied();
        let head_time_max = self.live.generation().server.limits.header_time_max.0;
        let asked = session.is_http2().then(|| {
            let head = session.req_header();
            (head.method.clone(), String::from_utf8_lossy(head.raw_path()).into_owned())
        });
        let serve = async {
            let reused = self.proxy.process_new_http(session, shutdown).await;
            EXCHANGE.with(|exchange| match (exchange.unheard(), asked) {
                (Some(unheard), _) => self.record_unheard(exchange, &unheard, peer),
                (None, Some((method, target))) if !exchange.heard() => {
                    self.record_unheard(exchange, &unheard_stream(&method, &target), peer);
                }
                (None, _) => {}
            });
            reused
        };
        EXCHANGE.scope(Exchange::new(head_time_max), serve).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.h2.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

/// What stands for the head of an HTTP/2 request that Pingora refused before any hook: it opens no
/// tunnels (405), and reads no head that is not one (400).
fn unheard_stream(method: &http::Method, target: &str) -> Unheard {
    let status = if *method == http::Method::CONNECT { 405 } else { 400 };
    let head = format!("{method} {target} HTTP/2\r\n\r\n").into_bytes();
    Unheard { head, status: Some(status), ended: HeadEnd::Complete }
}

/// The gateway's own refusal of what Pingora refuses before any hook.
pub(crate) fn refusal<C: Chain>(live: &Arc<Live<C>>) -> Refusal {
    let live = Arc::clone(live);
    Arc::new(move |head, id| {
        let generation = live.generation();
        let stop = door::unheard(head, &generation.limits);
        let response = answer::unheard(&stop, id, generation.limits.allow());
        (response.status().as_u16(), answer::to_http1(&response))
    })
}
