//! Sending targets and telling how each ended, on connections that are kept as long as they last.

use scenarios::tokens::CORP;
use scenarios::{Gateway, Outcome, Reply, h1, h2};

/// How a target ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The backend answered: which rule had allowed it, and what the backend received.
    Passed {
        /// The rule.
        rule: String,
        /// The target.
        received: String,
    },
    /// Refused by the gateway, with the status; 0 stands for a reset stream.
    Refused(u16),
    /// Neither.
    Odd(String),
}

/// Over HTTP/1.1.
pub(crate) struct H1<'g> {
    gw: &'g Gateway,
    host: &'static str,
    bearer: String,
    asked: u32,
    connection: Option<h1::Connection>,
}

/// Over HTTP/2, many at once.
pub(crate) struct H2<'g> {
    gw: &'g Gateway,
    host: &'static str,
    bearer: String,
    connection: Option<h2::Connection>,
    asked: u32,
}

impl<'g> H1<'g> {
    pub(crate) fn new(gw: &'g Gateway, host: &'static str) -> Self {
        Self { gw, host, bearer: CORP.bearer("ben"), asked: 0, connection: None }
    }

    pub(crate) fn ask(&mut self, target: &str) -> End {
        self.asked += 1;
        if self.asked.is_multiple_of(5000) {
            self.bearer = CORP.bearer("ben");
        }
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.host, self.bearer
        );
        // A kept connection may have been closed under us: once more on a new one.
        for _ in 0..2 {
            let fresh = self.connection.is_none();
            let connection = match self.connection.take().map_or_else(|| self.open(), Ok) {
                Ok(connection) => connection,
                Err(error) => return End::Odd(error.to_string()),
            };
            match self.one(connection, &head) {
                Outcome::Answer(reply) => return end(&reply),
                Outcome::Closed(why) if fresh => return End::Odd(why),
                Outcome::Closed(_) | Outcome::Reset(_) => {}
            }
        }
        End::Odd("closed twice".to_owned())
    }

    fn open(&self) -> std::io::Result<h1::Connection> {
        h1::Connection::open(&self.gw.dial().to(self.host))
    }

    fn one(&mut self, mut connection: h1::Connection, head: &str) -> Outcome {
        let outcome = connection.ask(head.as_bytes());
        let keeps = outcome.reply().is_some_and(|reply| {
            !reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
        });
        if keeps {
            self.connection = Some(connection);
        }
        outcome
    }
}

impl<'g> H2<'g> {
    pub(crate) fn new(gw: &'g Gateway, host: &'static str) -> Self {
        Self { gw, host, bearer: CORP.bearer("ben"), connection: None, asked: 0 }
    }

    /// Asks all of them at once; those whose connection died with another are asked alone.
    pub(crate) fn ask(&mut self, targets: &[String]) -> Vec<End> {
        self.asked += 1;
        if self.asked.is_multiple_of(200) {
            self.bearer = CORP.bearer("ben");
            self.connection = None;
        }
        let Some(mut connection) = self.connection.take().or_else(|| self.open()) else {
            return targets.iter().map(|_| End::Odd("no connection".to_owned())).collect();
        };
        let streams: Vec<_> =
            targets.iter().map(|target| connection.start(&self.fields(target), true)).collect();
        let outcomes: Vec<Outcome> = streams
            .into_iter()
            .map(|stream| {
                stream.map_or_else(|e| Outcome::Closed(e.to_string()), |s| connection.finish(s))
            })
            .collect();
        if connection.is_alive() {
            self.connection = Some(connection);
            return outcomes.iter().map(end_h2).collect();
        }
        let settled = |outcome: &Outcome| matches!(outcome, Outcome::Answer(_));
        let pairs = targets.iter().zip(outcomes);
        pairs
            .map(
                |(target, outcome)| {
                    if settled(&outcome) { end_h2(&outcome) } else { self.alone(target) }
                },
            )
            .collect()
    }

    fn alone(&self, target: &str) -> End {
        match self.open() {
            Some(mut connection) => end_h2(&connection.ask(&self.fields(target), None)),
            None => End::Odd("no connection".to_owned()),
        }
    }

    fn open(&self) -> Option<h2::Connection> {
        h2::Connection::open(&self.gw.dial().to(self.host)).ok()
    }

    fn fields(&self, target: &str) -> h2::Fields {
        let mut fields = h2::fields("GET", self.host, target);
        fields.push((b"authorization".to_vec(), format!("Bearer {}", self.bearer).into_bytes()));
        fields
    }
}

fn end_h2(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Answer(reply) => end(reply),
        Outcome::Reset(_) => End::Refused(0),
        Outcome::Closed(why) => End::Odd(why.clone()),
    }
}

fn end(reply: &Reply) -> End {
    let json = reply.json();
    match (reply.status, json["rule"].as_str(), json["target"].as_str()) {
        (200, Some(rule), Some(target)) => {
            End::Passed { rule: rule.to_owned(), received: target.to_owned() }
        }
        (400..=499, _, _) => End::Refused(reply.status),
        _ => End::Odd(reply.picture()),
    }
}
