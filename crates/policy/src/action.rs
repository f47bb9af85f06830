//! What is asked for: one canonical request.

/// A request as the policy sees it. Every part is canonical already: the same bytes that the audit
/// names and that the backend receives.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// The method, upper case, from the allow-list of the door.
    pub method: &'a str,
    /// Lower-case host without port and without trailing dot.
    pub host: &'a str,
    /// Absolute canonical path: no dot segments, no empty segments but the last, unreserved
    /// octets decoded, the remaining escapes upper-case.
    pub path: &'a str,
    /// The query without `?`, as it will be forwarded.
    pub query: Option<&'a str>,
    /// The headers, for `request.header.<name>`; each value of a name is matched on its own.
    pub headers: &'a http::HeaderMap,
    /// Whether it asks to become a WebSocket.
    pub websocket: bool,
    /// Whether it is gRPC (`content-type: application/grpc*`).
    pub grpc: bool,
}
