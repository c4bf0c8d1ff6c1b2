//! The person who is connected to an account at the provider.

use serde_json::json;

use crate::base::id::{OpenIdLinkId, PersonId, SessionId};
use crate::model::client::consent::EndCause;
use crate::model::origin::Origin;
use crate::model::person::{Link, Person};
use crate::person::access::{EndAlso, EndedAccess};
use crate::person::openid::{Identity, OpenIdError, Result};
use crate::person::{access, sign_in};
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Target};
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
) -> Result<Person> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    let (person, connected) = match person_of(&mut change, provider, identity).await? {
        Some((_, person)) if person.disabled_at.is_some() => {
            refuse(change, provider, person.event(Action::SessionRefused), "the person is disabled", origin).await?;
            return Err(OpenIdError::Disabled);
        }
        Some((link, person)) => {
            let now = change.now();
            store::person::openid::note_use(&mut change, &link, now).await?;
            (person, None)
        }
        None => match person_by_email(&mut change, provider, identity).await? {
            Some(person) => {
                let event = insert(&mut change, provider, identity, &person, "verified email address").await?;
                let (person, event) = own_address(&mut change, person, event).await?;
                (person, Some(event))
            }
            None => {
                let event = Event::new(Action::SessionRefused, Target::Session, "", "Unknown account");
                refuse(change, provider, event, "nobody is connected to this account", origin).await?;
                return Err(OpenIdError::NotConnected);
            }
        },
    };
    sign_in::uncount_source(&mut change, origin.address).await?;
    let actor = Actor::of(&person).at(origin.address, origin.agent.as_deref());
    let details = json!({ "method": "OpenID", "issuer": provider.issuer });
    let started = person.event(Action::SessionStarted).with(details);
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
) -> Result<()> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    match person_of(&mut change, provider, identity).await? {
        Some((_, owner)) if owner.id == *person => return Ok(()),
        Some(_) => return Err(OpenIdError::Taken),
        None => {}
    }
    if store::person::openid::find(&mut change, &provider.issuer, person).await?.is_some() {
        return Err(OpenIdError::OtherAccount);
    }
    let person = store::person::find(&mut change, person).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(OpenIdError::NoAttempt)?;
    let event = insert(&mut change, provider, identity, &person, "the person").await?;
    Ok(change.commit(actor, &event).await?)
}

/// Disconnects the person's account. Returns what ended with it; `None` when no account was connected. The person can
/// still sign in with the password, and stays signed in in the session `keep`. All other sessions end, and so do the
/// kinds in `also`: the present holder of the account at the provider may have made them.
pub async fn disconnect(
    context: &Context,
    relying_party: &RelyingParty,
    actor: &Actor,
    person: &PersonId,
    keep: &SessionId,
    also: EndAlso,
) -> Result<Option<EndedAccess>, Fault> {
    let provider = relying_party.provider();
    let mut change = context.begin_change().await?;
    let Some(account) = remove(&mut change, provider, person).await? else { return Ok(None) };
    let person = store::person::find(&mut change, person).await?.ok_or(Fault::Damaged)?;
    let ended = access::end(&mut change, &person, Some(keep), also, EndCause::Person).await?;
    let mut details = ended.details();
    (details["issuer"], details["account"]) = (provider.issuer.as_str().into(), account.into());
    change.commit(actor, &person.event(Action::PersonOpenIdDisconnected).with(details)).await?;
    Ok(Some(ended))
}

/// Disconnects the person's account inside a change by an actor with the right to do so. Returns the account, if there
/// was one.
pub(crate) async fn remove(
    change: &mut Change<'_>,
    provider: &Provider,
    person: &PersonId,
) -> Result<Option<String>, StoreError> {
    let Some(link) = store::person::openid::find(&mut *change, &provider.issuer, person).await? else {
        return Ok(None);
    };
    let now = change.now();
    store::person::openid::remove(change, &link.id, now).await?;
    Ok(Some(link.account))
}

async fn person_of(
    change: &mut Change<'_>,
    provider: &Provider,
    identity: &Identity,
) -> Result<Option<(OpenIdLinkId, Person)>> {
    let link = store::person::openid::find_by_subject(change, &provider.issuer, &identity.subject).await?;
    let Some(link) = link else { return Ok(None) };
    let person = store::person::find(change, &link.person).await?.ok_or(Fault::Damaged)?;
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
async fn person_by_email(change: &mut Change<'_>, provider: &Provider, identity: &Identity) -> Result<Option<Person>> {
    let Some(email) = identity.verified_email.as_deref().filter(|_| provider.link_by_email) else { return Ok(None) };
    let person = store::person::find_by_email(&mut *change, email).await?;
    let eligible = |person: &Person| person.disabled_at.is_none() && !person.factors.any();
    let Some(person) = person.filter(eligible) else { return Ok(None) };
    let was_connected = store::person::openid::was_connected(change, &provider.issuer, &person.id).await?;
    Ok((!was_connected).then_some(person))
}

/// Makes sure that the account is the person's alone, after the provider proved their address. When a team's manager
/// invited the address, the manager may have opened the link and chosen the password. Then the password is removed, and
/// everything else that gives access ends.
async fn own_address(change: &mut Change<'_>, person: Person, connected: Event) -> Result<(Person, Event)> {
    if person.address_proven_at.is_some() {
        return Ok((person, connected));
    }
    let now = change.now();
    store::person::prove_address(change, &person.id, now).await?;
    let ended = access::end(change, &person, None, EndAlso::ALL, EndCause::Person).await?;
    let person = store::person::find(change, &person.id).await?.ok_or(Fault::Damaged)?;
    let event = connected.and(ended.details()).and(json!({ "password_removed": true }));
    Ok((person, event))
}

async fn insert(
    change: &mut Change<'_>,
    provider: &Provider,
    identity: &Identity,
    person: &Person,
    by: &str,
) -> Result<Event> {
    let link = Link {
        id: OpenIdLinkId::generate(change.context().random.as_ref()),
        person: person.id.clone(),
        subject: identity.subject.clone(),
        account: identity.account.clone(),
        connected_at: change.now(),
        last_used_at: None,
    };
    store::person::openid::insert(change, &provider.issuer, &link).await?;
    let details = json!({ "issuer": provider.issuer, "account": link.account, "by": by });
    Ok(person.event(Action::PersonOpenIdConnected).with(details))
}

async fn refuse(change: Change<'_>, provider: &Provider, event: Event, reason: &str, origin: &Origin) -> Result<()> {
    let event = event.with(json!({ "method": "OpenID", "issuer": provider.issuer, "reason": reason }));
    Ok(change.commit_folded(&Actor::system_for(origin), &event, &event).await?)
}
