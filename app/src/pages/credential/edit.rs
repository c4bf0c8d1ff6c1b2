//! Editing a credential: everything but its client ID.

use domain::base::clock::Timestamp;
use domain::credential::edit::Edit;
use domain::credential::{CredentialError, inspect};
use domain::model::credential::{AuthMethod, Credential, Impact};
use domain::model::field_error::FieldError;
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::server;

use crate::components::time::calendar;
use crate::pages::credential::fields::{
    Choose, ExpiryChoice, ExpiryLimits, LifetimeChoice, RuleChoice, keep_grantable, or_note, owner_choice,
    read_lifetime, read_new_expiry, read_optional, read_owner, read_rules, read_scopes, read_tags, read_team,
    rule_words, server_cards, team_choice, words_fields,
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
    /// Notes.
    pub notes: String,
    /// Identifier of the person who answers for it; empty: nobody.
    pub owner: String,
    /// Tags, separated by spaces.
    pub tags: String,
    /// Resource identifiers or IDs of ticked MCP servers.
    pub servers: Vec<String>,
    /// Ticked scopes.
    pub scopes: Vec<String>,
    /// `keep`, or a choice of [`read_expiry`](crate::pages::credential::fields::read_expiry).
    pub expiry: String,
    /// The day for `date`.
    pub expires_on: String,
    /// Lifetime of tokens in seconds; empty: the server's rule.
    pub token_lifetime: String,
    /// Address ranges, one a line.
    pub ip_ranges: String,
    /// The credential's last day; empty: none.
    pub hard_end_at: String,
    /// Ticked rules of assertions.
    pub assertions: Vec<String>,
    /// Whether live tokens end if a server or scope is taken away; a value: yes.
    pub end_tokens: Option<String>,
}

impl Typed {
    fn of(credential: &Credential) -> Self {
        Self {
            team: credential.team.to_string(),
            name: credential.name.clone(),
            description: credential.description.clone(),
            notes: credential.notes.clone(),
            owner: credential.owner.as_ref().map(|owner| owner.id.to_string()).unwrap_or_default(),
            tags: credential.tags.join(" "),
            servers: credential.servers.iter().map(ToString::to_string).collect(),
            scopes: credential.scopes.iter().map(str::to_owned).collect(),
            token_lifetime: credential.token_lifetime.map(|time| time.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            hard_end_at: credential.expires_at.map(|end| end.rfc3339()[..10].to_owned()).unwrap_or_default(),
            assertions: rule_words(credential.assertions),
            end_tokens: Some("yes".to_owned()),
            ..Self::default()
        }
    }

    /// Converts the fields to the input of the domain rules, with what cannot be read. `offered` are the MCP servers
    /// that the form offers.
    pub fn edit(&self, before: &Credential, offered: &[McpServer]) -> (Edit, Vec<FieldError>) {
        let mut errors = Vec::new();
        let day = self.hard_end_at.trim();
        let expires_at = read_optional(day, Timestamp::end_of_day, "hard_end_at", "Write the day as 2026-11-21.");
        let edit = Edit {
            team: or_note(&mut errors, read_team(&self.team)),
            name: self.name.clone(),
            description: self.description.clone(),
            notes: self.notes.clone(),
            owner: or_note(&mut errors, read_owner(&self.owner)),
            tags: read_tags(&self.tags),
            servers: self.servers_in_order(before, offered),
            scopes: read_scopes(&self.scopes, &self.servers),
            expiry: or_note(&mut errors, read_new_expiry(&self.expiry, &self.expires_on)),
            token_lifetime: or_note(&mut errors, read_lifetime(&self.token_lifetime)),
            ip_ranges: self.ip_ranges.lines().map(str::to_owned).collect(),
            expires_at: or_note(&mut errors, expires_at),
            assertions: read_rules(&self.assertions),
            ends_tokens: self.end_tokens.is_some(),
        };
        if edit.servers.is_empty() {
            errors.push(FieldError::new("server", "Choose at least one MCP server."));
        }
        (edit, errors)
    }

    /// The IDs of the ticked servers. The present servers of the credential come first, in their order: the first is
    /// the default audience. A form that offers one server means that one.
    fn servers_in_order(&self, before: &Credential, offered: &[McpServer]) -> Vec<String> {
        let is_ticked = |server: &&McpServer| {
            self.servers.iter().any(|ticked| *ticked == server.resource || ticked == server.id.as_str())
        };
        let mut ticked: Vec<_> = offered.iter().filter(is_ticked).map(|server| server.id.clone()).collect();
        if let (true, [only]) = (ticked.is_empty(), offered) {
            ticked.push(only.id.clone());
        }
        ticked.sort_by_key(|id| before.servers.iter().position(|own| own == id).unwrap_or(usize::MAX));
        ticked.iter().map(ToString::to_string).collect()
    }
}

/// The MCP servers that the form offers: each server that the person may use, and each server of the credential.
pub async fn offered(visit: &Visit, credential: &Credential) -> Result<Vec<McpServer>, ActionError> {
    let authority = visit.authority()?;
    let mut servers = server::list(&visit.context).await?;
    servers.retain(|server| server.admits(authority) || credential.servers.contains(&server.id));
    Ok(servers)
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
        return Err(CredentialError::Revoked.into());
    }
    let mut servers = offered(&visit, &credential).await?;
    let held: Vec<&str> = credential.scopes.iter().collect();
    let lost = lost_scopes(&credential, &servers);
    keep_grantable(&visit, &mut servers, &[], &held)?;
    let Form { typed, errors, .. } = form;
    let team = team_choice(&visit, Role::Manager, typed.team, errors.at("team")).await?;
    let present = credential.owner.as_ref();
    let owner = owner_choice(&visit, Role::Manager, "Nobody", false, present, typed.owner, errors.at("owner")).await?;
    let rules =
        (credential.auth_method != AuthMethod::ClientSecret).then(|| view! { <RuleChoice ticked=typed.assertions/> });
    let impact = inspect::impact(&visit.context, &credential).await?;
    let teams = domain::person::team::list(&visit.context, visit.authority()?).await?;
    let secrets = inspect::secrets(&visit.context, &credential.client_id).await?;
    let several = secrets.iter().filter(|secret| secret.end().is_live(visit.now())).count() > 1;
    let limits = ExpiryLimits::of(&visit, credential.auth_method).await?;
    let keep = match credential.ends_at {
        None => "As it is: never".to_owned(),
        Some(at) => format!("As it is: {}", calendar(at, visit.now())),
    };
    let about = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        {team}
        {owner}
        {words_fields(typed.tags, typed.description, typed.notes, &errors)}
    };
    let rights = view! {
        {server_cards(Choose::Several, servers, &teams, &typed.servers, &typed.scopes, &errors)}
        {lost_choice(lost, &typed.scopes)}
        {live_tokens(&impact, typed.end_tokens.is_some())}
        <ExpiryChoice chosen=typed.expiry day=typed.expires_on errors=errors.clone() keep=Some(keep) limits/>
        {several.then(|| muted("Another expiry applies to each secret that works and is not being replaced."))}
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime")/>
        <TextArea id="ip_ranges" label="Allowed IP ranges" value=typed.ip_ranges placeholder="10.2.0.0/16"
            hint="One address or CIDR range per line. Empty allows every address." error=errors.at("ip_ranges")/>
        {rules}
        <TextField id="hard_end_at" label="Last day of the credential" kind="date" value=typed.hard_end_at error=errors.at("hard_end_at")
            hint="Optional. After this day (UTC) no secret of this credential works, new ones included."/>
    };
    let lead = "Changes count from the next exchange. The client ID and the secrets stay.";
    let action = links::edit_credential(&client_id);
    let page = FormPage::new(format!("Edit {}", credential.name), action, "Save changes").lead(lead);
    let page = page.back(links::credential(&client_id), credential.name);
    Ok(page.panel("About the credential", about).panel("What it may do", rights).page(errors))
}

/// The scopes of the credential that none of its MCP servers offers, each with what is known of it. The form offers
/// `servers`.
fn lost_scopes(credential: &Credential, servers: &[McpServer]) -> Vec<(String, String)> {
    let offers = |server: &&McpServer, scope: &str| server.scopes.iter().any(|one| one.name == scope);
    let is_own = |server: &McpServer| credential.servers.contains(&server.id);
    let lost = credential.scopes.iter().filter(|scope| !servers.iter().any(|one| is_own(one) && offers(&one, scope)));
    let origin = |scope: &str| match servers.iter().find(|server| offers(server, scope)) {
        Some(server) => format!("Offered by {}, which is not one of its MCP servers.", server.name),
        None => "No longer offered by the server. It works again when the server offers it again.".to_owned(),
    };
    lost.map(|scope| (scope.to_owned(), origin(scope))).collect()
}

/// The choice of these scopes: each may stay or be taken away. A scope that is not there cannot be added.
fn lost_choice(lost: Vec<(String, String)>, ticked: &[String]) -> Option<AnyView> {
    if lost.is_empty() {
        return None;
    }
    let items = lost.into_iter().map(|(scope, origin)| {
        let checked = ticked.contains(&scope);
        let words = view! { <code>{scope.clone()}</code><span class="hint">{origin}</span> };
        choice("checkbox", "scope", scope, checked, words)
    });
    let hint = "No MCP server of this credential offers these scopes. The credential keeps each ticked scope. It loses a \
                scope that you untick, and you cannot add that scope again.";
    Some(choices("other-scopes", "Other scopes", Some(hint), items, None))
}

/// What happens with live tokens when the credential may do less, and the offer to end them.
fn live_tokens(impact: &Impact, ends: bool) -> AnyView {
    let live = match impact.live_tokens {
        0 => "No token is live now.".to_owned(),
        count => format!("{} now.", counted(count, "live token", "live tokens")),
    };
    let words = view! {
        "End live tokens if a server or scope is removed"
        <span class="hint">
            {live}" Otherwise they keep what they were granted until they expire. The built-in MCP server and introspection \
            refuse ended tokens at once; servers that check only the signature accept them until they expire."
        </span>
    };
    choice("checkbox", "end_tokens", "yes", ends, words)
}
