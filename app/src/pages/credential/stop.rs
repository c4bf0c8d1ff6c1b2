//! Disabling and revoking: the facts first, then the button. Disabling can be undone, revoking cannot. Words, colours
//! and pages differ, so that people do not confuse the two.

use domain::base::id::ClientId;
use domain::credential::inspect;
use domain::credential::several::{self, Step};
use domain::credential::{self, disable, revoke};
use domain::model::credential::{Credential, Impact};

use crate::components::form::field::ProofFields;
use crate::pages::credential::list::receipt;
use crate::pages::credential::usage::impact_facts;
use crate::pages::credential::{find, read_ids};
use crate::prelude::*;

/// Enables a disabled credential.
#[server(prefix = "/fn", endpoint = "enable_credential")]
pub(crate) async fn enable_credential(client_id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    credential::disable::enable(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::CredentialEnabled.at(links::credential(&id)))
}

/// Disables a credential. This can be undone.
#[server(prefix = "/fn", endpoint = "disable_credential")]
pub(crate) async fn disable_credential(client_id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    disable::disable(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::CredentialDisabled.at(links::credential(&id)))
}

/// Revokes one or several credentials (client IDs separated by spaces). This cannot be undone. With the number of an
/// incident, its page shows what the leak is now.
#[server(prefix = "/fn", endpoint = "revoke_credentials")]
pub(crate) async fn revoke_credentials(
    client_ids: String,
    reason: String,
    #[server(default)] incident: Option<i64>,
) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let ids = read_ids(client_ids.split(' '))?;
    let (context, actor) = (&visit.context, visit.actor()?);
    if let Some(number) = incident {
        revoke::revoke_all(context, &actor, &ids, &reason).await?;
        return Ok(Done::IncidentStopped.at(links::incident(number)));
    }
    if let [id] = ids.as_slice() {
        revoke::revoke(context, &actor, id, &reason).await?;
        return Ok(Done::CredentialRevoked.at(links::credential(id)));
    }
    let step = Step::Revoke(reason);
    Ok(receipt::address(&step, &several::apply(context, &actor, &ids, &step).await?, ""))
}

/// The page that asks before a credential is disabled.
pub async fn disable_page(client_id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let impact = inspect::impact(&visit.context, &credential).await?;
    let facts = impact_facts(&impact, "Tokens that are refused while disabled");
    let lead = "You can enable it again at any time, with the same secret.";
    let words = view! {
        <p>"Exchanges and live tokens are refused until somebody enables the credential. Settings and secrets stay."</p>
        <div class="row"><button class="button">"Disable credential"</button>{cancel(&credential)}</div>
    };
    let form = post_form(links::DISABLE_CREDENTIAL, "body", view! { {hidden("client_id", client_id)}{words} });
    Ok(question(credential, "Disable", lead, view! { {facts}{form} }))
}

/// The page that asks before a disabled credential is enabled. The row menu leads here.
pub async fn enable_page(client_id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let button = view! {
        {visit.asks_now().then(|| view! { <ProofFields errors=Errors::default()/> })}
        <div class="row"><button class="button" data-kind="primary">"Enable credential"</button>{cancel(&credential)}</div>
    };
    let form = post_form(links::ENABLE_CREDENTIAL, "body", view! { {hidden("client_id", client_id)}{button} });
    Ok(question(credential, "Enable", "Exchanges with its secrets are accepted again at once.", form))
}

fn cancel(credential: &Credential) -> AnyView {
    html! { <a class="button" data-kind="quiet" href=links::credential(&credential.client_id)>"Cancel"</a> }
}

fn question(credential: Credential, verb: &'static str, lead: &'static str, content: impl IntoAny) -> Page {
    let Credential { client_id, name, .. } = credential;
    let back = (links::credential(&client_id), name.clone());
    let body = view! {
        {head(back, format!("{verb} {name}?"), lead, ())}
        <section class="panel" aria-label="What happens">{content.into_any()}</section>
    };
    Page::new(format!("{verb} {name}"), body).framed(Frame::Narrow)
}

/// What the page of a revocation says about live tokens.
pub(crate) const WHO_REFUSES: &str = "The built-in MCP server refuses the live tokens at once, servers that read the \
    status list within seconds. Servers that check only the signature accept them until they expire.";

/// The page that asks before a credential is revoked.
pub async fn revoke_page(client_id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let impact = inspect::impact(&visit.context, &credential).await?;
    let address = links::credential(&credential.client_id);
    let from = credential.last_used_from.map(|address| format!(" from {address}"));
    let last_use = match credential.last_used_at {
        Some(at) => html! { "Last used "{distance(at)}{from}"." },
        None => "Never used.".into_any(),
    };
    let disable = links::disable_credential(&credential.client_id);
    let fields = view! {
        {hidden("client_ids", client_id)}
        <p>{last_use}</p>
        <p>
            "Every secret of this credential stops working. You can "<a href=disable>"disable it instead"</a>" and enable it later."
        </p>
        <p class="muted">{WHO_REFUSES}</p>
        <TextField id="reason" label="Reason" hint="Optional. Stays in the audit log."/>
        <div class="row">
            <button class="button" data-kind="danger">"Revoke credential"</button>
            <a class="button" data-kind="quiet" href=address.clone()>"Cancel"</a>
        </div>
    };
    let body = view! {
        {head((address, credential.name.clone()), format!("Revoke {}?", credential.name), (), ())}
        <section class="panel" data-tone="danger" aria-labelledby="final">
            <header><h2 id="final" class="row"><Drawing icon=Icon::Warning/>"This cannot be undone."</h2></header>
            {impact_facts(&impact, "Live tokens that end")}
            {post_form(links::REVOKE_CREDENTIALS_NOW, "body", fields)}
        </section>
    };
    Ok(Page::new(format!("Revoke {}", credential.name), body).framed(Frame::Narrow))
}

/// The credentials, and the sum of what depends on them.
pub(crate) async fn read(visit: &Visit, ids: &[ClientId]) -> Result<(Vec<Credential>, Impact), ActionError> {
    let mut credentials = Vec::with_capacity(ids.len());
    let mut sum = Impact::default();
    for id in ids {
        let credential = find(visit, id.as_str()).await?;
        let impact = inspect::impact(&visit.context, &credential).await?;
        sum.exchanges += impact.exchanges;
        sum.addresses += impact.addresses;
        sum.live_tokens += impact.live_tokens;
        sum.last_token_ends_at = sum.last_token_ends_at.max(impact.last_token_ends_at);
        credentials.push(credential);
    }
    Ok((credentials, sum))
}
