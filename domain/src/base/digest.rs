//! The stored form of a random token. It is enough to recognise the token, and useless to a person who reads the
//! database.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 as base64url. Use it only for random tokens of 128 bits and more: an attacker cannot guess such a token and
/// compare the hash.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}
