//! A raw HTTP/2 client: one connection, many streams, any pseudo-headers.

use std::collections::HashMap;
use std::io;

use loona_hpack::Decoder;

use crate::frames::{ACK, END_HEADERS, END_STREAM, Frame, PREFACE, headers, kind};
use crate::reply::{Outcome, Reply};
use crate::tls::{Dial, HTTP2, Tls};

/// Fields as bytes.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One connection.
pub struct Connection {
    tls: Tls,
    decoder: Decoder<'static>,
    next: u32,
    streams: HashMap<u32, Stream>,
    dead: Option<Outcome>,
}

#[derive(Default)]
struct Stream {
    reply: Reply,
    block: Vec<u8>,
    ended: bool,
    reset: Option<u32>,
}

impl Connection {
    /// Connects and says hello.
    pub fn open(dial: &Dial) -> io::Result<Self> {
        let dial = Dial { alpn: HTTP2, ..dial.clone() };
        let mut tls = dial.connect()?;
        if tls.ssl().selected_alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not speak h2"));
        }
        io::Write::write_all(&mut tls, PREFACE)?;
        // Room for large bodies: initial window of 1 GiB for streams, then for the connection.
        let settings = [0, 4, 0x40, 0, 0, 0];
        Frame::new(kind::SETTINGS, 0, 0, settings).write(&mut tls)?;
        Frame::new(kind::WINDOW_UPDATE, 0, 0, 0x4000_0000_u32.to_be_bytes()).write(&mut tls)?;
        Ok(Self { tls, decoder: Decoder::new(), next: 1, streams: HashMap::new(), dead: None })
    }

    /// Opens a stream with these fields; returns its number.
    pub fn start(&mut self, fields: &Fields, end: bool) -> io::Result<u32> {
        let stream = self.next;
        self.next += 2;
        self.streams.insert(stream, Stream::default());
        for frame in headers(stream, end, fields) {
            frame.write(&mut self.tls)?;
        }
        Ok(stream)
    }

    /// Sends a piece of a body.
    pub fn data(&mut self, stream: u32, bytes: &[u8], end: bool) -> io::Result<()> {
        let mut pieces = bytes.chunks(16 << 10).peekable();
        if pieces.peek().is_none() {
            return Frame::new(kind::DATA, u8::from(end), stream, Vec::new()).write(&mut self.tls);
        }
        while let Some(piece) = pieces.next() {
            let flags = if end && pieces.peek().is_none() { END_STREAM } else { 0 };
            Frame::new(kind::DATA, flags, stream, piece).write(&mut self.tls)?;
        }
        Ok(())
    }

    /// Sends any frame.
    pub fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        frame.write(&mut self.tls)
    }

    /// Sends one request and waits for its end.
    pub fn ask(&mut self, fields: &Fields, body: Option<&[u8]>) -> Outcome {
        let stream = match self.start(fields, body.is_none()) {
            Ok(stream) => stream,
            Err(error) => return Outcome::Closed(error.to_string()),
        };
        if let Some(body) = body
            && let Err(error) = self.data(stream, body, true)
        {
            return match self.finish(stream) {
                Outcome::Closed(why) => Outcome::Closed(format!("{why}; while sending: {error}")),
                outcome => outcome,
            };
        }
        self.finish(stream)
    }

    /// Waits for the end of a stream.
    pub fn finish(&mut self, stream: u32) -> Outcome {
        loop {
            if let Some(state) = self.streams.get(&stream) {
                // A reset after the whole answer (RFC 9113 section 8.1) is no failure.
                if state.ended {
                    return Outcome::Answer(self.streams.remove(&stream).unwrap().reply);
                }
                if let Some(code) = state.reset {
                    return Outcome::Reset(code);
                }
            }
            if let Some(dead) = &self.dead {
                return dead.clone();
            }
            self.step();
        }
    }

    /// Whether the connection can carry another stream.
    pub fn is_alive(&self) -> bool {
        self.dead.is_none()
    }

    /// What a stream has received so far, after waiting for one more frame.
    pub fn peek(&mut self, stream: u32) -> Option<&Reply> {
        self.step();
        self.streams.get(&stream).map(|state| &state.reply)
    }

    /// Reads and handles one frame.
    fn step(&mut self) {
        match Frame::read(&mut self.tls) {
            Ok(frame) => {
                if let Err(error) = self.handle(&frame) {
                    self.dead = Some(Outcome::Closed(error.to_string()));
                }
            }
            Err(error) => {
                self.dead.get_or_insert(Outcome::Closed(error.to_string()));
            }
        }
    }

    fn handle(&mut self, frame: &Frame) -> io::Result<()> {
        match frame.kind {
            kind::SETTINGS if !frame.has(ACK) => {
                return Frame::new(kind::SETTINGS, ACK, 0, Vec::new()).write(&mut self.tls);
            }
            kind::PING if !frame.has(ACK) => {
                return Frame::new(kind::PING, ACK, 0, frame.payload.clone()).write(&mut self.tls);
            }
            kind::GOAWAY if frame.error_code() != 0 => {
                self.dead = Some(Outcome::Reset(frame.error_code()));
            }
            kind::HEADERS | kind::CONTINUATION => {
                let state = self.streams.entry(frame.stream).or_default();
                state.block.extend(frame.content());
                if frame.has(END_HEADERS) {
                    let block = std::mem::take(&mut state.block);
                    let fields = self.decoder.decode(&block);
                    take_fields(
                        &mut state.reply,
                        fields.map_err(|e| io::Error::other(format!("{e:?}")))?,
                    );
                }
                state.ended |= frame.kind == kind::HEADERS && frame.has(END_STREAM);
            }
            kind::DATA => {
                let state = self.streams.entry(frame.stream).or_default();
                state.reply.body.extend(frame.content());
                state.ended |= frame.has(END_STREAM);
            }
            kind::RST_STREAM => {
                self.streams.entry(frame.stream).or_default().reset = Some(frame.error_code());
            }
            _ => {}
        }
        Ok(())
    }
}

fn take_fields(reply: &mut Reply, fields: Fields) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    for (name, value) in fields {
        match (text(name), text(value)) {
            (name, value) if name == ":status" => {
                let status = value.parse().unwrap_or(0);
                // An interim response is forgotten when the final one comes.
                *reply = Reply { status, ..Reply::default() };
            }
            pair if reply.status != 0 && !reply.body.is_empty() => reply.trailers.push(pair),
            pair => reply.headers.push(pair),
        }
    }
}

/// The usual fields of a request.
pub fn fields(method: &str, authority: &str, path: &str) -> Fields {
    [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec()
}
