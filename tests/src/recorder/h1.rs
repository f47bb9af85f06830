//! HTTP/1.1 from the backend's side, read as strictly as RFC 9112 allows.

use std::io::{self, Read, Write};

use super::{Seen, Shared, answer};
use crate::h1::find;

/// Serves one connection until its end.
pub(super) fn serve(
    mut stream: impl Read + Write,
    connection: usize,
    client: Option<String>,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_head(&mut stream, &mut buffer)? else { return Ok(()) };
        let (method, target, headers) = match parse(&head) {
            Ok(parts) => parts,
            Err(what) => {
                // What came before on this connection is mostly what was framed wrongly.
                let all = shared.seen.lock().unwrap();
                let before = all.iter().rev().find(|seen| seen.connection == connection);
                let before = before.map(|seen| String::from_utf8_lossy(&seen.raw).into_owned());
                drop(all);
                let head = String::from_utf8_lossy(&head);
                shared.fault(format!("{what}: {head:?}, after {before:?}"));
                return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            }
        };
        let mut seen = Seen {
            raw: head,
            method,
            target,
            headers,
            body: Vec::new(),
            connection,
            client: client.clone(),
            version: "h1",
        };
        match read_body(&mut stream, &mut buffer, &seen) {
            Ok(body) => seen.body = body,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                shared.fault(format!("{error}: {:?}", String::from_utf8_lossy(&seen.raw)));
                shared.seen.lock().unwrap().push(seen);
                return Ok(());
            }
            Err(error) => {
                shared.aborted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                return Err(error);
            }
        }
        let script = shared.script(seen.path());
        shared.seen.lock().unwrap().push(seen.clone());
        if !answer::write(&mut stream, &seen, script, shared)? {
            return Ok(());
        }
    }
}

fn read_head(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            return Ok(Some(buffer.drain(..end + 4).collect()));
        }
        if !fill(stream, buffer)? {
            return Ok(None);
        }
    }
}

type Parts = (String, String, Vec<(String, String)>);

/// Parses a head; the error says what a strict reader does not accept.
fn parse(head: &[u8]) -> Result<Parts, &'static str> {
    let text = std::str::from_utf8(head).map_err(|_| "not text")?;
    if text.bytes().any(|b| b == 0 || (b < 0x20 && !matches!(b, b'\r' | b'\n' | b'\t')) || b > 0x7e)
    {
        return Err("a byte that is not visible ASCII");
    }
    if text.replace("\r\n", "").contains(['\r', '\n']) {
        return Err("a bare line end");
    }
    let mut lines = text.strip_suffix("\r\n\r\n").ok_or("no end")?.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (first.next(), first.next(), first.next());
    let (Some(method), Some(target), Some("HTTP/1.1"), None) =
        (method, target, version, first.next())
    else {
        return Err("not a request line");
    };
    // A backslash in a query is data, and browsers send it raw.
    let path = target.split('?').next().unwrap_or_default();
    if !target.starts_with('/') || target.contains('#') || path.contains('\\') {
        return Err("a target that is not origin-form");
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a line that is no field")?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("a field name that is no token");
        }
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    let count = |name: &str| headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count();
    if count("host") != 1 {
        return Err("not one host");
    }
    if count("content-length") + count("transfer-encoding") > 1 {
        return Err("two framings");
    }
    Ok((method.to_owned(), target.to_owned(), headers))
}

fn read_body(stream: &mut impl Read, buffer: &mut Vec<u8>, seen: &Seen) -> io::Result<Vec<u8>> {
    if let Some(length) = seen.header("content-length") {
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse::<usize>().ok().filter(|_| digits);
        return take(stream, buffer, length.ok_or_else(|| invalid("a length that is no number"))?);
    }
    match seen.header("transfer-encoding") {
        None => Ok(Vec::new()),
        Some("chunked") => chunked(stream, buffer),
        Some(_) => Err(invalid("a coding that is not `chunked`")),
    }
}

fn chunked(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = line(stream, buffer)?;
        let digits = !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| digits);
        let size = size.ok_or_else(|| invalid("a chunk size that is no plain number"))?;
        body.extend(take(stream, buffer, size)?);
        if !self::line(stream, buffer)?.is_empty() {
            return Err(invalid("a trailer, or a chunk longer than it says"));
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

fn line(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = find(buffer, b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).collect();
            return String::from_utf8(line[..end].to_vec()).map_err(|_| invalid("not text"));
        }
        more(stream, buffer)?;
    }
}

fn take(stream: &mut impl Read, buffer: &mut Vec<u8>, count: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < count {
        more(stream, buffer)?;
    }
    Ok(buffer.drain(..count).collect())
}

fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<()> {
    if fill(stream, buffer)? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 16 << 10];
    let count = stream.read(&mut chunk)?;
    buffer.extend(&chunk[..count]);
    Ok(count > 0)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
