//! People: their accounts, how they sign in and which factors they have.

pub mod account;
pub mod change;
mod held;
pub mod invitation;
pub mod join;
pub mod openid;
pub mod owned;
pub mod passkeys;
pub mod people;
pub mod second_factor;
pub mod setup;
pub mod show;
pub mod sign_in;
