//! The gateway's own pages and callbacks, below `/.portcullis/`: they never reach a backend, and no
//! rule decides them. A filter's crate brings its own through [`filter::Setup::endpoint`].

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use filter::{BoxFuture, Context, Endpoint, Refusal, Status, Stop};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Response, StatusCode};
use pingora::proxy::Session;
use policy::Reason;

use crate::answer;
use crate::assertion::Signer;
use crate::chain::Chain;
use crate::passage::{Passage, method_word};
use crate::proxy::asking;
use crate::trail::Stopped;

/// Bytes of a body that an endpoint is given.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The endpoints that the gateway itself brings.
pub(crate) fn endpoints(signer: &Arc<Signer>) -> [(String, Arc<dyn Endpoint>); 2] {
    [
        ("jwks.json".to_owned(), Arc::new(Jwks(Arc::clone(signer)))),
        ("whoami".to_owned(), Arc::new(Whoami)),
    ]
}

/// Answers a request for one of the gateway's own names.
pub(crate) async fn serve<C: Chain>(
    session: &mut Session,
    ctx: &mut Passage<C>,
) -> Response<Bytes> {
    let generation = Arc::clone(&ctx.generation);
    let asking = asking(ctx.trail.id, session, &generation.limits);
    let Some(cx) = ctx.cx.as_deref_mut() else {
        return answer::internal(&asking);
    };
    let name = cx.request().own().unwrap_or_default();
    let endpoint = generation.endpoints.get(name).or_else(|| {
        // A name with a part of its own, as `callback/{idp}`, is registered by its first segment.
        name.split_once('/').and_then(|(first, _)| generation.endpoints.get(first))
    });
    let patience = generation.server.limits.header_time_max.0;
    let stopped = match endpoint {
        Some(endpoint) => match body_within(session, patience).await {
            Ok(body) => {
                let request = request(session, cx, body);
                let mut response = endpoint.handle(request, cx).await;
                answer::guard(response.headers_mut(), ctx.trail.id);
                ctx.trail.stopped = Some(Stopped {
                    by: "own",
                    outcome: "answer",
                    reason: Reason::Custom("own-page"),
                    detail: "".into(),
                });
                return response;
            }
            Err(stop) => stop,
        },
        None => Stop::Refuse(Refusal {
            status: Status::NotFound,
            reason: Reason::NoRoute,
            detail: "the gateway has no page of this name".into(),
        }),
    };
    ctx.trail.stopped = Some(Stopped::new("own", &stopped));
    answer::answer(&stopped, &asking)
}

fn request(session: &Session, cx: &Context, body: Bytes) -> http::Request<Bytes> {
    let mut request = http::Request::new(body);
    *request.method_mut() = cx.request().method.clone();
    *request.uri_mut() = cx.request().target.clone().into();
    *request.headers_mut() = session.req_header().headers.clone();
    request
}

/// The whole body, in the time that a head may take: these bodies are as small.
async fn body_within(session: &mut Session, patience: Duration) -> Result<Bytes, Stop> {
    tokio::time::timeout(patience, body(session)).await.unwrap_or_else(|_elapsed| {
        Err(Stop::malformed(policy::Malformed::Framing, "the body took too long"))
    })
}

async fn body(session: &mut Session) -> Result<Bytes, Stop> {
    let mut whole = BytesMut::new();
    loop {
        match session.read_request_body().await {
            Ok(Some(chunk)) if whole.len() + chunk.len() > BODY_BYTES_MAX => {
                return Err(Stop::Refuse(Refusal {
                    status: Status::ContentTooLarge,
                    reason: Reason::TooLarge,
                    detail: "the gateway's own pages take small bodies".into(),
                }));
            }
            Ok(Some(chunk)) => whole.extend_from_slice(&chunk),
            Ok(None) => return Ok(whole.freeze()),
            Err(error) => {
                return Err(Stop::malformed(
                    policy::Malformed::Framing,
                    format!("the body could not be read: {error}"),
                ));
            }
        }
    }
}

/// `jwks.json`: the keys that assertions are signed with, for backends to verify them.
struct Jwks(Arc<Signer>);

impl Endpoint for Jwks {
    fn handle<'a>(
        &'a self,
        request: http::Request<Bytes>,
        _cx: &'a mut Context,
    ) -> BoxFuture<'a, Response<Bytes>> {
        Box::pin(async move {
            if let Some(refused) = only_get(&request) {
                return refused;
            }
            let mut response = Response::new(Bytes::from(self.0.jwks()));
            let headers = response.headers_mut();
            headers
                .insert(CONTENT_TYPE, http::HeaderValue::from_static("application/jwk-set+json"));
            headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("public, max-age=300"));
            response
        })
    }
}

/// `whoami`: what the gateway knows of the caller, as a page or as JSON.
struct Whoami;

impl Endpoint for Whoami {
    fn handle<'a>(
        &'a self,
        request: http::Request<Bytes>,
        cx: &'a mut Context,
    ) -> BoxFuture<'a, Response<Bytes>> {
        Box::pin(async move {
            if let Some(refused) = only_get(&request) {
                return refused;
            }
            let known = known(cx);
            if answer::navigates(request.method(), request.headers()) {
                return answer::facts_page("What the gateway knows of you", &known, cx.id());
            }
            let mut response = Response::new(Bytes::from(known.to_string()));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
            response
        })
    }
}

/// What a caller may know of how the gateway sees them: nothing of others, no secret.
fn known(cx: &Context) -> serde_json::Value {
    let facts = cx.facts();
    let subject = facts.subject();
    let device = facts.device();
    serde_json::json!({
        "anonymous": subject.is_none(),
        "user": subject.map(|subject| serde_json::json!({
            "id": subject.id,
            "name": subject.name,
            "email": subject.email,
            "groups": subject.groups,
            "idp": subject.idp,
        })),
        "auth": facts.auth().map(|auth| serde_json::json!({
            "method": method_word(auth.method),
            "mfa": auth.mfa,
            "acr": auth.acr,
            "expires_at": auth.expires_at.map(|at| at.to_string()),
        })),
        "device": device.map(|device| serde_json::json!({
            "id": device.id,
            "known": device.known,
            "managed": device.managed,
            "compliant": device.compliant,
        })),
        "certificate": facts.certificate().map(|certificate| serde_json::json!({
            "subject": certificate.subject,
            "not_after": certificate.not_after.to_string(),
        })),
        "address": cx.address().to_string(),
        "request_id": cx.id().to_string(),
    })
}

fn only_get(request: &http::Request<Bytes>) -> Option<Response<Bytes>> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
    Some(response)
}
