//! Replacing a client’s secret, and the one page that shows it.

use domain::base::id::AppClientId;
use domain::client;
use domain::model::client::AppClient;
use domain::model::field_error::FieldError;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::links::client_path;
use crate::page::{Frame, Page};
use crate::pages::message::message;
use crate::visit::signed_in;

/// The answer to the form of a confidential client: the only time its secret is shown.
pub fn reveal(client: AppClient, secret: String) -> Page {
    let body = view! {
        <div class="head"><div>
            <h1>"Save your client secret"</h1>
            <p>"For "<b>{client.name}</b>". This is the only time it is shown."</p>
        </div></div>
        <section class="panel body" aria-label="Client ID and secret">
            <div class="field">
                <label for="client-id">"Client ID"</label>
                <input id="client-id" type="text" readonly=true value=client.id.to_string()/>
            </div>
            <div class="field">
                <label for="client-secret">"Client secret"</label>
                <input id="client-secret" type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false" value=secret/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="client-secret">
                        <Drawing icon=Icon::Copy/><span>"Copy client secret"</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask=""><span>"Show client secret"</span></button>
                </div>
            </div>
            <div class="row">
                <a class="button" data-stored="" href=client_path(&client.id)>
                    <Drawing icon=Icon::Check/>"I have stored this secret"
                </a>
            </div>
        </section>
    };
    let mut page = Page::new("Save your client secret", body).framed(Frame::Guarded);
    page.secret = true;
    page
}

/// Asks before a client's secret is replaced.
pub async fn form(id: String, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(AppClient::takes_secret);
    let client = client.ok_or(ActionError::NotFound)?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = client_path(&id);
    let action = format!("{address}/secret");
    let title = "Replace the secret?";
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href=address.clone()>{format!("Back to {}", client.name)}</a><h1>{title}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="What happens">
                <p>
                    "The old secret ends now: until the client has the new one it can neither take up what people allow nor "
                    "refresh its tokens. The access that people gave it stays."
                </p>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of/>
            <div class="row">
                <button class="button" data-kind="primary">"Replace secret"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// The form of a client was sent again.
pub fn already_added(id: &AppClientId) -> Page {
    message(
        409,
        "Already done",
        "This form was sent before, and nothing was made a second time. The client’s secret was shown once and cannot be shown \
         again: if it is lost, replace it on the client’s page.",
        Some((client_path(id), "Open the client")),
    )
}
