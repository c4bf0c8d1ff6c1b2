//! People: their accounts, and how they sign in.

pub(crate) mod account;
pub(crate) mod invitation;
pub(crate) mod openid;
pub(crate) mod passkeys;
pub(crate) mod password_link;
pub(crate) mod people;
pub(crate) mod second_factor;
pub(crate) mod second_step;
pub(crate) mod setup;
pub(crate) mod sign_in;
