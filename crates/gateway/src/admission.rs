//! Who may come as far as the chain, and who may go on after it.
//!
//! Before the chain: the door makes the request canonical, and the connection's facts are
//! established: whose address, which certificate. A certificate that is not believed ends the
//! request here, whoever its bearer is. After the chain: what the permit's route and upstream still
//! ask of the request itself.

use std::borrow::Cow;

use filter::{Context, Failure, Refusal, Status, Stop};
use pingora::proxy::Session;
use pingora_http::RequestHeader;
use policy::{Network, Reason};

use crate::chain::Chain;
use crate::door::{self, Arrival};
use crate::passage::Passage;
use crate::tls::{Seen, connection_of};
use crate::{forward, origin};

/// From the socket's bytes to facts: door, address, certificate.
pub(crate) fn admit<C: Chain>(
    session: &Session,
    ctx: &mut Passage<C>,
    raw: &[u8],
) -> Result<(), Stop> {
    let head = session.req_header();
    let connection = session.digest().and_then(connection_of);
    let peer = session.client_addr().and_then(|address| address.as_inet()).copied();
    ctx.trail.peer = peer;
    ctx.trail.method = Some(head.method.clone());
    if !ctx.live.audit.healthy() {
        return Err(Stop::down("audit", "records cannot be written"));
    }
    let (Some(connection), Some(peer)) = (connection, peer) else {
        return Err(internal("the connection has no handshake or no address"));
    };
    let Seen { client, fault } = connection.seen(peer, ctx.trail.at);
    let raw = Some(raw).filter(|raw| !raw.is_empty());
    let arrival = Arrival { head, raw, tls: client.tls.as_ref() };
    let generation = &ctx.generation;
    let request = door::enter(&arrival, &generation.limits, generation.widest)
        .inspect_err(|_| ctx.trail.target_raw = Some(lossy(head.raw_path())))?;
    let trusted = &generation.server.trusted_proxies;
    let (ip, direct) = origin::client_address(peer, &head.headers, trusted);
    let (tls_version, certificate) = match &client.tls {
        Some(tls) => (Some(tls.version), tls.certificate.clone()),
        None => (None, None),
    };
    let mut cx = Box::new(Context::new(ctx.trail.id, client, request, ctx.trail.at));
    let facts = cx.facts_mut();
    let network = Network { ip, direct, tls_version, country: None, asn: None };
    let fixed = facts.establish_network(network).and_then(|()| match certificate {
        Some(certificate) => facts.establish_certificate(certificate),
        None => Ok(()),
    });
    forward::adopt(&head.headers, &mut cx);
    ctx.cx = Some(cx);
    if fixed.is_err() {
        return Err(internal("a fact of the connection was established twice"));
    }
    fault.map_or(Ok(()), |fault| Err(fault.stop()))
}

/// What the permit's route still asks of the request.
pub(crate) fn suits<C: Chain>(head: &RequestHeader, ctx: &Passage<C>) -> Result<(), Stop> {
    let Some(cx) = ctx.cx.as_deref() else {
        return Err(internal("no context"));
    };
    let Some(permit) = cx.permit() else {
        return Err(internal("the chain ended without a decision"));
    };
    let route = permit.route();
    ctx.generation
        .upstreams
        .paths(permit.upstream())
        .unwrap_or_default()
        .admits(cx.request().path())
        .map_err(|what| Stop::malformed(what, "the upstream's path profile does not take it"))?;
    if cx.request().websocket && route.forwarding.websocket == Some(false) {
        return Err(Stop::malformed(
            policy::Malformed::Upgrade,
            "the route does not take WebSockets",
        ));
    }
    let length = content_length(head);
    if length.is_some_and(|length| length > ctx.body_max()) {
        return Err(too_large("the body is larger than the route takes"));
    }
    Ok(())
}

/// The length that a head states.
pub(crate) fn content_length(head: &RequestHeader) -> Option<u64> {
    head.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The refusal of a body that is larger than its route takes.
pub(crate) fn too_large(detail: &'static str) -> Stop {
    Stop::Refuse(Refusal {
        status: Status::ContentTooLarge,
        reason: Reason::TooLarge,
        detail: detail.into(),
    })
}

fn lossy(bytes: &[u8]) -> String {
    let path = bytes.split(|byte| *byte == b'?').next().unwrap_or_default();
    String::from_utf8_lossy(path).into_owned()
}

fn internal(detail: &'static str) -> Stop {
    Stop::Fail(Failure { reason: Reason::Internal, detail: Cow::Borrowed(detail) })
}
