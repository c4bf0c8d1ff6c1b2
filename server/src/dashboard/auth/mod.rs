//! Authentication and permission: who the visitor is and what they may do, before a handler runs.

pub mod confirm;
pub mod cookies;
pub mod enter;
pub mod form_token;
pub mod return_address;
pub mod session_store;
pub mod signed_in;
pub mod start_session;
