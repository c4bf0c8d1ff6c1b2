//! The layers that every request passes.

pub mod accept;
pub mod body;
pub mod client_address;
pub mod cors;
pub mod cross_site;
pub mod error;
pub mod fields;
pub mod middleware;
pub mod rate_limit;
pub mod request_id;
