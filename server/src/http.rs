//! What every request passes, whatever it asks for.

pub mod accept;
pub mod body;
pub mod client_address;
pub mod cors;
pub mod cross_site;
pub mod envelope;
pub mod error;
pub mod failure_limit;
pub mod fields;
pub mod request_id;
