use super::*;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use document::Place;
use filter::{
    Canonical, Client, HealthBoard, Purpose, RequestId, Services, Survivors, SystemClock,
};
use openssl::pkey::PKey;
use openssl::x509::X509;
use policy::{Os, PolicySet, Source};
use proptest::prelude::*;
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000;

const INVENTORY: &str = "version: 1
devices:
  - id: laptop
    owner: ana@example.com
    san_uri: [urn:device:laptop, urn:device:laptop-2]
    spki: \"AA:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"
    managed: true
    compliant: true
    os: macos
    os_version: \"14.2\"
    encryption: true
    score: 80
    tags: [b, a, b]
    seen_at: 2023-11-14T22:00:00Z
  - {id: phone, san_dns: Phone.example.com, managed: false, serial: \"0x0Aff\"}
  - {id: bare, fingerprint: \"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"}
";

/// A directory with an authority and an inventory.
struct Site {
    dir: TempDir,
    anchor: Box<str>,
}

impl Site {
    fn new(inventory: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("devices.yaml"), inventory).unwrap();
        let anchor = authority(&dir.path().join("ca.crt"));
        Self { dir, anchor }
    }

    /// Builds the filter from the text of its section; what it asked to have watched.
    fn build(&self, section: &str) -> Result<(Assess, Vec<PathBuf>), Mistakes> {
        let text = format!("version: 1\ndevices: {section}\n");
        let document = document::load_text(&self.dir.path().join("gateway.yaml"), &text).unwrap();
        let conf = document::parse(document.root.get("devices").unwrap())?;
        let (policy, _) = PolicySet::compile(Source::default()).unwrap();
        let services = Services {
            clock: Arc::new(SystemClock),
            metrics: Arc::new(Metrics::new("0", "test").unwrap()),
            state_dir: self.dir.path().to_owned(),
            health: HealthBoard::default(),
            survivors: Survivors::default(),
            purpose: Purpose::Look,
        };
        let gathered = RefCell::default();
        let place = Place { file: Path::new("gateway.yaml").into(), line: 2, column: 1 };
        let setup = Setup::new(&services, &policy, place, &gathered);
        let assess = Assess::new(conf, &setup)?;
        Ok((assess, gathered.into_inner().files))
    }

    fn usual(&self) -> Assess {
        self.build("{inventory: devices.yaml, certificates: {ca: ca.crt}}").unwrap().0
    }

    fn certificate(&self) -> Certificate {
        Certificate {
            subject: "CN=x".into(),
            issuer: "CN=devices".into(),
            anchor: self.anchor.clone(),
            san_dns: Box::default(),
            san_email: Box::default(),
            san_uri: Box::default(),
            san_upn: Box::default(),
            spiffe_id: None,
            trust_domain: None,
            fingerprint: "00".into(),
            spki: "11".into(),
            serial: "22".into(),
            not_before: Timestamp::from_second(NOW - 10).unwrap(),
            not_after: Timestamp::from_second(NOW + 10).unwrap(),
            revocation_data_at: None,
        }
    }

    fn uri(&self, uri: &str) -> Certificate {
        Certificate { san_uri: [uri.into()].into(), ..self.certificate() }
    }
}

/// Writes an authority; the digest of it.
fn authority(file: &Path) -> Box<str> {
    let key = PKey::generate_ed25519().unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_pubkey(&key).unwrap();
    let end = openssl::asn1::Asn1Time::days_from_now(1).unwrap();
    builder.set_not_before(&end).unwrap();
    builder.set_not_after(&end).unwrap();
    builder.sign(&key, openssl::hash::MessageDigest::null()).unwrap();
    let certificate = builder.build();
    let mut pem = std::fs::read(file).unwrap_or_default();
    pem.extend(certificate.to_pem().unwrap());
    std::fs::write(file, pem).unwrap();
    let digest = openssl::sha::sha256(&certificate.to_der().unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the filter establishes for a request with this certificate and these headers.
fn ask(
    assess: &Assess,
    certificate: Option<Certificate>,
    headers: &[(&str, &str)],
) -> Option<Arc<Device>> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
    let request = Canonical {
        method: http::Method::GET,
        host: "a.test".into(),
        port: None,
        target: "/".parse().unwrap(),
        websocket: false,
        grpc: false,
    };
    let now = Timestamp::from_second(NOW).unwrap();
    let mut cx = Context::new(RequestId(1), Arc::new(Client { peer, tls: None }), request, now);
    if let Some(certificate) = certificate {
        cx.facts_mut().establish_certificate(Arc::new(certificate)).unwrap();
    }
    let mut head = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in headers {
        head.append_header((*name).to_owned(), *value).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(assess.request(&head, &mut cx)).unwrap();
    cx.facts().device().cloned()
}

#[test]
fn a_known_device_is_what_the_inventory_states_and_no_more() {
    let site = Site::new(INVENTORY);
    let device = ask(&site.usual(), Some(site.uri("urn:device:laptop-2")), &[]).unwrap();
    assert_eq!(
        *device,
        Device {
            id: Some("laptop".into()),
            known: Some(true),
            managed: Some(true),
            compliant: Some(true),
            grace_until: None,
            owner: Some("ana@example.com".into()),
            os: Some(Os::Macos),
            os_version: Some("14.2".into()),
            encryption: Some(true),
            screen_lock: None,
            firewall: None,
            edr: None,
            score: Some(80),
            tags: Some(["a".into(), "b".into()].into()),
            observed_at: Some("2023-11-14T22:00:00Z".parse().unwrap()),
            source: Some("inventory".into()),
            attested: true,
        }
    );
}

#[test]
fn who_a_certificate_belongs_to() {
    let site = Site::new(INVENTORY);
    let other = Certificate { anchor: "0".repeat(64).into(), ..site.uri("urn:device:laptop") };
    let phone = Certificate { san_dns: ["PHONE.example.com".into()].into(), ..site.certificate() };
    let serial = Certificate { serial: "aff".into(), ..site.certificate() };
    let bare = Certificate { fingerprint: "f".repeat(64).into(), ..site.certificate() };
    let key = Certificate { spki: "a".repeat(64).into(), ..site.certificate() };
    let two = Certificate { serial: "aff".into(), ..site.uri("urn:device:laptop") };
    let spiffe = Certificate { spiffe_id: Some("urn:device:laptop".into()), ..site.certificate() };
    let stranger = site.uri("urn:device:stray");
    let any = "{inventory: devices.yaml, certificates: {ca: ca.crt}}";
    let by = |part: &str| {
        format!("{{inventory: devices.yaml, certificates: {{ca: ca.crt, id_from: {part}}}}}")
    };
    let cases = [
        ("no certificate", any.to_owned(), None, None),
        ("another authority", any.to_owned(), Some(other), None),
        (
            "a uri",
            any.to_owned(),
            Some(site.uri("urn:device:laptop")),
            Some((Some("laptop"), true)),
        ),
        ("a name in any case", any.to_owned(), Some(phone.clone()), Some((Some("phone"), true))),
        ("a serial number", any.to_owned(), Some(serial.clone()), Some((Some("phone"), true))),
        ("a fingerprint", any.to_owned(), Some(bare), Some((Some("bare"), true))),
        ("a key", any.to_owned(), Some(key), Some((Some("laptop"), true))),
        ("an id", any.to_owned(), Some(spiffe.clone()), Some((Some("laptop"), true))),
        ("an id alone", by("spiffe"), Some(spiffe), Some((Some("laptop"), true))),
        ("a stranger", any.to_owned(), Some(stranger), Some((Some("urn:device:stray"), false))),
        ("two devices", any.to_owned(), Some(two.clone()), Some((None, false))),
        ("two, one part asked", by("serial"), Some(two), Some((Some("phone"), true))),
        ("another part asked", by("spki"), Some(phone), Some((Some("11"), false))),
        ("a serial not asked", by("san_uri"), Some(serial), Some((None, false))),
    ];
    for (what, section, certificate, expected) in cases {
        let assess = site.build(&section).unwrap().0;
        let device = ask(&assess, certificate, &[]);
        let found = device.as_ref().map(|device| (device.id.as_deref(), device.known.unwrap()));
        assert_eq!(found, expected, "{what}");
        if let Some(device) = device {
            assert!(device.attested);
            assert!(device.known == Some(true) || device.managed.is_none(), "{what}");
        }
    }
}

#[test]
fn without_an_inventory_nobody_can_be_asked() {
    let site = Site::new(INVENTORY);
    let assess = site.build("{certificates: {ca: ca.crt}}").unwrap().0;
    let device = ask(&assess, Some(site.uri("urn:device:laptop")), &[]).unwrap();
    assert_eq!((device.known, device.managed, device.attested), (None, None, true));
    let nothing = site.build("{}").unwrap().0;
    assert_eq!(ask(&nothing, Some(site.uri("urn:device:laptop")), &[]), None);
}

#[test]
fn posture_that_is_too_old_is_unknown_and_the_device_is_not() {
    let site = Site::new(INVENTORY);
    // The laptop was seen 800 seconds before the present.
    for (max_age, uri, dns, compliant) in [
        ("800s", "urn:device:laptop", "", Some(true)),
        ("799s", "urn:device:laptop", "", None),
        ("365d", "", "phone.example.com", None),
    ] {
        let section = format!(
            "{{inventory: devices.yaml, certificates: {{ca: ca.crt}}, max_age: {max_age}}}"
        );
        let names = |name: &str| Some(name).filter(|n| !n.is_empty()).map(Into::into);
        let certificate = Certificate {
            san_uri: names(uri).into_iter().collect(),
            san_dns: names(dns).into_iter().collect(),
            ..site.certificate()
        };
        let assess = site.build(&section).unwrap().0;
        let device = ask(&assess, Some(certificate), &[]).unwrap();
        assert_eq!(device.known, Some(true), "{max_age}");
        assert_eq!(device.compliant, compliant, "{max_age}");
        assert_eq!(device.managed.is_some(), compliant.is_some(), "{max_age}");
    }
}

/// Codes and lines.
type Expected = &'static [(&'static str, u32)];

#[test]
fn every_mistake_has_its_place() {
    let usual = "{inventory: devices.yaml, certificates: {ca: ca.crt}}";
    let head = "version: 1\ndevices:\n";
    let cases: [(&str, String, Expected); 13] = [
        (usual, "devices: []\n".into(), &[("version", 1)]),
        (usual, "version: 1\n".into(), &[("no-devices", 1)]),
        (usual, "version: 1\ndevices: {a: b}\n".into(), &[("wrong-type", 2)]),
        (usual, "version: 1\ndevices: []\ndevises: []\n".into(), &[("unknown-key", 3)]),
        (usual, format!("{head}  - {{id: a, managd: true}}\n"), &[("unknown-key", 3)]),
        (
            usual,
            format!("{head}  - {{id: a, serial: xyz}}\n  - {{id: b, spki: \"12\", score: 101}}\n"),
            &[("bad-key", 3), ("bad-key", 4), ("out-of-range", 4)],
        ),
        (
            usual,
            format!("{head}  - {{id: a, san_uri: \"x:1\"}}\n  - {{id: a, san_uri: \"x:2\"}}\n"),
            &[("duplicate-id", 4)],
        ),
        (
            usual,
            format!("{head}  - {{id: a, serial: \"0A\"}}\n  - {{id: b, serial: \"a\"}}\n"),
            &[("ambiguous-device", 4)],
        ),
        ("{inventory: devices.yaml}", INVENTORY.into(), &[("no-device-ca", 2)]),
        (
            "{inventory: gone.yaml, certificates: {ca: ca.crt}}",
            INVENTORY.into(),
            &[("unreadable", 2)],
        ),
        ("{certificates: {ca: gone.crt}}", INVENTORY.into(), &[("ca-unreadable", 2)]),
        ("{certificates: {ca: devices.yaml}}", INVENTORY.into(), &[("ca-unreadable", 2)]),
        ("{certificates: {ca: []}}", INVENTORY.into(), &[("no-device-ca", 2)]),
    ];
    for (section, inventory, expected) in cases {
        let site = Site::new(&inventory);
        let mistakes = site.build(section).err().unwrap_or_default();
        let found: Vec<_> = mistakes
            .iter()
            .map(|mistake| {
                assert!(mistake.help.is_some(), "{mistake}");
                (mistake.code, mistake.place.as_ref().map_or(0, |place| place.line))
            })
            .collect();
        assert_eq!(found, expected, "{section} {inventory}");
    }
}

#[test]
fn serial_numbers_of_two_authorities_are_a_mistake() {
    let site = Site::new(INVENTORY);
    authority(&site.dir.path().join("ca.crt"));
    let mistakes =
        site.build("{inventory: devices.yaml, certificates: {ca: ca.crt}}").err().unwrap();
    assert_eq!(
        mistakes.iter().map(|mistake| mistake.code).collect::<Vec<_>>(),
        ["ambiguous-serial"]
    );
}

#[test]
fn both_files_are_watched_and_the_inventory_can_be_asked_by_name() {
    let site = Site::new(INVENTORY);
    let (assess, watched) =
        site.build("{inventory: devices.yaml, certificates: {ca: ca.crt}}").unwrap();
    for name in ["devices.yaml", "ca.crt"] {
        assert!(watched.iter().any(|file| file.ends_with(name)), "{name} in {watched:?}");
    }
    let index = assess.proof.as_ref().and_then(|proof| proof.inventory.clone()).unwrap();
    let laptop = filter::Directory::device(&*index, "laptop").unwrap();
    assert_eq!(laptop.compliant, Some(true));
    assert_eq!(filter::Directory::device(&*index, "stray"), None);
}

proptest! {
    #[test]
    fn without_a_certificate_there_are_no_device_facts(
        names in proptest::collection::vec("[a-z][a-z-]{0,20}", 0..6),
        value in "(laptop|urn:device:laptop|phone|[ -~]{0,40})",
    ) {
        let site = Site::new(INVENTORY);
        let fixed = ["x-device-id", "x-forwarded-client-cert", "x-portcullis-device", "x-ssl-cert"];
        let headers: Vec<(&str, &str)> =
            names.iter().map(String::as_str).chain(fixed).map(|name| (name, value.as_str())).collect();
        prop_assert_eq!(ask(&site.usual(), None, &headers), None);
    }
}
