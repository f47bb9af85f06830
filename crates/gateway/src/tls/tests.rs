//! Real handshakes over loopback sockets, through the function that Pingora's listener calls.

mod pki;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use jiff::Timestamp;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::tls::server::handshake_with_callback;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use self::pki::{
    DAY, Files, Identity, NOW, Recipe, at, conf, crl, crl_with, ec, name, names, rsa, upn,
};
use super::*;
use crate::conf::{ClientCertificateMode, ClientCertificatesConf, MinVersion, TlsConf};

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A listener on a loopback port that echoes.
struct Server {
    tls: Arc<ListenerTls>,
    clock: Arc<TestClock>,
    address: SocketAddr,
    connections: mpsc::UnboundedReceiver<Option<Connection>>,
    failed: Arc<AtomicUsize>,
}

impl Server {
    async fn start(conf: &TlsConf) -> Self {
        let (snapshot, _) = TlsSnapshot::load(conf, pki::now()).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let failed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&failed);
        let observe: Observe = Arc::new(move |handshake| {
            if handshake.result == "failed" {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let tls = ListenerTls::new(snapshot, Arc::clone(&clock) as Arc<dyn Clock>, observe);
        let (acceptor, callbacks) = handshake::acceptor(&tls);
        let shared = Arc::new((acceptor, callbacks));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, connections) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, told) = (Arc::clone(&shared), told.clone());
                tokio::spawn(async move {
                    let stream = Stream::from(socket);
                    let done = handshake_with_callback(&shared.0, stream, &*shared.1).await;
                    let Ok(mut stream) = done else {
                        return told.send(None).unwrap_or_default();
                    };
                    let digest = stream.ssl_digest().unwrap();
                    let found = digest.extension.get::<Connection>().cloned();
                    told.send(found).unwrap_or_default();
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() {
                        if stream.write_all(&byte).await.is_err() || stream.flush().await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { tls, clock, address, connections, failed }
    }

    /// What the server made of the next connection; `None` where the handshake failed.
    async fn next(&mut self) -> Option<Connection> {
        self.connections.recv().await.unwrap()
    }

    fn reload(&self, conf: &TlsConf) -> Result<(), document::Mistakes> {
        let (next, _) = TlsSnapshot::load(conf, self.clock.now())?;
        self.tls.install(next).map_err(|mistake| vec![mistake])
    }

    /// Connects, presents, and says what both sides saw.
    async fn present(&mut self, sni: &str, identity: &Identity) -> Result<Word, &'static str> {
        let client = Client::new().presenting(identity);
        let connected = client.connect(self.address, sni).await;
        let Some(connection) = self.next().await else { return Err("handshake") };
        drop(connected);
        Ok(match connection.certificate_now(self.clock.now()) {
            Ok(None) => "none",
            Ok(Some(_)) => "good",
            Err(fault) => fault.kind.word(),
        })
    }
}

type Word = &'static str;

/// A client; believes any server, since what the server shows is not under test here.
struct Client {
    builder: SslContextBuilder,
}

struct Connected {
    stream: SslStream<TcpStream>,
    tickets: Arc<AtomicUsize>,
}

impl Client {
    fn new() -> Self {
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_security_level(0);
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        Self { builder }
    }

    fn presenting(mut self, identity: &Identity) -> Self {
        self.builder.set_certificate(&identity.cert).unwrap();
        self.builder.set_private_key(&identity.key).unwrap();
        self
    }

    fn with_chain(mut self, others: &[&Identity]) -> Self {
        for other in others {
            self.builder.add_extra_chain_cert(other.cert.clone()).unwrap();
        }
        self
    }

    fn version(mut self, version: SslVersion) -> Self {
        self.builder.set_min_proto_version(Some(version)).unwrap();
        self.builder.set_max_proto_version(Some(version)).unwrap();
        self
    }

    fn offering(mut self, protocols: &[u8]) -> Self {
        self.builder.set_alpn_protos(protocols).unwrap();
        self
    }

    /// Connects and has a byte echoed, so that tickets and alerts have arrived.
    async fn connect(mut self, to: SocketAddr, sni: &str) -> Option<Connected> {
        use openssl::ssl::SslSessionCacheMode as Mode;
        let sni = sni.to_owned();
        let tickets = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tickets);
        self.builder.set_session_cache_mode(Mode::CLIENT | Mode::NO_INTERNAL_STORE);
        self.builder.set_new_session_callback(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let context = self.builder.build();
        let job = move || {
            let mut ssl = Ssl::new(&context).unwrap();
            if !sni.is_empty() {
                ssl.set_hostname(&sni).unwrap();
            }
            let stream = TcpStream::connect(to).unwrap();
            let mut stream = ssl.connect(stream).ok()?;
            stream.write_all(b"x").ok()?;
            stream.read_exact(&mut [0]).ok()?;
            Some(Connected { stream, tickets })
        };
        tokio::task::spawn_blocking(job).await.unwrap()
    }
}

impl Connected {
    fn shown(&self) -> Vec<u8> {
        self.stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    }

    fn echo(&mut self) -> bool {
        self.stream.write_all(b"y").is_ok() && self.stream.read_exact(&mut [0]).is_ok()
    }
}

fn root() -> Identity {
    Recipe::authority("Devices Root").self_signed()
}

/// One server certificate, and what is asked of clients.
fn listener(files: &Files, host: &str, clients: Option<ClientCertificatesConf>) -> TlsConf {
    let server = Recipe::server(host).self_signed();
    conf(vec![files.certificate("server", &server)], clients)
}

fn word(connection: &Connection) -> Word {
    match connection.certificate_now(pki::now()) {
        Ok(None) => "none",
        Ok(Some(_)) => "good",
        Err(fault) => fault.kind.word(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_becomes_facts_once() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let sans = [
        name(0x81, b"alice@acme.test"),
        name(0x82, b"Laptop.ACME.test"),
        name(0x86, b"spiffe://acme.test/laptop/7"),
        upn(b"alice@corp.acme.test"),
    ];
    let alice = Recipe {
        names: Some(names(&sans)),
        purposes: Some("clientAuth,serverAuth"),
        serial: "00ab",
        ..Recipe::client()
    };
    let alice = alice.signed_by(&ca);
    let client = Client::new().presenting(&alice).connect(server.address, "GW.test").await;
    let connection = server.next().await.unwrap();
    let facts = connection.certificate_now(pki::now()).unwrap().unwrap();
    assert_eq!(&*facts.subject, "CN=alice,O=Acme");
    assert_eq!(&*facts.issuer, "CN=Devices Root,O=Acme");
    assert_eq!(facts.san_email.as_ref(), &["alice@acme.test".into()]);
    assert_eq!(facts.san_dns.as_ref(), &["laptop.acme.test".into()]);
    assert_eq!(facts.san_upn.as_ref(), &["alice@corp.acme.test".into()]);
    assert_eq!(facts.spiffe_id.as_deref(), Some("spiffe://acme.test/laptop/7"));
    assert_eq!(facts.trust_domain.as_deref(), Some("acme.test"));
    assert_eq!(&*facts.serial, "ab");
    assert_eq!(facts.not_after.as_second(), NOW + 30 * DAY);
    assert_eq!(facts.revocation_data_at, None);
    let digest = |cert: &X509| pem::hex(&cert.digest(MessageDigest::sha256()).unwrap());
    assert_eq!(*facts.fingerprint, digest(&alice.cert));
    assert_eq!(*facts.anchor, digest(&ca.cert));
    assert_eq!(connection.sni(), Some("gw.test"));
    assert_eq!(connection.version(), policy::TlsVersion::Tls13);
    assert!(connection.cipher().starts_with("TLS_"));

    let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let first = connection.seen(peer, pki::now());
    let again = connection.seen(peer, pki::now());
    assert!(Arc::ptr_eq(&first.client, &again.client), "one client a connection");
    assert_eq!(first.client.peer, peer);
    assert!(first.fault.is_none());
    drop(client);
}

/// What is wrong with a certificate, and the word for it.
fn unfit_clients(ca: &Identity) -> Vec<(&'static str, Identity, &'static str)> {
    let good = Recipe::client;
    let other = Recipe::authority("Another Root").self_signed();
    let impostor = Recipe::authority("Devices Root").self_signed();
    let by_ca = |recipe: Recipe| recipe.signed_by(ca);
    let usage = Some(&["keyEncipherment"][..]);
    vec![
        ("expired", by_ca(Recipe { ends: NOW - 1, ..good() }), "expired"),
        ("not yet valid", by_ca(Recipe { begins: NOW + DAY, ..good() }), "expired"),
        ("wrong authority", good().signed_by(&other), "untrusted"),
        ("same name, other key", good().signed_by(&impostor), "untrusted"),
        ("self-signed", good().self_signed(), "untrusted"),
        (
            "purpose of a server",
            by_ca(Recipe { purposes: Some("serverAuth"), ..good() }),
            "untrusted",
        ),
        ("no purpose", by_ca(Recipe { purposes: None, ..good() }), "unfit"),
        (
            "any purpose",
            by_ca(Recipe { purposes: Some("anyExtendedKeyUsage"), ..good() }),
            "untrusted",
        ),
        (
            "an authority",
            by_ca(Recipe {
                ca: Some(None),
                usage: Some(&["keyCertSign", "digitalSignature"]),
                ..good()
            }),
            "unfit",
        ),
        ("usage without signatures", by_ca(Recipe { usage, ..good() }), "untrusted"),
        ("version 1", by_ca(Recipe { version: 0, ..good() }), "unfit"),
        ("RSA of 1024 bits", by_ca(Recipe { key: rsa(1024), ..good() }), "untrusted"),
        ("SHA-1", by_ca(Recipe { digest: Some(MessageDigest::sha1()), ..good() }), "untrusted"),
        ("no name", by_ca(Recipe { names: None, ..good() }), "unfit"),
        ("serial zero", by_ca(Recipe { serial: "0", ..good() }), "unfit"),
        ("negative serial", by_ca(Recipe { serial: "-5", ..good() }), "unfit"),
        (
            "serial of 21 octets",
            by_ca(Recipe { serial: "010203040506070809101112131415161718192021", ..good() }),
            "unfit",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x1_unfit_certificates_are_never_believed() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let good = Recipe::client().signed_by(&ca);
    assert_eq!(server.present("gw.test", &good).await, Ok("good"));
    for (what, identity, expected) in unfit_clients(&ca) {
        let seen = server.present("gw.test", &identity).await;
        assert!(seen == Ok(expected) || seen == Err("handshake"), "{what}: {seen:?}");
    }
    let none = Client::new().connect(server.address, "gw.test").await;
    assert!(none.is_some(), "X1: optional means that a client without one connects");
    assert_eq!(word(&server.next().await.unwrap()), "none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x1_keys_of_other_kinds() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let ed25519 = openssl::pkey::PKey::generate_ed25519().unwrap();
    for (what, key, good) in [
        ("RSA of 2048 bits", rsa(2048), true),
        ("P-384", ec(Nid::SECP384R1), true),
        ("P-521", ec(Nid::SECP521R1), true),
        ("Ed25519", ed25519, true),
        ("P-192", ec(Nid::X9_62_PRIME192V1), false),
        ("secp256k1", ec(Nid::SECP256K1), false),
        ("brainpool", ec(Nid::BRAINPOOL_P256R1), false),
    ] {
        let identity = Recipe { key, ..Recipe::client() }.signed_by(&ca);
        let seen = server.present("gw.test", &identity).await;
        assert_eq!(seen == Ok("good"), good, "{what}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_chains() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    let middle = Recipe::authority("Devices Issuing").signed_by(&ca);
    let last = Recipe { ca: Some(Some(0)), ..Recipe::authority("Last") }.signed_by(&ca);
    let beyond = Recipe::authority("Beyond").signed_by(&last);
    let constraints = Some("permitted;email:acme.test");
    let narrow = Recipe { constraints, ..Recipe::authority("Narrow") }.signed_by(&ca);
    let foreign =
        Recipe { names: Some(names(&[name(0x81, b"eve@evil.test")])), ..Recipe::client() };
    let mut deep = vec![ca.clone()];
    for _ in 0..7 {
        let above = deep.last().unwrap().clone();
        deep.push(Recipe::authority("Deep").signed_by(&above));
    }
    let cases: [(&str, Identity, Vec<&Identity>, Word); 7] = [
        ("with its intermediate", Recipe::client().signed_by(&middle), vec![&middle], "good"),
        ("without its intermediate", Recipe::client().signed_by(&middle), vec![], "untrusted"),
        ("path length", Recipe::client().signed_by(&beyond), vec![&beyond, &last], "untrusted"),
        ("inside name constraints", Recipe::client().signed_by(&narrow), vec![&narrow], "good"),
        ("outside name constraints", foreign.signed_by(&narrow), vec![&narrow], "untrusted"),
        (
            "too deep",
            Recipe::client().signed_by(&deep[7]),
            deep[1..].iter().rev().collect(),
            "untrusted",
        ),
        (
            "a leaf that issues",
            Recipe::client().signed_by(&Recipe::client().signed_by(&ca)),
            vec![],
            "untrusted",
        ),
    ];
    for (what, leaf, chain, expected) in cases {
        let client = Client::new().presenting(&leaf).with_chain(&chain);
        let connected = client.connect(server.address, "gw.test").await;
        assert_eq!(server.next().await.as_ref().map(word), Some(expected), "{what}");
        drop(connected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x3_revocation_lists() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let middle = Recipe { serial: "77", ..Recipe::authority("Middle") }.signed_by(&ca);
    let bob = Recipe { serial: "20", ..Recipe::client() }.signed_by(&middle);
    let current = |serials: &[&str]| crl(&ca, NOW - DAY, NOW + DAY, serials).to_pem().unwrap();
    let ended = crl(&ca, NOW - 2 * DAY, NOW - 1, &["2b"]).to_pem().unwrap();
    let both = [current(&["01"]), crl(&middle, NOW - DAY, NOW + DAY, &["20"]).to_pem().unwrap()];
    for (what, list, soft, who, expected) in [
        ("not on the list", current(&["2b", "ff01"]), false, &alice, "good"),
        ("on the list", current(&["2b", "1f"]), false, &alice, "revoked"),
        ("on the list, soft", current(&["1f"]), true, &alice, "revoked"),
        (
            "in DER",
            crl(&ca, NOW - DAY, NOW + DAY, &["1f"]).to_der().unwrap(),
            false,
            &alice,
            "revoked",
        ),
        ("a list that ended", ended.clone(), false, &alice, "revocation-unknown"),
        ("a list that ended, soft", ended.clone(), true, &alice, "good"),
        ("no list of the intermediate", current(&[]), false, &bob, "revocation-unknown"),
        ("the intermediate revoked", current(&["77"]), true, &bob, "revoked"),
        ("revoked by the intermediate", both.concat(), false, &bob, "revoked"),
    ] {
        let mut asking = files.asking(&ca);
        asking.ca.0.push(files.put("middle.crt", &middle.cert.to_pem().unwrap()));
        // An intermediate alone is no anchor, so both stand in one file.
        let together = [ca.cert.to_pem().unwrap(), middle.cert.to_pem().unwrap()].concat();
        asking.ca.0 = vec![files.put("ca.crt", &together)];
        asking.crl.0 = vec![files.put("ca.crl", &list)];
        asking.danger_soft_crl = soft;
        let mut server = Server::start(&listener(&files, "gw.test", Some(asking))).await;
        assert_eq!(server.present("gw.test", who).await, Ok(expected), "{what}");
    }
}

#[test]
fn x3_lists_that_are_not_believed() {
    let (files, ca) = (Files::new(), root());
    let impostor = Recipe::authority("Devices Root").self_signed();
    let stranger = Recipe::authority("Stranger").self_signed();
    let delta =
        crl_with(&ca, NOW - DAY, NOW + DAY, &[], Some(pki::raw("2.5.29.27", true, &[2, 1, 1])));
    for (what, bytes, code) in [
        ("empty", Vec::new(), "bad-crl"),
        (
            "garbage",
            b"-----BEGIN X509 CRL-----
AAAA
-----END X509 CRL-----"
                .to_vec(),
            "bad-crl",
        ),
        ("delta", delta.to_pem().unwrap(), "bad-crl"),
        (
            "same name, other key",
            crl(&impostor, NOW, NOW + DAY, &[]).to_pem().unwrap(),
            "crl-of-another",
        ),
        ("stranger", crl(&stranger, NOW, NOW + DAY, &[]).to_pem().unwrap(), "crl-of-another"),
    ] {
        let mut asking = files.asking(&ca);
        asking.crl.0 = vec![files.put("ca.crl", &bytes)];
        let mistakes =
            TlsSnapshot::load(&listener(&files, "gw.test", Some(asking)), pki::now()).unwrap_err();
        assert!(mistakes.iter().any(|m| m.code == code), "{what}: {mistakes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_x5_live_connections_are_asked_again() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let mut asking = files.asking(&ca);
    asking.crl.0 =
        vec![files.put("ca.crl", &crl(&ca, NOW - DAY, NOW + 2 * DAY, &[]).to_pem().unwrap())];
    let conf = listener(&files, "gw.test", Some(asking));
    let mut server = Server::start(&conf).await;
    let mut client =
        Client::new().presenting(&alice).connect(server.address, "gw.test").await.unwrap();
    let connection = server.next().await.unwrap();
    let word_at =
        |seconds: i64| match connection.certificate_now(Timestamp::from_second(seconds).unwrap()) {
            Ok(Some(facts)) => facts.revocation_data_at.map_or("good", |_| "checked"),
            Ok(None) => "none",
            Err(fault) => fault.kind.word(),
        };
    assert_eq!(word_at(NOW), "checked");
    assert_eq!(
        word_at(NOW + 2 * DAY),
        "revocation-unknown",
        "the list ends before the certificate"
    );
    files.put("ca.crl", &crl(&ca, NOW, NOW + 90 * DAY, &[]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW + 2 * DAY), "checked", "a renewed list is enough");
    assert_eq!(word_at(NOW + 31 * DAY), "expired", "X5: expiry ends a live connection");
    files.put("ca.crl", &crl(&ca, NOW + 1, NOW + 90 * DAY, &["1f"]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW), "revoked", "X4");
    files.put("ca.crl", &crl(&ca, NOW + 2, NOW + 90 * DAY, &[]).to_pem().unwrap());
    server.reload(&conf).unwrap();
    assert_eq!(word_at(NOW), "checked", "and back");
    let other = Recipe::authority("Devices Root").self_signed();
    let mut asking = files.asking(&other);
    asking.crl.0.clear();
    server.reload(&listener(&files, "gw.test", Some(asking))).unwrap();
    assert_eq!(word_at(NOW), "untrusted", "X5: the authority was replaced");
    let seen = connection.seen("192.0.2.7:1".parse().unwrap(), pki::now());
    assert!(seen.client.tls.as_ref().unwrap().certificate.is_none());
    assert_eq!(seen.fault.unwrap().reason(), policy::Reason::CertificateUntrusted);
    assert!(client.echo(), "the connection itself goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_a_listener_that_asks_gives_nothing_to_resume() {
    let (files, ca) = (Files::new(), root());
    let mut asking = files.asking(&ca);
    asking.hosts = Some(vec![at("mtls.gw.test".to_owned())]);
    let mut asks = Server::start(&listener(&files, "gw.test", Some(asking))).await;
    let mut never = Server::start(&listener(&files, "gw.test", None)).await;
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for _ in 0..2 {
            let open =
                Client::new().version(version).connect(asks.address, "gw.test").await.unwrap();
            assert!(asks.next().await.is_some());
            assert_eq!(open.tickets.load(Ordering::SeqCst), 0, "X5 {version:?}");
            if version == SslVersion::TLS1_2 {
                assert!(open.stream.ssl().session().unwrap().id().is_empty());
            }
        }
        let plain = Client::new().version(version).connect(never.address, "gw.test").await.unwrap();
        assert!(never.next().await.is_some());
        assert!(plain.tickets.load(Ordering::SeqCst) > 0, "{version:?}");
    }
    let refused = never.reload(&listener(&files, "gw.test", Some(files.asking(&ca)))).unwrap_err();
    assert_eq!(refused[0].code, "client-certificates-need-restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x8_names_that_can_be_read_in_two_ways() {
    let (files, ca) = (Files::new(), root());
    let mut server = Server::start(&listener(&files, "gw.test", Some(files.asking(&ca)))).await;
    for (what, list, expected) in [
        ("NUL in a mail address", vec![name(0x81, b"alice@acme.test\0.evil.test")], "unfit"),
        ("NUL in a principal name", vec![upn(b"alice\0@evil.test")], "unfit"),
        ("line end in a URI", vec![name(0x86, b"spiffe://a.test/x\ny")], "unfit"),
        ("UTF-8 where ASCII must be", vec![name(0x82, "bücher.test".as_bytes())], "unfit"),
        ("blank", vec![name(0x82, b"a b.test")], "unfit"),
        ("empty", vec![name(0x82, b"")], "unfit"),
        ("one good, one bad", vec![name(0x81, b"a@acme.test"), name(0x82, b"\x01")], "unfit"),
        ("principal name of another type", vec![name(0xa0, &[6, 1, 1, 0xa0, 2, 0x0c, 0])], "good"),
        (
            "two mail addresses",
            vec![name(0x81, b"a@acme.test"), name(0x81, b"b@acme.test")],
            "good",
        ),
    ] {
        let identity = Recipe { names: Some(names(&list)), ..Recipe::client() }.signed_by(&ca);
        let seen = server.present("gw.test", &identity).await;
        assert_eq!(seen, Ok(expected), "{what}");
    }
    let two = vec![name(0x86, b"spiffe://a.test/x"), name(0x86, b"spiffe://a.test/y")];
    let svid = Recipe { purposes: Some("clientAuth,serverAuth"), ..Recipe::client() };
    let identity = Recipe { names: Some(names(&two)), ..svid }.signed_by(&ca);
    let facts = leaf::facts(&identity.cert).unwrap();
    assert_eq!(facts.spiffe_id, None, "two URIs are no SPIFFE id");
    assert_eq!(facts.san_uri.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x9_a_bad_file_never_replaces_a_good_one() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let conf = listener(&files, "gw.test", Some(files.asking(&ca)));
    let mut server = Server::start(&conf).await;
    let pem = ca.cert.to_pem().unwrap();
    for (what, bytes) in
        [("empty", &b""[..]), ("truncated", &pem[..pem.len() / 2]), ("garbage", b"\xff\x00")]
    {
        files.put("ca.crt", bytes);
        let mistakes = server.reload(&conf).unwrap_err();
        assert!(mistakes[0].place.is_some(), "{what}: {mistakes:?}");
        assert_eq!(server.present("gw.test", &alice).await, Ok("good"), "{what}");
        let stranger = Recipe::client().self_signed();
        assert_eq!(server.present("gw.test", &stranger).await, Ok("untrusted"), "{what}");
    }
    std::fs::remove_file(&conf.client_certificates.as_ref().unwrap().value.ca.0[0].value.0)
        .unwrap();
    let mistakes = server.reload(&conf).unwrap_err();
    assert_eq!(mistakes[0].code, "unreadable-file");
    assert!(mistakes[0].message.contains("ca.crt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x10_versions_and_protocols() {
    let (files, ca) = (Files::new(), root());
    let mut conf = listener(&files, "gw.test", Some(files.asking(&ca)));
    let mut server = Server::start(&conf).await;
    for (version, good) in [
        (SslVersion::TLS1, false),
        (SslVersion::TLS1_1, false),
        (SslVersion::TLS1_2, true),
        (SslVersion::TLS1_3, true),
    ] {
        let connected = Client::new().version(version).connect(server.address, "gw.test").await;
        assert_eq!(connected.is_some(), good, "{version:?}");
        assert_eq!(server.next().await.is_some(), good, "{version:?}");
    }
    for (offer, chosen) in [
        (&b"\x08http/1.1\x02h2"[..], Some(&b"h2"[..])),
        (b"\x08http/1.1", Some(b"http/1.1")),
        (b"\x08http/1.0", None),
    ] {
        let connected = Client::new().offering(offer).connect(server.address, "gw.test").await;
        let got = connected.as_ref().and_then(|c| c.stream.ssl().selected_alpn_protocol());
        assert_eq!(got, chosen);
        assert_eq!(server.next().await.is_some(), chosen.is_some());
    }
    conf.min_version = MinVersion::Tls13;
    server.reload(&conf).unwrap();
    let old = Client::new().version(SslVersion::TLS1_2).connect(server.address, "gw.test").await;
    assert!(old.is_none());
    assert!(server.next().await.is_none());
    let new = Client::new().connect(server.address, "gw.test").await;
    assert!(new.is_some());
    assert!(server.next().await.is_some());
    assert_eq!(server.failed.load(Ordering::SeqCst), 4, "each failure is counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_o8_the_name_alone_decides_who_is_asked() {
    let (files, ca) = (Files::new(), root());
    let alice = Recipe::client().signed_by(&ca);
    let hosts = ["mtls.gw.test", "*.mtls.gw.test"].map(|host| at(host.to_owned()));
    let asking = ClientCertificatesConf { hosts: Some(hosts.into()), ..files.asking(&ca) };
    let servers =
        [("default", "open.gw.test"), ("mtls", "mtls.gw.test"), ("wild", "*.mtls.gw.test")];
    let served: Vec<_> = servers
        .iter()
        .map(|(file, host)| (*host, Recipe::server(host).self_signed(), *file))
        .collect();
    let certificates = served.iter().map(|(_, one, file)| files.certificate(file, one)).collect();
    let mut server = Server::start(&conf(certificates, Some(asking))).await;
    for (sni, shown, asked) in [
        ("open.gw.test", 0, false),
        ("", 0, false),
        ("unknown.gw.test", 0, false),
        ("127.0.0.1", 0, false),
        ("mtls.gw.test", 1, true),
        ("MTLS.gw.TEST", 1, true),
        ("mtls.gw.test.", 1, true),
        ("x.mtls.gw.test", 2, true),
        ("X.MTLS.gw.test", 2, true),
        ("x.y.mtls.gw.test", 0, false),
    ] {
        let client = Client::new().presenting(&alice);
        let connected = client.connect(server.address, sni).await.unwrap();
        let connection = server.next().await.unwrap();
        assert_eq!(connected.shown(), served[shown].1.cert.to_der().unwrap(), "{sni}");
        assert_eq!(word(&connection), if asked { "good" } else { "none" }, "{sni}");
        let expected = sni.to_ascii_lowercase();
        let expected = expected.trim_end_matches('.');
        assert_eq!(connection.sni(), (!sni.is_empty()).then_some(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o9_a_client_hello_in_single_octets() {
    let (files, ca) = (Files::new(), root());
    let hosts = Some(vec![at("mtls.gw.test".to_owned())]);
    let asking = ClientCertificatesConf {
        hosts,
        mode: ClientCertificateMode::Required,
        ..files.asking(&ca)
    };
    let mut server = Server::start(&listener(&files, "mtls.gw.test", Some(asking))).await;
    let address = server.address;
    let job = move || {
        let mut ssl = Ssl::new(&Client::new().builder.build()).unwrap();
        ssl.set_hostname("mtls.gw.test").unwrap();
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut stream = ssl.connect(Slow(socket)).ok()?;
        stream.read_exact(&mut [0]).ok()
    };
    assert_eq!(tokio::task::spawn_blocking(job).await.unwrap(), None, "a certificate is required");
    assert!(server.next().await.is_none());
}

/// Writes one octet a segment.
#[derive(Debug)]
struct Slow(TcpStream);

impl std::io::Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl std::io::Write for Slow {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(&buf[..buf.len().min(1)])
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_without_touching_live_connections() {
    let files = Files::new();
    let conf = listener(&files, "gw.test", None);
    let mut server = Server::start(&conf).await;
    let mut old = Client::new().connect(server.address, "gw.test").await.unwrap();
    assert!(server.next().await.is_some());
    let next = Recipe { serial: "99", ..Recipe::server("gw.test") }.self_signed();
    files.certificate("server", &next);
    server.reload(&conf).unwrap();
    let new = Client::new().connect(server.address, "gw.test").await.unwrap();
    assert_eq!(new.shown(), next.cert.to_der().unwrap());
    assert_ne!(old.shown(), new.shown());
    assert!(old.echo());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_begins_to_ask_wants_a_new_connection() {
    let (files, ca) = (Files::new(), root());
    let hosts = |host: &str| Some(vec![at(host.to_owned())]);
    let asking = ClientCertificatesConf { hosts: hosts("other.test"), ..files.asking(&ca) };
    let mut server = Server::start(&listener(&files, "gw.test", Some(asking))).await;
    let client = Client::new().connect(server.address, "gw.test").await.unwrap();
    let connection = server.next().await.unwrap();
    assert_eq!(word(&connection), "none");
    let asking = ClientCertificatesConf { hosts: hosts("gw.test"), ..files.asking(&ca) };
    server.reload(&listener(&files, "gw.test", Some(asking))).unwrap();
    let fault = connection.certificate_now(pki::now()).unwrap_err();
    assert_eq!(fault.reason(), policy::Reason::Misdirected);
    assert!(matches!(fault.stop(), filter::Stop::Misdirected));
    drop(client);
}

#[test]
fn mistakes_are_named_and_placed() {
    let (files, ca) = (Files::new(), root());
    let count = AtomicUsize::new(0);
    let one = |recipe: Recipe| {
        let file = format!("one{}", count.fetch_add(1, Ordering::SeqCst));
        vec![files.certificate(&file, &recipe.self_signed())]
    };
    let good = || Recipe::server("gw.test");
    let swapped = {
        let mut pair = files.certificate("pair", &good().self_signed());
        pair.value.key = files.certificate("other", &good().self_signed()).value.key;
        vec![pair]
    };
    let missing = {
        let mut pair = files.certificate("gone", &good().self_signed());
        pair.value.key.value.0.set_extension("nowhere");
        vec![pair]
    };
    let asking = |change: fn(&mut ClientCertificatesConf)| {
        let mut asking = files.asking(&ca);
        change(&mut asking);
        Some(asking)
    };
    let leaf = Recipe::client().signed_by(&ca);
    let leaf_as_ca = files.put("leaf.crt", &leaf.cert.to_pem().unwrap());
    let middle = Recipe::authority("Middle").signed_by(&ca);
    let middle_only = files.put("only.crt", &middle.cert.to_pem().unwrap());
    let with_ca = |path: &document::At<document::FilePath>| {
        let mut asking = files.asking(&ca);
        asking.ca.0 = vec![path.clone()];
        Some(asking)
    };
    let cases = [
        ("key-mismatch", swapped, None),
        ("unreadable-file", missing, None),
        ("certificate-expired", one(Recipe { ends: NOW - 1, ..good() }), None),
        ("certificate-not-yet-valid", one(Recipe { begins: NOW + 60, ..good() }), None),
        ("weak-key", one(Recipe { key: rsa(1024), ..good() }), None),
        ("certificate-without-names", one(Recipe { names: None, ..good() }), None),
        ("no-certificate", Vec::new(), None),
        ("empty-ca", one(good()), asking(|asking| asking.ca.0.clear())),
        ("bad-host", one(good()), asking(|asking| asking.hosts = Some(vec![at("a b".into())]))),
        ("not-an-authority", one(good()), with_ca(&leaf_as_ca)),
        ("authority-without-root", one(good()), with_ca(&middle_only)),
    ];
    for (code, certificates, clients) in cases {
        let mistakes = TlsSnapshot::load(&conf(certificates, clients), pki::now()).unwrap_err();
        assert!(mistakes.iter().any(|m| m.code == code), "{code}: {mistakes:?}");
    }
}

#[test]
fn warnings_expiries_and_files() {
    let (files, ca) = (Files::new(), root());
    let ending = Recipe { ends: NOW + 13 * DAY, ..Recipe::server("gw.test") }.self_signed();
    let mut asking = files.asking(&ca);
    asking.hosts = Some(vec![at("payroll.test".to_owned())]);
    asking.crl.0 =
        vec![files.put("ca.crl", &crl(&ca, NOW - 9 * DAY, NOW - 1, &[]).to_pem().unwrap())];
    let conf = conf(vec![files.certificate("server", &ending)], Some(asking));
    let (snapshot, warnings) = TlsSnapshot::load(&conf, pki::now()).unwrap();
    let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
    for code in ["certificate-expiring", "host-without-certificate", "crl-expired"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
    assert_eq!(snapshot.files().len(), 4);
    assert!(snapshot.covers("gw.test") && !snapshot.covers("payroll.test"));
    let roles: Vec<_> =
        snapshot.expiries().iter().map(|e| (e.role, e.not_after.as_second())).collect();
    assert_eq!(roles, [("listener", NOW + 13 * DAY), ("client-authority", NOW + 3650 * DAY)]);
    let ages = snapshot.revocation_ages();
    let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
    let listener = ListenerTls::new(snapshot, clock, Arc::new(|_| ()));
    let metrics = metrics::Metrics::new("0", "0").unwrap();
    report([listener].iter(), &metrics, pki::now());
    let text = metrics.render();
    for line in [
        format!("{{name=\"gw.test\",role=\"listener\"}} {}", NOW + 13 * DAY),
        format!("{{issuer=\"CN=Devices Root,O=Acme\"}} {}", 9 * DAY),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(
        ages,
        [("CN=Devices Root,O=Acme".into(), Timestamp::from_second(NOW - 9 * DAY).unwrap())]
    );
}
