//! What people do with an incident: who handles it, since when it was exposed, notes, closing it.

use serde_json::json;

use crate::base::id::{AppClientId, ClientId, ConsentId, McpServerId, PersonId, PersonalTokenId};
use crate::base::text::{check_length, printable};
use crate::client::consent::ConsentError;
use crate::client::personal_token::PersonalTokenError;
use crate::client::{self, consent, personal_token};
use crate::credential::revoke::revoke_all;
use crate::credential::{CredentialError, Result, update_ends_of};
use crate::crypto::secret::without_secrets;
use crate::incident::leak;
use crate::model::audit::Target;
use crate::model::incident::record::{Incident, Item, State};
use crate::model::person::authority::Role;
use crate::person::authority;
use crate::prelude::{Action, Actor, Change, Changes, Context, FieldError, Timestamp};
use crate::store;
use crate::store::incident::record as records;

/// Longest note, in characters.
const LONGEST_NOTE: usize = 4000;

/// How an incident ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was handled: nothing of it works.
    Handled,
    /// Nothing had leaked. The marks are taken back, and what was recorded works as before.
    FalseAlarm,
}

/// What people say about an incident.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// Who handles it.
    pub owner: Option<PersonId>,
    /// Since when others could read what leaked.
    pub exposed_at: Option<Timestamp>,
    /// Where it was found, such as the address of a page. Secrets in it are not stored.
    pub found_at: String,
}

/// Begins a change of an incident, which the actor may change.
async fn begin<'context>(
    context: &'context Context,
    actor: &Actor,
    number: i64,
) -> Result<(Change<'context>, Incident)> {
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    let found = records::find(&mut change, authority.key(), number).await?;
    let incident = found.ok_or(CredentialError::NotFound)?;
    let items = records::items(&mut change, number, context.now()).await?;
    let incident = super::with_items(incident, items, &authority);
    if incident.may_be_changed_by(&authority) { Ok((change, incident)) } else { Err(CredentialError::Forbidden) }
}

/// Sets who handles the incident, since when others could read what leaked, and where.
///
/// # Errors
///
/// [`CredentialError::NotFound`], [`CredentialError::Forbidden`], or an error at `owner` or `exposed_at`.
pub async fn edit(context: &Context, actor: &Actor, number: i64, edit: &Edit) -> Result<()> {
    let (owner, exposed_at, found_at) = (edit.owner.as_ref(), edit.exposed_at, leak::place(&edit.found_at));
    let (mut change, incident) = begin(context, actor, number).await?;
    if exposed_at.is_some_and(|at| at > incident.opened_at) {
        return Err(FieldError::new("exposed_at", "Choose a moment before the leak was found.").into());
    }
    let mut name = None;
    if let Some(id) = owner {
        let person = store::person::find(&mut change, id).await?.filter(|person| person.disabled_at.is_none());
        let person = person.ok_or_else(|| FieldError::new("owner", "Choose a person from the list."))?;
        name = Some(person.name);
    }
    let mut changes = Changes::default();
    changes.note("owner", incident.owner.as_ref().map(|owner| owner.name.clone()), name);
    changes.note("exposed_at", incident.exposed_at.map(Timestamp::rfc3339), exposed_at.map(Timestamp::rfc3339));
    changes.note("found_at", incident.found_at.clone(), found_at.clone());
    if changes.is_empty() && incident.owner.as_ref().map(|owner| &owner.id) == owner {
        return Ok(());
    }
    records::edit(&mut change, number, owner, exposed_at, found_at.as_deref()).await?;
    change.commit(actor, &incident.event(Action::IncidentEdited).with(changes.into())).await?;
    Ok(())
}

/// Adds a note. `about` is the MCP server whose owner was told. The note must hold no
/// secret: what people paste into a record is copied into tickets.
///
/// # Errors
///
/// [`CredentialError::NotFound`], [`CredentialError::Forbidden`], or an error at `note`.
pub async fn add_note(
    context: &Context,
    actor: &Actor,
    number: i64,
    about: Option<&McpServerId>,
    text: &str,
) -> Result<()> {
    let text = checked_note(text)?;
    let (mut change, incident) = begin(context, actor, number).await?;
    let now = change.now();
    records::add_note(&mut change, number, actor.name(), about.map_or("", McpServerId::as_str), &text, now).await?;
    change.commit(actor, &incident.event(Action::IncidentNoted)).await?;
    Ok(())
}

fn checked_note(text: &str) -> Result<String> {
    let text = text.trim().replace("\r\n", "\n");
    if text.is_empty() {
        return Err(FieldError::new("note", "Write something.").into());
    }
    check_length(&text, LONGEST_NOTE).map_err(|problem| FieldError::new("note", problem))?;
    if !leak::scan(&text).is_empty() || without_secrets(&text) != text {
        let problem = "The note holds a secret or a token. Remove it: notes are copied into tickets.";
        return Err(FieldError::new("note", problem).into());
    }
    Ok(text.lines().map(printable).collect::<Vec<_>>().join("\n"))
}

/// Stops what leaked, as far as the actor may: revokes credentials, and ends tokens, access of apps and secrets of
/// clients. Returns how many things it stopped.
///
/// # Errors
///
/// [`CredentialError::NotFound`], or [`CredentialError::Forbidden`] when the actor may stop nothing of what works.
pub async fn stop(context: &Context, actor: &Actor, number: i64) -> Result<usize> {
    let authority = authority::of(context, actor).await?;
    let incident = super::find(context, &authority, number).await?.ok_or(CredentialError::NotFound)?;
    let working = || incident.items.iter().filter(|item| item.works);
    let mine: Vec<&Item> = working().filter(|item| item.role_of(&authority) >= Some(Role::Member)).collect();
    if mine.is_empty() && working().next().is_some() {
        return Err(CredentialError::Forbidden);
    }
    let credentials = mine.iter().filter(|item| item.kind == Target::Credential);
    let ids: Vec<ClientId> = credentials.filter_map(|item| ClientId::parse(&item.id)).collect();
    // Credentials come first: what acts for people can end while they are revoked already.
    revoke_all(context, actor, &ids, &format!("Leaked: incident {number}")).await?;
    for item in mine.iter().filter(|item| item.kind != Target::Credential) {
        end_of_people(context, actor, item).await?;
    }
    Ok(mine.len())
}

/// Ends what acts for people. Somebody else may have ended it a moment before.
async fn end_of_people(context: &Context, actor: &Actor, item: &Item) -> Result<()> {
    match item.kind {
        Target::PersonalToken => {
            let Some(id) = PersonalTokenId::parse(&item.id) else { return Ok(()) };
            match personal_token::end(context, actor, &id).await {
                Err(PersonalTokenError::Fault(fault)) => Err(fault.into()),
                _ => Ok(()),
            }
        }
        Target::Consent => {
            let Some(id) = ConsentId::parse(&item.id) else { return Ok(()) };
            match consent::end(context, actor, &id).await {
                Err(ConsentError::Fault(fault)) => Err(fault.into()),
                _ => Ok(()),
            }
        }
        Target::Client => {
            let Some(id) = AppClientId::parse(&item.id) else { return Ok(()) };
            Ok(client::end_secret(context, actor, &id, None).await?)
        }
        _ => Ok(()),
    }
}

/// Closes the incident.
///
/// # Errors
///
/// [`CredentialError::NotFound`], [`CredentialError::Forbidden`], or an error at `ending` when something of it works
/// and it is no false alarm. A false alarm needs the right to end each thing that was recorded.
pub async fn close(context: &Context, actor: &Actor, number: i64, ending: Ending) -> Result<()> {
    let (mut change, incident) = begin(context, actor, number).await?;
    let state = incident.state();
    if state == State::Closed {
        return Ok(());
    }
    let dismissed = ending == Ending::FalseAlarm;
    if dismissed {
        let authority = change.authority(actor).await?;
        let may_all = incident.items.iter().all(|item| item.role_of(&authority) >= Some(Role::Member));
        if incident.unseen > 0 || !may_all {
            return Err(CredentialError::Forbidden);
        }
        for item in &incident.items {
            match ClientId::parse(&item.id).filter(|_| item.kind == Target::Credential) {
                Some(id) => {
                    records::unmark_credential(&mut change, number, &id).await?;
                    update_ends_of(&mut change, &id).await?;
                }
                None => records::unmark_of_people(&mut change, number, item.kind, &item.id).await?,
            }
        }
    } else if state == State::Open {
        let problem = "Something that leaked still works. Revoke or rotate it first.";
        return Err(FieldError::new("ending", problem).into());
    }
    let now = change.now();
    records::set_closed(&mut change, number, Some((now, actor.name())), dismissed).await?;
    let details = json!({ "false_alarm": dismissed });
    change.commit(actor, &incident.event(Action::IncidentClosed).with(details)).await?;
    Ok(())
}

/// Opens a closed incident again.
///
/// # Errors
///
/// [`CredentialError::NotFound`] or [`CredentialError::Forbidden`].
pub async fn reopen(context: &Context, actor: &Actor, number: i64) -> Result<()> {
    let (mut change, incident) = begin(context, actor, number).await?;
    if incident.state() != State::Closed {
        return Ok(());
    }
    records::set_closed(&mut change, number, None, false).await?;
    change.commit(actor, &incident.event(Action::IncidentReopened)).await?;
    Ok(())
}
