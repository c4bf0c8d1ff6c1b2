//! Invitations: one-time links by which people get an account or a role. The person who invites hands the link over;
//! Countersign sends no e-mail.
//!
//! The link makes an account for the invited address, or gives the role to the account that exists. It never sets a
//! password for an existing account, and a signed-in person with another address cannot use it.

use std::time::Duration;

use serde_json::json;

use crate::base::digest;
use crate::base::encoding::base62;
use crate::base::id::{InvitationId, PersonId, TeamId};
use crate::crypto::password::Password;
use crate::model::person::Person;
use crate::model::person::authority::{Authority, Denied, Role};
use crate::model::person::check_email;
use crate::model::person::team::{Invitation, InvitedRole};
use crate::person::{self, NewPerson, PersonError, team};
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, FieldError, operation_error, through_denied};
use crate::store;
use crate::store::person::invitation::Withdrawn;

/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most open invitations into one team, or to the administration.
const MOST_OPEN: i64 = 100;

operation_error! {
    /// Why an invitation was not made or not accepted.
    pub enum InvitationError: Invalid {
        /// The invitation or team does not exist, or the actor may not see it.
        #[error("there is no such invitation or team")]
        NotFound,
        /// The actor does not have the role for this operation.
        #[error("the role does not allow it")]
        Forbidden,
        /// The link was used, withdrawn or replaced, or has expired.
        #[error("the invitation cannot be used any more")]
        LinkUnusable,
        /// The link is for another person than the one who is signed in.
        #[error("the invitation is for somebody else")]
        ForSomebodyElse,
        /// An account with this address exists. Its owner has to sign in first.
        #[error("the account exists already")]
        AccountExists,
    }
}

through_denied!(InvitationError);

type Result<T, E = InvitationError> = std::result::Result<T, E>;

impl From<PersonError> for InvitationError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Invalid(errors) => Self::Invalid(errors),
            PersonError::NotFound => Self::NotFound,
            PersonError::Fault(fault) => Self::Fault(fault),
        }
    }
}

fn permit(authority: &Authority, role: &InvitedRole) -> Result<(), Denied> {
    match role {
        InvitedRole::Administrator => authority.require_administrator(),
        InvitedRole::Team(team, _) => authority.require(team, Role::Manager),
    }
}

/// Invites a person. Managers invite into their own teams, administrators into every team and to the administration.
/// Returns the token of the link, which is stored only as a hash. An earlier link for the same address and the same
/// team, or for the administration, stops working.
pub async fn invite(context: &Context, actor: &Actor, email: &str, role: InvitedRole) -> Result<(Invitation, String)> {
    let email = check_email(email)?;
    let token = base62::random(context.random.as_ref(), 43);
    let mut change = context.begin_change().await?;
    let authority = change.authority(actor).await?;
    permit(&authority, &role)?;
    let now = change.now();
    let invitation = Invitation {
        id: InvitationId::generate(context.random.as_ref()),
        email,
        role,
        invited_by: actor.name().to_owned(),
        created_at: now,
        expires_at: now.plus(LINK_LIFETIME),
    };
    let invited = store::person::find_by_email(&mut change, &invitation.email).await?;
    // Managers are not told: they would learn which addresses have an account.
    if authority.is_administrator() && invited.is_some_and(|person| person.disabled_at.is_some()) {
        let message = "This person is disabled. Enable them first.";
        return Err(FieldError::new("email", message).into());
    }
    let (team, replaced) = match &invitation.role {
        InvitedRole::Administrator => (None, Withdrawn::Administration),
        InvitedRole::Team(team, _) => (Some(team), Withdrawn::Team(team)),
    };
    let replaced = store::person::invitation::withdraw_to(&mut change, &invitation.email, replaced, now).await?;
    let event = event(&mut change, Action::InvitationCreated, &invitation, Some(replaced)).await?;
    if store::person::invitation::count_open(&mut change, team, now).await? >= MOST_OPEN {
        return Err(FieldError::new("email", "Too many invitations are open. Withdraw some first.").into());
    }
    let hash = digest::sha256(token.as_bytes());
    store::person::invitation::insert(&mut change, &invitation, &hash, actor.id()).await?;
    change.commit(actor, &event).await?;
    Ok((invitation, token))
}

/// The audit event. Its target is the team, so that the members of the team see it.
async fn event(
    change: &mut Change<'_>,
    action: Action,
    invitation: &Invitation,
    replaced: Option<u64>,
) -> Result<Event> {
    let (event, role) = match &invitation.role {
        InvitedRole::Administrator => (Event::of_instance(action), "administrator"),
        InvitedRole::Team(id, role) => {
            let team = store::person::team::find(&mut *change, id).await?.ok_or(InvitationError::NotFound)?;
            (team.event(action), role.as_str())
        }
    };
    let mut details = json!({ "invitation": invitation.id.as_str(), "email": invitation.email, "role": role });
    if let Some(replaced) = replaced {
        details["replaced"] = replaced.into();
    }
    Ok(event.with(details))
}

/// Open invitations, newest first: into a team, or all of them.
pub async fn list(context: &Context, team: Option<&TeamId>) -> Result<Vec<Invitation>, Fault> {
    Ok(store::person::invitation::list(&context.store, team, context.now()).await?)
}

/// Withdraws an invitation: its link stops working.
pub async fn withdraw(context: &Context, actor: &Actor, id: &InvitationId) -> Result<Invitation> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    let found = store::person::invitation::find_in(&mut change, id, now).await?;
    let invitation = found.ok_or(InvitationError::NotFound)?;
    permit(&change.authority(actor).await?, &invitation.role)?;
    store::person::invitation::withdraw(&mut change, id, now).await?;
    let event = event(&mut change, Action::InvitationWithdrawn, &invitation, None).await?;
    change.commit(actor, &event).await?;
    Ok(invitation)
}

/// The invitation of a link that works now, and whether an account with its address exists. Whoever opens the link is
/// not told that the account is disabled: signing in to it is refused.
pub async fn open(context: &Context, token: &str) -> Result<Option<(Invitation, bool)>, Fault> {
    let hash = digest::sha256(token.as_bytes());
    let found = store::person::invitation::find_open(&context.store, &hash, context.now()).await?;
    let Some(invitation) = found else { return Ok(None) };
    let person = store::person::find_by_email(&context.store, &invitation.email).await?;
    Ok(Some((invitation, person.is_some())))
}

/// Makes an account for the invited address and gives it the role of the invitation. When two requests accept at once,
/// one succeeds. Wrong input leaves the link usable.
pub async fn accept_as_new(
    context: &Context,
    token: &str,
    name: &str,
    password: Password,
    origin: impl FnOnce(Actor) -> Actor,
) -> Result<Person> {
    // Checked before the costly password hash; the guarded update below decides.
    let (invitation, exists) = open(context, token).await?.ok_or(InvitationError::LinkUnusable)?;
    if exists {
        return Err(InvitationError::AccountExists);
    }
    let new = NewPerson { name: name.to_owned(), email: invitation.email.clone(), password };
    let mut person = person::prepare(context, new).await?;
    let mut change = context.begin_change().await?;
    let now = change.now();
    // A manager could open the link in place of the person who was invited. Administrators may do everything anyway.
    let is_proven = store::person::invitation::is_by_administrator(&mut change, &invitation.id).await?;
    person.address_proven_at = is_proven.then_some(now);
    if !store::person::invitation::accept(&mut change, &invitation.id, now).await? {
        return Err(InvitationError::LinkUnusable);
    }
    person::insert(&mut change, &person).await.map_err(|error| match error {
        // Another request made the account since the check above.
        PersonError::Invalid(_) => InvitationError::AccountExists,
        error => error.into(),
    })?;
    let mut events = vec![person::created_event(&person)];
    events.extend(give(&mut change, &invitation, &person).await?);
    let actor = origin(Actor::of(&person));
    change.commit_all(&actor, &events).await?;
    Ok(person)
}

/// Gives the signed-in person the role of the invitation. A higher role that they have already stays.
pub async fn accept(context: &Context, actor: &Actor, person: &PersonId, token: &str) -> Result<Invitation> {
    let mut change = context.begin_change().await?;
    let (now, hash) = (change.now(), digest::sha256(token.as_bytes()));
    let person = store::person::find(&mut change, person).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(InvitationError::NotFound)?;
    let found = store::person::invitation::find_open(&mut change, &hash, now).await?;
    let invitation = found.ok_or(InvitationError::LinkUnusable)?;
    if invitation.email != person.email {
        return Err(InvitationError::ForSomebodyElse);
    }
    if !store::person::invitation::accept(&mut change, &invitation.id, now).await? {
        return Err(InvitationError::LinkUnusable);
    }
    let events = give(&mut change, &invitation, &person).await?;
    change.commit_all(actor, &events).await?;
    Ok(invitation)
}

/// Gives the role of the invitation, unless the person has it already. Returns the audit events of the changes.
async fn give(change: &mut Change<'_>, invitation: &Invitation, person: &Person) -> Result<Vec<Event>> {
    let now = change.now();
    let mut events = vec![event(change, Action::InvitationAccepted, invitation, None).await?];
    match &invitation.role {
        InvitedRole::Administrator if person.administrator_since.is_none() => {
            store::person::set_administrator(change, &person.id, Some(now)).await?;
            events.push(person::manage::administrator_event(person, true));
        }
        InvitedRole::Administrator => {}
        InvitedRole::Team(id, role) => {
            let held = store::person::team::role(change, id, &person.id).await?;
            if held.is_none_or(|held| held < *role) {
                store::person::team::set_role(change, id, &person.id, *role, now).await?;
                let team = store::person::team::find(&mut *change, id).await?;
                let team = team.ok_or(InvitationError::NotFound)?;
                events.push(team::role_event(&team, person, held, Some(*role)));
            }
        }
    }
    Ok(events)
}
