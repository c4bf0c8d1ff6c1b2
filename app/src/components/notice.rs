//! Notices: what happened, what to mind, what is wrong.

use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};

/// A line that tells something was done.
#[component]
pub fn Done(text: String) -> AnyView {
    view! {
        <div class="notice" data-tone="ok" role="status"><Drawing icon=Icon::Check/><div><p>{text}</p></div></div>
    }
    .into_any()
}

/// What is wrong with a form, at its top: takes the focus, links to each field.
#[component]
pub fn ErrorSummary(errors: Vec<FieldError>) -> AnyView {
    (!errors.is_empty())
        .then(|| {
            let lines = errors
                .into_iter()
                .map(|error| view! { <li><a href=format!("#{}", error.field)>{error.message}</a></li> })
                .collect_view();
            view! {
                <div class="notice" data-tone="danger" tabindex="-1" role="alert" autofocus=true>
                    <Drawing icon=Icon::Warning/>
                    <div><h2>"Some things need your attention"</h2><ul>{lines}</ul></div>
                </div>
            }
        })
        .into_any()
}

/// One thing that is wrong with a form as a whole.
#[component]
pub fn Alert(title: &'static str, text: String) -> AnyView {
    view! {
        <div class="notice" data-tone="danger" tabindex="-1" role="alert" autofocus=true>
            <Drawing icon=Icon::Warning/>
            <div><h2>{title}</h2><p>{text}</p></div>
        </div>
    }
    .into_any()
}
