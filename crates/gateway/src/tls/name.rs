//! Names in certificates: distinguished names as text, and SPIFFE ids.
//!
//! 1. A distinguished name is written as RFC 4514 has it: last attribute first, specials escaped,
//!    so that two names are the same text only if they are the same name. An attribute whose value
//!    is not UTF-8 text, or whose type has no short name, is written in hexadecimal.
//! 2. Control characters are escaped: a name cannot break a line of a log.
//! 3. A SPIFFE id is what the SPIFFE-ID standard calls one, byte for byte; it is not normalised.

use std::fmt::Write as _;

use super::der::{Der, IA5_STRING, OID, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING};

/// Attribute types that are written by name (RFC 4514 section 3, RFC 4519).
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// Longest SPIFFE id in octets.
const SPIFFE_ID_BYTES_MAX: usize = 2048;
/// Longest trust domain in octets.
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// A distinguished name (the whole DER element) as RFC 4514 text; `None` where it is not one.
pub(super) fn rfc4514(der: &[u8]) -> Option<String> {
    let mut sets = Der::only(der, SEQUENCE)?;
    let mut written = Vec::new();
    while !sets.is_empty() {
        let mut set = Der::new(sets.take(SET)?);
        let mut relative = String::new();
        while !set.is_empty() {
            let mut attribute = Der::new(set.take(SEQUENCE)?);
            let kind = attribute.take(OID)?;
            let value = attribute.next()?;
            if !relative.is_empty() {
                relative.push('+');
            }
            write_attribute(&mut relative, kind, value.tag, value.content, value.whole);
        }
        written.push(relative);
    }
    written.reverse();
    Some(written.join(","))
}

/// Trust domain of a SPIFFE id that names a workload; `None` where the text is not such an id.
pub(super) fn trust_domain(uri: &str) -> Option<&str> {
    if uri.len() > SPIFFE_ID_BYTES_MAX {
        return None;
    }
    let (domain, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let any = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let domain_ok =
        (1..=TRUST_DOMAIN_BYTES_MAX).contains(&domain.len()) && domain.bytes().all(lower);
    let path_ok = path.split('/').all(|segment| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(any)
    });
    (domain_ok && path_ok).then_some(domain)
}

fn write_attribute(out: &mut String, kind: &[u8], tag: u8, content: &[u8], whole: &[u8]) {
    let name = SHORT_NAMES.iter().find(|(oid, _)| *oid == kind).map(|(_, name)| *name);
    let text = match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => std::str::from_utf8(content).ok(),
        _ => None,
    };
    match (name, text) {
        (Some(name), Some(text)) => {
            out.push_str(name);
            out.push('=');
            write_escaped(out, text);
        }
        (Some(name), None) => {
            out.push_str(name);
            write_hex(out, whole);
        }
        (None, _) => {
            write_dotted(out, kind);
            write_hex(out, whole);
        }
    }
}

fn write_escaped(out: &mut String, text: &str) {
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        let edge = (at == 0 && (c == ' ' || c == '#')) || (at == last && c == ' ');
        if c.is_control() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                push(out, format_args!("\\{byte:02X}"));
            }
        } else {
            if edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

fn write_hex(out: &mut String, bytes: &[u8]) {
    out.push_str("=#");
    for byte in bytes {
        push(out, format_args!("{byte:02x}"));
    }
}

fn write_dotted(out: &mut String, oid: &[u8]) {
    let mut value: u64 = 0;
    let mut first = true;
    for &octet in oid {
        value = (value << 7) | u64::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        if first {
            let root = (value / 40).min(2);
            push(out, format_args!("{root}.{}", value - root * 40));
            first = false;
        } else {
            push(out, format_args!(".{value}"));
        }
        value = 0;
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` has no way to fail.
    if out.write_fmt(arguments).is_err() {
        out.clear();
    }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509NameBuilder;

    use super::*;

    fn name(entries: &[(&str, &str)]) -> String {
        let mut builder = X509NameBuilder::new().unwrap();
        for (field, value) in entries {
            builder.append_entry_by_text(field, value).unwrap();
        }
        rfc4514(&builder.build().to_der().unwrap()).unwrap()
    }

    #[test]
    fn names_are_written_last_first_and_escaped() {
        assert_eq!(name(&[("C", "DE"), ("O", "Acme"), ("CN", "alice")]), "CN=alice,O=Acme,C=DE");
        assert_eq!(name(&[("CN", "a,O=Evil")]), r"CN=a\,O\=Evil".replace(r"\=", "="));
        assert_eq!(name(&[("CN", " #a\u{7}b ")]), r"CN=\ #a\07b\ ");
        assert_eq!(name(&[("CN", "#x")]), r"CN=\#x");
        assert!(name(&[("emailAddress", "a@b.c")]).starts_with("1.2.840.113549.1.9.1=#16"));
        // X8: the order of a name's parts is part of the name
        assert_ne!(
            name(&[("O", "Acme"), ("CN", "alice")]),
            name(&[("CN", "alice"), ("O", "Acme")])
        );
    }

    #[test]
    fn spiffe_ids_are_exact() {
        assert_eq!(trust_domain("spiffe://example.com/payroll"), Some("example.com"));
        assert_eq!(trust_domain("spiffe://example.com/a/B_c-9"), Some("example.com"));
        for bad in [
            "spiffe://example.com",
            "spiffe://example.com/",
            "spiffe:///x",
            "SPIFFE://example.com/x",
            "spiffe://Example.com/x",
            "spiffe://example.com:1/x",
            "spiffe://u@example.com/x",
            "spiffe://example.com/x?y",
            "spiffe://example.com/x#y",
            "spiffe://example.com/../x",
            "spiffe://example.com/x//y",
            "spiffe://example.com/x/",
            "spiffe://example.com/%2e",
            "https://example.com/x",
        ] {
            assert_eq!(trust_domain(bad), None, "{bad}");
        }
        let long = format!("spiffe://example.com/{}", "x".repeat(2048));
        assert_eq!(trust_domain(&long), None);
    }
}
