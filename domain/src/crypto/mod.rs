//! Keys, signatures and hashes. Nothing here knows a database or a request.
//!
//! | module | what it holds |
//! |---|---|
//! | [`keys`] | the master key, the secrets wrapped under it, signing keys, MAC keys |
//! | [`public_key`] | public keys of clients and issuers, and verification with them |
//! | [`jws`] | the one strict reader of tokens that others sign |
//! | [`secret`], [`imported_secret`] | client secrets, their checksum and stored hash; hashes of other systems |
//! | [`password`], [`recovery_code`], [`totp`] | what people prove themselves with |
//! | [`fair_share`] | a bound of expensive work for each network |

pub mod fair_share;
pub mod imported_secret;
pub mod jws;
pub mod keys;
pub mod password;
pub mod public_key;
pub mod recovery_code;
pub mod secret;
pub mod totp;
