//! Components that pages are built from.

pub mod chart;
pub mod form;
pub mod icon;
pub mod layout;
pub mod notice;
pub mod pager;
pub mod parts;
pub mod qr_code;
pub mod reveal;
pub mod sessions;
pub mod snippet;
pub mod status;
pub mod table;
pub mod time;
