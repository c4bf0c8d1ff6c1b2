//! What everything else is made of: time, randomness, identifiers, text, encodings. Knows no rule of the product.

pub mod clock;
pub mod cursor;
pub mod digest;
pub mod encoding;
pub mod form_body;
pub mod id;
pub mod network;
pub mod random;
pub mod stale_cache;
pub mod strict_json;
pub mod text;
pub(crate) mod word_enum;
