//! Editing a client.

use domain::base::id::AppClientId;
use domain::client;
use domain::model::client::AppClient;
use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::links::client_path;
use crate::page::{Frame, Page};
use crate::pages::client::new::{TypedClient, description_fields};
use crate::visit::signed_in;

/// The form that changes a client, with what was typed if it was sent before.
pub async fn form(
    id: String,
    typed: Option<TypedClient>,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(AppClient::is_editable);
    let client = client.ok_or(ActionError::NotFound)?;
    let TypedClient { name, redirect_uris, .. } = typed.unwrap_or_else(|| TypedClient::of(&client));
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = client_path(&id);
    let action = format!("{address}/edit");
    let title = format!("Edit {}", client.name);
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href=address.clone()>{format!("Back to {}", client.name)}</a><h1>{title.clone()}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                {description_fields(name, redirect_uris, &of)}
                <p class="muted">"What people allowed goes on. Answers go to the new addresses only."</p>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Save changes"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}
