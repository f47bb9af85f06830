//! Trace context (W3C Trace Context, level 1): carried on, or begun here.
//!
//! 1. Exactly one valid `traceparent` of version 00 is carried on: its trace and its flags, with a
//!    span of ours as the parent of what follows. Anything else begins a trace whose id is the
//!    request's.
//! 2. `tracestate` goes on only with it, as one field, up to 32 members and 512 octets.
//! 3. The span of a request is made from its id: the same on a retry, and in no need of storage.

use filter::{Context, RequestHeader, Stop};
use http::{HeaderMap, HeaderValue};

use super::{internal, set};

/// Octets of a `tracestate` that goes on.
const STATE_BYTES_MAX: usize = 512;
/// Members of a `tracestate` that goes on.
const STATE_MEMBERS_MAX: usize = 32;

/// The trace of a request that came with one.
#[derive(Clone, Debug)]
struct Adopted(Box<str>);

/// Remembers the trace that a request came with, for its audit record.
pub fn adopt(headers: &HeaderMap, cx: &mut Context) {
    if let Some(parent) = Parent::read(headers) {
        let text = String::from_utf8_lossy(&hex(parent.trace)).into_owned();
        cx.extensions_mut().insert(Adopted(text.into()));
    }
}

/// The trace that a request came with; `None` where the request's own id is the trace.
pub fn trace_id(cx: &Context) -> Option<&str> {
    cx.extensions().get::<Adopted>().map(|adopted| &*adopted.0)
}

/// What goes on.
pub(super) struct Trace {
    parent: [u8; PARENT_BYTES],
    state: Option<HeaderValue>,
}

/// `00-<32>-<16>-<2>`.
const PARENT_BYTES: usize = 55;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace: u128,
    flags: u8,
}

/// The trace of a request, by what it came with.
pub(super) fn onward(headers: &HeaderMap, cx: &Context) -> Trace {
    let filter::RequestId(id) = cx.id();
    let parent = Parent::read(headers);
    let Parent { trace, flags } = parent.unwrap_or(Parent { trace: id, flags: 0 });
    Trace { parent: written(trace, span(id), flags), state: parent.and_then(|_| state(headers)) }
}

/// Lower-case hexadecimal, 32 digits.
pub(super) fn hex(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    write_hex(&mut digits, number);
    digits
}

impl Trace {
    pub(super) fn write(self, head: &mut RequestHeader) -> Result<(), Stop> {
        let Self { parent, state } = self;
        let parent = HeaderValue::from_bytes(&parent).map_err(|e| internal(e.to_string()))?;
        set(head, "traceparent", parent)?;
        match state {
            Some(state) => set(head, "tracestate", state),
            None => Ok(()),
        }
    }
}

impl Parent {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all("traceparent").iter();
        let field = fields.next()?;
        if fields.next().is_some() || field.len() != PARENT_BYTES {
            return None;
        }
        let mut parts = field.as_bytes().split(|byte| *byte == b'-');
        let version = parts.next()?;
        let trace = number(parts.next()?, 32)?;
        let span = number(parts.next()?, 16)?;
        let flags = number(parts.next()?, 2)?;
        if version != b"00" || parts.next().is_some() || trace == 0 || span == 0 {
            return None;
        }
        // Only `sampled` has a meaning in version 00.
        Some(Self { trace, flags: u8::try_from(flags & 1).ok()? })
    }
}

fn number(digits: &[u8], length: usize) -> Option<u128> {
    let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if digits.len() != length || !digits.iter().all(lower) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A span of 64 bits that is not zero.
fn span(id: u128) -> u64 {
    let folded = (id >> 64) ^ (id & u128::from(u64::MAX));
    u64::try_from(folded).unwrap_or(1).max(1)
}

fn written(trace: u128, span: u64, flags: u8) -> [u8; PARENT_BYTES] {
    let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let (_, rest) = out.split_at_mut(3);
    let (to, rest) = rest.split_at_mut(32);
    write_hex(to, trace);
    let (_, rest) = rest.split_at_mut(1);
    let (to, rest) = rest.split_at_mut(16);
    write_hex(to, u128::from(span));
    let (_, to) = rest.split_at_mut(1);
    write_hex(to, u128::from(flags));
    out
}

fn write_hex(to: &mut [u8], number: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = number;
    for digit in to.iter_mut().rev() {
        let nibble = usize::try_from(rest & 0x0f).unwrap_or(0);
        *digit = DIGITS.get(nibble).copied().unwrap_or(b'0');
        rest >>= 4;
    }
}

fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut fields = headers.get_all("tracestate").iter();
    let first = fields.next()?;
    let mut joined = first.as_bytes().to_vec();
    for field in fields {
        joined.push(b',');
        joined.extend(field.as_bytes());
    }
    let fits = joined.len() <= STATE_BYTES_MAX
        && joined.split(|byte| *byte == b',').count() <= STATE_MEMBERS_MAX
        && joined.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    fits.then(|| HeaderValue::from_bytes(&joined).ok()).flatten()
}
