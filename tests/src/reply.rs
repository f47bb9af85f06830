//! What came back to a client: an answer, a stream that was reset, or a closed connection.

use serde_json::Value;

/// How one exchange ended for the client.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A whole response.
    Answer(Reply),
    /// An HTTP/2 stream or connection error with its code.
    Reset(u32),
    /// The connection ended without a response, with what is known of why.
    Closed(String),
}

/// A whole response.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The fields in their order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from its framing.
    pub body: Vec<u8>,
    /// Trailers, where there were any.
    pub trailers: Vec<(String, String)>,
}

impl Outcome {
    /// The status, where there was a response.
    pub fn status(&self) -> Option<u16> {
        self.reply().map(|reply| reply.status)
    }

    /// The response, where there was one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Answer(reply) => Some(reply),
            Self::Reset(_) | Self::Closed(_) => None,
        }
    }

    /// The response.
    #[track_caller]
    pub fn expect_reply(self) -> Reply {
        match self {
            Self::Answer(reply) => reply,
            other => panic!("no response: {other:?}"),
        }
    }
}

impl Reply {
    /// The first value of a field; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The name of the request in the audit.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-request-id")
    }

    /// A one-screen picture for a failed check.
    pub fn picture(&self) -> String {
        use std::fmt::Write as _;
        let mut out = format!("status {}\n", self.status);
        for (name, value) in &self.headers {
            let _ = writeln!(out, "{name}: {value}");
        }
        let body: String = self.text().chars().take(1500).collect();
        let _ = write!(out, "\n{body}");
        out
    }
}
