//! Basic types that all modules use. Nothing here is a rule of the product.
//!
//! | module | what it holds |
//! |---|---|
//! | [`clock`], [`random`] | time and randomness as parameters |
//! | [`id`] | typed identifiers |
//! | [`digest`], [`encoding`], [`text`] | SHA-256, base32 and base62, texts that are safe to show |
//! | [`confusable`] | names that look alike |
//! | [`form_body`], [`strict_json`] | strict readers of request bodies |
//! | [`cursor`], [`stale_cache`] | pages of lists, and counts that may be some seconds old |
//! | [`network`] | the network of an address |

pub mod clock;
pub(crate) mod confusable;
pub mod cursor;
pub mod digest;
pub mod encoding;
pub mod form_body;
pub mod id;
pub mod network;
pub mod private_file;
pub mod random;
pub mod stale_cache;
pub mod strict_json;
pub mod text;
pub(crate) mod word_enum;
