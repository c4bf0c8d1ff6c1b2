//! Editing a credential: its name and its permissions. Its MCP servers cannot be changed: with other servers it would
//! be another credential.

use domain::base::clock::Timestamp;
use domain::credential::edit::Edit;
use domain::model::credential::{AuthMethod, Credential};
use domain::model::field_error::FieldError;
use domain::model::person::authority::Role;
use domain::server;

use crate::pages::credential::fields::{
    LifetimeChoice, RuleChoice, ScopeChoice, or_note, read_lifetime, read_optional, read_rules, read_team, rule_words,
    team_choice,
};
use crate::pages::credential::find;
use crate::prelude::*;

/// The fields, as they are on the wire.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the team that owns it.
    pub team: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Ticked scopes.
    pub scopes: Vec<String>,
    /// Lifetime of tokens in seconds; empty: the server's rule.
    pub token_lifetime: String,
    /// Address ranges, one a line.
    pub ip_ranges: String,
    /// The credential's last day; empty: none.
    pub hard_end_at: String,
    /// Ticked rules of assertions.
    pub assertions: Vec<String>,
}

impl Typed {
    fn of(credential: &Credential) -> Self {
        Self {
            team: credential.team.to_string(),
            name: credential.name.clone(),
            description: credential.description.clone(),
            scopes: credential.scopes.iter().map(str::to_owned).collect(),
            token_lifetime: credential.token_lifetime.map(|time| time.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            hard_end_at: credential.expires_at.map(|end| end.rfc3339()[..10].to_owned()).unwrap_or_default(),
            assertions: rule_words(credential.assertions),
        }
    }

    /// Converts the fields to the input of the domain rules.
    pub fn edit(&self) -> Result<Edit, Vec<FieldError>> {
        let mut errors = Vec::new();
        let token_lifetime = or_note(&mut errors, read_lifetime(&self.token_lifetime));
        let team = or_note(&mut errors, read_team(&self.team));
        let day = self.hard_end_at.trim();
        let expires_at = read_optional(day, Timestamp::end_of_day, "hard_end_at", "Write the day as 2026-11-21.");
        let expires_at = or_note(&mut errors, expires_at);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Edit {
            team,
            name: self.name.clone(),
            description: self.description.clone(),
            scopes: self.scopes.clone(),
            token_lifetime,
            ip_ranges: self.ip_ranges.lines().map(str::to_owned).collect(),
            expires_at,
            assertions: read_rules(&self.assertions),
        })
    }
}

/// The form, filled with the present values of the credential.
pub async fn page(client_id: String) -> Result<Page, ActionError> {
    let credential = find(&signed_in()?, &client_id).await?;
    form(client_id, Form::new(Typed::of(&credential))).await
}

/// The form, with the typed values and the errors.
pub async fn form(client_id: String, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    if credential.revoked_at.is_some() {
        return Err(ActionError::Invalid("This credential is revoked and cannot be changed.".to_owned()));
    }
    let mut servers: Vec<_> = server::list(&visit.context)
        .await?
        .into_iter()
        .filter(|server| credential.servers.contains(&server.id))
        .collect();
    if !visit.authority()?.is_administrator() {
        let held: Vec<&str> = credential.scopes.iter().collect();
        servers.iter_mut().for_each(|server| server.keep_privileged_scopes(&held));
    }
    let Form { typed, errors, .. } = form;
    let team = team_choice(&visit, Role::Manager, typed.team, errors.at("team")).await?;
    let rules =
        (credential.auth_method != AuthMethod::ClientSecret).then(|| view! { <RuleChoice ticked=typed.assertions/> });
    let fields = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        {team}
        <TextField id="description" label="Description" value=typed.description error=errors.at("description")
            hint="What runs with it and whom to ask."/>
        <ScopeChoice servers chosen=typed.scopes error=errors.at("scopes")/>
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime")/>
        <TextArea id="ip_ranges" label="Allowed IP ranges" value=typed.ip_ranges placeholder="10.2.0.0/16"
            hint="One address or CIDR range a line. Empty allows every address." error=errors.at("ip_ranges")/>
        {rules}
        <TextField id="hard_end_at" label="Last day" kind="date" value=typed.hard_end_at error=errors.at("hard_end_at")
            hint="Optional. After this day, UTC, nothing of this credential works, whatever its secrets’ own expiry."/>
    };
    let lead = "Changes apply to the next exchange. Tokens already issued keep what they were granted until they end.";
    let action = links::edit_credential(&client_id);
    let page = FormPage::new(format!("Edit {}", credential.name), action, "Save changes").lead(lead);
    let page = page.back(links::credential(&client_id), format!("Back to {}", credential.name));
    Ok(page.panel("Settings", fields).page(errors))
}
