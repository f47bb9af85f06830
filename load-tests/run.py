#!/usr/bin/env python3
"""Run the gateway and the floor on the same work and print what a request costs each of them.

The floor is a reverse proxy on bare Pingora (load-tests/floor): TLS in, mutual TLS out, nothing
decided, nothing written. The gateway does its whole work: verifies an RS256 token, decides over
many routes and rules, signs an assertion, writes an audit record, counts. Rounds are interleaved,
so that a drift of the machine's speed touches both alike; the figure to quote is the ratio.

needs: nginx and h2load (Debian: nginx-light, nghttp2-client), the openssl command, both programs
built (cargo build --release -p portcullis -p floor)
"""
import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
BODY_BYTES = 1024
WARM_UP_REQUESTS = 2000
START_SECONDS_MAX = 120
REQUESTS_MAX = 1_000_000
ISSUER, AUDIENCE = "https://idp.load.test", "load"


def main():
    # Where nginx is, and where a plain user's PATH does not look.
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    a = arguments()
    work = pathlib.Path(a.dir or tempfile.mkdtemp(prefix="portcullis-load-"))
    work.mkdir(parents=True, exist_ok=True)
    processes = []
    try:
        world = World(work, a.gateway)
        backend = world.start_backend(processes)
        proxies = [world.start_floor(processes, a.floor, backend)]
        for routes in a.routes:
            proxies.append(world.start_gateway(processes, backend, routes, a.rules))
        for h2 in {"h1": [False], "h2": [True], "both": [False, True]}[a.protocol]:
            results = measure(proxies, world.token, a, h2)
            good = report(results, proxies, a, h2)
            if not good:
                sys.exit(1)
    finally:
        for process in reversed(processes):
            end(process)
        if not a.keep and not a.dir:
            shutil.rmtree(work, ignore_errors=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("-n", type=int, default=30_000, help="requests in a round (default %(default)s)")
    p.add_argument("-r", type=int, default=5, help="rounds (default %(default)s)")
    p.add_argument("-c", type=int, default=64, help="connections (default %(default)s)")
    p.add_argument("-m", type=int, default=8, help="streams on a connection, HTTP/2 (default %(default)s)")
    p.add_argument("--protocol", choices=["h1", "h2", "both"], default="both")
    p.add_argument("--h2", dest="protocol", action="store_const", const="h2", help="HTTP/2 only")
    p.add_argument("--routes", type=numbers, default=[1000], metavar="N,..",
                   help="routes of the policy; several run side by side (default 1000)")
    p.add_argument("--rules", type=int, default=10, help="rules of a route (default %(default)s)")
    p.add_argument("--max-ratio", type=float, help="end with 1 if a median ratio is above this")
    p.add_argument("--json", action="store_true", help="print one JSON object for each protocol")
    p.add_argument("--dir", help="work here and keep everything")
    p.add_argument("--keep", action="store_true", help="keep the temporary directory")
    p.add_argument("--gateway", default=str(ROOT / "target/release/portcullis"))
    p.add_argument("--floor", default=str(ROOT / "target/release/floor"))
    a = p.parse_args()
    if not 0 < a.n <= REQUESTS_MAX:
        p.error(f"-n is from 1 to {REQUESTS_MAX}")
    for tool in ("nginx", "h2load", "openssl", a.gateway, a.floor):
        if not shutil.which(tool):
            sys.exit(f"`{tool}` is missing; see load-tests/README.md")
    return a


def numbers(text):
    return [int(number) for number in text.split(",")]


class World:
    """Certificates, a token, and the programs that use them, in one directory."""

    def __init__(self, work, portcullis):
        self.work, self.portcullis = work, portcullis
        self.edge, self.backends = work / "pki/edge", work / "pki/backends"
        if not self.edge.exists():
            self.make_certificates()
        self.token = self.make_token()

    def make_certificates(self):
        def pki(*args):
            run(self.portcullis, "pki", *map(str, args))
        for directory, name in ((self.edge, "load edge"), (self.backends, "load backends")):
            pki("init", "--dir", directory, "--name", name)
        pki("issue", "--dir", self.edge, "--server", "*.load.test", "--out", self.edge / "server")
        pki("issue", "--dir", self.backends, "--server", "backend.load.test",
            "--out", self.backends / "backend")
        pki("issue", "--dir", self.backends, "--service", "spiffe://load.test/gateway",
            "--out", self.backends / "gateway")

    def make_token(self):
        key = self.work / "issuer.key"
        if not key.exists():
            run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                "-out", str(key))
            modulus = run("openssl", "rsa", "-in", str(key), "-noout", "-modulus")
            n = bytes.fromhex(modulus.decode().split("=")[1].strip())
            jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "load-1",
                   "n": base64url(n), "e": base64url(b"\x01\x00\x01")}
            (self.work / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "email": "ana@load.test",
                  "name": "Ana", "groups": ["staff", "engineering", "oncall"],
                  "amr": ["pwd", "otp", "mfa"], "auth_time": now, "iat": now, "nbf": now,
                  "exp": now + 12 * 3600}
        parts = [base64url(json.dumps(part).encode()) for part in
                 ({"alg": "RS256", "typ": "JWT", "kid": "load-1"}, claims)]
        signature = run("openssl", "dgst", "-sha256", "-sign", str(key),
                        stdin=".".join(parts).encode())
        return ".".join([*parts, base64url(signature)])

    def start_backend(self, processes):
        port = free_port()
        (self.work / "tmp").mkdir(exist_ok=True)
        temporary = "\n  ".join(f"{kind}_temp_path {self.work}/tmp/{kind};" for kind in
                                ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.work / "nginx.conf"
        conf.write_text(f"""
worker_processes 1;
daemon off;
pid {self.work}/nginx.pid;
error_log {self.work}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  {temporary}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  server {{
    listen {LOOPBACK}:{port} ssl;
    ssl_certificate {self.backends}/backend.crt;
    ssl_certificate_key {self.backends}/backend.key;
    ssl_client_certificate {self.backends}/ca.crt;
    ssl_verify_client on;
    location / {{ default_type text/plain; return 200 "{"x" * BODY_BYTES}"; }}
  }}
}}
""")
        start(processes, self.work / "nginx.out", "nginx", "-e", f"{self.work}/nginx.log",
              "-p", str(self.work), "-c", str(conf))
        wait("nginx", lambda: connects(port), self.work / "nginx.out")
        return port

    def start_floor(self, processes, program, backend):
        port = free_port()
        log = self.work / "floor.log"
        process = start(processes, log, program, "--listen", f"{LOOPBACK}:{port}",
                        "--cert", f"{self.edge}/server.crt", "--key", f"{self.edge}/server.key",
                        "--backend", f"{LOOPBACK}:{backend}", "--server-name", "backend.load.test",
                        "--ca", f"{self.backends}/ca.crt",
                        "--client-cert", f"{self.backends}/gateway.crt",
                        "--client-key", f"{self.backends}/gateway.key")
        wait("the floor", lambda: connects(port), log, process)
        return Proxy("floor", process, port, "app0.load.test")

    def start_gateway(self, processes, backend, routes, rules):
        port, admin = free_port(), free_port()
        place = self.work / f"gateway-{routes}"
        place.mkdir(exist_ok=True)
        (place / "portcullis.yaml").write_text(
            configuration(port, admin, backend, self.work, (routes, rules)))
        log = place / "gateway.log"
        begun = time.monotonic()
        process = start(processes, log, self.portcullis, "run", "-c",
                        str(place / "portcullis.yaml"))
        wait("the gateway", lambda: ready(admin), log, process)
        seconds = time.monotonic() - begun
        proxy = Proxy(f"gateway {routes}x{rules}", process, port, f"app{routes // 2}.load.test")
        proxy.audit, proxy.start_seconds = place / "audit.jsonl", seconds
        proxy.check_it_decides(self.edge / "ca.crt")
        return proxy


def configuration(port, admin, backend, work, size):
    """A policy of many routes with many rules each; the last rule of a route is the one that allows."""
    routes, rules = size
    edge, backends = work / "pki/edge", work / "pki/backends"
    lines = [f"""version: 1
server:
  listen:
    - address: {LOOPBACK}:{port}
      tls: {{certificates: [{{cert: "{edge}/server.crt", key: "{edge}/server.key"}}]}}
  admin: {{address: "{LOOPBACK}:{admin}"}}
  state_dir: state
  threads: 1
  drain: 1s
identity:
  jwt: [{{name: load, issuer: "{ISSUER}", audiences: [{AUDIENCE}], jwks: {{file: "{work}/jwks.json"}}}}]
upstreams:
  - name: backend
    endpoints: ["{LOOPBACK}:{backend}"]
    tls: {{ca: "{backends}/ca.crt", cert: "{backends}/gateway.crt", key: "{backends}/gateway.key", server_name: backend.load.test}}
conditions:
  strong-auth: {{all: [{{auth.mfa: true}}, {{auth.age: {{max: 12h}}}}]}}
audit: {{file: audit.jsonl}}
routes:"""]
    for route in range(routes):
        lines.append(f"  - name: app{route}\n    hosts: [app{route}.load.test]\n"
                     f"    upstream: backend\n    rules:")
        for rule in range(rules - 1):
            lines.append(f"      - {{id: app{route}-team{rule}, allow: {{methods: [GET, POST], "
                         f"paths: [\"/team{rule}/**\"]}}, when: {{user.groups: team{rule}}}}}")
        lines.append(f"      - {{id: app{route}-api, allow: {{methods: [GET, POST], "
                     f"paths: [\"/api/**\"]}}, "
                     f"when: {{all: [{{user.groups: engineering}}, strong-auth]}}}}")
    return "\n".join(lines) + "\n"


class Proxy:
    """A proxy that runs."""

    def __init__(self, name, process, port, host):
        self.name, self.process, self.port, self.host = name, process, port, host
        self.audit, self.start_seconds = None, None

    def cpu_seconds(self):
        """Time on a processor, of all threads, from the scheduler's nanosecond counters."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def rss_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def check_it_decides(self, authority):
        """A door that stands open costs little: without a token it must refuse."""
        context = ssl.create_default_context(cafile=str(authority))
        with socket.create_connection((LOOPBACK, self.port), 10) as plain:
            with context.wrap_socket(plain, server_hostname=self.host) as stream:
                stream.sendall(f"GET /api/things HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
                               f"Connection: close\r\n\r\n".encode())
                response = http.client.HTTPResponse(stream)
                response.begin()
        if response.status != 401:
            sys.exit(f"{self.name}: answered {response.status} to a request without a token, not 401")

    def load(self, token, requests, a, h2):
        """Sends the requests; every one must be answered with 2xx and the backend's whole body."""
        protocol = ["-m", str(a.m)] if h2 else ["--h1"]
        output = run("h2load", "-n", str(requests), "-c", str(min(a.c, requests)), "-t", "1",
                     *protocol, "-H", f"Authorization: Bearer {token}",
                     f"--connect-to={LOOPBACK}:{self.port}",
                     f"https://{self.host}:{self.port}/api/things").decode()
        good = int(re.search(r"status codes: (\d+) 2xx", output).group(1))
        body_bytes = int(re.search(r"\((\d+)\) data", output).group(1))
        if good != requests or body_bytes < requests * BODY_BYTES:
            sys.exit(f"{self.name}: {requests - good} of {requests} requests were not answered "
                     f"with 2xx\n{output}")
        rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", output).group(1))
        mean = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", output).group(3)
        return rate, mean


def measure(proxies, token, a, h2):
    for proxy in proxies:
        proxy.load(token, WARM_UP_REQUESTS, a, h2)
    results = {proxy.name: [] for proxy in proxies}
    for _ in range(a.r):
        for proxy in proxies:
            before = proxy.cpu_seconds()
            rate, mean = proxy.load(token, a.n, a, h2)
            microseconds = (proxy.cpu_seconds() - before) / a.n * 1e6
            results[proxy.name].append((microseconds, rate, mean))
            if proxy.audit:
                check_and_empty(proxy, a.n)
    return results


def check_and_empty(proxy, requests):
    """Each request must have left its record; then the file starts again, so disks do not fill."""
    deadline = time.monotonic() + 10
    while (lines := proxy.audit.read_bytes().count(b"\n")) < requests:
        if time.monotonic() > deadline:
            sys.exit(f"{proxy.name}: {lines} audit records for {requests} requests")
        time.sleep(0.05)
    os.truncate(proxy.audit, 0)


def report(results, proxies, a, h2):
    floor = results["floor"]
    rows, good = [], True
    for proxy in proxies:
        rounds = results[proxy.name]
        costs = [microseconds for microseconds, _, _ in rounds]
        ratio = statistics.median(mine[0] / theirs[0] for mine, theirs in zip(rounds, floor))
        good = good and (a.max_ratio is None or ratio <= a.max_ratio)
        rows.append({"proxy": proxy.name, "cpu_us": statistics.median(costs), "min": min(costs),
                     "max": max(costs), "ratio": ratio,
                     "requests_per_s": statistics.median(rate for _, rate, _ in rounds),
                     "mean_latency": rounds[-1][2], "rss_mib": proxy.rss_mib(),
                     "start_s": proxy.start_seconds})
    protocol = f"h2, {a.m} streams" if h2 else "h1"
    if a.json:
        print(json.dumps({"protocol": protocol, "requests": a.n, "rounds": a.r,
                          "connections": a.c, "rows": rows}))
        return good
    print(f"\n{protocol}: {a.n} requests x {a.r} rounds, {a.c} connections, {BODY_BYTES} bytes")
    print(f"{'proxy':18} {'cpu us/req':>10} {'min':>7} {'max':>7} {'ratio':>6} {'req/s':>8} "
          f"{'latency':>9} {'RSS MiB':>8} {'start s':>8}")
    for row in rows:
        started = "" if row["start_s"] is None else f"{row['start_s']:.2f}"
        print(f"{row['proxy']:18} {row['cpu_us']:10.1f} {row['min']:7.1f} {row['max']:7.1f} "
              f"{row['ratio']:6.2f} {row['requests_per_s']:8.0f} {row['mean_latency']:>9} "
              f"{row['rss_mib']:8.1f} {started:>8}")
    if not good:
        print(f"a ratio is above {a.max_ratio}", file=sys.stderr)
    return good


def start(processes, log, *command):
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
    processes.append(process)
    return process


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait(name, is_up, log, process=None):
    deadline = time.monotonic() + START_SECONDS_MAX
    while not is_up():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            sys.exit(f"{name} does not come up; it said:\n{log.read_text()}")
        time.sleep(0.05)


def connects(port):
    try:
        socket.create_connection((LOOPBACK, port), 0.5).close()
        return True
    except OSError:
        return False


def ready(admin):
    connection = http.client.HTTPConnection(LOOPBACK, admin, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port():
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return s.getsockname()[1]


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command[:3])} ...` ended with {done.returncode}:\n"
                 f"{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
