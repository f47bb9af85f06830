//! S15, M5, M6, I12: one caller's answer is never another's.

use scenarios::tokens::CORP;
use scenarios::{Gateway, Recorder, Script, gateway};

const ROUTES: &str = r#"
  - name: app
    hosts: [app.gw.test]
    upstream: app
    rules: [{id: known, allow: {}, when: {user.anonymous: false}}]
"#;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

/// How often S15 aborts.
const ROUNDS: usize = 200;

#[test]
fn s15_an_aborted_request_never_answers_the_next() {
    let (gw, app) = start();
    let (ana, ben) = (CORP.bearer("ana"), CORP.bearer("ben"));
    let mut random = fastrand::Rng::with_seed(15);
    for round in 0..ROUNDS {
        let h2 = round % 2 == 1;
        let dial = gw.dial().to("app.gw.test");
        let body = vec![b'a'; 20_000];
        if h2 {
            let mut connection = scenarios::h2::Connection::open(&dial).unwrap();
            let mut fields = scenarios::h2::fields("POST", "app.gw.test", &format!("/ana/{round}"));
            fields.push((b"authorization".to_vec(), format!("Bearer {ana}").into_bytes()));
            let stream = connection.start(&fields, false).unwrap();
            connection.data(stream, &body[..random.usize(0..body.len())], false).unwrap();
        } else {
            let head = format!(
                "POST /ana/{round} HTTP/1.1\r\nHost: app.gw.test\r\nAuthorization: Bearer {ana}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let mut bytes = head.into_bytes();
            bytes.extend(&body);
            let mut connection = scenarios::h1::Connection::open(&dial).unwrap();
            connection.send(&bytes[..random.usize(20..bytes.len())]).unwrap();
        }
        // The connection is dropped here, wherever it was; ben asks next.
        let url = format!("https://app.gw.test/ben/{round}");
        let reply = gw.get(&url).bearer(&ben).version(random.bool()).expect(200).into_reply();
        assert_eq!(
            reply.json()["target"],
            format!("/ben/{round}"),
            "S15 {round}: {}",
            reply.picture()
        );
        assert_eq!(reply.json()["sub"], "ben", "S15 {round}");
    }
    for seen in app.seen() {
        let owner = seen.target.split('/').nth(1).unwrap();
        assert_eq!(seen.header("x-portcullis-user"), Some(owner), "S15: {}", seen.target);
    }
    app.sound();
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn m5_m6_an_upgrade_that_is_refused_opens_no_tunnel() {
    let (gw, app) = start();
    let ana = CORP.bearer("ana");
    for (number, answer) in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/ws/{number}");
        app.on(&path, Script::Raw(answer.as_bytes().to_vec()));
        let first = format!(
            "GET {path} HTTP/1.1\r\nHost: app.gw.test\r\nAuthorization: Bearer {ana}\r\n{UPGRADE}\r\n"
        );
        let second = "GET /smuggled HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";
        // M5: in one segment. M6: after the answer.
        for together in [true, false] {
            let mut connection =
                scenarios::h1::Connection::open(&gw.dial().to("app.gw.test")).unwrap();
            let before = app.hits();
            let outcome = if together {
                connection.ask(format!("{first}{second}").as_bytes())
            } else {
                let outcome = connection.ask(first.as_bytes());
                drop(connection.send(second.as_bytes()));
                outcome
            };
            assert!(outcome.status().is_some_and(|s| s != 101), "M5/M6 {answer}: {outcome:?}");
            // The second either has its own decision (no credential: 401) or there is none.
            let next = connection.read(false);
            assert!(matches!(next.status(), None | Some(401)), "M5/M6 {answer}: {next:?}");
            assert_eq!(app.hits(), before + 1, "M5/M6: exactly one request reached the backend");
        }
    }
    assert!(app.seen().iter().all(|seen| !seen.target.contains("smuggled")));
    app.sound();
}

#[test]
fn connections_are_kept_and_shared_between_callers_without_mixing_them() {
    let (gw, app) = start();
    let threads: Vec<_> = ["ana", "ben", "ada"].into_iter().collect();
    std::thread::scope(|scope| {
        for user in threads {
            let gw = &gw;
            scope.spawn(move || {
                let bearer = CORP.bearer(user);
                for n in 0..40 {
                    let url = format!("https://app.gw.test/{user}/{n}");
                    let reply =
                        gw.get(&url).bearer(&bearer).version(n % 2 == 0).expect(200).into_reply();
                    assert_eq!(reply.json()["target"], format!("/{user}/{n}"));
                    assert_eq!(reply.json()["sub"], user);
                }
            });
        }
    });
    assert_eq!(app.hits(), 120);
    assert!(app.connections() < 120, "no connection was kept");
    app.sound();
}
