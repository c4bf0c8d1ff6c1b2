//! Keys and identities of a credential: their tables, the pages that add them, the actions that remove them.
//!
//! Handlers of the server answer the forms that add, because these handlers ask for the password again when that is
//! due.

use domain::base::clock::Timestamp;
use domain::base::id::{ClientId, FederatedIdentityId, KeyId};
use domain::credential::federated;
use domain::credential::keys;
use domain::model::credential::AuthenticatorEnd;
use domain::model::credential::federated::{FederatedDraft, FederatedIdentity};
use domain::model::credential::key::{ClientKey, KeysDraft};

use crate::components::form::proof::{IdentityFields, TypedIdentity, TypedKeys};
use crate::pages::credential::fields::key_with_expiry;
use crate::pages::credential::find;
use crate::prelude::*;

/// Removes a key.
#[server(prefix = "/fn", endpoint = "remove_key")]
pub(crate) async fn remove_key(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let client_id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    let id = KeyId::parse(&id).ok_or(ActionError::NotFound)?;
    keys::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialRemoved.at(links::credential(&client_id)))
}

/// Removes an identity.
#[server(prefix = "/fn", endpoint = "remove_identity")]
pub(crate) async fn remove_identity(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let client_id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
    let id = FederatedIdentityId::parse(&id).ok_or(ActionError::NotFound)?;
    federated::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialRemoved.at(links::credential(&client_id)))
}

/// Converts the typed keys to the input of the domain rules.
pub fn keys_draft(typed: &TypedKeys) -> KeysDraft {
    KeysDraft { text: typed.public_key.clone(), label: typed.label.clone(), algorithm: None }
}

/// Converts the typed identity to the input of the domain rules.
pub fn identity_draft(typed: &TypedIdentity) -> FederatedDraft {
    FederatedDraft {
        issuer: typed.issuer.clone(),
        subject: typed.subject.clone(),
        audience: typed.audience.clone(),
        claims: typed.conditions(),
        jwks: typed.jwks.clone(),
    }
}

/// The page that adds a key, with the typed values and the errors.
pub async fn new_key(client_id: String, form: Form<TypedKeys>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let page = FormPage::new("Add a key", links::new_key(&client_id), "Add key");
    added(&client_id, page.panel("Add a key", key_with_expiry(typed, &errors)), errors).await
}

/// The page that adds an identity.
pub async fn new_identity(client_id: String, form: Form<TypedIdentity>) -> Result<Page, ActionError> {
    let Form { typed, errors, .. } = form;
    let action = links::new_identity(&client_id);
    let example = format!("{action}?example=");
    let fields = view! { <IdentityFields typed errors=errors.clone() example/> };
    let page = FormPage::new("Add an identity", action, "Add identity").panel("Add an identity", fields);
    added(&client_id, page, errors).await
}

async fn added(client_id: &str, page: FormPage, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, client_id).await?;
    let page = page.back(links::credential(client_id), format!("Back to {}", credential.name));
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// A button that removes something after the person confirms it with a second click.
fn remove_button(action: &'static str, client_id: &str, id: String, what: &str) -> AnyView {
    html! {
        <details class="menu">
            <summary class="button" data-size="small">"Remove"<span class="vh">{format!(" {what}")}</span></summary>
            {post_button(action, [("client_id", client_id.to_owned()), ("id", id)], Some("danger"), true, "Remove now")}
        </details>
    }
}

fn state(end: AuthenticatorEnd, now: Timestamp, used: bool) -> AnyView {
    let (word, tone) = match (end.is_live(now), used) {
        _ if end.revoked => ("Removed", "danger"),
        (false, _) => ("Over", "danger"),
        _ if end.retires_at.is_some() => ("Retiring", "warn"),
        (_, true) => ("Current", "ok"),
        _ => ("Unused", "idle"),
    };
    chip(word, tone)
}

/// The keys of a credential.
pub(crate) fn keys_panel(keys: Vec<ClientKey>, client_id: &str, changeable: bool, now: Timestamp) -> AnyView {
    let rows = keys.into_iter().map(|key| {
        let end = key.end();
        let remove = (changeable && !end.revoked)
            .then(|| remove_button(links::REMOVE_KEY, client_id, key.id.to_string(), &key.label));
        let print: String = key.key.thumbprint().chars().take(12).collect();
        cells![
            html! { {key.label}<div class="sub"><code>{format!("{print}…")}</code></div> },
            html! { {key.key.algorithm().as_str()}{sub(key.key.kind())} },
            distance(key.created_at),
            last_use(key.last_used_at, key.last_used_from),
            distance_or(end.moment(), "Never"),
            state(end, now, key.last_used_at.is_some()),
            remove,
        ]
    });
    let add = changeable.then(|| small_link(links::new_key(client_id), "Add a key"));
    panel("keys", "Public keys", add, table(["Key", "Algorithm", "Added", "Last used", "Ends", "State", ""], rows))
}

/// The identities that stand for a credential.
pub(crate) fn identities_panel(
    identities: Vec<FederatedIdentity>,
    client_id: &str,
    changeable: bool,
    shared: bool,
    now: Timestamp,
) -> AnyView {
    let rows = identities.into_iter().map(|identity| {
        let end = AuthenticatorEnd { revoked: identity.revoked_at.is_some(), ..AuthenticatorEnd::default() };
        let remove = (changeable && !end.revoked)
            .then(|| remove_button(links::REMOVE_IDENTITY, client_id, identity.id.to_string(), &identity.subject));
        let conditions: Vec<String> = identity.claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let conditions = if conditions.is_empty() { "None".to_owned() } else { conditions.join(", ") };
        cells![
            html! { {identity.subject}{sub(identity.issuer)} },
            html! { {conditions}{sub(format!("aud={}", identity.audience))} },
            if identity.jwks.is_some() { "Pasted" } else { "Fetched" },
            last_use(identity.last_used_at, identity.last_used_from),
            state(end, now, identity.last_used_at.is_some()),
            remove,
        ]
    });
    let rows = table(["Subject and issuer", "Conditions", "Keys", "Last used", "State", ""], rows);
    let note = "Another credential has the same issuer and subject: programs must send the client ID.";
    let add = changeable.then(|| small_link(links::new_identity(client_id), "Add an identity"));
    panel("identities", "Federated identities", add, view! { {shared.then(|| empty(note))}{rows} })
}
