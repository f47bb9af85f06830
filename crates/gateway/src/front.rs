//! What stands between the socket and Pingora.
//!
//! Pingora refuses some requests before any hook runs, re-escapes targets, accepts bare line feeds
//! and times each read instead of the whole head. So every HTTP/1 connection is read through a
//! [`Tap`], which, while a request's head is being read,
//!
//! 1. keeps the head's bytes as the socket gave them, for the door to judge;
//! 2. bounds the time from the head's first byte to its last;
//! 3. replaces what Pingora answers on its own by the gateway's own refusal, so that no answer
//!    comes from elsewhere.
//!
//! Once a hook has heard of the request the tap passes everything through. A request that no hook
//! ever heard of leaves its audit record here. HTTP/2 needs no tap: its heads are parsed by frames,
//! and malformed streams are reset.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use filter::RequestId;
use pingora::apps::ServerApp;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// More than this of a head is not kept: it is refused for its size.
const HEAD_KEPT_BYTES_MAX: usize = 1 << 20;

tokio::task_local! {
    /// The exchange that the current task serves: reads and writes of its connection happen in
    /// the same task as its hooks, so nothing here is shared.
    pub(crate) static EXCHANGE: Exchange;
}

/// One request on its way from the socket to the hooks.
pub(crate) struct Exchange {
    /// The request's name, given before its first byte.
    pub(crate) id: RequestId,
    head_time_max: Duration,
    heard: Cell<bool>,
    head: RefCell<Vec<u8>>,
    ended: Cell<HeadEnd>,
    refused: Cell<Option<u16>>,
}

/// How reading the head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadEnd {
    /// Its end has not been seen.
    Open,
    /// It is complete.
    Complete,
    /// Its time was up.
    Late,
}

/// A request that Pingora ended before any hook.
#[derive(Debug)]
pub(crate) struct Unheard {
    /// The bytes of its head, as far as they came.
    pub(crate) head: Vec<u8>,
    /// The status that was answered, if any was.
    pub(crate) status: Option<u16>,
    /// How reading it ended.
    pub(crate) ended: HeadEnd,
}

impl Exchange {
    pub(crate) fn new(head_time_max: Duration) -> Self {
        Self {
            id: RequestId(fastrand::u128(..)),
            head_time_max,
            heard: Cell::new(false),
            head: RefCell::default(),
            ended: Cell::new(HeadEnd::Open),
            refused: Cell::new(None),
        }
    }

    /// A hook has the request: the tap stands aside. Gives the head's bytes, empty on HTTP/2.
    pub(crate) fn hear(&self) -> Vec<u8> {
        self.heard.set(true);
        self.head.take()
    }

    /// Whether a hook has the request.
    pub(crate) fn heard(&self) -> bool {
        self.heard.get()
    }

    /// What became of a request that no hook heard of; `None` if one did or no byte came.
    pub(crate) fn unheard(&self) -> Option<Unheard> {
        let head = self.head.take();
        (!self.heard.get() && !head.is_empty()).then(|| Unheard {
            head,
            status: self.refused.get(),
            ended: self.ended.get(),
        })
    }

    fn keep(&self, bytes: &[u8]) {
        let mut head = self.head.borrow_mut();
        // An end that falls between two reads is found by looking back over the seam.
        let seam = head.len().saturating_sub(3);
        head.extend_from_slice(bytes.get(..HEAD_KEPT_BYTES_MAX.min(bytes.len())).unwrap_or(bytes));
        head.truncate(HEAD_KEPT_BYTES_MAX);
        // Empty lines before a request are no end of it, and must not stop its clock.
        let lead = head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if head.get(seam.max(lead)..).is_some_and(has_end) {
            self.ended.set(HeadEnd::Complete);
        }
    }

    fn incomplete(&self) -> bool {
        self.ended.get() == HeadEnd::Open && !self.head.borrow().is_empty()
    }
}

/// An empty line, by either of the line ends that Pingora's parser takes.
fn has_end(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    })
}

/// Puts a [`Tap`] on each HTTP/1 connection and hands it to the application.
pub(crate) struct Front<A> {
    app: Arc<A>,
    refusal: Refusal,
}

/// Makes the refusal of a head that Pingora refused on its own: its status and its bytes.
pub(crate) type Refusal = Arc<dyn Fn(&[u8], RequestId) -> (u16, Vec<u8>) + Send + Sync>;

impl<A> Front<A> {
    pub(crate) fn new(app: A, refusal: Refusal) -> Self {
        Self { app: Arc::new(app), refusal }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServerApp for Front<A> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let stream = match stream.selected_alpn_proto() {
            Some(ALPN::H2) => stream,
            _ => Box::new(Tap::new(stream, Arc::clone(&self.refusal))),
        };
        self.app.process_new(stream, shutdown).await
    }

    async fn cleanup(&self) {
        self.app.cleanup().await;
    }
}

/// A connection that is watched while a head is read.
struct Tap {
    inner: Stream,
    deadline: Option<Pin<Box<Sleep>>>,
    refusal: Refusal,
    /// Bytes of our refusal that are still to be written.
    own: Vec<u8>,
}

impl Tap {
    fn new(inner: Stream, refusal: Refusal) -> Self {
        Self { inner, deadline: None, refusal, own: Vec::new() }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, exchange: &Exchange) -> Poll<io::Result<()>> {
        let limit = exchange.head_time_max;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        exchange.ended.set(HeadEnd::Late);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head took too long")))
    }

    /// Writes what is left of our own refusal.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.own))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.own.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        EXCHANGE
            .try_with(|exchange| {
                if exchange.heard.get() {
                    this.deadline = None;
                    return None;
                }
                if polled.is_ready() {
                    exchange.keep(buf.filled().get(before..).unwrap_or_default());
                    if exchange.ended.get() == HeadEnd::Complete {
                        // The next head on this connection has a clock of its own.
                        this.deadline = None;
                    }
                    return None;
                }
                exchange.incomplete().then(|| this.poll_deadline(cx, exchange))
            })
            .ok()
            .flatten()
            .unwrap_or(polled)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let unheard = EXCHANGE.try_with(|exchange| {
            if exchange.heard.get() {
                return false;
            }
            if exchange.refused.get().is_none() {
                let (status, own) = (this.refusal)(&exchange.head.borrow(), exchange.id);
                exchange.refused.set(Some(status));
                this.own = own;
            }
            true
        });
        if unheard.unwrap_or(false) {
            ready!(this.poll_own(cx))?;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if EXCHANGE.try_with(|exchange| exchange.heard.get()).unwrap_or(true) {
            return Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[][..], |buf| buf))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Tap {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

impl UniqueID for Tap {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Tap {
    fn get_ssl(&self) -> Option<&pingora::tls::ssl::SslRef> {
        self.inner.get_ssl()
    }
    fn get_ssl_digest(&self) -> Option<Arc<pingora::protocols::tls::SslDigest>> {
        self.inner.get_ssl_digest()
    }
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Tap {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }
    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Tap {
    fn get_proxy_digest(&self) -> Option<Arc<pingora::protocols::raw_connect::ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Tap {
    fn get_socket_digest(&self) -> Option<Arc<pingora::protocols::SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for Tap {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_found_across_reads() {
        let exchange = Exchange::new(Duration::from_secs(1));
        for part in [&b"GET / HTTP/1.1\r\nHost: a\r"[..], b"\n", b"\r"] {
            exchange.keep(part);
            assert!(exchange.incomplete(), "{part:?}");
        }
        exchange.keep(b"\n");
        assert!(!exchange.incomplete());
        assert_eq!(exchange.hear(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(exchange.unheard().is_none());
    }

    /// Empty lines before a head would otherwise count as its end, and its clock never start.
    #[test]
    fn d1_empty_lines_before_a_head_are_no_end() {
        for lead in ["\r\n\r\n", "\n\n", "\r\n", "\r\n\r\n\r\n\r\n"] {
            let exchange = Exchange::new(Duration::from_secs(1));
            exchange.keep(lead.as_bytes());
            assert!(exchange.incomplete(), "{lead:?}");
            exchange.keep(b"GET / HTTP/1.1\r\nX: ");
            assert!(exchange.incomplete(), "{lead:?}");
            exchange.keep(b"y\r\n\r\n");
            assert!(!exchange.incomplete(), "{lead:?}");
        }
    }

    #[test]
    fn a_silent_connection_is_no_request() {
        assert!(Exchange::new(Duration::from_secs(1)).unheard().is_none());
    }
}
