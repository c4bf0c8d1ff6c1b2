//! The form that changes an MCP server.

use domain::model::field_error::FieldError;
use domain::model::server::{McpServer, ScopeDescription};
use domain::server::edit::{RemovedScopes, ServerEdit, removed_scopes};

use crate::pages::credential::fields::{LifetimeChoice, read_lifetime};
use crate::pages::server::access::find;
use crate::pages::server::new::{SCOPES_HINT, algorithm_options, read_algorithm, read_scopes};
use crate::prelude::*;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedEdit {
    /// Name.
    pub name: String,
    /// One scope a line, followed by what it allows.
    pub scopes: String,
    /// Lifetime of tokens in seconds.
    pub token_lifetime: String,
    /// Signing algorithm.
    pub alg: String,
    /// Not empty: scopes that are in use may be removed.
    pub removes: String,
}

impl TypedEdit {
    fn of(server: &McpServer) -> Self {
        Self {
            name: server.name.clone(),
            scopes: lines(&server.scopes),
            token_lifetime: server.token_lifetime.as_secs().to_string(),
            alg: server.alg.as_str().to_owned(),
            removes: String::new(),
        }
    }

    /// Converts the fields to the input of the domain rules.
    pub fn edit(&self, server: &McpServer) -> Result<ServerEdit, Vec<FieldError>> {
        let token_lifetime = read_lifetime(&self.token_lifetime)?;
        Ok(ServerEdit {
            name: Some(self.name.clone()),
            scopes: (!server.built_in).then(|| read_scopes(&self.scopes)),
            token_lifetime,
            alg: read_algorithm(&self.alg)?,
            removes_held_scopes: !self.removes.is_empty(),
        })
    }
}

/// The scopes as the form has them.
fn lines(scopes: &[ScopeDescription]) -> String {
    scopes.iter().map(ScopeDescription::to_string).collect::<Vec<_>>().join("\n")
}

/// The form. When nothing was sent it shows the present values. Only an edit that can let programs do more needs a new
/// proof of who the person is, so the form asks for it after it was sent.
pub async fn form(id: String, form: Form<Option<TypedEdit>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let Form { typed, errors, confirm } = form;
    let typed = typed.unwrap_or_else(|| TypedEdit::of(&server));
    let removed = match typed.edit(&server) {
        Ok(edit) => removed_scopes(&visit.context, &server, &edit).await?,
        Err(_) => RemovedScopes::default(),
    };
    let scopes = (!server.built_in).then(|| {
        view! {
            <TextArea id="scopes" label="Scopes" value=typed.scopes.clone() error=errors.at("scopes")
                hint=SCOPES_HINT/>
        }
    });
    let fields = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        <div class="field">
            <b>"Resource"</b>
            <p>{address(&server.resource)}</p>
            <p class="hint">"The resource is the audience of every token, so it cannot change. For another address, add another MCP server."</p>
        </div>
        {scopes}
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime") default="Keep the current lifetime"/>
        <Select id="alg" label="Signature" options=algorithm_options() chosen=typed.alg otherwise="ES256" error=errors.at("alg")
            hint="How its tokens are signed. Before you change this, make sure that the server accepts the new algorithm and reads the JWKS again."/>
    };
    let page = FormPage::new(format!("Edit {}", server.name), links::edit_server(&id), "Save changes")
        .back(links::server(&id), server.name.clone())
        .lead("Changes count from the next exchange. Tokens that were issued before stay as they are.")
        .panel("Settings", fields);
    let page = match removed.holders.is_empty() {
        true => page,
        false => page.fields(removal(&server, &removed, !typed.removes.is_empty(), errors.at("removes"))),
    };
    Ok(page.confirm(confirm).page(errors))
}

/// What happens to credentials, apps and tokens with the removed scopes, and the box that confirms the removal.
fn removal(server: &McpServer, removed: &RemovedScopes, is_confirmed: bool, error: Option<String>) -> AnyView {
    let holder = |scope: &String| {
        let href = links::server_view(&server.id, &[("view", "access"), ("scope", scope)]);
        view! { <a href=href>{scope.clone()}</a>" " }
    };
    let holders = removed.holders;
    let held = [
        (holders.credentials, "credential", "credentials"),
        (holders.apps, "connected app", "connected apps"),
        (holders.personal_tokens, "personal token", "personal tokens"),
    ];
    let held = held.into_iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(count, one, many));
    let held = held.collect::<Vec<_>>().join(", ");
    let bare = match removed.credentials_left_without {
        0 => "Each credential keeps another scope of this server.".to_owned(),
        count => format!(
            "{} no other scope of this server: their exchanges for it are refused.",
            counted(count, "credential has", "credentials have")
        ),
    };
    let through = match removed.through.as_slice() {
        [] => String::new(),
        scopes => format!(", also through {}", scopes.join(", ")),
    };
    let words = if removed.scopes.len() == 1 { "Remove the scope" } else { "Remove the scopes" };
    let boxes = [choice("checkbox", "removes", "yes", is_confirmed, words)];
    html! {
        <section class="panel body" aria-label="Removed scopes">
            {notice("warn", view! {
                <p><b>"You remove scopes that are in use: "</b>{removed.scopes.iter().map(holder).collect_view()}</p>
                <p>{format!("Held by {held}{through}. From the next exchange, their tokens come without it. {bare}")}</p>
                <p>"If you add the scope again, they get it back."</p>
            })}
            {choices("removes", "Confirm", None, boxes, error)}
        </section>
    }
}
