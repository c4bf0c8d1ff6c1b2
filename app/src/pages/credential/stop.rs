//! Disabling and revoking: the facts first, then the button. Disabling can be undone, revoking cannot. Words, colours
//! and pages differ, so that people do not confuse the two.

use domain::base::id::ClientId;
use domain::credential::inspect;
use domain::credential::{self, disable, revoke};
use domain::model::credential::{Credential, Impact};
use leptos::prelude::*;

use crate::components::chart::counted;
use crate::components::form::field::TextField;
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::time::MomentOr;
use crate::done::Done;
use crate::error::ActionError;
use crate::links;
use crate::page::{Frame, Page};
use crate::pages::credential::find;
use crate::pages::credential::usage::impact_facts;
use crate::visit::{Visit, signed_in};

/// Enables a disabled credential.
#[server(prefix = "/fn", endpoint = "enable_credential")]
pub async fn enable_credential(client_id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    credential::disable::enable(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::CredentialEnabled.at(links::credential(&id)))
}

/// Maximum number of credentials in one form.
pub const MOST_AT_ONCE: usize = 50;

/// Disables a credential. This can be undone.
#[server(prefix = "/fn", endpoint = "disable_credential")]
pub async fn disable_credential(client_id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    disable::disable(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::CredentialDisabled.at(links::credential(&id)))
}

/// Revokes one or several credentials (client IDs separated by spaces). This cannot be undone.
#[server(prefix = "/fn", endpoint = "revoke_credentials")]
pub async fn revoke_credentials(client_ids: String, reason: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let ids = read_ids(client_ids.split(' '))?;
    revoke::revoke_all(&visit.context, &visit.actor()?, &ids, &reason).await?;
    Ok(match ids.as_slice() {
        [id] => Done::CredentialRevoked.at(links::credential(id)),
        _ => links::credentials_with_status("revoked"),
    })
}

/// Reads client IDs, up to the maximum of one form.
pub fn read_ids<'id>(ids: impl Iterator<Item = &'id str>) -> Result<Vec<ClientId>, ActionError> {
    let ids: Vec<ClientId> = ids.map(ClientId::parse).collect::<Option<_>>().ok_or(ActionError::NotFound)?;
    if ids.len() > MOST_AT_ONCE {
        return Err(ActionError::Invalid(format!("Select at most {MOST_AT_ONCE} credentials.")));
    }
    Ok(ids)
}

/// The page that asks before a credential is disabled.
pub async fn disable_page(client_id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let impact = inspect::impact(&visit.context, &credential).await?;
    let address = links::credential(&client_id);
    let body = view! {
        <div class="head">
            <div>
                <a href=address.clone()>{format!("Back to {}", credential.name)}</a>
                <h1>{format!("Disable {}?", credential.name)}</h1>
                <p>"You can enable it again at any time, with the same secret."</p>
            </div>
        </div>
        <section class="panel" aria-label="What happens">
            {impact_facts(&impact)}
            <form method="post" action=links::DISABLE_CREDENTIAL class="body">
                <FormToken/>
                <input type="hidden" name="client_id" value=client_id/>
                <p>"From now on exchanges are refused, and the built-in MCP server refuses its live tokens. Settings and secrets are kept."</p>
                <div class="row">
                    <button class="button" data-kind="primary">"Disable credential"</button>
                    <a class="button" data-kind="quiet" href=address>"Cancel"</a>
                </div>
            </form>
        </section>
    };
    Ok(Page::new(format!("Disable {}", credential.name), body).framed(Frame::Narrow))
}

/// The page that asks before a disabled credential is enabled. The row menu leads here.
pub async fn enable_page(client_id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let address = links::credential(&client_id);
    let body = view! {
        <div class="head">
            <div>
                <a href=address.clone()>{format!("Back to {}", credential.name)}</a>
                <h1>{format!("Enable {}?", credential.name)}</h1>
                <p>"Its secrets work again at once."</p>
            </div>
        </div>
        <section class="panel" aria-label="What happens">
            <form method="post" action=links::ENABLE_CREDENTIAL class="body">
                <FormToken/>
                <input type="hidden" name="client_id" value=client_id/>
                <div class="row">
                    <button class="button" data-kind="primary">"Enable credential"</button>
                    <a class="button" data-kind="quiet" href=address>"Cancel"</a>
                </div>
            </form>
        </section>
    };
    Ok(Page::new(format!("Enable {}", credential.name), body).framed(Frame::Narrow))
}

/// The page that asks before one credential, or the ticked credentials of the list, are revoked.
pub async fn revoke_page(client_ids: Vec<String>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    if client_ids.is_empty() {
        return Err(ActionError::Invalid(
            "Nothing is selected. Tick the credentials to revoke, then try again.".to_owned(),
        ));
    }
    let ids = read_ids(client_ids.iter().map(String::as_str))?;
    let (credentials, impact) = read(&visit, &ids).await?;
    let joined = client_ids.join(" ");
    let (title, back, address, disable) = match credentials.as_slice() {
        [one] => {
            let address = links::credential(&one.client_id);
            (
                one.name.clone(),
                format!("Back to {}", one.name),
                address.clone(),
                Some(links::disable_credential(&one.client_id)),
            )
        }
        many => {
            (format!("{} credentials", many.len()), "Back to the list".to_owned(), links::CREDENTIALS.to_owned(), None)
        }
    };
    let last_used = credentials.iter().filter_map(|credential| credential.last_used_at).max();
    let from = match credentials.as_slice() {
        [one] => one.last_used_from.map(|address| format!(" from {address}")),
        _ => None,
    };
    let names = (credentials.len() > 1).then(|| {
        let names = credentials.iter().map(|credential| view! { <li>{credential.name.clone()}</li> }).collect_view();
        view! { <ul>{names}</ul> }
    });
    let sentence = format!(
        "Used {} in the last 24 hours from {}; {} {} now. Every secret of {} stops working.",
        counted(impact.exchanges, "time", "times"),
        counted(impact.addresses, "address", "addresses"),
        counted(impact.live_tokens, "live token", "live tokens"),
        if impact.live_tokens == 1 { "ends" } else { "end" },
        if credentials.len() == 1 { "this credential" } else { "these credentials" },
    );
    let body = view! {
        <div class="head">
            <div><a href=address.clone()>{back}</a><h1>{format!("Revoke {title}?")}</h1></div>
        </div>
        <section class="panel" data-tone="danger" aria-labelledby="final">
            <header><h2 id="final" class="row"><Drawing icon=Icon::Warning/>"Final. There is no way back."</h2></header>
            <dl class="facts">
                <div><dt>"Used in the last 24 hours"</dt><dd>{counted(impact.exchanges, "time", "times")}</dd></div>
                <div><dt>"From"</dt><dd>{counted(impact.addresses, "address", "addresses")}</dd></div>
                <div><dt>"Live tokens that end now"</dt><dd>{impact.live_tokens}</dd></div>
                <div><dt>"Last used"</dt><dd><MomentOr at=last_used otherwise="Never"/><span class="muted">{from}</span></dd></div>
            </dl>
            <form method="post" action=links::REVOKE_CREDENTIALS_NOW class="body">
                <FormToken/>
                <input type="hidden" name="client_ids" value=joined/>
                <p>
                    {sentence}
                    {disable.map(|href| view! { " To pause it instead, "<a href=href>"stop it for now"</a>"." })}
                </p>
                {names}
                <p class="muted">
                    "The built-in MCP server refuses the live tokens at once, a server that reads the status list within seconds. "
                    "One that only checks signatures accepts them until they end, within an hour at the latest."
                </p>
                <TextField id="reason" label="Reason" hint="Optional. Kept in the audit log."/>
                <div class="row">
                    <button class="button" data-kind="danger">
                        {if credentials.len() == 1 { "Revoke credential" } else { "Revoke credentials" }}
                    </button>
                    <a class="button" data-kind="quiet" href=address>"Keep it"</a>
                </div>
            </form>
        </section>
    };
    Ok(Page::new(format!("Revoke {title}"), body).framed(Frame::Narrow))
}

/// The credentials, and the sum of what depends on them.
async fn read(visit: &Visit, ids: &[ClientId]) -> Result<(Vec<Credential>, Impact), ActionError> {
    let mut credentials = Vec::with_capacity(ids.len());
    let mut sum = Impact::default();
    for id in ids {
        let credential = inspect::find(&visit.context, visit.authority()?, id).await?.ok_or(ActionError::NotFound)?;
        let impact = inspect::impact(&visit.context, &credential).await?;
        sum.exchanges += impact.exchanges;
        sum.addresses += impact.addresses;
        sum.live_tokens += impact.live_tokens;
        sum.last_token_ends_at = sum.last_token_ends_at.max(impact.last_token_ends_at);
        credentials.push(credential);
    }
    Ok((credentials, sum))
}
