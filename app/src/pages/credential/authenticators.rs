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
use leptos::prelude::*;

use crate::components::form::form_page::FormPage;
use crate::components::form::post_button::post_button;
use crate::components::form::proof::{IdentityFields, KeyFields, TypedIdentity, TypedKeys};
use crate::components::table::{table, used_from};
use crate::components::time::{Moment, MomentOr};
use crate::done::Done;
use crate::error::ActionError;
use crate::form::{Errors, Form};
use crate::links;
use crate::page::Page;
use crate::pages::credential::fields::ExpiryChoice;
use crate::pages::credential::find;
use crate::visit::signed_in;

/// Removes a key.
#[server(prefix = "/fn", endpoint = "remove_key")]
pub async fn remove_key(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let (client_id, id) = (ClientId::parse(&client_id), KeyId::parse(&id));
    let (Some(client_id), Some(id)) = (client_id, id) else { return Err(ActionError::NotFound) };
    keys::remove(&visit.context, &visit.actor()?, &client_id, &id).await?;
    Ok(Done::CredentialRemoved.at(links::credential(&client_id)))
}

/// Removes an identity.
#[server(prefix = "/fn", endpoint = "remove_identity")]
pub async fn remove_identity(client_id: String, id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let (client_id, id) = (ClientId::parse(&client_id), FederatedIdentityId::parse(&id));
    let (Some(client_id), Some(id)) = (client_id, id) else { return Err(ActionError::NotFound) };
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
    let (chosen, day) = (typed.expiry.clone(), typed.expires_on.clone());
    let fields = view! {
        <KeyFields typed errors=errors.clone()/>
        <ExpiryChoice chosen day error=errors.at("expiry") day_error=errors.at("expires_on")/>
    };
    let action = links::new_key(&client_id);
    added(&client_id, FormPage::new("Add a key", action, "Add key").panel("Add a key", fields), errors).await
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
fn remove_button(action: &'static str, client_id: String, id: String, what: String) -> AnyView {
    view! {
        <details class="menu">
            <summary class="button" data-size="small">"Remove"<span class="vh">{format!(" {what}")}</span></summary>
            {post_button(action, [("client_id", client_id), ("id", id)], Some("danger"), true, "Remove now")}
        </details>
    }
    .into_any()
}

fn state(end: AuthenticatorEnd, now: Timestamp, used: bool) -> AnyView {
    let (word, tone) = match (end.is_live(now), used) {
        _ if end.revoked => ("Removed", "danger"),
        (false, _) => ("Over", "danger"),
        _ if end.retires_at.is_some() => ("Retiring", "warn"),
        (_, true) => ("Current", "ok"),
        _ => ("Unused", "idle"),
    };
    view! { <span class="chip" data-tone=tone>{word}</span> }.into_any()
}

/// The keys of a credential.
#[component]
pub fn Keys(keys: Vec<ClientKey>, client_id: String, changeable: bool, now: Timestamp) -> AnyView {
    let add = changeable.then(|| {
        view! { <a class="button" data-size="small" href=links::new_key(&client_id)>"Add a key"</a> }
    });
    let rows = keys
        .into_iter()
        .map(|key| {
            let end = key.end();
            let remove = (changeable && !end.revoked)
                .then(|| remove_button(links::REMOVE_KEY, client_id.clone(), key.id.to_string(), key.label.clone()));
            let from = used_from(key.last_used_from);
            let print: String = key.key.thumbprint().chars().take(12).collect();
            view! {
                <tr>
                    <th scope="row">{key.label}<div class="sub"><code>{format!("{print}…")}</code></div></th>
                    <td data-label="Algorithm">{key.key.algorithm().as_str()}<div class="sub">{key.key.kind()}</div></td>
                    <td data-label="Added"><Moment at=key.created_at/></td>
                    <td data-label="Last used"><MomentOr at=key.last_used_at otherwise="Never"/>{from}</td>
                    <td data-label="Ends"><MomentOr at=end.moment() otherwise="Never"/></td>
                    <td data-label="State">{state(end, now, key.last_used_at.is_some())}</td>
                    <td class="corner">{remove}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="keys">
            <header><h2 id="keys">"Public keys"</h2>{add}</header>
            {table(["Key", "Algorithm", "Added", "Last used", "Ends", "State", ""], rows)}
        </section>
    }
    .into_any()
}

/// The identities that stand for a credential.
#[component]
pub fn Identities(
    identities: Vec<FederatedIdentity>,
    client_id: String,
    changeable: bool,
    shared: bool,
    now: Timestamp,
) -> AnyView {
    let add = changeable.then(|| {
        let href = links::new_identity(&client_id);
        view! { <a class="button" data-size="small" href=href>"Add an identity"</a> }
    });
    let rows = identities
        .into_iter()
        .map(|identity| {
            let end = AuthenticatorEnd { revoked: identity.revoked_at.is_some(), ..AuthenticatorEnd::default() };
            let remove = (changeable && !end.revoked).then(|| {
                remove_button(links::REMOVE_IDENTITY, client_id.clone(), identity.id.to_string(), identity.subject.clone())
            });
            let from =
                used_from(identity.last_used_from);
            let conditions: Vec<String> =
                identity.claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let conditions = if conditions.is_empty() { "None".to_owned() } else { conditions.join(", ") };
            let keys = if identity.jwks.is_some() { "Pasted" } else { "Fetched" };
            view! {
                <tr>
                    <th scope="row">{identity.subject}<div class="sub">{identity.issuer}</div></th>
                    <td data-label="Conditions">{conditions}<div class="sub">{format!("aud={}", identity.audience)}</div></td>
                    <td data-label="Keys">{keys}</td>
                    <td data-label="Last used"><MomentOr at=identity.last_used_at otherwise="Never"/>{from}</td>
                    <td data-label="State">{state(end, now, identity.last_used_at.is_some())}</td>
                    <td class="corner">{remove}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="identities">
            <header><h2 id="identities">"Federated identities"</h2>{add}</header>
            {shared.then(|| view! {
                <div class="body"><p>"Another credential has the same issuer and subject: programs must send the client ID."</p></div>
            })}
            {table(["Subject and issuer", "Conditions", "Keys", "Last used", "State", ""], rows)}
        </section>
    }
    .into_any()
}
