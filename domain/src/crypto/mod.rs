//! Keys, signatures, hashes. Knows no database and no request.

pub mod fair_share;
pub mod imported_secret;
pub mod jws;
pub mod keys;
pub mod password;
pub mod public_key;
pub mod recovery_code;
pub mod secret;
pub mod totp;
