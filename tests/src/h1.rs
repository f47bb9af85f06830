//! A raw HTTP/1.1 client: sends any bytes, reads responses strictly.

use std::io::{self, Read, Write};

use crate::reply::{Outcome, Reply};
use crate::tls::{Dial, HTTP11, Tls};

/// One connection.
pub struct Connection {
    tls: Tls,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(dial: &Dial) -> io::Result<Self> {
        let dial = Dial { alpn: HTTP11, ..dial.clone() };
        Ok(Self { tls: dial.connect()?, buffer: Vec::new() })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.write_all(bytes)?;
        self.tls.flush()
    }

    /// Sends a request and reads its response.
    pub fn ask(&mut self, bytes: &[u8]) -> Outcome {
        // A refusal may come before the whole request is out: what counts is the answer.
        let sent = self.send(bytes);
        match self.read(bytes.starts_with(b"HEAD ")) {
            Outcome::Closed(why) => Outcome::Closed(match sent {
                Ok(()) => why,
                Err(error) => format!("{why}; while sending: {error}"),
            }),
            answer => answer,
        }
    }

    /// Reads one response; interim responses are skipped, but not 101.
    pub fn read(&mut self, head_only: bool) -> Outcome {
        loop {
            match self.read_one(head_only) {
                Ok(reply) if (100..200).contains(&reply.status) && reply.status != 101 => {}
                Ok(reply) => return Outcome::Answer(reply),
                Err(error) => return Outcome::Closed(error.to_string()),
            }
        }
    }

    /// Reads bytes that belong to no response: an upgraded connection. Empty at its end.
    pub fn read_raw(&mut self) -> io::Result<Vec<u8>> {
        if !self.buffer.is_empty() {
            return Ok(std::mem::take(&mut self.buffer));
        }
        let mut chunk = [0; 16 << 10];
        let count = self.tls.read(&mut chunk)?;
        Ok(chunk[..count].to_vec())
    }

    /// Whether the other end has closed: waits for it, and fails on bytes instead.
    pub fn is_closed(&mut self) -> bool {
        self.read_raw().map_or(true, |bytes| bytes.is_empty())
    }

    /// The connection below.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    fn read_one(&mut self, head_only: bool) -> io::Result<Reply> {
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break self.buffer.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.fill("the end of the head")?;
        };
        let mut reply = parse_head(&head)?;
        if head_only || reply.status < 200 || matches!(reply.status, 204 | 304) {
            return Ok(reply);
        }
        reply.body = match (reply.header("transfer-encoding"), reply.header("content-length")) {
            (Some("chunked"), None) => self.read_chunked()?,
            (None, Some(length)) => self.read_exact(length.parse().map_err(invalid)?)?,
            (None, None) => self.read_to_end()?,
            (te, cl) => return Err(io::Error::other(format!("ambiguous framing: {te:?} {cl:?}"))),
        };
        Ok(reply)
    }

    fn read_chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size =
                usize::from_str_radix(line.split(';').next().unwrap_or(""), 16).map_err(invalid)?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.read_exact(size)?);
            if !self.read_line()?.is_empty() {
                return Err(io::Error::other("a chunk that is longer than it says"));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return String::from_utf8(line[..end].to_vec()).map_err(invalid);
            }
            self.fill("the end of a line")?;
        }
    }

    fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill("the rest of a body")?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.fill("").is_ok() {}
        Ok(std::mem::take(&mut self.buffer))
    }

    fn fill(&mut self, what: &str) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        match self.tls.read(&mut chunk)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("closed before {what}"))),
            count => {
                self.buffer.extend(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// Parses a response whose body ends with the connection or with its length.
pub fn parse_whole(bytes: &[u8]) -> Option<Reply> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let mut reply = parse_head(&bytes[..end]).ok()?;
    reply.body = bytes[end..].to_vec();
    if reply.header("transfer-encoding") == Some("chunked") {
        let mut rest = &bytes[end..];
        let mut body = Vec::new();
        while let Some(line) = find(rest, b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
            body.extend(rest.get(line + 2..line + 2 + size)?);
            rest = rest.get(line + 4 + size..).unwrap_or_default();
        }
        reply.body = body;
    }
    Some(reply)
}

fn parse_head(head: &[u8]) -> io::Result<Reply> {
    let text = String::from_utf8(head.to_vec()).map_err(invalid)?;
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {text}")))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) =
            line.split_once(':').ok_or_else(|| io::Error::other(format!("not a field: {line}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Reply { status, headers, ..Reply::default() })
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
