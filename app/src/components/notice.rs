//! Notices: what happened, what needs attention, what is wrong.

use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::done::{Done, On};
use crate::form::Errors;
use crate::html::html;

/// The receipt: what was done, as the address of the page says it. `more` is the end of its text.
#[component]
pub(crate) fn Receipt<'a>(on: On, done: Option<&'a str>, #[prop(default = String::new())] more: String) -> AnyView {
    Done::read(on, done).map(|done| view! { <DoneNotice text=format!("{}{more}", done.receipt())/> }).into_any()
}

/// A line that says what was done.
#[component]
pub(crate) fn DoneNotice(text: String) -> AnyView {
    done_notice(view! { <p>{text}</p> })
}

/// The same with links.
pub(crate) fn done_notice(content: impl IntoAny) -> AnyView {
    html! {
        <div class="notice" data-tone="ok" role="status"><Drawing icon=Icon::Check/><div>{content.into_any()}</div></div>
    }
}

/// The errors of a form, above its fields. The notice takes the focus and links to each field.
#[component]
pub(crate) fn ErrorSummary(errors: Errors) -> AnyView {
    if errors.0.is_empty() {
        return ().into_any();
    }
    let count = errors.0.len();
    let line = |error: FieldError| view! { <li><a href=format!("#{}", error.field)>{error.message}</a></li> };
    let lines = errors.0.into_iter().map(line).collect_view();
    let title = if count == 1 { "There is a problem".to_owned() } else { format!("There are {count} problems") };
    alert(title, view! { <ul>{lines}</ul> })
}

/// An error of the form as a whole, not of one field.
#[component]
pub fn Alert(title: &'static str, text: String) -> AnyView {
    alert(title.to_owned(), view! { <p>{text}</p> })
}

fn alert(title: String, content: impl IntoAny) -> AnyView {
    html! {
        <div class="notice" data-tone="danger" tabindex="-1" role="alert" autofocus=true>
            <Drawing icon=Icon::Warning/>
            <div><h2>{title}</h2>{content.into_any()}</div>
        </div>
    }
}
