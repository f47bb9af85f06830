//! A running gateway: what its clients ask it, what its operator reads, how it ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::audit;
use crate::plan::{Plan, Ports};
use crate::process::Process;
use crate::reply::Reply;
use crate::request::Request;
use crate::tls::{Dial, HTTP11};
use crate::wait::until;

/// A running gateway.
pub struct Gateway {
    /// What it was started with.
    pub plan: Plan,
    /// Where it listens.
    pub ports: Ports,
    process: Process,
    secrets: Mutex<Vec<String>>,
}

impl Gateway {
    pub(crate) fn new(plan: Plan, process: Process, ports: Ports) -> Self {
        Self { plan, ports, process, secrets: Mutex::default() }
    }

    /// A GET.
    pub fn get(&self, url: &str) -> Request<'_> {
        self.request("GET", url)
    }

    /// A POST with a body.
    pub fn post(&self, url: &str, body: impl Into<Vec<u8>>) -> Request<'_> {
        self.request("POST", url).body(body)
    }

    /// Any request.
    pub fn request(&self, method: &str, url: &str) -> Request<'_> {
        Request::new(self, method, url)
    }

    /// How a client connects: no name yet, no certificate.
    pub fn dial(&self) -> Dial {
        Dial {
            address: self.ports.public,
            sni: None,
            verify: None,
            trust: self.plan.world.front.cert().clone(),
            certificate: None,
            alpn: HTTP11,
            max_version: None,
            segment: None,
        }
    }

    /// The audit file.
    pub fn audit_file(&self) -> PathBuf {
        self.plan.world.path().join("audit.jsonl")
    }

    /// Every audit record so far.
    pub fn records(&self) -> Vec<Value> {
        audit::read(&self.audit_file())
    }

    /// The one audit record of a request, waited for.
    #[track_caller]
    pub fn audit(&self, request_id: &str) -> Value {
        let mut found = until("the audit record", || {
            Some(audit::of(&self.records(), request_id)).filter(|found| !found.is_empty())
        });
        assert_eq!(found.len(), 1, "one record for a request: {found:#?}");
        found.remove(0)
    }

    /// Waits until the audit holds this many records of requests.
    #[track_caller]
    pub fn wait_for_records(&self, count: usize) -> Vec<Value> {
        let requests = || self.records().into_iter().filter(audit::is_request).collect::<Vec<_>>();
        crate::wait::within(Duration::from_secs(20), || (requests().len() >= count).then_some(()));
        let records = requests();
        assert!(records.len() >= count, "{} records of {count}: {records:#?}", records.len());
        records
    }

    /// Asks the operator's listener.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Reply {
        admin(self.ports.admin, path)
            .unwrap_or_else(|| panic!("no answer from the admin listener\n{}", self.output()))
    }

    /// The value of one series, written as in the exposition (`name{label="x"}`); 0 if absent.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    /// The sum of every series of a name whose labels hold all of these.
    #[track_caller]
    pub fn metric_sum(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.admin("/metrics").text();
        let fits = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let values = text.lines().filter(fits).filter_map(|line| line.rsplit_once(' '));
        values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// What the gateway printed.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal to it.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Writes the plan again and waits until it is in force.
    #[track_caller]
    pub fn reload(&self) {
        let before = self.metric("portcullis_config_generation");
        self.plan.write(&self.ports);
        self.signal("HUP");
        until("the new configuration to be in force", || {
            (self.metric("portcullis_config_generation") > before).then_some(())
        });
    }

    /// Remembers a secret: it must appear in nothing that the gateway writes.
    pub fn remember_secret(&self, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap();
        if secret.len() > 8 && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
        }
    }

    /// Asks it to end and waits until it did.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.process.ended() {
            return status;
        }
        self.signal("TERM");
        self.process.wait()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Fails if anything that the gateway wrote holds a secret or tells of a panic, or if a
    /// request has two audit records.
    #[track_caller]
    pub fn assert_clean(&self) {
        let output = self.output();
        assert!(!output.contains("panicked at"), "the gateway panicked:\n{output}");
        audit::assert_one_each(&self.records());
        let audit = std::fs::read_to_string(self.audit_file()).unwrap_or_default();
        for secret in self.secrets.lock().unwrap().iter() {
            let shown: String = secret.chars().take(12).collect();
            assert!(!output.contains(secret.as_str()), "a secret in the log: {shown}...");
            assert!(!audit.contains(secret.as_str()), "a secret in the audit: {shown}...");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<&str> = output.lines().rev().take(60).collect();
            eprintln!("--- the gateway printed (last 60 lines)");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
            eprintln!("--- the audit (last 3 records)");
            let audit = std::fs::read_to_string(self.audit_file()).unwrap_or_default();
            let lines: Vec<&str> = audit.lines().rev().take(3).collect();
            lines.iter().rev().for_each(|line| eprintln!("{line}"));
        } else {
            self.assert_clean();
        }
    }
}

/// One request to an operator's listener; `None` while nobody listens.
pub fn admin(address: SocketAddr, path: &str) -> Option<Reply> {
    plain(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// Sends bytes without TLS and reads one response that ends with the connection.
pub fn plain(address: SocketAddr, bytes: &str) -> Option<Reply> {
    let mut tcp = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    tcp.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    tcp.write_all(bytes.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    tcp.read_to_end(&mut bytes).ok()?;
    crate::h1::parse_whole(&bytes)
}
