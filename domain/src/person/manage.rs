//! What administrators do with people: list them, disable an account, give and take the administrator role.

use std::collections::HashMap;

use serde_json::json;

use crate::base::id::{ClientId, PersonId, SessionId};
use crate::model::client::consent::EndCause;
use crate::model::credential::Credential;
use crate::model::credential::draft::check_reason;
use crate::model::person::session::IDLE_LIMIT;
use crate::model::person::team::PersonsTeam;
use crate::model::person::{Person, check_name};
use crate::person::access::{EndAlso, EndedAccess};
use crate::person::openid::link;
use crate::person::{PersonError, Result, access, second_factor};
use crate::prelude::{Action, Actor, AtField, Change, Context, Event, Fault, FieldError, Timestamp};
use crate::store;
use crate::store::client::consent::ConsentSelection;
use crate::store::client::personal_token::PersonalTokenSelection;
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

/// Up to this number the credentials of a person are counted.
pub const MOST_COUNTED: i64 = 1000;

/// The newest credentials that a person generated, at most `limit`, and how many there are: [`MOST_COUNTED`] + 1 when
/// there are more.
pub async fn generated_by(context: &Context, id: &PersonId, limit: u16) -> Result<(Vec<Credential>, i64), Fault> {
    context.rollup.flush().await;
    let newest = store::credential::generated::newest(&context.store, id, i64::from(limit)).await?;
    Ok((newest, store::credential::generated::count(&context.store, id, MOST_COUNTED + 1).await?))
}

/// The most secrets of a person that [`secrets_known_to`] reads.
const MOST_KNOWN: i64 = 5000;

/// The credentials of which a person has seen a secret that still works, because they generated it. With a moment: the
/// secret is being replaced and works until then.
pub async fn secrets_known_to(context: &Context, id: &PersonId) -> Result<HashMap<ClientId, Option<Timestamp>>, Fault> {
    let mut known = HashMap::new();
    for (client_id, until) in
        store::credential::generated::known_to(&context.store, id, context.now(), MOST_KNOWN).await?
    {
        let both = known.entry(client_id).or_insert(until);
        // Of two secrets the one without a deadline counts.
        *both = both.zip(until).map(|(one, other): (Timestamp, Timestamp)| one.max(other));
    }
    Ok(known)
}

/// The newest credentials of which a person has seen a secret that still works, at most `limit`.
pub async fn known_to(context: &Context, id: &PersonId, limit: u16) -> Result<Vec<Credential>, Fault> {
    context.rollup.flush().await;
    let now = context.now();
    Ok(store::credential::generated::newest_known(&context.store, id, now, i64::from(limit)).await?)
}

/// Gives another person another name. Only administrators may do this.
pub async fn rename(context: &Context, actor: &Actor, id: &PersonId, name: &str) -> Result<()> {
    let name = &check_name(name).at("name")?;
    let (mut change, person) = begin_for(context, actor, id).await?;
    if person.name == *name {
        return Ok(());
    }
    store::person::set_name(&mut change, id, name).await?;
    let event = person.event(Action::PersonRenamed).with(json!({ "name": { "before": person.name, "after": name } }));
    Ok(change.commit(actor, &event).await?)
}

/// At most `limit` people whose name or email address contains `text`, by name.
pub async fn search(context: &Context, text: &str, limit: u16) -> Result<Vec<Person>, Fault> {
    Ok(store::person::search(&context.store, text, i64::from(limit)).await?)
}

/// Disables a person. These end now: their sessions, the apps that act for them, and their personal tokens. Sign-in is
/// refused like a wrong password. Their open invitations are withdrawn. The credentials that they generated belong to
/// the team and go on.
pub async fn disable(context: &Context, actor: &Actor, id: &PersonId) -> Result<()> {
    let (mut change, person) = begin_for(context, actor, id).await?;
    if person.disabled_at.is_some() {
        return Ok(());
    }
    let now = change.now();
    store::person::set_disabled(&mut change, id, Some(now)).await?;
    keep_an_administrator(&mut change).await?;
    let sessions = store::person::session::end_all(&mut change, id, None, now, now.minus(IDLE_LIMIT)).await?;
    store::person::second_factor::remove_pending(&mut change, id).await?;
    let (cause, own) = (EndCause::PersonDisabled, PersonalTokenSelection::OfPerson(id));
    let grants = store::client::consent::end(&mut change, ConsentSelection::OfPerson(id), now, cause).await?;
    store::client::device::end_of_person(&mut change, id, now).await?;
    let tokens = store::client::personal_token::end(&mut change, own, now, cause).await?;
    store::person::password_link::remove_of(&mut change, id).await?;
    store::person::password_link::remove_made_by(&mut change, id).await?;
    let sent = store::person::invitation::withdraw_of(&mut change, id, None, now).await?;
    let received = store::person::invitation::withdraw_to(&mut change, &person.email, Withdrawn::All, now).await?;
    let event = person.event(Action::PersonDisabled).with(json!({
        "sessions_ended": sessions,
        "grants_ended": grants,
        "personal_tokens_ended": tokens,
        "invitations_withdrawn": sent + received,
    }));
    Ok(change.commit(actor, &event).await?)
}

/// Enables a disabled person.
pub async fn enable(context: &Context, actor: &Actor, id: &PersonId) -> Result<()> {
    let (mut change, person) = begin_for(context, actor, id).await?;
    if person.disabled_at.is_none() {
        return Ok(());
    }
    store::person::set_disabled(&mut change, id, None).await?;
    Ok(change.commit(actor, &person.event(Action::PersonEnabled)).await?)
}

/// Makes a person an administrator of the instance, or takes this role away. In the second case the open invitations
/// that the role permitted are withdrawn.
pub async fn set_administrator(context: &Context, actor: &Actor, id: &PersonId, administrator: bool) -> Result<()> {
    let (mut change, person) = begin_for(context, actor, id).await?;
    if person.administrator_since.is_some() == administrator {
        return Ok(());
    }
    let now = change.now();
    store::person::set_administrator(&mut change, id, administrator.then_some(now)).await?;
    if !administrator {
        keep_an_administrator(&mut change).await?;
        store::person::password_link::remove_made_by(&mut change, id).await?;
        store::person::invitation::withdraw_of(&mut change, id, None, now).await?;
        let administration = Withdrawn::Administration;
        store::person::invitation::withdraw_to(&mut change, &person.email, administration, now).await?;
    }
    Ok(change.commit(actor, &administrator_event(&person, administrator)).await?)
}

/// The audit event: a person became an administrator, or is no longer one.
pub(crate) fn administrator_event(person: &Person, administrator: bool) -> Event {
    let details = json!({ "administrator": { "before": !administrator, "after": administrator } });
    person.event(Action::PersonAdministratorChanged).with(details)
}

/// Ends sessions of a person: one, or all of them. Returns how many live sessions ended.
pub async fn end_sessions(context: &Context, actor: &Actor, id: &PersonId, session: Option<&SessionId>) -> Result<u64> {
    let Some(session) = session else {
        return Ok(end_access(context, actor, id, EndAlso::default()).await?.sessions);
    };
    let (mut change, person) = begin_for(context, actor, id).await?;
    let now = change.now();
    if !store::person::session::end(&mut change, id, session, now).await? {
        return Ok(0);
    }
    change.commit(actor, &person.event(Action::SessionEnded).with(json!({ "sessions_ended": 1 }))).await?;
    Ok(1)
}

/// Ends all sessions of a person, and the kinds in `also`. Their password stays.
pub async fn end_access(context: &Context, actor: &Actor, id: &PersonId, also: EndAlso) -> Result<EndedAccess> {
    let (mut change, person) = begin_for(context, actor, id).await?;
    let ended = access::end(&mut change, &person, None, also, cause_of(actor, id)).await?;
    if !ended.is_nothing() {
        change.commit(actor, &person.event(Action::SessionEnded).with(ended.details())).await?;
    }
    Ok(ended)
}

/// The cause that is stored for a token or consent of the person that `actor` ends.
fn cause_of(actor: &Actor, id: &PersonId) -> EndCause {
    if actor.person_id() == Some(id) { EndCause::Person } else { EndCause::Administrator }
}

/// Removes every second factor of a person who lost theirs, and ends their sessions. Their password stays.
pub async fn reset_second_factor(context: &Context, actor: &Actor, id: &PersonId, reason: &str) -> Result<()> {
    let reason = check_reason(reason).at("reason")?;
    let (mut change, person) = begin_for(context, actor, id).await?;
    if !second_factor::remove_everything(&mut change, id).await? {
        return Err(FieldError::new("person", format!("{} has no second factor.", person.name)).into());
    }
    let now = change.now();
    let sessions = store::person::session::end_all(&mut change, id, None, now, now.minus(IDLE_LIMIT)).await?;
    let details = json!({ "reason": reason, "sessions_ended": sessions });
    Ok(change.commit(actor, &person.event(Action::SecondFactorRemoved).with(details)).await?)
}

/// Disconnects the account at the OpenID provider from the person, and ends the person's sessions. Anyone who can sign
/// in to that account loses the access to this instance. The kinds in `also` end too. The person's password stays.
pub async fn disconnect_openid(context: &Context, actor: &Actor, id: &PersonId, also: EndAlso) -> Result<EndedAccess> {
    let (mut change, person) = begin_for(context, actor, id).await?;
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
        return Err(FieldError::new("person", message).into());
    };
    let ended = access::end(&mut change, &person, None, also, cause_of(actor, id)).await?;
    let mut details = ended.details();
    (details["issuer"], details["account"]) = (issuer.into(), account.into());
    change.commit(actor, &person.event(Action::PersonOpenIdDisconnected).with(details)).await?;
    Ok(ended)
}

/// Begins a change by an administrator, and reads the person.
pub(super) async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &PersonId,
) -> Result<(Change<'context>, Person)> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, PersonError::NotFound).await?;
    let person = store::person::find(&mut change, id).await?.ok_or(PersonError::NotFound)?;
    Ok((change, person))
}

/// Refuses a change that would leave the instance without an administrator. Changes run one at a time (see [`store`]).
/// So when two administrators each remove the role of another, the second change sees the first one.
async fn keep_an_administrator(change: &mut Change<'_>) -> Result<()> {
    if store::person::active_administrators(change).await? > 0 {
        return Ok(());
    }
    let message = "Nobody could administer the instance then. Make somebody else an administrator first.";
    Err(FieldError::new("person", message).into())
}
