//! Keys that are well-formed and worthless.

use openssl::bn::BigNumRef;

/// Whether a modulus has a factor below 168, or is of the ROCA family: primes that Infineon's
/// library made are powers of 65537 modulo each of the first primes (CVE-2017-15361). A sound
/// modulus looks like one with a chance of less than one in a hundred million.
pub(super) fn modulus(n: &BigNumRef) -> bool {
    if !n.is_bit_set(0) {
        return true;
    }
    let mut all_powers = true;
    for prime in SMALL_PRIMES {
        match n.mod_word(prime) {
            Ok(0) | Err(_) => return true,
            Ok(rest) => all_powers &= is_power_of_65537(rest, u64::from(prime)),
        }
    }
    all_powers
}

/// Whether a public key is of small order: anybody can sign for it.
pub(super) fn ed25519(key: &[u8; 32]) -> bool {
    let mut y = *key;
    if let Some(sign) = y.last_mut() {
        *sign &= 0x7f;
    }
    SMALL_ORDER.contains(&y)
}

fn is_power_of_65537(rest: u64, prime: u64) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == rest {
            return true;
        }
        power = power * 65537 % prime;
    }
    false
}

const SMALL_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// The `y` of every point whose order divides 8, with the spellings beyond the field (2^255 - 19).
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    ends(1, 0, 0),
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    if let Some(byte) = bytes.first_mut() {
        *byte = first;
    }
    if let Some(byte) = bytes.last_mut() {
        *byte = last;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::rsa::Rsa;

    use super::*;

    /// J18: a modulus that is 1 modulo every small prime is a power of 65537 modulo each of them.
    #[test]
    fn j18_the_mark_of_roca_is_seen() {
        let mut marked = BigNum::from_u32(1).unwrap();
        for prime in SMALL_PRIMES.iter().chain(&[2]) {
            marked.mul_word(*prime).unwrap();
        }
        // 65537 itself, plus a multiple of all the primes.
        marked.add_word(65537).unwrap();
        assert!(modulus(&marked));
    }

    #[test]
    fn sound_moduli_pass_and_smooth_ones_do_not() {
        let sound = Rsa::generate(2048).unwrap();
        assert!(!modulus(sound.n()));
        let mut smooth = BigNum::new().unwrap();
        let three = BigNum::from_u32(3).unwrap();
        smooth.checked_mul(sound.n(), &three, &mut BigNumContext::new().unwrap()).unwrap();
        assert!(modulus(&smooth));
        let mut even = sound.n().to_owned().unwrap();
        even.sub_word(1).unwrap();
        assert!(modulus(&even));
    }

    #[test]
    fn points_of_small_order_are_seen_with_either_sign() {
        for mut point in SMALL_ORDER {
            assert!(ed25519(&point));
            point[31] |= 0x80;
            assert!(ed25519(&point));
        }
        let sound = openssl::pkey::PKey::generate_ed25519().unwrap().raw_public_key().unwrap();
        assert!(!ed25519(&sound.try_into().unwrap()));
    }
}
