//! The audit trail: exactly one JSON object a line for every request.
//!
//! 1. A record is made when the exchange ends, however it ends: answered, refused, cut.
//! 2. Nothing on a request's way waits for the disk: records go into a bounded queue, a background
//!    task writes them at least every [`FLUSH_EVERY`].
//! 3. When the queue is full or the disk refuses, the sink says so and the gateway refuses requests
//!    until it recovers: what cannot be recorded is not served.
//! 4. Secrets, tokens, cookies and query values have no field here.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use filter::RequestId;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio::sync::{Notify, mpsc};

/// How long a record may stay in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// Records that may wait for the disk; about 100 MB.
const QUEUE_RECORDS_MAX: usize = 100_000;
/// Bytes that are written at once.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// One record, in OpenTelemetry's names where they exist. Absent facts have no key.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) timestamp: Shown<Timestamp>,
    #[serde(rename = "event.name")]
    pub(crate) event: &'static str,
    #[serde(rename = "request.id")]
    pub(crate) request_id: Shown<RequestId>,
    #[serde(rename = "trace_id", skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<Trace<'a>>,
    #[serde(rename = "client.address", skip_serializing_if = "Option::is_none")]
    pub(crate) client_address: Option<std::net::IpAddr>,
    #[serde(rename = "http.request.method", skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'a str>,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<&'a str>,
    #[serde(rename = "url.path", skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<&'a str>,
    #[serde(rename = "url.path_raw", skip_serializing_if = "Option::is_none")]
    pub(crate) path_raw: Option<&'a str>,
    #[serde(rename = "http.route", skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    #[serde(rename = "http.response.status_code", skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(rename = "http.request.body.size")]
    pub(crate) request_bytes: u64,
    #[serde(rename = "http.response.body.size")]
    pub(crate) response_bytes: u64,
    pub(crate) duration_ms: f64,
    #[serde(flatten)]
    pub(crate) upstream: UpstreamPart<'a>,
    #[serde(flatten)]
    pub(crate) who: WhoPart<'a>,
    #[serde(flatten)]
    pub(crate) decision: DecisionPart<'a>,
    #[serde(rename = "error.type", skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    #[serde(rename = "error.message", skip_serializing_if = "Option::is_none")]
    pub(crate) error_detail: Option<&'a str>,
}

/// Written as it is shown, without a text in between.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The trace of a request.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Trace<'a> {
    /// The one that it came with.
    Adopted(&'a str),
    /// The one that began here, under the request's own name.
    Own(Shown<RequestId>),
}

/// Where it went.
#[derive(Debug, Default, Serialize)]
pub(crate) struct UpstreamPart<'a> {
    #[serde(rename = "upstream.name", skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    #[serde(rename = "upstream.address", skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<std::net::SocketAddr>,
    #[serde(rename = "upstream.duration_ms", skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<f64>,
}

/// Who and what.
#[derive(Debug, Default, Serialize)]
pub(crate) struct WhoPart<'a> {
    #[serde(rename = "tls.client.subject", skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_subject: Option<&'a str>,
    #[serde(rename = "tls.client.issuer", skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_issuer: Option<&'a str>,
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    #[serde(rename = "user.email", skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<&'a str>,
    #[serde(rename = "user.groups", skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<&'a [Box<str>]>,
    #[serde(rename = "session.id", skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<&'a str>,
    #[serde(rename = "auth.method", skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'static str>,
    #[serde(rename = "auth.idp", skip_serializing_if = "Option::is_none")]
    pub(crate) idp: Option<&'a str>,
    #[serde(rename = "auth.acr", skip_serializing_if = "Option::is_none")]
    pub(crate) acr: Option<&'a str>,
    #[serde(rename = "auth.amr", skip_serializing_if = "Option::is_none")]
    pub(crate) amr: Option<&'a [Box<str>]>,
    #[serde(rename = "auth.age_s", skip_serializing_if = "Option::is_none")]
    pub(crate) auth_age_s: Option<i64>,
    #[serde(rename = "auth.token_id", skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<&'a str>,
    #[serde(rename = "device.id", skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<&'a str>,
    #[serde(rename = "device.managed", skip_serializing_if = "Option::is_none")]
    pub(crate) managed: Option<bool>,
    #[serde(rename = "device.compliant", skip_serializing_if = "Option::is_none")]
    pub(crate) compliant: Option<bool>,
    #[serde(rename = "device.posture_age_s", skip_serializing_if = "Option::is_none")]
    pub(crate) posture_age_s: Option<i64>,
    #[serde(rename = "risk.score", skip_serializing_if = "Option::is_none")]
    pub(crate) risk: Option<u8>,
}

/// What was decided.
#[derive(Debug, Default, Serialize)]
pub(crate) struct DecisionPart<'a> {
    #[serde(rename = "decision.outcome")]
    pub(crate) outcome: &'static str,
    #[serde(rename = "decision.reason")]
    pub(crate) reason: Cow<'a, str>,
    #[serde(rename = "decision.rule", skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<&'a str>,
    #[serde(rename = "decision.by", skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<&'static str>,
    #[serde(rename = "decision.shadow", skip_serializing_if = "Option::is_none")]
    pub(crate) shadow: Option<ShadowPart<'a>>,
    #[serde(rename = "policy.hash", skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<&'a str>,
    #[serde(rename = "decision.duration_us", skip_serializing_if = "Option::is_none")]
    pub(crate) duration_us: Option<f64>,
}

/// What a shadow rule would have done.
#[derive(Debug, Serialize)]
pub(crate) struct ShadowPart<'a> {
    pub(crate) rule: &'a str,
    pub(crate) would_be: &'static str,
}

/// Where records go. Cloning shares the sink.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    queue: mpsc::Sender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    failing: AtomicBool,
    reopen: AtomicBool,
    closing: AtomicBool,
    closed: Notify,
}

/// The background half of a [`Sink`].
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Receiver<Vec<u8>>,
    state: Arc<State>,
    path: PathBuf,
    file: Arc<File>,
    batch: Vec<u8>,
}

impl Sink {
    /// Opens the file for appending, with mode 0600 if it is made.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub(crate) fn open(path: &Path) -> std::io::Result<(Self, Writer)> {
        let file = Arc::new(open(path)?);
        let (sender, queue) = mpsc::channel(QUEUE_RECORDS_MAX);
        let state = Arc::new(State::default());
        let sink = Self { queue: sender, state: Arc::clone(&state) };
        let writer = Writer { queue, state, path: path.to_owned(), file, batch: Vec::new() };
        Ok((sink, writer))
    }

    /// Whether records are being kept.
    pub(crate) fn healthy(&self) -> bool {
        !self.state.failing.load(Ordering::Relaxed)
    }

    /// Hands a record over. A queue that is full turns the sink unhealthy.
    pub(crate) fn write(&self, record: &Record<'_>) {
        let mut line = Vec::with_capacity(1024);
        let written = serde_json::to_writer(&mut line, record);
        line.push(b'\n');
        if written.is_err() || self.queue.try_send(line).is_err() {
            self.state.failing.store(true, Ordering::Relaxed);
        }
    }

    /// Opens the file anew at the next write: it was renamed by whoever rotates logs.
    pub(crate) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
    }

    /// Waits until everything that was handed over is in the file.
    pub(crate) async fn close(&self) {
        let closed = self.state.closed.notified();
        self.state.closing.store(true, Ordering::Relaxed);
        closed.await;
    }
}

impl Writer {
    /// Writes until the sink is closed. What was taken from the queue and not yet written stays in
    /// the writer when the task is dropped, for [`Writer::finish`].
    pub(crate) async fn run(&mut self) {
        let mut tick = tokio::time::interval(FLUSH_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let closing = self.state.closing.load(Ordering::Relaxed);
            while self.fill() && self.write_out().await {}
            if closing {
                self.state.closed.notify_waiters();
                return;
            }
        }
    }

    /// Writes what is left, when no task does any more.
    pub(crate) fn finish(&mut self) {
        while self.fill() {
            if let Err(error) = write_some(&self.file, &mut self.batch) {
                log::error!("audit: `{}`: {error}; records are lost", self.path.display());
                return;
            }
        }
    }

    /// Takes what waits, up to a batch; whether there is anything to write.
    fn fill(&mut self) -> bool {
        while self.batch.len() < BATCH_BYTES_MAX {
            match self.queue.try_recv() {
                Ok(line) => self.batch.extend_from_slice(&line),
                Err(_) => break,
            }
        }
        !self.batch.is_empty()
    }

    /// Writes the batch off the async threads; whether the disk took it.
    async fn write_out(&mut self) -> bool {
        if self.state.reopen.swap(false, Ordering::Relaxed)
            && let Ok(file) = open(&self.path)
        {
            self.file = Arc::new(file);
        }
        let (file, mut batch) = (Arc::clone(&self.file), std::mem::take(&mut self.batch));
        let written = tokio::task::spawn_blocking(move || {
            let result = write_some(&file, &mut batch);
            (batch, result)
        });
        let result = match written.await {
            Ok((left, result)) => {
                self.batch = left;
                result
            }
            Err(error) => Err(std::io::Error::other(error)),
        };
        let failed = result.is_err();
        if let Err(error) = result {
            let path = self.path.display();
            log::error!("audit: cannot write `{path}`: {error}; requests are refused until it can");
            self.state.reopen.store(true, Ordering::Relaxed);
        }
        self.state.failing.store(failed, Ordering::Relaxed);
        !failed
    }
}

/// Writes, dropping from the buffer what the file took.
fn write_some(mut file: &File, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let taken = file.write(bytes)?;
        if taken == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes.drain(..taken);
    }
    Ok(())
}

fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if path == Path::new("-") {
        return OpenOptions::new().append(true).open("/dev/stdout");
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_lines_even_when_values_try_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (sink, mut writer) = Sink::open(&path).unwrap();
        let writer = tokio::spawn(async move { writer.run().await });
        for path in ["/a", "/b\r\n{\"forged\":1}\u{2028}\x1b[2J"] {
            sink.write(&Record { path: Some(path), ..Record::default() });
        }
        sink.close().await;
        writer.await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[1]["url.path"], "/b\r\n{\"forged\":1}\u{2028}\x1b[2J");
        assert!(sink.healthy());
    }

    #[tokio::test]
    async fn a_disk_that_refuses_turns_the_sink_unhealthy() {
        let (sink, mut writer) = Sink::open(Path::new("/dev/full")).unwrap();
        let writer = tokio::spawn(async move { writer.run().await });
        sink.write(&Record::default());
        sink.close().await;
        writer.await.unwrap();
        assert!(!sink.healthy());
    }
}
