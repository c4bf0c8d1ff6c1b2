//! Teams.

pub mod invite;
pub mod list;
pub mod member;
pub mod new;
pub mod show;
