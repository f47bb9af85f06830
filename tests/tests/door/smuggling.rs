//! S16: mutations of framing from a seed. Whatever becomes of the first request, the second, which
//! only a smuggler sends, reaches no backend, and nothing hangs.
//!
//! `SMUGGLING_MUTATIONS` says how many (default 600), `SMUGGLING_SEED` from which seed.

use std::time::{Duration, Instant};

use fastrand::Rng;
use scenarios::house::House;

const NAMES: &[&str] = &[
    "Transfer-Encoding",
    "transfer-encoding",
    "TRANSFER-ENCODING",
    "Transfer_Encoding",
    "Transfer-Encoding ",
    " Transfer-Encoding",
    "Transfer-Encoding\t",
    "Transfer-Encoding\x0b",
    "X\nTransfer-Encoding",
    "X: y\rTransfer-Encoding",
    "Content-Length",
    "content-length",
    "Content_Length",
    "Content-Length ",
    "Content-Length\0",
    "Content-Length\x0c",
];

const CODINGS: &[&str] = &[
    "chunked",
    "CHUNKED",
    "chunked ",
    " chunked",
    "\tchunked",
    "\x0bchunked",
    "chunked\x0c",
    "chunked,",
    ",chunked",
    "chunked, identity",
    "identity, chunked",
    "gzip, chunked",
    "chunked\r\n ",
    "\r\n chunked",
    "\"chunked\"",
    "chun\0ked",
    "chunked;a=b",
    "identity",
    "",
    "0",
    "5",
    "+5",
    "-5",
    "5,5",
    "0x5",
    "05",
    "5 5",
    "99999999999999999999",
];

const ENDS: &[&str] = &["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\n\r\n"];
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: app.gw.test\r\n\r\n";

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(0..from.len())]
}

fn mutation(random: &mut Rng) -> String {
    let method = pick(random, &["POST", "GET", "PUT", "HEAD", "OPTIONS"]);
    let version = pick(random, &["1.1", "1.1", "1.1", "1.0"]);
    let mut head = format!("{method} /public/s16 HTTP/{version}\r\nHost: app.gw.test\r\n");
    for _ in 0..random.usize(1..4) {
        let (name, value) = (pick(random, NAMES), pick(random, CODINGS));
        head.push_str(&format!("{name}:{value}{}", pick(random, ENDS)));
    }
    if random.u8(0..5) == 0 {
        head.push_str(pick(random, &["Expect: 100-continue\r\n", "Connection: close, x\r\n"]));
    }
    head.push_str(pick(random, &["\r\n", "\r\n", "\r\n", "\n", "\r\n\r\n"]));
    let body = match random.u8(0..6) {
        0 => format!("0\r\n\r\n{SMUGGLED}"),
        1 => format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()),
        2 => format!("5\r\nabcde\r\n0\r\n{SMUGGLED}"),
        3 => format!("5;a=b\nabcde\r\n0\r\n\r\n{SMUGGLED}"),
        4 => format!("0\n\n{SMUGGLED}"),
        _ => format!("abcde{SMUGGLED}"),
    };
    head + &body
}

#[test]
fn s16_no_mutation_of_framing_hides_a_request() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let (count, seed) = (number("SMUGGLING_MUTATIONS", 600), number("SMUGGLING_SEED", 16));
    let house = House::start_with(|plan| {
        // What passes as one request may leave a request of its own behind, pipelined: it has a
        // decision of its own then, and this one denies it.
        plan.with_rules("  - {id: none-hidden, deny: {paths: [\"/public/smuggled\"]}}\n")
            .with_server("  limits: {header_time_max: 5s, idle_max: 2s}\n")
    });
    let mut random = Rng::with_seed(seed);
    let mut passed = 0;
    for number in 0..count {
        let bytes = mutation(&mut random);
        let began = Instant::now();
        let outcome = house.raw(bytes.as_bytes());
        let what = format!("S16 seed {seed}, mutation {number}: {bytes:?}");
        let status = outcome.status();
        assert!(status.is_none_or(|status| status < 500), "{what}: {outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: it took {:?}", began.elapsed());
        passed += usize::from(status == Some(200));
        for seen in house.app.seen() {
            assert!(!seen.target.contains("smuggled"), "{what}: {:?}", seen.target);
        }
        house.app.forget();
        // The next caller gets nobody else's answer.
        if number % 50 == 0 {
            let reply = house.gw.get("https://app.gw.test/public/next").expect(200).into_reply();
            assert_eq!(reply.json()["target"], "/public/next", "{what}");
        }
    }
    println!("{count} mutations from seed {seed}: {passed} passed as one request, no other did");
    house.sound();
}
