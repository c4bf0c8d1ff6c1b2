//! Editing a client.

use domain::base::id::AppClientId;
use domain::client;
use domain::model::client::AppClient;

use crate::pages::client::new::{TypedClient, description_fields, keys_field};
use crate::prelude::*;

/// The form that changes a client, with the typed values if it was sent before.
pub async fn form(id: String, form: Form<Option<TypedClient>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(AppClient::is_editable);
    let client = client.ok_or(ActionError::NotFound)?;
    let Form { typed, errors, .. } = form;
    let TypedClient { name, redirect_uris, device_grant, jwks_uri, .. } =
        typed.unwrap_or_else(|| TypedClient::of(&client));
    let fields = view! {
        {description_fields(name, redirect_uris, !device_grant.is_empty(), &errors)}
        {client.key_source().is_some().then(|| keys_field(jwks_uri, &errors))}
        <p class="muted">"The access that people gave stays. Countersign redirects to the new addresses only."</p>
    };
    let page = FormPage::new(format!("Edit {}", client.name), links::edit_client(&id), "Save changes")
        .back(links::client(&id), client.name)
        .panel("Settings", fields);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}
