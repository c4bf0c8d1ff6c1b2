//! Adding a client.

use domain::client::ClientDraft;
use domain::model::client::AppClient;
use domain::model::field_error::FieldError;
use domain::model::redirect_uri::RedirectUri;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, Select, TextArea, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::visit::signed_in;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedClient {
    /// Name.
    pub name: String,
    /// One redirect URI a line.
    pub redirect_uris: String,
    /// `public` or `confidential`.
    pub kind: String,
}

impl TypedClient {
    /// What a client has now.
    pub(super) fn of(client: &AppClient) -> Self {
        let uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
        Self { name: client.name.clone(), redirect_uris: uris.join("\n"), kind: String::new() }
    }

    /// What the rules understand.
    pub fn draft(&self) -> ClientDraft {
        ClientDraft {
            name: self.name.clone(),
            redirect_uris: self.redirect_uris.lines().map(str::to_owned).collect(),
            confidential: self.kind == "confidential",
        }
    }
}

/// The form with what was typed and what is wrong with it.
pub async fn form(typed: TypedClient, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let kinds = [
        ("public", "Public: runs on people’s computers, has no secret"),
        ("confidential", "Confidential: runs on a server, keeps a secret"),
    ];
    let options = kinds.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let chosen = if typed.kind.is_empty() { "public".to_owned() } else { typed.kind };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/apps/clients">"Back to the list"</a><h1>"New client"</h1></div></div>
        <form method="post" action="/apps/clients/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                {description_fields(typed.name, typed.redirect_uris, &of)}
                <Select id="kind" label="Kind" options chosen
                    hint="People who allowed a confidential client once are not asked again."/>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Add client"</button>
                <a class="button" data-kind="quiet" href="/apps/clients">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New client", body).framed(Frame::Narrow).answering(status))
}

/// The fields that describe a client.
pub(super) fn description_fields(name: String, redirect_uris: String, of: &Errors) -> AnyView {
    view! {
        <TextField id="name" label="Name" value=name required=true error=of.at("name")
            hint="People see it when the client asks them."/>
        <TextArea id="redirect_uris" label="Redirect URIs" value=redirect_uris error=of.at("redirect_uris")
            placeholder="https://app.example.com/oauth/callback"
            hint="One a line. On localhost and 127.0.0.1 any port is allowed."/>
    }
    .into_any()
}
