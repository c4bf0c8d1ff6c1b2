//! People: their accounts, and how they sign in.

pub mod account;
pub mod invitation;
pub mod openid;
pub mod passkeys;
pub mod people;
pub mod second_factor;
pub mod second_step;
pub mod setup;
pub mod sign_in;
