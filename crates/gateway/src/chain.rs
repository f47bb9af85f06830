//! Filters, composed by type.
//!
//! A chain is `()` or a [`Link`] of a chain and one more filter: no `dyn`, no allocation, one
//! future. An empty chain stops nothing and allows nothing: without a decision there is no permit.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use filter::{Context, Failure, Filter, RequestHeader, ResponseHeader, Stop};
use policy::Reason;

/// A stop and the filter that said it.
#[derive(Debug)]
pub struct Stopped {
    /// The filter's name.
    pub by: &'static str,
    /// What it said.
    pub stop: Stop,
}

/// A sequence of filters.
pub trait Chain: Send + Sync + 'static {
    /// Asks every filter in order, until one stops the request.
    fn request(
        &self,
        head: &RequestHeader,
        cx: &mut Context,
    ) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// Lets every filter rewrite the head that goes upstream, in order.
    fn upstream_request(&self, head: &mut RequestHeader, cx: &Context) -> Result<(), Stopped>;

    /// Lets every filter rewrite the head that goes back, last filter first.
    fn response(&self, head: &mut ResponseHeader, cx: &Context) -> Result<(), Stopped>;
}

/// A chain and the filter that follows it.
#[derive(Debug)]
pub struct Link<C, F> {
    before: C,
    filter: F,
}

impl<C, F> Link<C, F> {
    /// Appends a filter.
    pub fn new(before: C, filter: F) -> Self {
        Self { before, filter }
    }
}

impl Chain for () {
    async fn request(&self, _head: &RequestHeader, _cx: &mut Context) -> Result<(), Stopped> {
        Ok(())
    }

    fn upstream_request(&self, _head: &mut RequestHeader, _cx: &Context) -> Result<(), Stopped> {
        Ok(())
    }

    fn response(&self, _head: &mut ResponseHeader, _cx: &Context) -> Result<(), Stopped> {
        Ok(())
    }
}

impl<C: Chain, F: Filter> Chain for Link<C, F> {
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn in this position loses the Send bound (rust-lang/rust#130113)"
    )]
    fn request(
        &self,
        head: &RequestHeader,
        cx: &mut Context,
    ) -> impl Future<Output = Result<(), Stopped>> + Send {
        async move {
            self.before.request(head, cx).await?;
            contained(self.filter.request(head, cx)).await.map_err(stopped::<F>)
        }
    }

    fn upstream_request(&self, head: &mut RequestHeader, cx: &Context) -> Result<(), Stopped> {
        self.before.upstream_request(head, cx)?;
        self.filter.upstream_request(head, cx).map_err(stopped::<F>)
    }

    fn response(&self, head: &mut ResponseHeader, cx: &Context) -> Result<(), Stopped> {
        self.filter.response(head, cx).map_err(stopped::<F>)?;
        self.before.response(head, cx)
    }
}

fn stopped<F: Filter>(stop: Stop) -> Stopped {
    Stopped { by: F::NAME, stop }
}

/// A filter that panics refuses its request and nothing else: the panic ends here, not in the
/// task that serves the connection.
async fn contained(filter: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
    let mut filter = pin!(filter);
    std::future::poll_fn(|task| {
        std::panic::catch_unwind(AssertUnwindSafe(|| filter.as_mut().poll(task))).unwrap_or_else(
            |_panic| {
                Poll::Ready(Err(Stop::Fail(Failure {
                    reason: Reason::Internal,
                    detail: "the filter panicked; its message is in the log above".into(),
                })))
            },
        )
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter::{Canonical, Client, Denial, RequestId};
    use std::sync::Arc;

    struct Say(&'static str);
    impl Filter for Say {
        const NAME: &'static str = "say";
        async fn request(&self, _: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
            match self.0 {
                "stop" => Err(Stop::Deny(Denial::custom("said-stop"))),
                "panic" => panic!("said panic"),
                word => {
                    cx.extensions_mut().insert(word);
                    Ok(())
                }
            }
        }
        fn response(&self, head: &mut ResponseHeader, _: &Context) -> Result<(), Stop> {
            head.append_header("x-said", self.0).unwrap();
            Ok(())
        }
    }

    fn context() -> (RequestHeader, Context) {
        let head = RequestHeader::build("GET", b"/", None).unwrap();
        let request = Canonical {
            method: http::Method::GET,
            host: "a.test".into(),
            port: None,
            target: "/".parse().unwrap(),
            websocket: false,
            grpc: false,
        };
        let client = Arc::new(Client { peer: "127.0.0.1:1".parse().unwrap(), tls: None });
        (head, Context::new(RequestId(1), client, request, jiff::Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn an_empty_chain_permits_nothing() {
        let (head, mut cx) = context();
        ().request(&head, &mut cx).await.unwrap();
        assert!(cx.permit().is_none());
    }

    #[tokio::test]
    async fn the_first_stop_ends_the_chain_and_is_named() {
        let chain = Link::new(Link::new((), Say("stop")), Say("never"));
        let (head, mut cx) = context();
        let stopped = chain.request(&head, &mut cx).await.unwrap_err();
        assert_eq!((stopped.by, stopped.stop.kind()), ("say", "deny"));
        assert_eq!(cx.extensions().get::<&str>(), None);
    }

    /// Attack F8: a panic in a filter refuses that request and reaches no further.
    #[tokio::test]
    async fn f8_a_panic_is_a_refusal() {
        let chain = Link::new((), Say("panic"));
        let (head, mut cx) = context();
        let stopped = chain.request(&head, &mut cx).await.unwrap_err();
        assert_eq!(stopped.stop.reason(), Some(Reason::Internal));
    }

    #[test]
    fn responses_pass_the_last_filter_first() {
        let chain = Link::new(Link::new((), Say("a")), Say("b"));
        let (_, cx) = context();
        let mut head = ResponseHeader::build(200, None).unwrap();
        chain.response(&mut head, &cx).unwrap();
        let said: Vec<_> = head.headers.get_all("x-said").iter().collect();
        assert_eq!(said, ["b", "a"]);
    }
}
