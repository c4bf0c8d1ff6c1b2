//! Stopping a credential for a while. Its secrets stay. Its tokens are refused until the credential is enabled again.

use crate::base::id::ClientId;
use crate::credential::{Outcome, Result, begin_for};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, Context};
use crate::store;

/// Disables the credential. When this returns, no exchange that begins later succeeds.
pub async fn disable(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    set(context, actor, client_id, true).await
}

/// Enables the credential again.
pub async fn enable(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    set(context, actor, client_id, false).await
}

async fn set(context: &Context, actor: &Actor, client_id: &ClientId, disabled: bool) -> Result<Outcome> {
    let (mut change, credential) = begin_for(context, actor, client_id, Role::Member).await?;
    if credential.disabled_at.is_some() == disabled {
        return Ok(Outcome::Unchanged);
    }
    let disabled_at = disabled.then(|| context.now());
    store::credential::set_disabled(&mut change, client_id, disabled_at).await?;
    if !disabled {
        // Whoever enables it says that it is needed. Otherwise the review would disable it again at once.
        store::operations::policy::confirm(&mut change, client_id, actor.name(), context.now()).await?;
    }
    let action = if disabled { Action::CredentialDisabled } else { Action::CredentialEnabled };
    Outcome::committed(change, actor, credential.event(action)).await
}
