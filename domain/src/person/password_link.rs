//! Password links: one-time links with which people who lost their password set another one. An administrator makes a
//! link, and hands it over after they have checked who is asking.
//!
//! A link replaces the password and never the second factor: the next sign-in asks for it as before. So passkeys end
//! with the old password only if an authenticator app stays ([`PasswordLink::may_end_passkeys`]).
//!
//! The link stops working when it was used or withdrawn, when a newer link was made, when the password was changed in
//! another way, when the person was disabled or their access ended, and when its maker is no longer an administrator.
//! Its token is stored only as a hash.

use std::time::Duration;

use serde_json::json;

use crate::base::digest;
use crate::base::encoding::base62;
use crate::base::id::PersonId;
use crate::crypto::password::Password;
use crate::model::client::consent::EndCause;
use crate::model::person::Person;
use crate::person::access::{self, EndAlso, EndedAccess};
use crate::person::{PersonError, Result, manage};
use crate::prelude::{Action, Actor, AtField, Context, Fault, FieldError, Timestamp};
use crate::store;
use crate::store::On;
use crate::store::person::password_link::PasswordLinkRow;

/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long a link works that was sent by e-mail.
pub(crate) const MAILED_LINK_LIFETIME: Duration = Duration::from_secs(3600);

/// A link that works now.
#[derive(Debug, Clone)]
pub struct PasswordLink {
    /// Whose password it replaces.
    pub person: Person,
    /// The name of who made it; empty: the person asked for it by e-mail.
    pub made_by: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl PasswordLink {
    /// Whether the person asked for it by e-mail.
    pub fn is_by_mail(&self) -> bool {
        self.made_by.is_empty()
    }

    /// Whether the passkeys may end with the old password. Whoever has the link has shown no second factor, and must
    /// not remove the only one.
    pub fn may_end_passkeys(&self) -> bool {
        self.person.factors.app
    }
}

/// Makes a link for a person, and returns its token. An earlier link of the person stops working.
///
/// # Errors
///
/// [`PersonError::Invalid`] when the person is disabled.
pub async fn create(context: &Context, actor: &Actor, id: &PersonId) -> Result<(PasswordLink, String)> {
    let token = base62::random(context.random.as_ref(), 43);
    let (mut change, person) = manage::begin_for(context, actor, id).await?;
    if person.disabled_at.is_some() {
        return Err(FieldError::new("person", format!("{} is disabled. Enable them first.", person.name)).into());
    }
    let expires_at = change.now().plus(LINK_LIFETIME);
    let row = PasswordLinkRow {
        person: person.id.clone(),
        password_of: person.password_changed_at,
        made_by: actor.id().to_owned(),
        made_by_name: actor.name().to_owned(),
        expires_at,
    };
    store::person::password_link::replace(&mut change, &digest::sha256(token.as_bytes()), &row).await?;
    let details = json!({ "expires_at": expires_at.rfc3339() });
    change.commit(actor, &person.event(Action::PersonPasswordLinkCreated).with(details)).await?;
    Ok((of(row, person), token))
}

/// Makes a link for a person who asked for one by e-mail, and returns its token. `None`: a link of theirs works
/// already, or they have no password.
pub(crate) async fn create_by_mail(
    context: &Context,
    person: &Person,
) -> Result<Option<(PasswordLink, String)>, Fault> {
    let token = base62::random(context.random.as_ref(), 43);
    let mut change = context.begin_change().await?;
    let now = change.now();
    let found = store::person::find(&mut change, &person.id).await?;
    let Some(person) = found.filter(|person| person.disabled_at.is_none() && person.has_password()) else {
        return Ok(None);
    };
    let earlier = store::person::password_link::of_person(&mut *change, &person.id, now).await?;
    // The link of an earlier attempt, which the mail server did not take, is replaced.
    if earlier.is_some_and(|row| is_for(&row, &person) && !row.is_by_mail()) {
        return Ok(None);
    }
    let row = PasswordLinkRow {
        person: person.id.clone(),
        password_of: person.password_changed_at,
        made_by: String::new(),
        made_by_name: String::new(),
        expires_at: now.plus(MAILED_LINK_LIFETIME),
    };
    store::person::password_link::replace(&mut change, &digest::sha256(token.as_bytes()), &row).await?;
    let details = json!({ "expires_at": row.expires_at.rfc3339(), "by_mail": true });
    change.commit(&Actor::system(), &person.event(Action::PersonPasswordLinkCreated).with(details)).await?;
    Ok(Some((of(row, person), token)))
}

/// Ends the link that an e-mail brought, or should have brought.
pub(crate) async fn end_mailed(context: &Context, id: &PersonId) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if store::person::password_link::of_person(&mut *change, id, now).await?.is_some_and(|row| row.is_by_mail()) {
        store::person::password_link::remove_of(&mut change, id).await?;
        change.commit_without_event().await?;
    }
    Ok(())
}

/// The link with this token, if it works now.
pub async fn open(context: &Context, token: &str) -> Result<Option<PasswordLink>, Fault> {
    let Some(row) = find(&context.store, token, context.now()).await? else { return Ok(None) };
    let person = store::person::find(&context.store, &row.person).await?;
    Ok(person.filter(|person| is_for(&row, person)).map(|person| of(row, person)))
}

/// The link of this person that works now, without its token.
pub async fn of_person(context: &Context, person: &Person) -> Result<Option<PasswordLink>, Fault> {
    working(&context.store, person, context.now()).await
}

/// The same, read on `on`.
pub(crate) async fn working(on: impl On<'_>, person: &Person, now: Timestamp) -> Result<Option<PasswordLink>, Fault> {
    let row = store::person::password_link::of_person(on, &person.id, now).await?;
    Ok(row.filter(|row| is_for(row, person)).map(|row| of(row, person.clone())))
}

/// Withdraws the link of this person, if there is one.
pub async fn withdraw(context: &Context, actor: &Actor, id: &PersonId) -> Result<()> {
    let (mut change, person) = manage::begin_for(context, actor, id).await?;
    store::webhook::mail::forget_requests(&mut change, id).await?;
    if store::person::password_link::remove_of(&mut change, id).await? == 0 {
        return Ok(change.commit_all(actor, &[]).await.map(drop)?);
    }
    Ok(change.commit(actor, &person.event(Action::PersonPasswordLinkWithdrawn)).await?)
}

async fn find(on: impl On<'_>, token: &str, now: Timestamp) -> Result<Option<PasswordLinkRow>, Fault> {
    Ok(store::person::password_link::find(on, &digest::sha256(token.as_bytes()), now).await?)
}

/// Whether the person may still use the link.
fn is_for(row: &PasswordLinkRow, person: &Person) -> bool {
    person.disabled_at.is_none() && person.password_changed_at == row.password_of
}

fn of(row: PasswordLinkRow, person: Person) -> PasswordLink {
    PasswordLink { person, made_by: row.made_by_name, expires_at: row.expires_at }
}

/// Sets a password with the link of this token. Every session of the person ends, and so do the kinds in `also`,
/// but passkeys only if an authenticator app stays. When
/// two requests use the link at once, one succeeds. A password that is not acceptable leaves the link usable. `origin`
/// adds the address of the request to the person as the actor.
///
/// # Errors
///
/// [`PersonError::NotFound`] when the link does not work, [`PersonError::Invalid`] when the password is not acceptable.
pub async fn set_password(
    context: &Context,
    token: &str,
    new: Password,
    also: EndAlso,
    origin: impl FnOnce(Actor) -> Actor,
) -> Result<(Person, EndedAccess)> {
    // Checked before the costly password hash. The transaction below decides.
    let link = open(context, token).await?.ok_or(PersonError::NotFound)?;
    new.check_choice(&link.person.name, &link.person.email).at("password")?;
    let stored = context.hashing.hash(new).await?;
    let mut change = context.begin_change().await?;
    let now = change.now();
    let row = find(&mut *change, token, now).await?.ok_or(PersonError::NotFound)?;
    let person = store::person::find(&mut change, &row.person).await?;
    let person = person.filter(|person| is_for(&row, person)).ok_or(PersonError::NotFound)?;
    if !store::person::set_password(&mut change, &person, &stored, now).await? {
        return Err(PersonError::NotFound);
    }
    let also = EndAlso { passkeys: also.passkeys && person.factors.app, ..also };
    let ended = access::end(&mut change, &person, None, also, EndCause::Person).await?;
    let mut details = ended.details();
    details["link_by"] = row.made_by_name.into();
    let actor = origin(Actor::of(&person));
    change.commit(&actor, &person.event(Action::PersonPasswordChanged).with(details)).await?;
    Ok((person, ended))
}
