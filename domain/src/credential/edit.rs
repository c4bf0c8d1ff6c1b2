//! Changing a credential: everything but its client ID. The audit entry holds the values before and after.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::{AuthenticatorId, ClientId, McpServerId, PersonId, TeamId};
use crate::credential::generate::{self, check_privileges};
use crate::credential::{
    CredentialError, Outcome, Result, begin_for, changed_event, check_access, moved_event, owner_change, update_ends,
};
use crate::model::credential::draft::{self, Expiry};
use crate::model::credential::{AssertionRules, AuthMethod, AuthenticatorEnd, Credential, Owner};
use crate::model::operations::policy::{CredentialFacts, Policies};
use crate::model::person::authority::Role;
use crate::model::person::team::Team;
use crate::model::server::{LONGEST_TOKEN_LIFETIME, McpServer};
use crate::prelude::{Actor, Change, Changes, Context, Errors, Event, Fault, FieldError, Timestamp};
use crate::store;
use crate::store::credential::authenticators;

/// The new values. An edit replaces all of them.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The team that shall own the credential. When absent, the present team keeps it.
    pub team: Option<TeamId>,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What people should know about it.
    pub notes: String,
    /// The person who answers for it, in the team that owns it; absent: nobody.
    pub owner: Option<PersonId>,
    /// Tags.
    pub tags: Vec<String>,
    /// MCP servers, each by its resource identifier or its ID. The first is the audience when a request names none.
    pub servers: Vec<String>,
    /// Scopes; none means the servers' default.
    pub scopes: Vec<String>,
    /// When the secrets or keys that work shall stop; absent: each keeps its own expiry.
    pub expiry: Option<Expiry>,
    /// How long tokens live. When absent, the MCP server's rule applies.
    pub token_lifetime: Option<Duration>,
    /// CIDR ranges or single addresses.
    pub ip_ranges: Vec<String>,
    /// A moment that ends the whole credential.
    pub expires_at: Option<Timestamp>,
    /// The rules of its assertions.
    pub assertions: AssertionRules,
    /// Whether the live tokens end if the credential loses an MCP server or a scope.
    pub ends_tokens: bool,
}

impl Edit {
    /// The present values: an edit that changes nothing.
    pub fn of(credential: &Credential) -> Self {
        Self {
            team: None,
            name: credential.name.clone(),
            description: credential.description.clone(),
            notes: credential.notes.clone(),
            owner: credential.owner.as_ref().map(|owner| owner.id.clone()),
            tags: credential.tags.clone(),
            servers: credential.servers.iter().map(ToString::to_string).collect(),
            scopes: credential.scopes.iter().map(str::to_owned).collect(),
            expiry: None,
            token_lifetime: credential.token_lifetime,
            ip_ranges: credential.ip_ranges.iter().map(ToString::to_string).collect(),
            expires_at: credential.expires_at,
            assertions: credential.assertions,
            ends_tokens: false,
        }
    }
}

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited {
    /// Whether it changed anything.
    pub outcome: Outcome,
    /// How many live tokens ended.
    pub tokens_ended: u64,
}

/// What is wrong with an edit, as far as the values alone tell it. A form that cannot be read as a whole says this
/// together with its own errors.
pub async fn problems(context: &Context, before: &Credential, edit: &Edit) -> Result<Vec<FieldError>, Fault> {
    let servers = store::server::list(&context.store).await?;
    Ok(checked(edit, before, &servers, context.now()).err().unwrap_or_default())
}

/// Applies `edit`. The next exchange obeys the new values. Tokens that were issued before keep their servers and
/// scopes, unless the edit takes some away and ends the tokens.
pub async fn edit(context: &Context, actor: &Actor, client_id: &ClientId, edit: &Edit) -> Result<Edited> {
    let now = context.now();
    // The tokens that end are found under the credential, where the roll-up lists them.
    context.rollup.flush().await;
    let (mut change, before) = begin_for(context, actor, client_id, Role::Manager).await?;
    let team = edit.team.as_ref().unwrap_or(&before.team);
    let authority = change.authority(actor).await?;
    authority.require(team, Role::Manager)?;
    let new_team = store::person::team::find(&mut change, team).await?.ok_or(CredentialError::NotFound)?;
    let old_team = store::person::team::find(&mut change, &before.team).await?;
    let servers = store::server::list(&mut change).await?;

    let (mut after, expiry) = checked(edit, &before, &servers, now)?;
    after.team = team.clone();
    after.owner = owner(&mut change, &before, &new_team, edit.owner.as_ref()).await?;
    // The present scopes need no new permission while the team stays: they were granted for that team.
    let granted = (*team == before.team).then_some(&before.scopes);
    check_privileges(&authority, &after.scopes, granted)?;
    // Servers that closed after the credential was generated do not hinder other edits.
    let moves = after.team != before.team;
    let (added, kept): (Vec<_>, Vec<_>) =
        after.servers.iter().cloned().partition(|server| !before.servers.contains(server));
    check_access(&mut change, &new_team, &added, "server").await?;
    if moves {
        check_access(&mut change, &new_team, &kept, "team").await?;
    }
    let policies = store::operations::policy::all(&mut change).await?;
    policies.check(&CredentialFacts::of(&after, &servers), Some(&CredentialFacts::of(&before, &servers)))?;
    check_ends(&mut change, &policies, (&before, &after), expiry).await?;
    let mut changes = differences(&before, &after, &servers);
    if let Some(expires_at) = expiry {
        changes.add(
            "expires_at",
            json!({ "before": before.ends_at.map(Timestamp::rfc3339),
                                          "after": expires_at.map(Timestamp::rfc3339) }),
        );
        set_expiry(&mut change, &after, expires_at).await?;
    }
    if changes.is_empty() && !moves {
        return Ok(Edited { outcome: Outcome::Unchanged, tokens_ended: 0 });
    }
    let mut tokens_ended = 0;
    if edit.ends_tokens && narrows(&before, &after) {
        let oldest = now.minus(LONGEST_TOKEN_LIFETIME);
        tokens_ended = store::token::ledger::end_live_tokens(&mut change, client_id, oldest, now).await?;
        changes.add("tokens_ended", json!(tokens_ended));
    }
    store::credential::update(&mut change, &after, now).await?;
    update_ends(&mut change, &after).await?;
    let moved = moves.then(|| moved_event(&before, old_team, &new_team));
    let events: Vec<Event> = moved.into_iter().chain(changed_event(&after, changes)).collect();
    Ok(Edited { outcome: Outcome::of(&change.commit_all(actor, &events).await?), tokens_ended })
}

/// Whether the credential loses an MCP server or a scope, which live tokens may have.
fn narrows(before: &Credential, after: &Credential) -> bool {
    before.servers.iter().any(|server| !after.servers.contains(server))
        || before.scopes.iter().any(|scope| !after.scopes.contains(scope))
}

/// The owner after the edit. An owner who is not in the team any more stays while the team stays, so that this hinders
/// no other edit. When the credential moves to another team, such an owner is left behind.
async fn owner(
    change: &mut Change<'_>,
    before: &Credential,
    team: &Team,
    chosen: Option<&PersonId>,
) -> Result<Option<Owner>> {
    let Some(chosen) = chosen else { return Ok(None) };
    let present = before.owner.as_ref().filter(|owner| owner.id == *chosen);
    match (present, generate::owner(change, team, chosen).await) {
        (Some(owner), Err(CredentialError::Invalid(_))) => Ok((team.id == before.team).then(|| owner.clone())),
        (_, result) => result.map(Some),
    }
}

/// A secret or key that works.
struct Live {
    id: AuthenticatorId,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Whether another one replaces it. A rotation that is cancelled takes that back.
    is_replaced: bool,
}

async fn live(change: &mut Change<'_>, credential: &Credential) -> Result<Vec<Live>> {
    let now = change.now();
    let id = &credential.client_id;
    let of = |id, created_at, end: AuthenticatorEnd| {
        end.is_live(now).then(|| Live {
            id,
            created_at,
            expires_at: end.expires_at,
            is_replaced: end.retires_at.is_some(),
        })
    };
    Ok(match credential.auth_method {
        AuthMethod::ClientSecret => {
            let secrets = store::credential::secrets(&mut *change, id).await?.into_iter();
            secrets.filter_map(|one| of(AuthenticatorId::Secret(one.id.clone()), one.created_at, one.end())).collect()
        }
        AuthMethod::PrivateKeyJwt => {
            let keys = authenticators::keys(&mut *change, id).await?.into_iter();
            keys.filter_map(|one| of(AuthenticatorId::Key(one.id.clone()), one.created_at, one.end())).collect()
        }
        AuthMethod::Federated => Vec::new(),
    })
}

/// Checks the ends after the edit against the policies. An end that comes no later than before needs no check.
async fn check_ends(
    change: &mut Change<'_>,
    policies: &Policies,
    (before, after): (&Credential, &Credential),
    expiry: Option<Option<Timestamp>>,
) -> Result<()> {
    let first = |own: Option<Timestamp>, whole: Option<Timestamp>| own.into_iter().chain(whole).min();
    let is_later = |new: Option<Timestamp>, old: Option<Timestamp>| match (new, old) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new > old,
    };
    // Only the end of the whole credential ends identities, and keys that a program will publish.
    if after.auth_method == AuthMethod::Federated || after.keys_at.is_some() {
        return match is_later(after.expires_at, before.expires_at) {
            true => Ok(policies.check_life(after.auth_method, change.now(), after.expires_at)?),
            false => Ok(()),
        };
    }
    for one in live(change, before).await? {
        let expiry = expiry.filter(|_| !one.is_replaced).unwrap_or(one.expires_at);
        let (old, new) = (first(one.expires_at, before.expires_at), first(expiry, after.expires_at));
        if is_later(new, old) {
            policies.check_life(after.auth_method, one.created_at, new)?;
        }
    }
    Ok(())
}

/// Gives the secrets or keys that work another expiry. One that is being replaced keeps its deadline.
async fn set_expiry(change: &mut Change<'_>, credential: &Credential, expires_at: Option<Timestamp>) -> Result<()> {
    if credential.auth_method == AuthMethod::Federated {
        return Ok(());
    }
    let current: Vec<Live> = live(change, credential).await?.into_iter().filter(|one| !one.is_replaced).collect();
    if current.is_empty() {
        let message = "No secret or key works, so none can work longer. Rotate to get a new one.";
        return Err(FieldError::new("expiry", message).into());
    }
    for one in &current {
        authenticators::set_expiry(change, &one.id, expires_at).await?;
    }
    Ok(())
}

/// The credential with the values of `edit`, except its team, its owner and its end, and the new expiry of its secrets
/// or keys, if it changes. Returns everything that is wrong with the edit.
fn checked(
    edit: &Edit,
    before: &Credential,
    servers: &[McpServer],
    now: Timestamp,
) -> Result<(Credential, Option<Option<Timestamp>>), Vec<FieldError>> {
    let mut errors = Errors::default();
    let name = errors.take("name", draft::check_name(&edit.name));
    let description = errors.take("description", draft::check_description(&edit.description));
    let notes = errors.take("notes", draft::check_notes(&edit.notes));
    let tags = errors.take("tags", draft::check_tags(&edit.tags));
    let own = errors.take("server", draft::check_servers(&edit.servers, servers, &before.servers)).unwrap_or_default();
    let scopes = if own.is_empty() {
        None
    } else {
        errors.take("scopes", draft::check_scopes(&edit.scopes, &own, &before.scopes))
    };
    let expiry = edit.expiry.map(|expiry| draft::check_expiry(expiry, now)).transpose();
    let mut expiry = errors.take("expiry", expiry);
    let token_lifetime = errors.take("token_lifetime", draft::check_token_lifetime(edit.token_lifetime));
    let ip_ranges = errors.take("ip_ranges", draft::check_ip_ranges(&edit.ip_ranges));
    let mut expires_at = edit.expires_at;
    // A federated credential has no secret or key that expires: the credential does.
    if let (AuthMethod::Federated, Some(Some(moment))) = (before.auth_method, expiry) {
        (expires_at, expiry) = (moment, Some(None));
    }
    if expires_at.is_some_and(|end| end <= now) && expires_at != before.expires_at {
        errors.push("hard_end_at", "Choose a day in the future. To end it now, revoke it.");
    }
    let (
        Some(name),
        Some(description),
        Some(notes),
        Some(tags),
        Some(scopes),
        Some(expiry),
        Some(token_lifetime),
        Some(ip_ranges),
        [],
    ) = (name, description, notes, tags, scopes, expiry, token_lifetime, ip_ranges, errors.0.as_slice())
    else {
        return Err(errors.0);
    };
    let servers = own.into_iter().map(|server| server.id).collect();
    let mut after =
        Credential { name, description, notes, tags, servers, scopes, token_lifetime, ip_ranges, ..before.clone() };
    // A form sends days, not moments: when the day is the same, the moment has not changed.
    let day = |moment: Option<Timestamp>| moment.map(|moment| moment.rfc3339().chars().take(10).collect::<String>());
    if day(expires_at) != day(before.expires_at) {
        after.expires_at = expires_at;
    }
    if before.auth_method != AuthMethod::ClientSecret {
        after.assertions = edit.assertions;
    }
    Ok((after, expiry))
}

/// What the edit changes, except the team and the expiry: values before and after, under the names that forms and the
/// audit log use.
fn differences(before: &Credential, after: &Credential, servers: &[McpServer]) -> Changes {
    let mut changes = Changes::default();
    let ranges = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    let seconds = |lifetime: Option<Duration>| lifetime.map(|lifetime| lifetime.as_secs());
    let moment = |moment: Option<Timestamp>| moment.map(Timestamp::rfc3339);
    let resources = |credential: &Credential| {
        let of =
            |id: &McpServerId| servers.iter().find(|server| server.id == *id).map(|server| server.resource.clone());
        credential.servers.iter().filter_map(of).collect::<Vec<_>>()
    };
    changes.note("name", &before.name, &after.name);
    changes.note("description", &before.description, &after.description);
    changes.note("notes", &before.notes, &after.notes);
    if before.owner.as_ref().map(|owner| &owner.id) != after.owner.as_ref().map(|owner| &owner.id) {
        changes.add("owner", owner_change(before.owner.as_ref(), after.owner.as_ref()));
    }
    changes.note("tags", &before.tags, &after.tags);
    changes.note("mcp_servers", resources(before), resources(after));
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
