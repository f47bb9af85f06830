//! The door, from outside: what cannot be made unambiguous is refused, what passes is decided on
//! the very bytes that the backend receives. Each case carries its id and runs over HTTP/1.1 and
//! HTTP/2, where the version can say it at all.

#[path = "door/framing.rs"]
mod framing;
#[path = "door/headers.rs"]
mod headers;
#[path = "door/hosts.rs"]
mod hosts;
#[path = "door/measured.rs"]
mod measured;
#[path = "door/methods.rs"]
mod methods;
#[path = "door/paths.rs"]
mod paths;
#[path = "door/smuggling.rs"]
mod smuggling;
