//! With what operators really have: nginx as the backend behind mutual TLS, curl as the client,
//! and the demo as it is printed.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use scenarios::process::{Process, program};
use scenarios::tokens::CORP;
use scenarios::verbs::{Done, run};
use scenarios::{Gateway, gateway, until};

const ROUTES: &str = r#"
  - name: files
    hosts: [files.gw.test]
    upstream: files
    rules: [{id: eng, allow: {}, when: {user.groups: eng}}]
  - name: devices
    hosts: [devices.gw.test]
    upstream: files
    rules: [{id: managed, allow: {}, when: {device.managed: true}}]
"#;

/// Where a program is, in the usual places.
fn tool(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/bin", "/sbin"];
    let found = places.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: run `scripts/setup.sh e2e`"))
}

/// One process of nginx with a certificate of the backends' authority, that serves nobody but the gateway.
fn nginx(dir: &Path, address: SocketAddr) -> Process {
    std::fs::create_dir_all(dir.join("www/sub")).unwrap();
    std::fs::write(dir.join("www/hello.txt"), "hello from nginx\n").unwrap();
    std::fs::write(dir.join("www/large.bin"), vec![7; 20 << 20]).unwrap();
    // Started as root, its workers would be somebody else, who may not enter the directory.
    let user = if Path::new("/root").metadata().is_ok() && is_root() { "user root;" } else { "" };
    let conf = format!(
        "{user} daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {dir}/nginx.log;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; client_max_body_size 100m;
  server {{
    listen {address} ssl;
    ssl_certificate {dir}/pki/files.crt; ssl_certificate_key {dir}/pki/files.key;
    ssl_client_certificate {dir}/pki/backends-ca.crt; ssl_verify_client on;
    root {dir}/www;
    location = /who {{ return 200 \"$http_x_portcullis_user|$ssl_client_s_dn|$http_x_forwarded_for|$request_uri\"; }}
  }}
}}
",
        dir = dir.display()
    );
    std::fs::write(dir.join("nginx.conf"), conf).unwrap();
    let conf = dir.join("nginx.conf").display().to_string();
    let prefix = dir.display().to_string();
    let mut process = Process::start(&tool("nginx"), &["-c", &conf, "-p", &prefix], &[]);
    until("nginx to listen", || {
        assert!(process.ended().is_none(), "nginx ended: {}", process.output());
        std::net::TcpStream::connect(address).ok()
    });
    process
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

struct Curl<'g> {
    gw: &'g Gateway,
    version: &'static str,
}

impl Curl<'_> {
    /// Runs curl for a URL; the body is its result, the status the last line.
    fn ask(&self, url: &str, more: &[&str]) -> Done {
        let port = self.gw.ports.public.port();
        let connect = format!("::127.0.0.1:{port}");
        let ca = self.gw.plan.world.pki().join("front-ca.crt").display().to_string();
        let mut args = vec![
            "--silent",
            "--show-error",
            self.version,
            "--connect-to",
            &connect,
            "--cacert",
            &ca,
            "--max-time",
            "60",
            "--write-out",
            "\n%{http_code} %{http_version}",
        ];
        args.extend(more);
        args.push(url);
        run(&tool("curl"), self.gw.plan.world.path(), &args)
    }

    #[track_caller]
    fn expect(&self, url: &str, status: u16, more: &[&str]) -> String {
        let done = self.ask(url, more).expect(0);
        let (body, last) = done.stdout.rsplit_once('\n').unwrap();
        let version = if self.version == "--http2" { "2" } else { "1.1" };
        assert_eq!(last, format!("{status} {version}"), "{url}: {body}");
        body.to_owned()
    }
}

#[test]
fn curl_reaches_nginx_over_mutual_tls() {
    let plan = gateway().with_routes(ROUTES);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = plan.world.path().to_owned();
    plan.world.backend("files").write(&plan.world.pki(), "files");
    plan.world.device("laptop").write(&plan.world.pki(), "laptop");
    let nginx = nginx(&dir, address);
    let gw = plan.with_upstream("files", address, "").start();
    let ana = format!("Authorization: Bearer {}", CORP.bearer("ana"));
    let ben = format!("Authorization: Bearer {}", CORP.bearer("ben"));
    for version in ["--http1.1", "--http2"] {
        let curl = Curl { gw: &gw, version };
        assert_eq!(
            curl.expect("https://files.gw.test/hello.txt", 200, &["-H", &ana]),
            "hello from nginx\n"
        );
        let who =
            curl.expect("https://files.gw.test/sub/../who?q=1", 200, &["--path-as-is", "-H", &ana]);
        assert!(who.starts_with("ana|") && who.contains("CN=gateway"), "{who}");
        assert!(who.ends_with("|127.0.0.1|/who?q=1"), "{who}");
        curl.expect("https://files.gw.test/hello.txt", 401, &[]);
        curl.expect("https://files.gw.test/hello.txt", 403, &["-H", &ben]);
        curl.expect("https://files.gw.test/nothing", 404, &["-H", &ana]);
        curl.expect(
            "https://files.gw.test/hello.txt",
            400,
            &["-H", &ana, "-H", "X-Portcullis-User: ada"],
        );
        let device = ["--cert", "pki/laptop.crt", "--key", "pki/laptop.key"];
        curl.expect("https://devices.gw.test/hello.txt", 200, &device);
        curl.expect("https://devices.gw.test/hello.txt", 403, &[]);
        // Large bodies, both ways.
        curl.expect("https://files.gw.test/large.bin", 200, &["-H", &ana, "-o", "down.bin"]);
        assert_eq!(std::fs::read(dir.join("down.bin")).unwrap(), vec![7; 20 << 20]);
        curl.expect(
            "https://files.gw.test/hello.txt",
            405,
            &["-H", &ana, "--data-binary", "@www/large.bin"],
        );
        curl.expect(
            "https://files.gw.test/who",
            200,
            &["-H", &ana, "--data-binary", "@www/hello.txt"],
        );
        curl.expect("https://files.gw.test/hello.txt", 200, &["-I", "-H", &ana]);
    }
    // Nobody reaches nginx around the gateway.
    let direct = format!("https://files.internal:{}/hello.txt", address.port());
    let resolve = format!("files.internal:{}:127.0.0.1", address.port());
    let ca = dir.join("pki/backends-ca.crt").display().to_string();
    let args = [
        "--silent",
        "--cacert",
        &ca,
        "--resolve",
        &resolve,
        "--write-out",
        "%{http_code}",
        &direct,
    ];
    let knocked = run(&tool("curl"), &dir, &args);
    assert!(knocked.stdout.ends_with("400"), "{knocked:?}");
    drop(nginx);
    until("the dead backend to be told", || {
        (Curl { gw: &gw, version: "--http2" }
            .ask("https://files.gw.test/who", &["-H", &ana])
            .stdout
            .ends_with("502 2"))
        .then_some(())
    });
}

#[test]
fn the_demo_does_what_it_prints() {
    let dir = tempfile::tempdir().unwrap();
    let demo = dir.path().join("demo").display().to_string();
    tool("curl");
    let done =
        run(&program("portcullis"), dir.path(), &["demo", "--dir", &demo, "--port", "0", "--try"]);
    let done = done.expect(0);
    assert!(
        done.stdout.contains("403") || done.stderr.contains("403"),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    // Its files are a configuration of their own.
    let conf = format!("{demo}/portcullis.yaml");
    run(&program("portcullis"), dir.path(), &["check", "-c", &conf]).expect(0);
    let explain = |user: &str, groups: &str| {
        let url = "https://wiki.demo.test/";
        let args = ["explain", "-c", &conf, "--url", url, "--user", user, "--groups", groups];
        run(&program("portcullis"), dir.path(), &args)
    };
    explain("ana", "finance").says("staff-reads");
    explain("eve", "guests").says("user.groups");
}
