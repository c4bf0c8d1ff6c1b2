//! The page of one client.

use domain::base::id::AppClientId;
use domain::client;

use crate::pages::client::list::kind_words;
use crate::prelude::*;

/// Removes a client and ends the consents that it has.
#[server(prefix = "/fn", endpoint = "remove_client")]
pub(crate) async fn remove_client(client: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&client).ok_or(ActionError::NotFound)?;
    client::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::ClientsRemoved.at(links::CLIENTS))
}

fn secret_words(hint: &str, ended: bool) -> String {
    match ended {
        false => format!("ends in {hint}"),
        true => format!(
            "ended in {hint}; it was reported as leaked and no longer works: remove this client and add it again"
        ),
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
    let replace = || {
        let words = "Use this if the secret leaked or you lost it. The old secret ends at once; consents stay valid.";
        let link = button_link(links::client_secret(&client.id), "Replace secret");
        body_panel("replace", "Replace the secret", view! { <p class="muted">{words}</p><div class="row">{link}</div> })
    };
    let remove = || {
        let content = view! {
            <p class="muted">"It cannot ask anybody any more, and all access that people gave it ends now. This is final."</p>
            <form method="post" action=links::REMOVE_CLIENT>
                <FormToken/>{hidden("client", client.id.to_string())}
                <div class="row"><button class="button" data-kind="danger">"Remove client"</button></div>
            </form>
        };
        body_panel("remove", "Remove this client", content)
    };
    let action = match client.removed_at {
        Some(at) => html! { <p>"Removed "{distance(at)}"."</p> },
        None => html! { {client.takes_secret().then(replace)}{remove()} },
    };
    let edit = client.is_editable().then(|| button_link(links::edit_client(&client.id), "Edit"));
    let body = view! {
        <Receipt on=On::Client done/>
        {head((links::CLIENTS, "Back to the list"), client.name.clone(), (), edit)}
        <dl class="panel facts">
            <div><dt>"Client ID"</dt><dd><code>{client.id.to_string()}</code></dd></div>
            <div><dt>"Kind"</dt><dd>{kind_words(&client)}</dd></div>
            <div><dt>"Redirect URIs"</dt><dd>{uris}</dd></div>
            {client.secret_hint.as_ref().map(|hint| view! {
                <div><dt>"Secret"</dt><dd>{secret_words(hint, client.secret_ended)}{leaked_chip(client.leaked_at)}</dd></div>
            })}
            <div><dt>"Issuer"</dt><dd>{issuer}</dd></div>
            <div><dt>"Made"</dt><dd>{distance(client.created_at)}" by "{client.created_by.clone()}</dd></div>
            <div><dt>"Last token"</dt><dd>{distance_or(client.last_used_at, "Never")}</dd></div>
        </dl>
        {action}
    };
    Ok(Page::new(title, body))
}
