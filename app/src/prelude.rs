//! Names that most pages import: the parts of a page, links, and the visitor.

pub(crate) use leptos::prelude::*;

pub(crate) use crate::components::form::button::{PasskeyButton, ask, asking_button, one_of_many, post_button};
pub(crate) use crate::components::form::field::{
    ConfirmPassword, Select, TextArea, TextField, choice, choices, options, options_after,
};
pub(crate) use crate::components::form::form_page::FormPage;
pub(crate) use crate::components::icon::{Drawing, Icon};
pub(crate) use crate::components::layout::FormToken;
pub(crate) use crate::components::notice::{Alert, DoneNotice, ErrorSummary, Receipt, done_notice};
pub(crate) use crate::components::parts::{
    address, body_panel, button_link, chip, copy_button, danger_panel, empty, head, hidden, muted, notice, panel,
    post_form, primary_link, small_link, sub, submit,
};
pub(crate) use crate::components::reveal::{Reveal, one_time_link, shown_once};
pub(crate) use crate::components::snippet::Texts;
pub(crate) use crate::components::status::{credential_status, disabled_chip, leaked_chip, scope_tags, status_chip};
pub(crate) use crate::components::table::{Column, cells, last_use, table};
pub(crate) use crate::components::time::{distance, distance_or, duration, moment};
pub(crate) use crate::done::{Done, On};
pub(crate) use crate::error::ActionError;
pub(crate) use crate::form::{Errors, Form};
pub(crate) use crate::html::html;
pub(crate) use crate::links;
pub(crate) use crate::number::{counted, grouped};
pub(crate) use crate::page::{Frame, Page};
pub(crate) use crate::visit::{Visit, signed_in};
