//! The alphabet of identifiers and secrets: only `0-9 A-Z a-z`, so that HTTP Basic works whether or not a client
//! percent-encodes (RFC 6749 §2.3.1), and a double click selects the whole value.

use zeroize::Zeroize;

use crate::base::random::Random;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `length` uniformly random characters.
///
/// A byte of 248 or more is thrown away: 248 is the largest multiple of 62 below 256, and `byte % 62` over all
/// bytes would favour the first eight characters.
pub(crate) fn random(random: &dyn Random, length: usize) -> String {
    uniform(|bytes| random.fill(bytes), length)
}

/// The same from another source: each call of `fill` gives the next bytes of it.
pub(crate) fn uniform(mut fill: impl FnMut(&mut [u8; 64]), length: usize) -> String {
    let mut text = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while text.len() < length {
        fill(&mut bytes);
        for byte in bytes.iter().filter(|byte| **byte < 248).take(length - text.len()) {
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
        }
    }
    bytes.zeroize();
    text
}

/// `value` in exactly `width` characters, most significant first; the order of texts is the order of values.
pub(crate) fn fixed_width(mut value: u64, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// Whether `text` has exactly `length` characters, all of the alphabet.
pub(crate) fn is_valid(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
