//! People: their accounts, how they sign in and which factors they have.

pub mod account;
pub mod invitation;
pub mod openid;
pub mod owned;
pub mod passkeys;
pub mod people;
pub mod second_factor;
pub mod second_step;
pub mod setup;
pub mod sign_in;
