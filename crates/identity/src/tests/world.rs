//! What a filter needs: a clock that is set by hand, a directory, and a gateway's services.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use document::{Mistakes, Node, Place};
use filter::setup::Gathered;
use filter::{
    Canonical, Client, Clock, Context, Filter as _, HealthBoard, RequestHeader, RequestId,
    Services, Setup, Stop, Survivors,
};
use http::{HeaderValue, Method};
use jiff::Timestamp;
use metrics::Metrics;
use policy::{Certificate, PolicySet, Source};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Authenticate, Conf};

/// A clock that stands still.
#[derive(Debug)]
pub(super) struct StillClock(AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// One gateway's worth of surroundings.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) services: Services,
    clock: Arc<StillClock>,
    tasks: JoinSet<()>,
}

/// What became of a request.
pub(super) struct Outcome {
    pub(super) result: Result<(), Stop>,
    pub(super) cx: Context,
}

/// The instant at which every world begins.
pub(super) const BEGINNING: i64 = 1_800_000_000;

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(StillClock(AtomicI64::new(BEGINNING * 1000)));
        let services = Services {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            metrics: Arc::new(Metrics::new("0", "test").unwrap()),
            state_dir: dir.path().to_owned(),
            health: HealthBoard::default(),
            survivors: Survivors::default(),
            purpose: filter::setup::Purpose::Serve,
        };
        Self { dir, services, clock, tasks: JoinSet::new() }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Builds a filter from its section; its background tasks replace those of the one before.
    pub(super) fn filter(&mut self, section: &str) -> Result<Authenticate, Mistakes> {
        self.build(section).map(|(filter, _)| filter)
    }

    /// The same, with all that it asked for but its tasks, which run.
    pub(super) fn build(&mut self, section: &str) -> Result<(Authenticate, Gathered), Mistakes> {
        let node = self.section(section);
        let conf: Conf = document::parse(&node)?;
        let (policy, _) = PolicySet::compile(Source::default()).unwrap();
        let gathered = RefCell::new(Gathered::default());
        let place = Place { ..node.place };
        let filter =
            Authenticate::new(conf, &Setup::new(&self.services, &policy, place, &gathered))?;
        let mut gathered = gathered.into_inner();
        self.tasks.abort_all();
        for (_, task) in gathered.tasks.drain(..) {
            // A test without a runtime has no use for tasks.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                self.tasks.spawn_on(task, &runtime);
            }
        }
        Ok((filter, gathered))
    }

    fn section(&self, text: &str) -> Node {
        let text = format!("version: 1\nidentity:\n  {}\n", text.replace('\n', "\n  "));
        let document = document::load_text(&self.path().join("portcullis.yaml"), &text).unwrap();
        document.root.get("identity").unwrap().clone()
    }

    /// Asks with these `Authorization` headers and, perhaps, a certificate.
    pub(super) async fn ask(
        &self,
        filter: &Authenticate,
        authorization: &[&[u8]],
        certificate: Option<Certificate>,
    ) -> Outcome {
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        for value in authorization {
            let value = HeaderValue::from_bytes(value).unwrap();
            head.append_header("authorization", value).unwrap();
        }
        let request = Canonical {
            method: Method::GET,
            host: "app.example.com".into(),
            port: None,
            target: "/?access_token=x".parse().unwrap(),
            websocket: false,
            grpc: false,
        };
        let client = Client { peer: ([127, 0, 0, 1], 40_000).into(), tls: None };
        let mut cx = Context::new(RequestId(1), Arc::new(client), request, self.clock.now());
        if let Some(certificate) = certificate {
            cx.facts_mut().establish_certificate(Arc::new(certificate)).unwrap();
        }
        let result = filter.request(&head, &mut cx).await;
        Outcome { result, cx }
    }

    /// Asks with one bearer token.
    pub(super) async fn bearer(&self, filter: &Authenticate, token: &str) -> Outcome {
        self.ask(filter, &[format!("Bearer {token}").as_bytes()], None).await
    }
}

impl Outcome {
    /// The subject's id, or the reason of the refusal, or `nobody`.
    pub(super) fn told(&self) -> String {
        match (&self.result, self.cx.facts().subject()) {
            (Err(stop), None) => stop.reason().unwrap().to_string(),
            (Ok(()), Some(subject)) => subject.id.to_string(),
            (Ok(()), None) => "nobody".to_owned(),
            (Err(_), Some(_)) => "a refusal that established a subject".to_owned(),
        }
    }
}

/// Claims that every provider of these tests accepts from its issuer.
pub(super) fn claims(sub: &str) -> Value {
    json!({
        "iss": "https://sso.example.com", "sub": sub, "aud": "gate", "iat": BEGINNING - 10,
        "exp": BEGINNING + 600, "groups": ["eng"], "email": format!("{sub}@Example.com"),
        "email_verified": true,
    })
}

/// Claims with some of them changed; `null` takes a claim away.
pub(super) fn changed(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

/// A verified certificate of an anchor.
pub(super) fn certificate(anchor: &str) -> Certificate {
    Certificate {
        subject: "CN=mallory".into(),
        issuer: "CN=authority".into(),
        anchor: anchor.into(),
        san_dns: [].into(),
        san_email: [].into(),
        san_uri: [].into(),
        san_upn: [].into(),
        spiffe_id: None,
        trust_domain: None,
        fingerprint: "ab".repeat(32).into(),
        spki: "cd".repeat(32).into(),
        serial: "1".into(),
        not_before: Timestamp::from_second(BEGINNING - 1000).unwrap(),
        not_after: Timestamp::from_second(BEGINNING + 1000).unwrap(),
        revocation_data_at: None,
    }
}
