//! Adding a client.

use domain::client::ClientDraft;
use domain::model::client::AppClient;
use domain::model::client::keys::KeySource;
use domain::model::client::redirect_uri::RedirectUri;

use crate::prelude::*;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedClient {
    /// Name.
    pub name: String,
    /// One redirect URI a line.
    pub redirect_uris: String,
    /// `public` or `confidential`.
    pub kind: String,
    /// Where a client of the kind `keys` publishes its keys.
    pub jwks_uri: String,
    /// `on` when the client may use the device grant.
    pub device_grant: String,
}

impl TypedClient {
    /// The present values of a client.
    pub(super) fn of(client: &AppClient) -> Self {
        let uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
        Self {
            name: client.name.clone(),
            redirect_uris: uris.join("\n"),
            kind: String::new(),
            jwks_uri: match client.key_source() {
                Some(KeySource::At(address)) => address.to_owned(),
                _ => String::new(),
            },
            device_grant: client.device_grant_since.map(|_| "on".to_owned()).unwrap_or_default(),
        }
    }

    /// Converts the fields to the input of the domain rules.
    pub fn draft(&self) -> ClientDraft {
        let address = self.jwks_uri.trim();
        ClientDraft {
            name: self.name.clone(),
            redirect_uris: self.redirect_uris.lines().map(str::to_owned).collect(),
            confidential: self.kind == "confidential",
            jwks_uri: (self.kind == "keys" || !address.is_empty()).then(|| address.to_owned()),
            device_grant: !self.device_grant.is_empty(),
        }
    }
}

/// The form, with the typed values and the errors.
pub async fn form(form: Form<TypedClient>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let options = options([
        ("public", "Public: runs on people’s computers, has no secret"),
        ("confidential", "Confidential: runs on a server, keeps a secret"),
        ("keys", "Confidential: runs on a server, publishes its keys"),
    ]);
    let fields = view! {
        {description_fields(typed.name, typed.redirect_uris, !typed.device_grant.is_empty(), &errors)}
        <Select id="kind" label="Kind" options chosen=typed.kind otherwise="public"
            hint="People who allowed a confidential client once are not asked again."/>
        {keys_field(typed.jwks_uri, &errors)}
    };
    let page = FormPage::new("New client", links::NEW_CLIENT, "Add client").back(links::CLIENTS, "Clients");
    Ok(page.panel("Settings", fields).confirm(visit.must_confirm()).page(errors))
}

/// The address of the keys of a client that publishes them.
pub(super) fn keys_field(address: String, errors: &Errors) -> AnyView {
    html! {
        <TextField id="jwks_uri" label="Address of the keys" kind="url" value=address error=errors.at("jwks_uri")
            hint="Only for a client that publishes its keys (JWKS) over https. It then has no secret."/>
    }
}

/// The fields that describe a client.
pub(super) fn description_fields(name: String, redirect_uris: String, device: bool, errors: &Errors) -> AnyView {
    html! {
        <TextField id="name" label="Name" value=name required=true error=errors.at("name")
            hint="People see it when the client asks them."/>
        <TextArea id="redirect_uris" label="Redirect URIs" value=redirect_uris error=errors.at("redirect_uris")
            placeholder="https://app.example.com/oauth/callback"
            hint="One per line. On localhost and 127.0.0.1 any port is allowed."/>
        {choice("checkbox", "device_grant", "on", device, view! {
            <span>"Signs in on a device"</span>
            <span class="hint">"People enter a code that the client shows. It then needs no redirect URI."</span>
        })}
    }
}
