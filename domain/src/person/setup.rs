//! The first run: the console prints a one-time link, with which the first administrator is made.

use std::time::Duration;

use crate::base::digest;
use crate::base::encoding::base62;
use crate::model::person::Person;
use crate::person::{self, NewPerson, PersonError};
use crate::prelude::{Actor, Context, Fault};
use crate::store;

/// How long a setup link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Why the first administrator could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The link was used, has expired, or was replaced by a restart, or an administrator exists already.
    #[error("the setup link cannot be used any more")]
    LinkUnusable,
    /// The input is wrong, or there was a fault of ours.
    #[error(transparent)]
    Person(PersonError),
}

impl<Error: Into<Fault>> From<Error> for SetupError {
    fn from(fault: Error) -> Self {
        Self::Person(PersonError::Fault(fault.into()))
    }
}

/// Makes the token of a new setup link while no administrator exists. On SQLite every earlier link stops working.
pub async fn create_link_token(context: &Context) -> Result<Option<String>, Fault> {
    if person::has_administrator(context).await? {
        return Ok(None);
    }
    let token = base62::random(context.random.as_ref(), 43);
    let now = context.now();
    let hash = digest::sha256(token.as_bytes());
    store::person::insert_setup_link(&context.store, &hash, now, now.plus(LINK_LIFETIME)).await?;
    Ok(Some(token))
}

/// Whether the link with this token works now.
pub async fn link_is_usable(context: &Context, token: &str) -> Result<bool, Fault> {
    let hash = digest::sha256(token.as_bytes());
    Ok(store::person::setup_link_is_usable(&context.store, &hash, context.now()).await?)
}

/// Makes the first administrator and uses the link up. When two requests come at once, one succeeds. Wrong input leaves
/// the link usable.
pub async fn create_first_administrator(
    context: &Context,
    actor: &Actor,
    token: &str,
    new: NewPerson,
) -> Result<Person, SetupError> {
    // Checked before the costly password hash; the guarded update below decides.
    if !link_is_usable(context, token).await? {
        return Err(SetupError::LinkUnusable);
    }
    let mut person = person::prepare(context, new).await.map_err(SetupError::Person)?;
    let now = context.now();
    (person.administrator_since, person.address_proven_at) = (Some(now), Some(now));
    let mut change = context.begin_change().await?;
    let hash = digest::sha256(token.as_bytes());
    if !store::person::consume_setup_link(&mut change, &hash, now).await? {
        return Err(SetupError::LinkUnusable);
    }
    person::insert(&mut change, &person).await.map_err(SetupError::Person)?;
    change.commit(actor, &person::created_event(&person)).await?;
    Ok(person)
}
