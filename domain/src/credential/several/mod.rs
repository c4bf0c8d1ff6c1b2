//! One action on several credentials, which are ticked in the list or which one text leaked. It is one change. A
//! credential that the action does not fit stays as it is, and the result says why.

mod moving;
mod outcome;
pub mod renew;
mod replacing;
mod rotations;
mod undo;

use std::collections::HashMap;

use serde_json::json;

use self::moving::Move;
use self::outcome::Done;
use self::replacing::Replacement;
use self::undo::Reversal;
use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId, PersonId, TeamId};
use crate::credential::rotate::Overlap;
use crate::credential::{CredentialError, Result, find_for, inspect, owner_change};
use crate::model::credential::draft::{check_reason, check_tags};
use crate::model::credential::{Credential, Owner};
use crate::model::person::Person;
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, AtField, Change, Changes, Context, Event, FieldError};
use crate::store;

/// What to do with each credential.
#[derive(Debug, Clone)]
pub enum Step {
    /// Revoke it, for this reason, which may be empty.
    Revoke(String),
    /// Disable it.
    Disable,
    /// Enable it again.
    Enable,
    /// Finish its rotation: the old secret or key ends, and the tokens that it made.
    Finish {
        /// Whether the old secret or key stays if a program may still need it.
        only_moved: bool,
    },
    /// Give the old secret or key of its rotation another deadline.
    Deadline(Overlap),
    /// Give it to this team.
    Move {
        /// The team.
        team: TeamId,
        /// The owner of what otherwise loses its owner, because they are not in the new team. `None`: nobody.
        owner: Option<PersonId>,
    },
    /// Make this person its owner.
    Own(PersonId),
    /// Take this MCP server from it, with the scopes that no other of its servers has.
    Unassign {
        /// The server to take away.
        server: McpServerId,
        /// The server that it gets in its place. It keeps the scopes of the same name there; without one, it gets the
        /// default scope.
        instead: Option<McpServerId>,
    },
    /// Reverse what these entries of the audit log say: another team, another owner, other tags. The numbers are the
    /// first and the last of a [`Receipt`].
    Undo {
        /// The first entry.
        first: i64,
        /// The last entry.
        last: i64,
    },
    /// Add and remove tags.
    Tag {
        /// The tags that it gets.
        add: Vec<String>,
        /// The tags that it loses.
        remove: Vec<String>,
    },
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    /// The numbers of the audit entries that say what was done: one for each credential that was changed.
    pub entries: Vec<i64>,
    /// The credentials that stayed as they were.
    pub kept: Vec<(ClientId, Kept)>,
}

/// The step, checked once for all credentials.
enum Checked {
    Revoke { reason: Option<String> },
    Disable,
    Enable,
    Finish { only_moved: bool },
    Deadline(Timestamp),
    Move(Move),
    Own(Person),
    Unassign(Replacement),
    Undo(HashMap<ClientId, Reversal>),
    Tag { add: Vec<String>, remove: Vec<String> },
}

/// Does the step to each of `client_ids`, in one transaction.
///
/// # Errors
///
/// [`CredentialError::Invalid`] when something is wrong with the step itself, [`CredentialError::NotFound`] or
/// [`CredentialError::Forbidden`] when the actor may do it to none of the credentials; then nothing is changed.
pub async fn apply(context: &Context, actor: &Actor, client_ids: &[ClientId], step: &Step) -> Result<Receipt> {
    let live_tokens = match step {
        Step::Revoke(_) | Step::Disable => live_tokens(context, client_ids).await?,
        _ => HashMap::new(),
    };
    if matches!(step, Step::Finish { .. }) {
        // Whether the old secret was used decides, so the latest uses count too.
        context.rollup.flush().await;
    }
    let mut change = context.begin_change().await?;
    let step = checked(&mut change, actor, step).await?;
    let (mut events, mut others, mut receipt) = (Vec::new(), Vec::new(), Receipt::default());
    for client_id in client_ids {
        match one(&mut change, actor, client_id, &step).await? {
            Ok((event, other)) => {
                events.push(match live_tokens.get(client_id) {
                    Some(count) => event.and(json!({ "live_tokens": count })),
                    None => event,
                });
                others.extend(other);
            }
            Err(kept) => receipt.kept.push((client_id.clone(), kept)),
        }
    }
    if events.is_empty() && receipt.kept.iter().all(|(_, why)| matches!(why, Kept::Unseen | Kept::Role)) {
        let is_seen = receipt.kept.iter().any(|(_, why)| *why == Kept::Role);
        return Err(if is_seen { CredentialError::Forbidden } else { CredentialError::NotFound });
    }
    let changed = events.len();
    // The entries of the receipt are side by side: it names the first and the last.
    events.extend(others);
    receipt.entries = change.commit_all(actor, &events).await?;
    receipt.entries.truncate(changed);
    Ok(receipt)
}

pub use self::moving::{Foreseen, foresee};
pub use self::outcome::{Kept, MOST_GIVEN};
pub use self::replacing::{Replaced, replaced};

/// Gives the credentials that one person owns to another, the newest [`MOST_GIVEN`] of them. A credential stays when
/// the actor does not manage its team or the other person is not in it.
///
/// # Errors
///
/// [`CredentialError::Invalid`] when the new owner cannot be one, or when the person owns nothing.
pub async fn give_all(context: &Context, actor: &Actor, from: &PersonId, to: &PersonId) -> Result<Receipt> {
    let owned = store::credential::owned(&context.store, from, i64::from(MOST_GIVEN)).await?;
    if owned.is_empty() {
        return Err(FieldError::new("owner", "This person owns no credential.").into());
    }
    let ids: Vec<ClientId> = owned.into_iter().map(|credential| credential.client_id).collect();
    apply(context, actor, &ids, &Step::Own(to.clone())).await
}

/// How many tokens of each credential live.
async fn live_tokens(context: &Context, client_ids: &[ClientId]) -> Result<HashMap<ClientId, i64>> {
    context.rollup.flush().await;
    let mut counts = HashMap::new();
    for client_id in client_ids {
        if let Some(credential) = store::credential::find(&context.store, client_id).await? {
            counts.insert(client_id.clone(), inspect::impact(context, &credential).await?.live_tokens);
        }
    }
    Ok(counts)
}

async fn checked(change: &mut Change<'_>, actor: &Actor, step: &Step) -> Result<Checked> {
    Ok(match step {
        Step::Revoke(reason) => Checked::Revoke { reason: check_reason(reason).at("reason")? },
        Step::Disable => Checked::Disable,
        Step::Enable => Checked::Enable,
        Step::Finish { only_moved } => Checked::Finish { only_moved: *only_moved },
        Step::Deadline(overlap) => {
            let deadline = overlap.deadline(change.now())?;
            Checked::Deadline(deadline.ok_or_else(|| FieldError::new("overlap", "Choose one of the times."))?)
        }
        Step::Move { team, owner } => Checked::Move(Move::checked(change, actor, team, owner.as_ref()).await?),
        Step::Own(person) => {
            let person = store::person::find(&mut *change, person).await?.filter(|person| person.disabled_at.is_none());
            Checked::Own(person.ok_or_else(|| FieldError::new("owner", "Choose a person."))?)
        }
        Step::Unassign { server, instead } => {
            Checked::Unassign(Replacement::checked(change, server, instead.as_ref()).await?)
        }
        Step::Undo { first, last } => Checked::Undo(undo::read(change.context(), *first, *last).await?),
        Step::Tag { add, remove } => {
            let (add, remove) = (check_tags(add).at("add")?, check_tags(remove).at("remove")?);
            if add.is_empty() && remove.is_empty() {
                return Err(FieldError::new("add", "Enter a tag to add or to remove.").into());
            }
            Checked::Tag { add, remove }
        }
    })
}

/// Changes one credential. Returns the events, or why the credential stays as it is.
async fn one(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    step: &Checked,
) -> Result<Result<Done, Kept>> {
    let role = match step {
        Checked::Move(_) | Checked::Own(_) | Checked::Unassign(_) | Checked::Undo(_) | Checked::Tag { .. } => {
            Role::Manager
        }
        _ => Role::Member,
    };
    let credential = match find_for(change, actor, client_id, role).await {
        Ok(credential) => credential,
        Err(CredentialError::NotFound) => return Ok(Err(Kept::Unseen)),
        Err(CredentialError::Forbidden) => return Ok(Err(Kept::Role)),
        Err(error) => return Err(error),
    };
    let now = change.now();
    // A team is removed only when nothing is left in it, so what is revoked can move, too.
    let moves = match step {
        Checked::Move(_) => true,
        Checked::Undo(reversals) => reversals.get(client_id).is_some_and(Reversal::is_move),
        _ => false,
    };
    if credential.revoked_at.is_some() && !moves {
        let is_revocation = matches!(step, Checked::Revoke { .. });
        return Ok(Err(if is_revocation { Kept::Already } else { Kept::Revoked }));
    }
    let event = match step {
        Checked::Revoke { reason } => {
            store::credential::revoke(change, client_id, now, reason.as_deref()).await?;
            Ok(credential.event(Action::CredentialRevoked).with(json!({ "reason": reason })))
        }
        Checked::Disable if credential.disabled_at.is_some() => Err(Kept::Already),
        Checked::Disable => {
            store::credential::set_disabled(change, client_id, Some(now)).await?;
            Ok(credential.event(Action::CredentialDisabled))
        }
        Checked::Enable if credential.disabled_at.is_none() => Err(Kept::Already),
        Checked::Enable => {
            store::credential::set_disabled(change, client_id, None).await?;
            store::operations::policy::confirm(change, client_id, actor.name(), now).await?;
            Ok(credential.event(Action::CredentialEnabled))
        }
        Checked::Finish { only_moved } => rotations::finished(change, &credential, *only_moved).await?,
        Checked::Deadline(deadline) => rotations::postponed(change, &credential, *deadline).await?,
        Checked::Move(to) => return moving::moved(change, actor, credential, to).await,
        Checked::Undo(reversals) => {
            let Some(reversal) = reversals.get(client_id) else { return Ok(Err(Kept::Changed)) };
            return undo::undone(change, actor, credential, reversal).await;
        }
        Checked::Unassign(replacement) => replacing::replace(change, credential, replacement).await?,
        Checked::Own(person) => given(change, credential, person).await?,
        Checked::Tag { add, remove } => tagged(change, credential, add, remove).await?,
    };
    Ok(event.map(|event| (event, None)))
}

/// Makes the person the owner, if they see the credential's team.
async fn given(change: &mut Change<'_>, credential: Credential, person: &Person) -> Result<Result<Event, Kept>> {
    let before = credential.owner.as_ref();
    if before.is_some_and(|owner| owner.id == person.id) {
        return Ok(Err(Kept::Already));
    }
    let sees = store::person::team::authority_of_person(&mut *change, &person.id).await?;
    if sees.is_none_or(|sees| sees.role_in(&credential.team).is_none()) {
        return Ok(Err(Kept::Owner));
    }
    store::credential::set_owner(change, &credential.client_id, Some(&person.id)).await?;
    let after = Owner { id: person.id.clone(), name: person.name.clone(), disabled: false };
    let changes = json!({ "owner": owner_change(before, Some(&after)) });
    Ok(Ok(credential.event(Action::CredentialEdited).with(changes)))
}

async fn tagged(
    change: &mut Change<'_>,
    credential: Credential,
    add: &[String],
    remove: &[String],
) -> Result<Result<Event, Kept>> {
    let kept = credential.tags.iter().filter(|tag| !remove.contains(tag));
    let Ok(tags) = check_tags(&kept.chain(add).cloned().collect::<Vec<_>>()) else {
        return Ok(Err(Kept::Tags));
    };
    if tags == credential.tags {
        return Ok(Err(Kept::Already));
    }
    store::credential::set_tags(change, &credential.client_id, &tags).await?;
    let mut changes = Changes::default();
    changes.note("tags", &credential.tags, &tags);
    Ok(Ok(credential.event(Action::CredentialEdited).with(changes.into())))
}
