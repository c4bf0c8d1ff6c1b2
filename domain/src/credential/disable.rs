//! Stopping a credential for a while. Its secrets stay. Its tokens are refused until the credential is enabled again.

use crate::base::id::ClientId;
use crate::context::Context;
use crate::credential::{CredentialError, Outcome, find_for};
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::person::authority::Role;
use crate::store;

/// Disables the credential. When this returns, no exchange that begins later succeeds.
pub async fn disable(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome, CredentialError> {
    set(context, actor, client_id, true).await
}

/// Enables the credential again.
pub async fn enable(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome, CredentialError> {
    set(context, actor, client_id, false).await
}

async fn set(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    disabled: bool,
) -> Result<Outcome, CredentialError> {
    let mut change = context.begin_change().await?;
    let credential = find_for(&mut change, actor, client_id, Role::Member).await?;
    if credential.revoked_at.is_some() {
        return Err(CredentialError::Revoked);
    }
    if credential.disabled_at.is_some() == disabled {
        return Ok(Outcome::Unchanged);
    }
    let disabled_at = disabled.then(|| context.now());
    store::credential::set_disabled(change.transaction(), client_id, disabled_at).await?;
    let action = if disabled { Action::CredentialDisabled } else { Action::CredentialEnabled };
    let event = Event::new(action, Target::Credential, client_id.as_str(), &credential.name);
    Ok(Outcome::Changed(change.commit(actor, &event).await?))
}
