//! The few DER shapes that certificate extensions are made of.
//!
//! OpenSSL's own text form of an extension is a language that can read files, and its builders
//! refuse what a test of bad certificates needs; so extensions are encoded here.
//!
//! 1. Lengths are definite and minimal (X.690, 10.1).
//! 2. Every function returns one whole element.

use std::net::IpAddr;

use openssl::asn1::Asn1Object;

use crate::Error;

pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;

/// An element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(_) | Err(_) => {
            let bytes = length.to_be_bytes();
            let significant: Vec<u8> = bytes.into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0x7f));
            out.extend(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `SEQUENCE` of elements.
pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// A context-specific primitive element.
pub(crate) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    element(0x80 | number, content)
}

/// A context-specific constructed element.
pub(crate) fn context_constructed(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// `BOOLEAN` true.
pub(crate) fn truth() -> Vec<u8> {
    element(0x01, &[0xff])
}

/// `INTEGER`, not negative.
pub(crate) fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = big_endian.iter().copied().skip_while(|b| *b == 0).collect();
    if content.first().is_none_or(|b| *b >= 0x80) {
        content.insert(0, 0);
    }
    element(0x02, &content)
}

/// `ENUMERATED` of one byte.
pub(crate) fn enumerated(value: u8) -> Vec<u8> {
    element(0x0a, &[value])
}

/// `BIT STRING` of named bits, the first bit of the name list being the highest of the byte.
pub(crate) fn named_bits(bits: u8) -> Vec<u8> {
    if bits == 0 {
        return element(0x03, &[0]);
    }
    let unused = u8::try_from(bits.trailing_zeros()).unwrap_or(0);
    element(0x03, &[unused, bits])
}

/// `OBJECT IDENTIFIER` from its dotted form or its OpenSSL name.
pub(crate) fn oid(name: &str) -> Result<Vec<u8>, Error> {
    Ok(element(0x06, Asn1Object::from_str(name)?.as_slice()))
}

/// The bytes of an address.
pub(crate) fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An instant as RFC 5280 wants it: `UTCTime` until 2049, `GeneralizedTime` from 2050.
pub(crate) fn time(at: jiff::Timestamp) -> Vec<u8> {
    let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
    if (1950..2050).contains(&utc.year()) {
        element(0x17, utc.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        element(0x18, utc.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        assert_eq!(element(4, &[7; 3]), [4, 3, 7, 7, 7]);
        assert_eq!(element(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn integers_are_positive_and_minimal() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn named_bits_drop_trailing_zeros() {
        assert_eq!(named_bits(0b1000_0000), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0b0000_0110), [3, 2, 1, 0b110]);
        assert_eq!(named_bits(0), [3, 1, 0]);
    }

    #[test]
    fn times_change_form_in_2050() {
        let before: jiff::Timestamp = "2049-12-31T23:59:59Z".parse().unwrap();
        let after: jiff::Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(time(before)[2..], *b"491231235959Z");
        assert_eq!(time(after)[2..], *b"20500101000000Z");
    }
}
