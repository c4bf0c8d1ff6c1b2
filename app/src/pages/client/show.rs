//! The page of one client.

use domain::base::id::AppClientId;
use domain::client;
use leptos::prelude::*;

use crate::components::layout::FormToken;
use crate::components::notice::Receipt;
use crate::components::status::leaked_chip;
use crate::components::time::{Moment, MomentOr};
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::client::list::kind_words;
use crate::visit::signed_in;

/// Removes a client and ends the consents that it has.
#[server(prefix = "/fn", endpoint = "remove_client")]
pub async fn remove_client(client: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&client).ok_or(ActionError::NotFound)?;
    client::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::ClientsRemoved.at(links::CLIENTS))
}

fn secret_words(hint: &str, ended: bool) -> String {
    match ended {
        false => format!("ends in {hint}"),
        true => {
            format!(
                "ended in {hint}; it was reported as leaked and no longer works: remove this client and add it again"
            )
        }
    }
}

/// The page of one client.
pub async fn page(id: String, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)?;
    let issuer = visit.context.settings.public_url.clone();
    let uris = client.redirect_uris.iter().map(|uri| view! { <div>{uri.as_str().to_owned()}</div> }).collect_view();
    let title = client.name.clone();
    let action = match client.removed_at {
        Some(at) => view! { <p>"Removed "<Moment at/>"."</p> }.into_any(),
        None => view! {
            {client.takes_secret().then(|| view! {
                <section class="panel body" aria-labelledby="replace">
                    <h2 id="replace">"Replace the secret"</h2>
                    <p class="muted">"Use this if the secret leaked or you lost it. The old secret ends at once; consents stay valid."</p>
                    <div class="row"><a class="button" href=links::client_secret(&client.id)>"Replace secret"</a></div>
                </section>
            })}
            <section class="panel body" aria-labelledby="remove">
                <h2 id="remove">"Remove this client"</h2>
                <p class="muted">"It cannot ask anybody any more, and all access that people gave it ends now. This is final."</p>
                <form method="post" action=links::REMOVE_CLIENT>
                    <FormToken/>
                    <input type="hidden" name="client" value=client.id.to_string()/>
                    <div class="row"><button class="button" data-kind="danger">"Remove client"</button></div>
                </form>
            </section>
        }
        .into_any(),
    };
    let kind = kind_words(&client);
    let body = view! {
        <Receipt on=On::Client done/>
        <div class="head">
            <div><a href=links::CLIENTS>"Back to the list"</a><h1>{client.name.clone()}</h1></div>
            {client.is_editable().then(|| view! { <a class="button" href=links::edit_client(&client.id)>"Edit"</a> })}
        </div>
        <dl class="panel facts">
            <div><dt>"Client ID"</dt><dd><code>{client.id.to_string()}</code></dd></div>
            <div><dt>"Kind"</dt><dd>{kind}</dd></div>
            <div><dt>"Redirect URIs"</dt><dd>{uris}</dd></div>
            {client.secret_hint.clone().map(|hint| view! {
                <div><dt>"Secret"</dt><dd>{secret_words(&hint, client.secret_ended)}{leaked_chip(client.leaked_at)}</dd></div>
            })}
            <div><dt>"Issuer"</dt><dd>{issuer}</dd></div>
            <div><dt>"Made"</dt><dd><Moment at=client.created_at/>" by "{client.created_by.clone()}</dd></div>
            <div><dt>"Last token"</dt><dd><MomentOr at=client.last_used_at otherwise="Never"/></dd></div>
        </dl>
        {action}
    };
    Ok(Page::new(title, body))
}
