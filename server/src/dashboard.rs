//! The dashboard's side of HTTP: who is signed in, which forms are believed, pages, and the forms that validate or
//! reveal.

pub mod account;
pub mod apps;
pub mod assets;
pub mod audit_export;
pub mod confirm;
pub mod cookies;
pub mod credentials;
pub mod enter;
pub mod form_token;
pub mod invitation;
pub mod leaks;
pub mod openid;
pub mod pages;
pub mod passkeys;
pub mod people;
pub mod personal_tokens;
pub mod second_factor;
pub mod second_step;
pub mod server_functions;
pub mod servers;
pub mod session_store;
pub mod settings;
pub mod sign_in;
pub mod signed_in;
pub mod teams;
pub mod webhooks;
