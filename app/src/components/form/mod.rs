//! Parts of forms: fields, buttons, the page around a form, and the proof of who sends it.

pub mod button;
pub mod field;
pub mod form_page;
pub mod proof;
