//! Reversing an action on several credentials, as the audit log describes it: another team, another owner, other tags.
//! A credential that was changed since stays as it is.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::base::id::{ClientId, McpServerId, PersonId, TeamId};
use crate::credential::several::moving::{self, Move};
use crate::credential::several::outcome::{Done, Kept, MOST_GIVEN};
use crate::credential::several::replacing;
use crate::credential::{CredentialError, Result, complies, generate, owner_change};
use crate::model::audit::{Action, AuditEntry};
use crate::model::credential::Credential;
use crate::model::field_error::FieldError;
use crate::model::server::McpServer;
use crate::model::server::scope::Scopes;
use crate::prelude::{Actor, Change, Changes, Context};
use crate::store;

/// A value before and after an action.
type Changed<T> = (T, T);

/// What is reversed for one credential.
#[derive(Debug, Default)]
pub(super) struct Reversal {
    team: Option<Changed<TeamId>>,
    owner: Option<Changed<Option<PersonId>>>,
    tags: Option<Changed<Vec<String>>>,
    servers: Option<Changed<Vec<McpServerId>>>,
    scopes: Option<Changed<Scopes>>,
}

impl Reversal {
    /// Adds what an entry says.
    fn add(&mut self, details: &Value) {
        let id = |name: &str, when: &str| details.pointer(&format!("/{name}/{when}_id"));
        let team = |when| id("team", when).and_then(Value::as_str).and_then(TeamId::parse);
        self.team = team("before").zip(team("after")).or(self.team.take());
        let owner = |when| id("owner", when).map(|id| id.as_str().and_then(PersonId::parse));
        self.owner = owner("before").zip(owner("after")).or(self.owner.take());
        let tags = |when: &str| {
            let list = details.pointer(&format!("/tags/{when}"))?.as_array()?;
            list.iter().map(|tag| tag.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        self.tags = tags("before").zip(tags("after")).or(self.tags.take());
        let servers = |when: &str| {
            let list = details.pointer(&format!("/mcp_servers/{when}_ids"))?.as_array()?;
            list.iter().map(|id| id.as_str().and_then(McpServerId::parse)).collect::<Option<Vec<_>>>()
        };
        self.servers = servers("before").zip(servers("after")).or(self.servers.take());
        let scopes = |when: &str| Scopes::parse(details.pointer(&format!("/scopes/{when}"))?.as_str()?);
        self.scopes = scopes("before").zip(scopes("after")).or(self.scopes.take());
    }

    /// Whether a move is reversed.
    pub(super) fn is_move(&self) -> bool {
        self.team.is_some()
    }

    /// Whether the credential still is as the action left it.
    fn is_current(&self, credential: &Credential) -> bool {
        let owner = credential.owner.as_ref().map(|owner| &owner.id);
        self.team.as_ref().is_none_or(|(_, after)| credential.team == *after)
            && self.owner.as_ref().is_none_or(|(_, after)| owner == after.as_ref())
            && self.tags.as_ref().is_none_or(|(_, after)| credential.tags == *after)
            && self.servers.as_ref().is_none_or(|(_, after)| credential.servers == *after)
            && self.scopes.as_ref().is_none_or(|(_, after)| credential.scopes == *after)
    }
}

/// Reads what the entries `first` to `last` did. A move also wrote entries about owners, behind the last one.
pub(super) async fn read(context: &Context, first: i64, last: i64) -> Result<HashMap<ClientId, Reversal>> {
    let count = last.saturating_sub(first).saturating_add(1);
    if count < 1 || count > i64::from(MOST_GIVEN) {
        return Err(FieldError::new("entries", "There is nothing to reverse.").into());
    }
    let limit = count.saturating_mul(2);
    let entries = store::audit::walk(&context.store, first.saturating_sub(1), limit).await?;
    let is_edit = |entry: &&AuditEntry| entry.action == Action::CredentialEdited.as_str();
    let mut reversals: HashMap<ClientId, Reversal> = HashMap::new();
    for entry in entries.iter().filter(is_edit) {
        let Some(id) = ClientId::parse(&entry.target_id) else { continue };
        let details = serde_json::from_str(&entry.details).unwrap_or_default();
        if entry.seq <= last {
            reversals.entry(id).or_default().add(&details);
            continue;
        }
        // What follows belongs to the move if the same actor wrote it at the same moment.
        let written = (entry.at, entry.actor_id.as_str());
        let is_part = entries.first().is_some_and(|first| (first.at, first.actor_id.as_str()) == written);
        if let Some(reversal) = reversals.get_mut(&id).filter(|reversal| is_part && reversal.team.is_some()) {
            reversal.add(&details);
        }
    }
    Ok(reversals)
}

/// Reverses what was done to one credential, under the rules of an edit.
pub(super) async fn undone(
    change: &mut Change<'_>,
    actor: &Actor,
    credential: Credential,
    reversal: &Reversal,
) -> Result<Result<Done, Kept>> {
    let Reversal { team, owner, tags, servers, scopes } = reversal;
    if !reversal.is_current(&credential) {
        return Ok(Err(Kept::Changed));
    }
    if let Some((before, _)) = team {
        let owner = owner.as_ref().and_then(|(before, _)| before.as_ref());
        let to = match Move::checked(change, actor, before, owner).await {
            // The earlier owner has left the team.
            Err(CredentialError::Invalid(_)) => Move::checked(change, actor, before, None).await,
            checked => checked,
        };
        return match to {
            Ok(mut to) => {
                to.restores = true;
                moving::moved(change, actor, credential, &to).await
            }
            Err(CredentialError::Forbidden) => Ok(Err(Kept::Role)),
            Err(CredentialError::NotFound | CredentialError::Invalid(_)) => Ok(Err(Kept::TeamGone)),
            Err(error) => Err(error),
        };
    }
    if let Some((before, _)) = servers {
        let scopes = scopes.as_ref().map_or(&credential.scopes, |(before, _)| before);
        return with_servers(change, actor, credential.clone(), before, scopes).await;
    }
    let id = &credential.client_id;
    let mut changes = Changes::default();
    if let Some((before, _)) = owner {
        let team = store::person::team::find(&mut *change, &credential.team).await?;
        let present = match (before, team) {
            (Some(person), Some(team)) => match generate::owner(change, &team, person).await {
                Ok(owner) => Some(owner),
                Err(_) => return Ok(Err(Kept::Owner)),
            },
            _ => None,
        };
        store::credential::set_owner(change, id, present.as_ref().map(|owner| &owner.id)).await?;
        changes.add("owner", owner_change(credential.owner.as_ref(), present.as_ref()));
    }
    if let Some((before, after)) = tags {
        store::credential::set_tags(change, id, before).await?;
        changes.add("tags", json!({ "before": after, "after": before }));
    }
    if changes.is_empty() {
        return Ok(Err(Kept::Changed));
    }
    Ok(Ok((credential.event(Action::CredentialEdited).with(changes.into()), None)))
}

/// Gives the credential back its MCP servers and scopes. A server that was closed to its team or archived since hinders
/// that.
async fn with_servers(
    change: &mut Change<'_>,
    actor: &Actor,
    before: Credential,
    servers: &[McpServerId],
    scopes: &Scopes,
) -> Result<Result<Done, Kept>> {
    let known = store::server::list(&mut *change).await?;
    let is_usable = |server: &McpServer| server.access.admits_team(&before.team);
    let is_archived = |id: &McpServerId| known.iter().any(|server| server.id == *id && server.is_archived());
    if servers.iter().any(|id| !before.servers.contains(id) && is_archived(id)) {
        return Ok(Err(Kept::Archived));
    }
    let usable = |id: &McpServerId| {
        before.servers.contains(id) || known.iter().any(|server| server.id == *id && is_usable(server))
    };
    if !servers.iter().all(usable) {
        return Ok(Err(Kept::Server));
    }
    let authority = change.authority(actor).await?;
    if generate::check_privileges(&authority, scopes, Some(&before.scopes)).is_err() {
        return Ok(Err(Kept::Scope));
    }
    let after = Credential { servers: servers.to_vec(), scopes: scopes.clone(), ..before.clone() };
    if !complies(change, &before, &after, &known).await? {
        return Ok(Err(Kept::Policy));
    }
    let now = change.now();
    store::credential::update(change, &after, now).await?;
    Ok(Ok((replacing::changed(&before, &after, &known), None)))
}
