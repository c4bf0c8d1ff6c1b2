//! Authentication and permission: who the visitor is and what they may do, before a handler runs.

pub mod confirm;
pub mod cookies;
pub mod enter;
pub mod form_token;
pub mod return_address;
pub mod session_store;
pub mod signed_in;
pub mod start_session;

pub use confirm::{passkey_answer, viewer};
pub use cookies::Cookie;
pub use return_address::{let_form_lead_on, let_sign_in_lead_to, safe_return};
pub use signed_in::SignedIn;
pub use start_session::{Device, enter_as, enter_with};
