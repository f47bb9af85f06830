//! Scripts as bytes.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde_json::json;

use super::{Script, Seen, Shared};

/// Answers on HTTP/1.1; says whether the connection goes on.
pub(super) fn write(
    stream: &mut (impl Read + Write),
    seen: &Seen,
    script: Script,
    shared: &Shared,
) -> io::Result<bool> {
    match script {
        Script::Echo => respond(stream, seen, &echo(seen))?,
        Script::Raw(bytes) => stream.write_all(&bytes)?,
        Script::RawThenClose(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            return Ok(false);
        }
        Script::Late(time) => {
            std::thread::sleep(time);
            respond(stream, seen, &echo(seen))?;
        }
        Script::Hold => {
            hold(shared);
            respond(stream, seen, &echo(seen))?;
        }
        Script::WebSocket => {
            // As far away as a backend on a network. Pingora 0.9.1 takes a 101 that comes before
            // it has handled the request's own (empty) body for one whose stream is over.
            std::thread::sleep(Duration::from_millis(100));
            stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            )?;
            return mirror(stream).map(|()| false);
        }
        Script::Large(count) => respond(stream, seen, &vec![b'x'; count])?,
        Script::Close => return Ok(false),
        Script::CloseOnce => {
            let path = seen.path();
            let before = shared.seen.lock().unwrap().iter().filter(|s| s.path() == path).count();
            if before <= 1 {
                return Ok(false);
            }
            respond(stream, seen, &echo(seen))?;
        }
        Script::Grpc(_) => {
            stream.write_all(
                b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n",
            )?;
        }
    }
    stream.flush()?;
    Ok(true)
}

/// Waits for [`super::Recorder::release`].
pub(super) fn hold(shared: &Shared) {
    let guard = shared.released.lock().unwrap();
    let wait = shared.release.wait_timeout_while(guard, Duration::from_secs(120), |done| !*done);
    drop(wait.unwrap());
}

/// The JSON picture of a request.
pub(super) fn echo(seen: &Seen) -> Vec<u8> {
    let body = String::from_utf8_lossy(&seen.body[..seen.body.len().min(4096)]).into_owned();
    json!({
        "method": seen.method, "target": seen.target, "headers": seen.headers, "body": body,
        "body_bytes": seen.body.len(), "client": seen.client, "version": seen.version,
        "rule": seen.assertion()["rule"], "sub": seen.assertion()["sub"],
    })
    .to_string()
    .into_bytes()
}

fn respond(stream: &mut impl Write, seen: &Seen, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Backend: recorder\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    if seen.method == "HEAD" { Ok(()) } else { stream.write_all(body) }
}

fn mirror(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut chunk = [0; 16 << 10];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&chunk[..count])?;
        stream.flush()?;
    }
}
