//! The form that makes a team.

use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::field::{Errors, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::visit::signed_in;

/// The form that makes a team.
pub async fn page(name: String, errors: Vec<FieldError>) -> Result<Page, ActionError> {
    signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/teams">"Back to the list"</a><h1>"New team"</h1></div></div>
        <form method="post" action="/teams/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                <TextField id="name" label="Name" value=name required=true error=of.at("name")/>
            </section>
            <div class="row">
                <button class="button" data-kind="primary">"Create team"</button>
                <a class="button" data-kind="quiet" href="/teams">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New team", body).framed(Frame::Narrow).answering(status))
}
