//! HTTP/2 from the backend's side: one stream after the other, enough for gRPC.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use loona_hpack::Decoder;

use super::{Script, Seen, Shared, answer};
use crate::frames::{ACK, END_HEADERS, END_STREAM, Frame, PREFACE, headers, kind};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Serves one connection until its end.
pub(super) fn serve(
    mut stream: impl Read + Write,
    connection: usize,
    client: Option<String>,
    shared: &Shared,
) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)?;
    Frame::new(kind::SETTINGS, 0, 0, [0, 4, 0x40, 0, 0, 0]).write(&mut stream)?;
    Frame::new(kind::WINDOW_UPDATE, 0, 0, 0x4000_0000_u32.to_be_bytes()).write(&mut stream)?;
    let mut decoder = Decoder::new();
    let mut open: HashMap<u32, (Vec<u8>, Option<Seen>)> = HashMap::new();
    loop {
        let frame = Frame::read(&mut stream)?;
        match frame.kind {
            kind::SETTINGS if !frame.has(ACK) => {
                Frame::new(kind::SETTINGS, ACK, 0, Vec::new()).write(&mut stream)?;
            }
            kind::PING if !frame.has(ACK) => {
                Frame::new(kind::PING, ACK, 0, frame.payload).write(&mut stream)?;
                continue;
            }
            kind::GOAWAY => return Ok(()),
            kind::RST_STREAM => {
                open.remove(&frame.stream);
                shared.aborted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            kind::HEADERS | kind::CONTINUATION => {
                let (block, seen) = open.entry(frame.stream).or_default();
                block.extend(frame.content());
                if frame.has(END_HEADERS) {
                    let fields =
                        decoder.decode(block).map_err(|e| io::Error::other(format!("{e:?}")))?;
                    block.clear();
                    // Trailers of a request change nothing here.
                    seen.get_or_insert_with(|| picture(fields, connection, client.clone()));
                }
            }
            kind::DATA => {
                if let Some((_, Some(seen))) = open.get_mut(&frame.stream) {
                    seen.body.extend(frame.content());
                }
            }
            _ => {}
        }
        let ends = matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.has(END_STREAM);
        if ends && let Some((_, Some(seen))) = open.remove(&frame.stream) {
            let script = shared.script(seen.path());
            shared.seen.lock().unwrap().push(seen.clone());
            respond(&mut stream, frame.stream, &seen, &script)?;
        }
    }
}

fn picture(fields: Fields, connection: usize, client: Option<String>) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let find = |name: &[u8]| fields.iter().find(|(n, _)| n == name).map(|(_, v)| text(v));
    Seen {
        raw: format!("{:?}", fields.iter().map(|(n, v)| (text(n), text(v))).collect::<Vec<_>>())
            .into(),
        method: find(b":method").unwrap_or_default(),
        target: find(b":path").unwrap_or_default(),
        headers: fields.iter().map(|(n, v)| (text(n), text(v))).collect(),
        body: Vec::new(),
        connection,
        client,
        version: "h2",
    }
}

fn respond(to: &mut impl Write, stream: u32, seen: &Seen, script: &Script) -> io::Result<()> {
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let (content_type, body, trailers) = match script {
        Script::Grpc(status) => {
            let trailers =
                vec![pair("grpc-status", &status.to_string()), pair("grpc-message", "told")];
            ("application/grpc", seen.body.clone(), Some(trailers))
        }
        _ => ("application/json", answer::echo(seen), None),
    };
    let head =
        [pair(":status", "200"), pair("content-type", content_type), pair("x-backend", "recorder")];
    for frame in headers(stream, false, &head) {
        frame.write(to)?;
    }
    Frame::new(kind::DATA, 0, stream, body).write(to)?;
    if trailers.is_none() {
        // The end as a frame of its own, as many servers send it.
        Frame::new(kind::DATA, END_STREAM, stream, Vec::new()).write(to)?;
    }
    for frame in trailers.map(|fields| headers(stream, true, &fields)).unwrap_or_default() {
        frame.write(to)?;
    }
    Ok(())
}
