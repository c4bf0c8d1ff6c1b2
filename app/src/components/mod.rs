//! What pages are made of.

pub mod chart;
pub mod field;
pub mod form_page;
pub mod icon;
pub mod layout;
pub mod notice;
pub mod pager;
pub mod passkey;
pub mod post_button;
pub mod proof;
pub mod qr_code;
pub mod reveal;
pub mod sessions;
pub mod snippet;
pub mod status;
pub mod table;
pub mod time;
