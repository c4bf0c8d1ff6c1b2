//! What administrators do with people: list them, disable an account, give and take the administrator role.

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, SessionId};
use crate::change::Change;
use crate::context::Context;
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::client::consent::EndCause;
use crate::model::credential::draft::check_reason;
use crate::model::field_error::FieldError;
use crate::model::person::Person;
use crate::model::person::team::PersonsTeam;
use crate::person::openid::link;
use crate::person::{PersonError, second_factor};
use crate::store;
use crate::store::client::consent::ConsentSelection;
use crate::store::client::personal_token;
use crate::store::person::invitation::Withdrawn;

/// A person as the list of people shows them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The person.
    pub person: Person,
    /// The teams of the person.
    pub teams: Vec<PersonsTeam>,
    /// The last use, to the minute. Only sessions that are still stored count.
    pub seen_at: Option<Timestamp>,
}

/// All people, by name.
pub async fn list(context: &Context) -> Result<Vec<Listed>, Fault> {
    let teams = store::person::team::of_people(&context.store).await?;
    let people = store::person::list(&context.store).await?;
    Ok(people
        .into_iter()
        .map(|(person, seen_at)| {
            let own = teams.iter().filter(|(id, _)| *id == person.id).map(|(_, team)| team.clone()).collect();
            Listed { person, teams: own, seen_at }
        })
        .collect())
}

/// Disables a person. These end now: their sessions, the apps that act for them, and their personal tokens. Sign-in is
/// refused like a wrong password. Their open invitations are withdrawn. The credentials that they generated belong to
/// the team and go on.
pub async fn disable(context: &Context, actor: &Actor, id: &PersonId) -> Result<(), PersonError> {
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    if person.disabled_at.is_some() {
        return Ok(());
    }
    let now = change.now();
    store::person::set_disabled(change.transaction(), id, Some(now)).await?;
    keep_an_administrator(&mut change).await?;
    let sessions = store::person::session::end_all(change.transaction(), id, None, now).await?;
    store::person::second_factor::remove_pending(change.transaction(), id).await?;
    let grants = store::client::consent::end(
        change.transaction(),
        ConsentSelection::OfPerson(id),
        now,
        EndCause::PersonDisabled,
    )
    .await?;
    let of_person = personal_token::PersonalTokenSelection::OfPerson(id);
    let tokens = personal_token::end(change.transaction(), of_person, now, EndCause::PersonDisabled).await?;
    let sent = store::person::invitation::withdraw_of(change.transaction(), id, None, now).await?;
    let received =
        store::person::invitation::withdraw_to(change.transaction(), &person.email, Withdrawn::All, now).await?;
    let event = event(Action::PersonDisabled, &person).with(json!({
        "sessions_ended": sessions,
        "grants_ended": grants,
        "personal_tokens_ended": tokens,
        "invitations_withdrawn": sent + received,
    }));
    change.commit(actor, &event).await?;
    Ok(())
}

/// Enables a disabled person.
pub async fn enable(context: &Context, actor: &Actor, id: &PersonId) -> Result<(), PersonError> {
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    if person.disabled_at.is_none() {
        return Ok(());
    }
    store::person::set_disabled(change.transaction(), id, None).await?;
    change.commit(actor, &event(Action::PersonEnabled, &person)).await?;
    Ok(())
}

/// Makes a person an administrator of the instance, or takes this role away. In the second case the open invitations
/// that the role permitted are withdrawn.
pub async fn set_administrator(
    context: &Context,
    actor: &Actor,
    id: &PersonId,
    administrator: bool,
) -> Result<(), PersonError> {
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    if person.administrator_since.is_some() == administrator {
        return Ok(());
    }
    let now = change.now();
    store::person::set_administrator(change.transaction(), id, administrator.then_some(now)).await?;
    if !administrator {
        keep_an_administrator(&mut change).await?;
        store::person::invitation::withdraw_of(change.transaction(), id, None, now).await?;
        let administration = Withdrawn::Administration;
        store::person::invitation::withdraw_to(change.transaction(), &person.email, administration, now).await?;
    }
    change.commit(actor, &administrator_event(&person, administrator)).await?;
    Ok(())
}

/// The audit event: a person became an administrator, or is no longer one.
pub(crate) fn administrator_event(person: &Person, administrator: bool) -> Event {
    event(Action::PersonAdministratorChanged, person)
        .with(json!({ "administrator": { "before": !administrator, "after": administrator } }))
}

/// Ends sessions of a person: one, or all of them. Returns how many live sessions ended.
pub async fn end_sessions(
    context: &Context,
    actor: &Actor,
    id: &PersonId,
    session: Option<&SessionId>,
) -> Result<u64, PersonError> {
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    let now = change.now();
    let ended = match session {
        Some(session) => u64::from(store::person::session::end(change.transaction(), id, session, now).await?),
        None => store::person::session::end_all(change.transaction(), id, None, now).await?,
    };
    if ended == 0 {
        return Ok(0);
    }
    let event = event(Action::SessionEnded, &person).with(json!({ "sessions_ended": ended }));
    change.commit(actor, &event).await?;
    Ok(ended)
}

/// Removes every second factor of a person who lost theirs, and ends their sessions. Their password stays.
pub async fn reset_second_factor(
    context: &Context,
    actor: &Actor,
    id: &PersonId,
    reason: &str,
) -> Result<(), PersonError> {
    let invalid = |field, message: String| PersonError::Invalid(vec![FieldError::new(field, message)]);
    let reason = check_reason(reason).map_err(|message| invalid("reason", message))?;
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    if !second_factor::remove_everything(&mut change, id).await? {
        return Err(invalid("person", format!("{} has no second factor.", person.name)));
    }
    let now = change.now();
    let sessions = store::person::session::end_all(change.transaction(), id, None, now).await?;
    let event =
        event(Action::SecondFactorRemoved, &person).with(json!({ "reason": reason, "sessions_ended": sessions }));
    change.commit(actor, &event).await?;
    Ok(())
}

/// Disconnects the account at the OpenID provider from the person, and ends the person's sessions. Anyone who can sign
/// in to that account loses the access to this instance. The person's password stays.
pub async fn disconnect_openid(context: &Context, actor: &Actor, id: &PersonId) -> Result<(), PersonError> {
    let mut change = context.begin_change().await?;
    let person = find_for(&mut change, actor, id).await?;
    let connected = match &context.openid {
        Some(relying_party) => {
            let provider = relying_party.provider();
            let account = link::remove(&mut change, provider, id).await?;
            account.map(|account| (provider.issuer.clone(), account))
        }
        None => None,
    };
    let Some((issuer, account)) = connected else {
        let message = format!("{} has connected no account.", person.name);
        return Err(PersonError::Invalid(vec![FieldError::new("person", message)]));
    };
    let now = change.now();
    let sessions = store::person::session::end_all(change.transaction(), id, None, now).await?;
    let details = json!({ "issuer": issuer, "account": account, "sessions_ended": sessions });
    change.commit(actor, &event(Action::PersonOpenIdDisconnected, &person).with(details)).await?;
    Ok(())
}

fn event(action: Action, person: &Person) -> Event {
    Event::new(action, Target::Person, person.id.as_str(), &person.name)
}

/// Reads the person inside a change by an administrator.
async fn find_for(change: &mut Change<'_>, actor: &Actor, id: &PersonId) -> Result<Person, PersonError> {
    change.require_administrator(actor, PersonError::NotFound).await?;
    store::person::find(change.transaction(), id).await?.ok_or(PersonError::NotFound)
}

/// Refuses a change that would leave the instance without an administrator. Changes run one at a time (see [`store`]).
/// So when two administrators each remove the role of another, the second change sees the first one.
async fn keep_an_administrator(change: &mut Change<'_>) -> Result<(), PersonError> {
    if store::person::active_administrators(change.transaction()).await? > 0 {
        return Ok(());
    }
    let message = "Nobody could administer the instance then. Make somebody else an administrator first.";
    Err(PersonError::Invalid(vec![FieldError::new("person", message)]))
}
