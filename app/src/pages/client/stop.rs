//! The pages that disable a client, and enable it again. Each says first what it affects.

use domain::base::id::AppClientId;
use domain::client::{self, disable};
use domain::credential::keys;
use domain::model::client::{AppClient, ClientImpact, ClientKind};

use crate::prelude::*;

async fn find(visit: &Visit, id: &str) -> Result<(AppClient, ClientImpact), ActionError> {
    let id = AppClientId::parse(id).ok_or(ActionError::NotFound)?;
    let found = client::find(&visit.context, &id).await?.filter(|client| client.removed_at.is_none());
    let impact = disable::impact(&visit.context, &id).await?;
    Ok((found.ok_or(ActionError::NotFound)?, impact))
}

/// What the client has, in numbers.
fn facts(client: &AppClient, impact: &ClientImpact) -> AnyView {
    let until = impact.last_token_ends_at.map(|end| sub(html! { "until "{moment(end)} }));
    html! {
        <dl class="facts">
            <div><dt>"People who gave it access"</dt><dd>{grouped(impact.people)}</dd></div>
            <div><dt>"Live sessions of the app"</dt><dd>{grouped(impact.consents)}</dd></div>
            <div><dt>"Live access tokens"</dt><dd>{grouped(impact.live_tokens)}{until}</dd></div>
            <div><dt>"Last token"</dt><dd>{distance_or(client.last_used_at, "Never")}</dd></div>
        </dl>
    }
}

/// The page that asks before a client is disabled.
pub async fn disable_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (client, impact) = find(&visit, &id).await?;
    let again = (client.kind == ClientKind::Dynamic).then(|| {
        view! { <li>"It registered itself. The same program can register again, as another client, and ask people again."</li> }
    });
    let machine = keys::of_document(&visit.context, visit.authority()?, &client.id).await?.map(|credential| {
        let href = links::credential(&credential.client_id);
        view! { <li>"The credential "<a href=href>{credential.name}</a>" has the same document and keeps working. Disable the credential on its own page."</li> }
    });
    let happens = view! {
        {facts(&client, &impact)}
        <div class="body"><ul class="what">
            <li>"It can no longer ask anybody for access, in a browser or with the code of a device."</li>
            <li>"It gets no tokens: codes and refresh tokens are refused."</li>
            <li>
                "Its access tokens are refused: at once by introspection and the built-in MCP server, within seconds by servers "
                "that read the status list. Servers that check only the signature accept them until they expire."
            </li>
            <li>"The access that people gave stays. When you enable the client, its tokens work again."</li>
            {again}
            {machine}
        </ul></div>
    };
    let page = FormPage::new(format!("Disable {}?", client.name), links::disable_client(&client.id), "Disable client")
        .back(links::client(&client.id), client.name)
        .fields(view! { <section class="panel" aria-label="What happens">{happens}</section> });
    Ok(page.quiet().page(form.errors))
}

/// The page that asks before a client is enabled again.
pub async fn enable_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (client, impact) = find(&visit, &id).await?;
    let words = "It can ask people for access again. What they allowed works again at once, with the same tokens.";
    let happens = view! { {facts(&client, &impact)}<div class="body"><p>{words}</p></div> };
    let page =
        FormPage::new(format!("Enable {} again?", client.name), links::enable_client(&client.id), "Enable client")
            .back(links::client(&client.id), client.name)
            .fields(view! { <section class="panel" aria-label="What happens">{happens}</section> });
    Ok(page.page(form.errors))
}
