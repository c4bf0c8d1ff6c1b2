//! What is stored in place of a random token: enough to recognise it, useless to whoever reads the database.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 as base64url. For random tokens of 128 bits and more only: no guess can be checked against it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}
