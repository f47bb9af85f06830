//! What the targets share: the door as the gateway asks it, and what must hold for all that passes.

use std::io::Cursor;
use std::sync::LazyLock;

use filter::{Canonical, RequestHeader, Stop};
use gateway::conf::LimitsConf;
use gateway::door::{Arrival, Limits, enter};
use pingora::protocols::http::v1::server::HttpSession;
use tokio::runtime::{Builder, Runtime};
use upstream::paths::PathProfile;

/// Admits nothing.
pub const STRICT: PathProfile =
    PathProfile { parameters: false, danger_encoded_slash: false, danger_encoded_backslash: false };

/// Admits everything.
pub const WIDE: PathProfile =
    PathProfile { parameters: true, danger_encoded_slash: true, danger_encoded_backslash: true };

/// The limits that a configuration has by default.
pub static LIMITS: LazyLock<Limits> =
    LazyLock::new(|| Limits::new(&LimitsConf::default()).expect("the defaults are valid"));

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// The bytes of an HTTP/1 head through the proxy's parser and the door; `None` if the parser did not
/// take them.
pub fn over_h1(raw: &[u8], profile: PathProfile) -> Option<Result<Canonical, Stop>> {
    let mut session = HttpSession::new(Box::new(Cursor::new(raw.to_vec())));
    RUNTIME.block_on(session.read_request()).ok()??;
    let arrival = Arrival { head: session.req_header(), raw: Some(raw), tls: None };
    Some(enter(&arrival, &LIMITS, profile))
}

/// A head as it stands on HTTP/2.
pub fn over_h2(head: &RequestHeader, profile: PathProfile) -> Result<Canonical, Stop> {
    enter(&Arrival { head, raw: None, tls: None }, &LIMITS, profile)
}

/// No dot segment, empty segment, backslash or byte outside printable ASCII is left in a path,
/// also none that a backend would find behind a parameter or an encoded separator.
pub fn assert_canonical(path: &str) {
    assert!(path.starts_with('/') && !path.contains("//"), "{path:?}");
    assert!(path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{path:?}");
    assert!(!path.contains(['\\', '#', '?']), "{path:?}");
    for segment in path.split('/').flat_map(|segment| segment.split("%2F")) {
        for part in segment.split("%5C").flat_map(|part| part.split(';')) {
            for part in part.split("%3B") {
                assert!(!matches!(part, "." | ".."), "{path:?}");
            }
        }
    }
}
