//! The phases of one request, in Pingora's order. Each hook is short: the work is in the room that
//! its name says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use filter::{Context, RequestId, Stop};
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use policy::Reason;

use crate::admission::{admit, content_length, suits, too_large};
use crate::answer::{self, Asking};
use crate::chain::Chain;
use crate::door::Limits;
use crate::forward::{self, Onward};
use crate::front::EXCHANGE;
use crate::live::Live;
use crate::own;
use crate::passage::Passage;
use crate::trail::{Attempt, Stopped, timed_out};

/// Marks an error of ours on its way through Pingora: the stop is in the passage already.
const STOPPED: ErrorType = ErrorType::Custom("Stopped");
/// The backend is not who it should be.
const UNVERIFIED: ErrorType = ErrorType::Custom("Unverified");
/// How many endpoints are tried before the client hears of it.
const CONNECT_TRIES_MAX: u32 = 3;
/// What is drained of a refused request's body, so that the client reads the answer.
const DRAIN_BYTES_MAX: u64 = 64 << 10;
/// And for how long.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// Implements Pingora's hooks over the present generation.
pub(crate) struct Proxy<C> {
    live: Arc<Live<C>>,
}

impl<C: Chain> Proxy<C> {
    pub(crate) fn new(live: Arc<Live<C>>) -> Self {
        Self { live }
    }

    /// Writes the answer to a stop and remembers why.
    async fn stop(
        &self,
        session: &mut Session,
        ctx: &mut Passage<C>,
        by: &'static str,
        stop: Stop,
    ) -> Result<()> {
        self.live.services.metrics.filter_stop(by, stop.kind());
        ctx.trail.stopped = Some(Stopped::new(by, &stop));
        if by == "door" || by == "size" {
            self.live
                .services
                .metrics
                .rejected(ctx.trail.stopped.as_ref().map_or("-", |s| s.reason.class()));
        }
        let generation = Arc::clone(&ctx.generation);
        let asking = asking(ctx.trail.id, session, &generation.limits);
        let response = answer::answer(&stop, &asking);
        self.write(session, ctx, response).await
    }

    /// Writes a whole response of the gateway's own.
    async fn write(
        &self,
        session: &mut Session,
        ctx: &mut Passage<C>,
        response: http::Response<Bytes>,
    ) -> Result<()> {
        let (parts, body) = response.into_parts();
        let mut head = ResponseHeader::from(parts);
        if let Some(cx) = ctx.cx.as_deref()
            && ctx.generation.chain.response(&mut head, cx).is_err()
        {
            log::warn!(
                "request {}: a filter stopped an answer; it is sent without its changes",
                ctx.trail.id
            );
        }
        if let Some(hsts) = &ctx.generation.hsts {
            head.insert_header(http::header::STRICT_TRANSPORT_SECURITY, hsts.clone())?;
        }
        ctx.trail.status = Some(head.status.as_u16());
        ctx.trail.response_bytes = body.len() as u64;
        if head.headers.get(http::header::CONNECTION).is_some_and(|value| value == "close") {
            session.set_keepalive(None);
        } else {
            drain(session).await;
        }
        let bodiless = body.is_empty() || session.req_header().method == http::Method::HEAD;
        session.write_response_header(Box::new(head), bodiless).await?;
        if !bodiless {
            session.write_response_body(Some(body), true).await?;
        }
        Ok(())
    }
}

impl<C: Chain> Passage<C> {
    /// Bytes that this request's body may have.
    pub(crate) fn body_max(&self) -> u64 {
        let route = self.cx.as_ref().and_then(|cx| cx.permit()).map(policy::Permit::route);
        let of_route = route.and_then(|route| route.forwarding.body_max);
        of_route.unwrap_or(self.generation.server.limits.body_bytes_max).0
    }
}

#[async_trait]
impl<C: Chain> ProxyHttp for Proxy<C> {
    type CTX = Passage<C>;

    fn new_ctx(&self) -> Passage<C> {
        let id = EXCHANGE.try_with(|exchange| exchange.id).unwrap_or(RequestId(0));
        Passage::new(Arc::clone(&self.live), id)
    }

    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Passage<C>) -> Result<bool> {
        let raw = EXCHANGE.try_with(crate::front::Exchange::hear).unwrap_or_default();
        let limits = &ctx.generation.server.limits;
        session.set_keepalive(Some(limits.idle_max.0.as_secs()));
        if let Err(stop) = admit(session, ctx, &raw) {
            self.stop(session, ctx, "door", stop).await?;
            return Ok(true);
        }
        let Some(cx) = ctx.cx.as_deref_mut() else {
            return Err(Error::explain(STOPPED, "no context"));
        };
        let asked = Instant::now();
        let chained = ctx.generation.chain.request(session.req_header(), cx).await;
        ctx.trail.decided_us = Some(asked.elapsed().as_secs_f64() * 1e6);
        if let Err(stopped) = chained {
            self.stop(session, ctx, stopped.by, stopped.stop).await?;
            return Ok(true);
        }
        if cx.request().own().is_some() {
            let response = own::serve(session, ctx).await;
            self.write(session, ctx, response).await?;
            return Ok(true);
        }
        if let Err(stop) = suits(session.req_header(), ctx) {
            self.stop(session, ctx, "size", stop).await?;
            return Ok(true);
        }
        ctx.begin_active();
        let streams = ctx.cx.as_ref().is_some_and(|cx| cx.request().websocket || cx.request().grpc);
        if streams {
            session.set_read_timeout(Some(ctx.generation.server.limits.stream_idle_max.0));
        }
        Ok(false)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        ctx: &mut Passage<C>,
    ) -> Result<Box<HttpPeer>> {
        let Some(permit) = ctx.cx.as_deref().and_then(Context::permit) else {
            return Err(Error::explain(STOPPED, "no permit"));
        };
        let request = ctx.cx.as_deref().map(Context::request);
        let traffic = match request {
            Some(request) if request.websocket => upstream::Traffic::WebSocket,
            Some(request) if request.grpc => upstream::Traffic::Grpc,
            _ => upstream::Traffic::Plain,
        };
        match ctx.generation.upstreams.peer(permit, traffic) {
            Ok(peer) => {
                ctx.trail.upstream = Some(Attempt::new(peer.pick));
                Ok(peer.http)
            }
            Err(fault) => {
                ctx.trail.fault(fault.reason(), fault.to_string());
                Err(Error::explain(STOPPED, "no peer"))
            }
        }
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::unix::io::RawFd,
        digest: Option<&Digest>,
        ctx: &mut Passage<C>,
    ) -> Result<()> {
        let Some(attempt) = &mut ctx.trail.upstream else {
            return Err(Error::explain(STOPPED, "no attempt"));
        };
        let permit = ctx.cx.as_deref().and_then(Context::permit);
        let verified =
            permit.map(|permit| ctx.generation.upstreams.verify(permit, digest, ctx.trail.at));
        match verified {
            None => Err(Error::explain(STOPPED, "no permit")),
            Some(Ok(())) => {
                attempt.pick.reached();
                if !reused {
                    attempt.pick.connected(attempt.began.elapsed());
                }
                Ok(())
            }
            Some(Err(unverified)) => {
                attempt.pick.unreached();
                ctx.trail.fault(unverified.reason(), unverified.to_string());
                Err(Error::explain(UNVERIFIED, "the backend is not who it should be"))
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        head: &mut RequestHeader,
        ctx: &mut Passage<C>,
    ) -> Result<()> {
        let generation = Arc::clone(&ctx.generation);
        let (Some(cx), Some(attempt)) = (ctx.cx.as_deref(), &ctx.trail.upstream) else {
            return Err(Error::explain(STOPPED, "no context"));
        };
        let Some(forwarding) = cx.permit().map(|permit| &permit.route().forwarding) else {
            return Err(Error::explain(STOPPED, "no permit"));
        };
        let server_name = attempt.pick.server_name().unwrap_or_default();
        let onward = Onward { forwarding, server_name };
        let dressed = generation
            .chain
            .upstream_request(head, cx)
            .map_err(|stopped| stopped.stop)
            .and_then(|()| forward::upstream_head(head, cx, onward, &generation.signer));
        dressed.map_err(|stop| {
            ctx.trail.stopped = Some(Stopped::new("forward", &stop));
            Error::explain(STOPPED, "the head for the backend cannot be made")
        })
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Passage<C>,
    ) -> Result<()> {
        end_once(body, end);
        ctx.trail.request_bytes += body.as_ref().map_or(0, Bytes::len) as u64;
        let streams = ctx.cx.as_ref().is_some_and(|cx| cx.request().websocket);
        if !streams && ctx.trail.request_bytes > ctx.body_max() {
            let stop = too_large("the body grew larger than the route takes");
            ctx.trail.stopped = Some(Stopped::new("size", &stop));
            return Err(Error::explain(STOPPED, "body too large"));
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Passage<C>,
    ) -> Result<()> {
        let Some(cx) = ctx.cx.as_deref() else { return Ok(()) };
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS && !cx.request().websocket {
            let detail = "the backend switched protocols unasked".to_owned();
            ctx.trail.fault(Reason::UpstreamUnreachable, detail);
            return Err(Error::explain(STOPPED, "switched protocols unasked"));
        }
        if let Some(attempt) = &mut ctx.trail.upstream {
            attempt.answered.get_or_insert_with(Instant::now);
        }
        if head.status.is_informational() && head.status != http::StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        forward::downstream_head(head, ctx.generation.hsts.as_ref(), ctx.trail.id);
        if let Err(stopped) = ctx.generation.chain.response(head, cx) {
            ctx.trail.stopped = Some(Stopped::new(stopped.by, &stopped.stop));
            return Err(Error::explain(STOPPED, "a filter stopped the response"));
        }
        ctx.trail.status = Some(head.status.as_u16());
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Passage<C>,
    ) -> Result<Option<Duration>> {
        end_once(body, end);
        ctx.trail.response_bytes += body.as_ref().map_or(0, Bytes::len) as u64;
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Passage<C>,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if let Some(attempt) = &mut ctx.trail.upstream {
            attempt.pick.unreached();
        }
        ctx.trail.tries += 1;
        error.set_retry(ctx.trail.tries < CONNECT_TRIES_MAX);
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Passage<C>,
    ) -> FailToProxy {
        let gone = *error.esource() == ErrorSource::Downstream
            && matches!(
                error.etype(),
                ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed
            );
        ctx.trail.blame(error);
        if session.response_written().is_some() || gone {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        let generation = Arc::clone(&ctx.generation);
        let asking = asking(ctx.trail.id, session, &generation.limits);
        let response = match &ctx.trail.stopped {
            Some(Stopped { reason: Reason::TooLarge, .. }) => answer::body_too_large(&asking),
            Some(Stopped { reason: Reason::Custom(answer::BODY_TIMEOUT), .. }) => {
                answer::body_too_slow(&asking)
            }
            Some(Stopped { reason: Reason::Malformed(what), .. }) => {
                answer::answer(&Stop::malformed(*what, ""), &asking)
            }
            Some(Stopped { reason: Reason::Internal, .. }) | None => answer::internal(&asking),
            Some(stopped) => answer::upstream_failure(&stopped.reason, timed_out(error), &asking),
        };
        let status = response.status().as_u16();
        session.set_keepalive(None);
        if let Err(error) = self.write(session, ctx, response).await {
            log::debug!("request {}: the refusal could not be written: {error}", ctx.trail.id);
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, _session: &mut Session, error: Option<&Error>, ctx: &mut Passage<C>) {
        if let Some(error) = error {
            ctx.trail.blame(error);
        }
        ctx.record();
    }

    fn suppress_error_log(&self, _: &Session, ctx: &Passage<C>, error: &Error) -> bool {
        log::debug!("request {}: {error}", ctx.trail.id);
        true
    }

    fn request_summary(&self, _: &Session, ctx: &Passage<C>) -> String {
        // Pingora's own summary holds the target, and with it codes and tokens of its query.
        format!("request {}", ctx.trail.id)
    }
}

/// An empty last chunk ends nothing: Pingora 0.9.1 would write it as a chunk of size 0, which is the
/// end of a chunked body, and then the end again, five bytes that the other side would read as the
/// beginning of the next message.
fn end_once(body: &mut Option<Bytes>, end: bool) {
    if end && body.as_ref().is_some_and(Bytes::is_empty) {
        *body = None;
    }
}

/// Reads a small body to its end, so that a client that is still sending reads the answer instead
/// of a reset.
async fn drain(session: &mut Session) {
    let head = session.req_header();
    let small = content_length(head).is_some_and(|length| length <= DRAIN_BYTES_MAX);
    if small && !head.headers.contains_key(http::header::EXPECT) {
        session.set_total_drain_timeout(Some(DRAIN_TIME_MAX));
        if let Err(error) = session.as_downstream_mut().drain_request_body().await {
            log::debug!("a refused request's body was not drained: {error}");
        }
    }
}

/// Who asks, for the form of an answer.
pub(crate) fn asking<'a>(id: RequestId, session: &Session, limits: &'a Limits) -> Asking<'a> {
    Asking::of(id, session.req_header(), limits.allow())
}
