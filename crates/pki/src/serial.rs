//! Serial numbers.

use openssl::asn1::{Asn1Integer, Asn1IntegerRef};
use openssl::bn::{BigNum, MsbOption};

use crate::Error;

/// The serial number of a certificate: lower-case hexadecimal without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Serial(String);

/// 20 octets (RFC 5280, 4.1.2.2).
const DIGITS_MAX: usize = 40;
const RANDOM_BITS: i32 = 159;

impl Serial {
    /// Reads a number as people write it: either case, with or without colons.
    ///
    /// # Errors
    /// Not 1 to 40 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits: String = text.trim().chars().filter(|c| *c != ':').collect();
        let value = digits.trim_start_matches('0');
        let good = !digits.is_empty()
            && value.len() <= DIGITS_MAX
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !good {
            return Err(Error::BadSerial(text.to_owned()));
        }
        Ok(Self(if value.is_empty() { "0".to_owned() } else { value.to_ascii_lowercase() }))
    }

    /// A new one: 159 random bits, not zero.
    ///
    /// # Errors
    /// The library has no random numbers.
    pub fn random() -> Result<Self, Error> {
        let mut number = BigNum::new()?;
        while number.num_bits() == 0 {
            number.rand(RANDOM_BITS, MsbOption::MAYBE_ZERO, false)?;
        }
        Self::from_number(&number)
    }

    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_asn1(number: &Asn1IntegerRef) -> Result<Self, Error> {
        Self::from_number(&*number.to_bn()?)
    }

    pub(crate) fn to_asn1(&self) -> Result<Asn1Integer, Error> {
        Ok(Asn1Integer::from_bn(&*BigNum::from_hex_str(&self.0)?)?)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(BigNum::from_hex_str(&self.0)?.to_vec())
    }

    fn from_number(number: &openssl::bn::BigNumRef) -> Result<Self, Error> {
        Self::parse(&number.to_hex_str()?)
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Serial {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_people_write_it() {
        for (text, serial) in [("0A:bC", "abc"), ("00", "0"), ("ff", "ff"), (" 1 ", "1")] {
            assert_eq!(Serial::parse(text).unwrap().as_str(), serial, "{text}");
        }
        for text in ["", ":", "xyz", "-1", &"1".repeat(41)] {
            assert!(Serial::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn random_ones_differ_and_fit_twenty_octets() {
        let many: std::collections::BTreeSet<_> =
            (0..200).map(|_| Serial::random().unwrap()).collect();
        assert_eq!(many.len(), 200);
        assert!(many.iter().all(|s| s.to_bytes().unwrap().len() <= 20));
    }
}
