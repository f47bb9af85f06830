//! HTTP/2 frames as bytes (RFC 9113), and headers as HPACK literals (RFC 7541).
//!
//! Nothing is validated: pseudo-headers may be doubled, out of order or nonsense. That is the point.

use std::io::{self, Read, Write};

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types.
pub mod kind {
    /// A piece of a body.
    pub const DATA: u8 = 0;
    /// A header block.
    pub const HEADERS: u8 = 1;
    /// The end of a stream before its time.
    pub const RST_STREAM: u8 = 3;
    /// Parameters.
    pub const SETTINGS: u8 = 4;
    /// A sign of life.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// More room for bodies.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a header block.
    pub const CONTINUATION: u8 = 9;
}

/// Flag: the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// Flag: the last frame of a header block.
pub const END_HEADERS: u8 = 4;
/// Flag: an acknowledgement.
pub const ACK: u8 = 1;

/// One frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// Writes it.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(9 + self.payload.len());
        bytes.extend(&u32::try_from(self.payload.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        to.write_all(&bytes)?;
        to.flush()
    }

    /// Reads one.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 9];
        from.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; length];
        from.read_exact(&mut payload)?;
        Ok(Self { kind: head[3], flags: head[4], stream, payload })
    }

    /// Whether it has a flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The error code of a reset or a goodbye.
    pub fn error_code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        self.payload.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// The content of a header or data frame without padding and priority.
    pub fn content(&self) -> &[u8] {
        let (mut from, mut to) = (0, self.payload.len());
        if self.has(8) {
            from = 1;
            to -= usize::from(self.payload[0]);
        }
        if self.kind == kind::HEADERS && self.has(0x20) {
            from += 5;
        }
        &self.payload[from..to]
    }
}

/// Encodes fields as literals that are never indexed, without Huffman: the bytes arrive as given.
pub fn encode(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

/// The frames of a header block: HEADERS and as many CONTINUATIONs as it needs.
pub fn headers(stream: u32, end: bool, fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<Frame> {
    let block = encode(fields);
    let mut pieces = block.chunks(16_000);
    let last = block.len().div_ceil(16_000).saturating_sub(1);
    let mut frames = Vec::new();
    let mut flags = if end { END_STREAM } else { 0 };
    if last == 0 {
        flags |= END_HEADERS;
    }
    frames.push(Frame::new(kind::HEADERS, flags, stream, pieces.next().unwrap_or_default()));
    for (index, piece) in pieces.enumerate() {
        let flags = if index + 1 == last { END_HEADERS } else { 0 };
        frames.push(Frame::new(kind::CONTINUATION, flags, stream, piece));
    }
    frames
}

fn string(block: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes.len();
    if rest < 127 {
        block.push(u8::try_from(rest).unwrap());
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 0x80);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend(bytes);
}
