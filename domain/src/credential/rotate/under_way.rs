//! The actions on a rotation that is under way: finish it, move its deadline, or cancel it.

use serde_json::{Value, json};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::credential::rotate::sides::{Progress, Side, Sides, all, newest};
use crate::credential::rotate::{Overlap, retire_at};
use crate::credential::{CredentialError, Outcome, Result, begin_for, update_ends};
use crate::model::credential::{AuthMethod, Credential};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, Change, Context, Event, FieldError};
use crate::store::credential::authenticators;

/// A rotation that is under way, in a change that has begun.
struct UnderWay<'context> {
    change: Change<'context>,
    credential: Credential,
    sides: Sides,
}

impl<'context> UnderWay<'context> {
    /// Begins the change. `None` when no rotation is under way.
    async fn begin(context: &'context Context, actor: &Actor, client_id: &ClientId) -> Result<Option<Self>> {
        let (mut change, credential) = begin_for(context, actor, client_id, Role::Member).await?;
        if credential.auth_method == AuthMethod::Federated {
            return Err(CredentialError::OtherMethod);
        }
        let sides = read(&mut change, &credential).await?;
        Ok(sides.is_rotating().then_some(Self { change, credential, sides }))
    }

    async fn commit(self, actor: &Actor, event: Event) -> Result<Outcome> {
        Outcome::committed(self.change, actor, event).await
    }
}

/// The secrets or keys of the credential, inside a change.
pub(in crate::credential) async fn read(change: &mut Change<'_>, credential: &Credential) -> Result<Sides> {
    let now = change.now();
    let newest = newest(&mut *change, credential).await?;
    Ok(Sides::of(all(change, credential).await?, newest, now))
}

/// Gives the old secret or key another deadline, earlier or later, but never past its own expiry.
pub async fn extend(context: &Context, actor: &Actor, client_id: &ClientId, overlap: Overlap) -> Result<Outcome> {
    let Some(deadline) = overlap.deadline(context.now())? else {
        return finish(context, actor, client_id).await;
    };
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    let event = set_deadline(&mut rotation.change, &rotation.credential, &rotation.sides, deadline).await?;
    rotation.commit(actor, event).await
}

/// Gives the old secret or key another deadline, inside a change.
pub(in crate::credential) async fn set_deadline(
    change: &mut Change<'_>,
    credential: &Credential,
    sides: &Sides,
    deadline: Timestamp,
) -> Result<Event> {
    for side in &sides.old {
        retire_at(change, side, deadline).await?;
    }
    let details = json!({ "until": deadline.rfc3339() });
    written(change, credential, Action::CredentialRotationExtended, details).await
}

/// Ends the old secret or key now, and the tokens that it made.
pub async fn finish(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    if rotation.sides.progress() == Progress::Broken {
        let message = "The new secret or key does not work, so nothing would be left. Cancel, or rotate again.";
        return Err(FieldError::new("step", message).into());
    }
    let event = end_old(&mut rotation.change, &rotation.credential, &rotation.sides).await?;
    rotation.commit(actor, event).await
}

/// Ends the old secret or key, inside a change.
pub(in crate::credential) async fn end_old(
    change: &mut Change<'_>,
    credential: &Credential,
    sides: &Sides,
) -> Result<Event> {
    let ended = end_all(change, &sides.old).await?;
    written(change, credential, Action::CredentialRotationFinished, json!({ "ended": ended })).await
}

/// Ends the new secret or key, and the tokens that it made. The old one still works.
pub async fn cancel(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    let UnderWay { change, credential, sides } = &mut rotation;
    let ended = end_all(change, &sides.new).await?;
    for side in &sides.old {
        authenticators::retire(change, &side.id, None).await?;
    }
    let event = written(change, credential, Action::CredentialRotationCancelled, json!({ "ended": ended })).await?;
    rotation.commit(actor, event).await
}

/// Updates the ends of the credential, and returns the event of the action.
async fn written(change: &mut Change<'_>, credential: &Credential, action: Action, details: Value) -> Result<Event> {
    update_ends(change, credential).await?;
    Ok(credential.event(action).with(details))
}

async fn end_all(change: &mut Change<'_>, all: &[Side]) -> Result<Vec<String>> {
    let now = change.now();
    for side in all {
        authenticators::end(change, &side.id, now).await?;
    }
    Ok(all.iter().map(|side| side.id.as_str().to_owned()).collect())
}
