//! Credentials.

pub mod authenticators;
pub mod edit;
pub mod list;
pub mod new;
pub mod renew;
pub mod rotate;
pub mod show;
pub mod stop;
