//! Names, versions, sessions and reloads of a listener.

use super::*;

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
