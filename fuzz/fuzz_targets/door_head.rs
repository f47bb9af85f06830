//! Any bytes are a request that the proxy's parser and the door read alike, or refused. What passes
//! comes back as it is when it is written out.

#![no_main]

use filter::Stop;
use fuzz::{LIMITS, STRICT, WIDE, assert_canonical, over_h1};
use gateway::door::unheard;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for profile in [STRICT, WIDE] {
        match over_h1(raw, profile) {
            None => assert!(matches!(unheard(raw, &LIMITS), Stop::Refuse(_))),
            Some(Err(stop)) => assert!(matches!(stop, Stop::Refuse(_)), "{stop:?}"),
            Some(Ok(request)) => {
                assert_canonical(request.path());
                let (method, target, host) = (&request.method, &request.target, &request.host);
                let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                let again =
                    over_h1(head.as_bytes(), profile).expect("it parses").expect("it passes");
                assert_eq!((&again.target, &again.host), (target, host));
            }
        }
    }
});
