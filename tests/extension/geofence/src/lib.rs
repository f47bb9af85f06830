//! A filter from outside: where on the network does a request come from?
//!
//! This crate knows nothing of the gateway but its contract. It is the example to copy:
//!
//! 1. [`Conf`] is the section of the configuration: what may be written, and no more.
//! 2. [`Geofence::new`] turns it into what a request needs. It runs again at every reload.
//! 3. [`Filter::request`] establishes a fact, or stops the request. It never allows one: rules do.
//!
//! ```yaml
//! geofence:
//!   deny: [203.0.113.0/24]        # refused, whatever the rules say
//!   inside: [10.0.0.0/8, fd00::/8]
//!
//! routes:
//!   - name: wiki
//!     hosts: [wiki.example.com]
//!     upstream: wiki
//!     rules:
//!       - {id: from-inside, allow: {}, when: {attr.geofence.zone: inside}}
//! ```
//!
//! and in `main`, before the policy is asked: `.filter(geofence::Geofence::new)`.

use filter::{Context, Denial, Filter, Mistakes, RequestHeader, Setup, Stop};
use ipnet::IpNet;
use policy::{Reason, Value};

/// The section `geofence:`. Left out, it denies nobody and says nothing.
#[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conf {
    /// Networks whose requests are refused, whatever the rules say.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<IpNet>,
    /// Networks that count as inside; every other address is outside.
    #[schemars(with = "Option<Vec<String>>")]
    pub inside: Option<Vec<IpNet>>,
    /// What rules call it, after `attr.` (default `geofence.zone`).
    pub attribute: String,
}

impl Default for Conf {
    fn default() -> Self {
        Self { deny: Vec::new(), inside: None, attribute: "geofence.zone".to_owned() }
    }
}

/// Knows the networks.
#[derive(Debug)]
pub struct Geofence {
    deny: Vec<IpNet>,
    inside: Option<Vec<IpNet>>,
    attribute: String,
}

impl Geofence {
    /// Takes the section as it was parsed: mistakes in it were reported before this is called.
    ///
    /// # Errors
    /// None. A filter that opens files would return what it cannot open, all at once.
    pub fn new(conf: Conf, _setup: &Setup<'_>) -> Result<Self, Mistakes> {
        let Conf { deny, inside, attribute } = conf;
        Ok(Self { deny, inside, attribute })
    }
}

impl Filter for Geofence {
    const NAME: &'static str = "geofence";

    async fn request(&self, _head: &RequestHeader, cx: &mut Context) -> Result<(), Stop> {
        // The client's address, also behind trusted proxies; never a header that anyone can write.
        let address = cx.address();
        if let Some(network) = self.deny.iter().find(|network| network.contains(&address)) {
            // `geofence` reaches the client; which network it was is for the operator alone.
            let detail = format!("the address is in {network}, which `geofence.deny` names").into();
            return Err(Stop::Deny(Denial { detail, ..Denial::custom(Self::NAME) }));
        }
        // Without networks to compare with nothing is known, and nothing is said: a rule that asks
        // for the zone then finds it unknown, and unknown counts against the request.
        let Some(inside) = &self.inside else { return Ok(()) };
        let is_inside = inside.iter().any(|network| network.contains(&address));
        let zone = if is_inside { "inside" } else { "outside" };
        let fact = Value::Text(zone.into());
        cx.facts_mut()
            .establish_custom(&self.attribute, fact)
            .map_err(|_fixed| Stop::deny(Reason::Internal, "another filter established the zone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;
    use std::net::SocketAddr;
    use std::path::Path;
    use std::sync::Arc;

    use filter::{Canonical, Client, RequestId};

    /// What the filter says of a request from `address` under the section `yaml`.
    fn ask(yaml: &str, address: &str) -> (Result<(), Stop>, Option<Value>) {
        let text = format!("version: 1\ngeofence: {yaml}\n");
        let document = document::load_text(Path::new("gateway.yaml"), &text).unwrap();
        let conf: Conf = document::parse(document.root.get("geofence").unwrap()).unwrap();
        let Conf { deny, inside, attribute } = conf;
        let geofence = Geofence { deny, inside, attribute };
        let peer = SocketAddr::new(address.parse().unwrap(), 50_000);
        let client = Arc::new(Client { peer, tls: None });
        let request = Canonical {
            method: http::Method::GET,
            host: "wiki.example.com".into(),
            port: None,
            target: "/".parse().unwrap(),
            websocket: false,
            grpc: false,
        };
        let mut cx = Context::new(RequestId(1), client, request, jiff::Timestamp::UNIX_EPOCH);
        let head = RequestHeader::build("GET", b"/", None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(geofence.request(&head, &mut cx));
        (said, cx.facts().custom("geofence.zone").cloned())
    }

    #[test]
    fn a_denied_network_is_refused_by_name() {
        let (said, fact) = ask("{deny: [203.0.113.0/24], inside: [203.0.113.0/24]}", "203.0.113.9");
        let stop = said.unwrap_err();
        assert_eq!(stop.kind(), "deny");
        assert_eq!(stop.reason(), Some(Reason::Custom("geofence")));
        assert_eq!(fact, None);
    }

    #[test]
    fn the_zone_is_a_fact_where_it_is_known() {
        let zone = |text: &str| Some(Value::Text(text.into()));
        for (yaml, address, expected) in [
            ("{inside: [10.0.0.0/8]}", "10.1.2.3", zone("inside")),
            ("{inside: [10.0.0.0/8]}", "192.0.2.1", zone("outside")),
            ("{inside: ['fd00::/8']}", "fd00::1", zone("inside")),
            ("{inside: []}", "10.1.2.3", zone("outside")),
            ("{}", "10.1.2.3", None),
            ("{inside: [10.0.0.0/8], attribute: site}", "10.1.2.3", None),
        ] {
            let (said, fact) = ask(yaml, address);
            assert!(said.is_ok(), "{yaml}");
            assert_eq!(fact, expected, "{yaml} from {address}");
        }
    }

    #[test]
    fn a_wrong_network_is_a_mistake_with_its_place() {
        let text = "version: 1\ngeofence:\n  deny: [10.0.0.0/40]\n";
        let document = document::load_text(Path::new("gateway.yaml"), text).unwrap();
        let mistakes = document::parse::<Conf>(document.root.get("geofence").unwrap()).unwrap_err();
        let place = mistakes.first().and_then(|mistake| mistake.place.as_ref()).unwrap();
        assert_eq!((place.line, place.column), (3, 10));
    }

    #[test]
    fn it_is_built_as_the_gateway_builds_it() {
        let (policy, _) = policy::PolicySet::compile(policy::Source::default()).unwrap();
        let services = filter::Services {
            clock: Arc::new(filter::SystemClock),
            metrics: Arc::new(metrics::Metrics::new("", "").unwrap()),
            state_dir: "unused".into(),
            health: filter::HealthBoard::default(),
            survivors: filter::Survivors::default(),
            purpose: filter::Purpose::Look,
        };
        let gathered = RefCell::default();
        let place = document::Place { file: Path::new("gateway.yaml").into(), line: 1, column: 1 };
        let setup = Setup::new(&services, &policy, place, &gathered);
        assert!(Geofence::new(Conf::default(), &setup).is_ok());
        assert!(gathered.borrow().files.is_empty());
    }
}
