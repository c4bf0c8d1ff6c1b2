//! Authentication and permission: who the visitor is and what they may do, before a handler runs.

pub(crate) mod confirm;
pub(crate) mod cookies;
pub(crate) mod draft;
pub(crate) mod enter;
pub(crate) mod form_token;
pub(crate) mod return_address;
pub(crate) mod session_store;
pub(crate) mod signed_in;
pub(crate) mod start_session;

pub(crate) use confirm::{passkey_answer, viewer};
pub(crate) use cookies::Cookie;
pub(crate) use return_address::{let_form_lead_on, let_sign_in_lead_to, return_in_address, safe_return};
pub(crate) use signed_in::SignedIn;
pub(crate) use start_session::{Device, enter_as, enter_with};
