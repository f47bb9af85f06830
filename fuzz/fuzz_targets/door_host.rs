//! Any bytes are a host with one canonical form, or refused; HTTP/1 and HTTP/2 agree.

#![no_main]

use filter::RequestHeader;
use fuzz::{STRICT, over_h1, over_h2};
use http::{HeaderValue, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|host: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(host) else { return };
    let mut head = RequestHeader::build("GET", b"/", None).expect("a plain head");
    head.set_version(Version::HTTP_2);
    head.insert_header("host", value).expect("a plain field");
    let Ok(request) = over_h2(&head, STRICT) else { return };

    let name = &*request.host;
    assert!(!name.is_empty() && !name.ends_with('.') && name.len() <= 253, "{name:?}");
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.[]:".contains(&byte);
    assert!(name.bytes().all(plain), "{name:?}");

    let port = request.port.map(|port| format!(":{port}")).unwrap_or_default();
    let raw = format!("GET / HTTP/1.1\r\nHost: {name}{port}\r\n\r\n");
    let again = over_h1(raw.as_bytes(), STRICT).expect("it parses").expect("it passes");
    assert_eq!((&again.host, again.port), (&request.host, request.port));
});
