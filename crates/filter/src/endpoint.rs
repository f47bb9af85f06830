//! Pages and callbacks of a filter's crate, under `/.portcullis/`.

use std::pin::Pin;

use bytes::Bytes;

use crate::Context;

/// A future behind a pointer: endpoints are few and far from the hot path.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers requests for one name below `/.portcullis/`. The gateway has read the body (bounded) and
/// writes the answer; the chain has run, so the facts are there, and no policy was asked.
pub trait Endpoint: Send + Sync + 'static {
    /// Answers one request.
    fn handle<'a>(
        &'a self,
        request: http::Request<Bytes>,
        cx: &'a mut Context,
    ) -> BoxFuture<'a, http::Response<Bytes>>;
}
