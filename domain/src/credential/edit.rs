//! Changing the name, the rights and the limits of a credential. The audit entry holds the values before and after.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::{ClientId, TeamId};
use crate::credential::generate::check_privileges;
use crate::credential::{CredentialError, Outcome, Result, begin_for, check_access};
use crate::model::credential::Credential;
use crate::model::credential::draft;
use crate::model::credential::{AssertionRules, AuthMethod, end_of};
use crate::model::person::authority::Role;
use crate::model::server::McpServer;
use crate::prelude::{Action, Actor, Changes, Context, Errors, Timestamp};
use crate::store;

/// The new values. An edit replaces all of them.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The team that shall own the credential. When absent, the present team keeps it.
    pub team: Option<TeamId>,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Scopes; none means the servers' default.
    pub scopes: Vec<String>,
    /// How long tokens live. When absent, the MCP server's rule applies.
    pub token_lifetime: Option<Duration>,
    /// CIDR ranges or single addresses.
    pub ip_ranges: Vec<String>,
    /// A moment that ends the whole credential.
    pub expires_at: Option<Timestamp>,
    /// The rules of its assertions.
    pub assertions: AssertionRules,
}

/// Applies `edit`. Tokens that were issued before keep their scopes; the next exchange obeys the new values.
pub async fn edit(context: &Context, actor: &Actor, client_id: &ClientId, edit: &Edit) -> Result<Outcome> {
    let now = context.now();
    let (mut change, before) = begin_for(context, actor, client_id, Role::Manager).await?;
    let team = edit.team.as_ref().unwrap_or(&before.team);
    let authority = change.authority(actor).await?;
    authority.require(team, Role::Manager)?;
    let new_team = store::person::team::find(&mut change, team).await?.ok_or(CredentialError::NotFound)?;
    let old_team = store::person::team::find(&mut change, &before.team).await?;
    let mut servers = store::server::list(&mut change).await?;
    servers.retain(|server| before.servers.contains(&server.id));

    let mut after = checked(edit, &before, &servers, now)?;
    // The present scopes need no new permission while the team stays: they were granted for that team.
    let granted = (*team == before.team).then_some(&before.scopes);
    check_privileges(&authority, &after.scopes, granted)?;
    let ends = store::credential::authenticator_ends_in(&mut change, client_id).await?;
    after.team = team.clone();
    after.ends_at = end_of(after.auth_method, after.expires_at, &ends, now);

    // Servers that closed after the credential was generated do not hinder other edits.
    if after.team != before.team {
        check_access(&mut change, &new_team, &before.servers, "team").await?;
    }
    let mut changes = differences(&before, &after);
    changes.note("team", old_team.map(|team| team.name), Some(new_team.name));
    if changes.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    store::credential::update(&mut change, &after, now).await?;
    // The old team sees the entry too, so it learns that the credential left.
    let event = after.event(Action::CredentialEdited).with(changes.into()).also_seen_by(&before.team);
    Outcome::committed(change, actor, event).await
}

/// The credential with the values of `edit`, except its team and its end. Returns everything that is wrong with the
/// edit.
fn checked(edit: &Edit, before: &Credential, servers: &[McpServer], now: Timestamp) -> Result<Credential> {
    let mut errors = Errors::default();
    let name = errors.take("name", draft::check_name(&edit.name));
    let description = errors.take("description", draft::check_description(&edit.description));
    let scopes = errors.take("scopes", draft::check_scopes(&edit.scopes, servers));
    let token_lifetime = errors.take("token_lifetime", draft::check_token_lifetime(edit.token_lifetime));
    let ip_ranges = errors.take("ip_ranges", draft::check_ip_ranges(&edit.ip_ranges));
    if edit.expires_at.is_some_and(|end| end <= now) && edit.expires_at != before.expires_at {
        errors.push("hard_end_at", "Choose a day in the future. To end it now, revoke it.");
    }
    let (Some(name), Some(description), Some(scopes), Some(token_lifetime), Some(ip_ranges), []) =
        (name, description, scopes, token_lifetime, ip_ranges, errors.0.as_slice())
    else {
        return Err(errors.0.into());
    };
    let mut after = Credential { name, description, scopes, token_lifetime, ip_ranges, ..before.clone() };
    // A form sends days, not moments: when the day is the same, the moment has not changed.
    let day = |moment: Option<Timestamp>| moment.map(|moment| moment.rfc3339().chars().take(10).collect::<String>());
    if day(edit.expires_at) != day(before.expires_at) {
        after.expires_at = edit.expires_at;
    }
    if before.auth_method != AuthMethod::ClientSecret {
        after.assertions = edit.assertions;
    }
    Ok(after)
}

/// What the edit changes, except the team: values before and after, under the names that forms and the audit log use.
fn differences(before: &Credential, after: &Credential) -> Changes {
    let mut changes = Changes::default();
    let ranges = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    let seconds = |lifetime: Option<Duration>| lifetime.map(|lifetime| lifetime.as_secs());
    let moment = |moment: Option<Timestamp>| moment.map(Timestamp::rfc3339);
    changes.note("name", &before.name, &after.name);
    changes.note("description", &before.description, &after.description);
    changes.note("scopes", before.scopes.to_string(), after.scopes.to_string());
    changes.note("token_lifetime", seconds(before.token_lifetime), seconds(after.token_lifetime));
    changes.note("ip_ranges", ranges(&before.ip_ranges), ranges(&after.ip_ranges));
    changes.note("hard_end_at", moment(before.expires_at), moment(after.expires_at));
    changes.note("assertions", rules(before.assertions), rules(after.assertions));
    changes
}

/// The rules, under the names that the audit entry uses.
pub(crate) fn rules(rules: AssertionRules) -> Value {
    json!({
        "token_endpoint_audience": rules.token_endpoint_audience,
        "reusable": rules.reusable,
        "jwt_bearer": rules.jwt_bearer,
    })
}
