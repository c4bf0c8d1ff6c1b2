//! The person who is connected to an account at the provider.

use serde_json::json;

use crate::base::id::{OpenIdLinkId, PersonId, SessionId};
use crate::change::Change;
use crate::context::Context;
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::origin::Origin;
use crate::model::person::{Link, Person};
use crate::person::openid::{Identity, OpenIdError};
use crate::person::sign_in;
use crate::services::relying_party::{Provider, RelyingParty};
use crate::store::{self, StoreError};

/// The account at this provider that the person is connected to.
pub async fn of(context: &Context, relying_party: &RelyingParty, person: &PersonId) -> Result<Option<Link>, Fault> {
    Ok(store::person::openid::find(&context.store, &relying_party.provider.issuer, person).await?)
}

/// Signs in the person who is connected to the account. The attempt that was counted for the source address is taken
/// back.
///
/// # Errors
///
/// [`OpenIdError::NotConnected`] or [`OpenIdError::Disabled`], which the audit log records; or a fault.
pub async fn sign_in(
    context: &Context,
    relying_party: &RelyingParty,
    identity: &Identity,
    origin: &Origin,
) -> Result<Person, OpenIdError> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    let (person, connected) = match person_of(&mut change, provider, identity).await? {
        Some((_, person)) if person.disabled_at.is_some() => {
            refuse(change, provider, about(Action::SessionRefused, &person), "the person is disabled", origin).await?;
            return Err(OpenIdError::Disabled);
        }
        Some((link, person)) => {
            let now = change.now();
            store::person::openid::note_use(change.transaction(), &link, now).await?;
            (person, None)
        }
        None => match person_by_email(&mut change, provider, identity).await? {
            Some(person) => {
                let event = insert(context, &mut change, provider, identity, &person, "verified email address").await?;
                (person, Some(event))
            }
            None => {
                let event = Event::new(Action::SessionRefused, Target::Session, "", "Unknown account");
                refuse(change, provider, event, "nobody is connected to this account", origin).await?;
                return Err(OpenIdError::NotConnected);
            }
        },
    };
    sign_in::uncount_source(change.transaction(), origin.address).await?;
    let actor = Actor::person(person.id.clone(), person.name.clone()).at(origin.address, origin.agent.as_deref());
    let started = about(Action::SessionStarted, &person).with(json!({ "method": "OpenID", "issuer": provider.issuer }));
    let events: Vec<Event> = connected.into_iter().chain([started]).collect();
    change.commit_all(&actor, &events).await?;
    Ok(person)
}

/// Connects the account to the person.
///
/// # Errors
///
/// [`OpenIdError::Taken`] or [`OpenIdError::OtherAccount`], and nothing is changed; or a fault.
pub async fn connect(
    context: &Context,
    relying_party: &RelyingParty,
    actor: &Actor,
    person: &PersonId,
    identity: &Identity,
) -> Result<(), OpenIdError> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    match person_of(&mut change, provider, identity).await? {
        Some((_, owner)) if owner.id == *person => return Ok(()),
        Some(_) => return Err(OpenIdError::Taken),
        None => {}
    }
    if store::person::openid::find(change.transaction(), &provider.issuer, person).await?.is_some() {
        return Err(OpenIdError::OtherAccount);
    }
    let person = store::person::find(change.transaction(), person).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(OpenIdError::NoAttempt)?;
    let event = insert(context, &mut change, provider, identity, &person, "the person").await?;
    change.commit(actor, &event).await?;
    Ok(())
}

/// Disconnects the person's account; false when there is none. The person can still sign in with the password, and
/// stays signed in in the session `keep`. All other sessions end: the present holder of the account at the provider may
/// have opened them.
pub async fn disconnect(
    context: &Context,
    relying_party: &RelyingParty,
    actor: &Actor,
    person: &PersonId,
    keep: &SessionId,
) -> Result<bool, Fault> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    let Some(account) = remove(&mut change, provider, person).await? else { return Ok(false) };
    let now = change.now();
    let sessions = store::person::session::end_all(change.transaction(), person, Some(keep), now).await?;
    let event = Event::new(Action::PersonOpenIdDisconnected, Target::Person, person.as_str(), actor.name())
        .with(json!({ "issuer": provider.issuer, "account": account, "sessions_ended": sessions }));
    change.commit(actor, &event).await?;
    Ok(true)
}

/// Disconnects the person's account inside a change by an actor with the right to do so. Returns the account, if there
/// was one.
pub(crate) async fn remove(
    change: &mut Change<'_>,
    provider: &Provider,
    person: &PersonId,
) -> Result<Option<String>, StoreError> {
    let Some(link) = store::person::openid::find(change.transaction(), &provider.issuer, person).await? else {
        return Ok(None);
    };
    let now = change.now();
    store::person::openid::remove(change.transaction(), &link.id, now).await?;
    Ok(Some(link.account))
}

async fn person_of(
    change: &mut Change<'_>,
    provider: &Provider,
    identity: &Identity,
) -> Result<Option<(OpenIdLinkId, Person)>, OpenIdError> {
    let link =
        store::person::openid::find_by_subject(change.transaction(), &provider.issuer, &identity.subject).await?;
    let Some(link) = link else { return Ok(None) };
    let person = store::person::find(change.transaction(), &link.person).await?.ok_or(Fault::Damaged)?;
    Ok(Some((link.id, person)))
}

/// The person with the account's verified e-mail address, when the operator lets the address count. Three kinds of
/// people are left out:
///
/// - people who are disabled;
/// - people who are or once were connected to an account of the provider: a person who disconnected an account has
///   decided;
/// - people with a second factor, which an address at the provider must not bypass. They connect the account
///   themselves.
async fn person_by_email(
    change: &mut Change<'_>,
    provider: &Provider,
    identity: &Identity,
) -> Result<Option<Person>, OpenIdError> {
    let Some(email) = identity.verified_email.as_deref().filter(|_| provider.link_by_email) else { return Ok(None) };
    let person = store::person::find_by_email(change.transaction(), email).await?;
    let eligible = |person: &Person| person.disabled_at.is_none() && !person.factors.any();
    let Some(person) = person.filter(eligible) else { return Ok(None) };
    let was_connected =
        store::person::openid::was_connected(change.transaction(), &provider.issuer, &person.id).await?;
    Ok((!was_connected).then_some(person))
}

async fn insert(
    context: &Context,
    change: &mut Change<'_>,
    provider: &Provider,
    identity: &Identity,
    person: &Person,
    by: &str,
) -> Result<Event, OpenIdError> {
    let link = Link {
        id: OpenIdLinkId::generate(context.random.as_ref()),
        person: person.id.clone(),
        subject: identity.subject.clone(),
        account: identity.account.clone(),
        connected_at: change.now(),
        last_used_at: None,
    };
    store::person::openid::insert(change.transaction(), &provider.issuer, &link).await?;
    let details = json!({ "issuer": provider.issuer, "account": link.account, "by": by });
    Ok(about(Action::PersonOpenIdConnected, person).with(details))
}

fn about(action: Action, person: &Person) -> Event {
    Event::new(action, Target::Person, person.id.as_str(), &person.name)
}

async fn refuse(
    change: Change<'_>,
    provider: &Provider,
    event: Event,
    reason: &str,
    origin: &Origin,
) -> Result<(), OpenIdError> {
    let event = event.with(json!({ "method": "OpenID", "issuer": provider.issuer, "reason": reason }));
    let actor = Actor::system().at(origin.address, origin.agent.as_deref());
    change.commit(&actor, &event).await?;
    Ok(())
}
