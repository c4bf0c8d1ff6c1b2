//! Stopping a client for a while. The consents that people gave it stay. It gets no tokens, and its tokens are refused,
//! until it is enabled again.

use crate::base::id::AppClientId;
use crate::client::{ClientError, begin_for};
use crate::model::client::{AppClient, ClientImpact};
use crate::prelude::{Action, Actor, Context, Result};
use crate::store;

/// Disables the client. When this returns, no request for a consent and no exchange that begins later succeeds. Returns
/// whether the client was enabled.
pub async fn disable(context: &Context, actor: &Actor, id: &AppClientId) -> Result<bool, ClientError> {
    set(context, actor, id, true).await
}

/// Enables the client again. What people allowed works again, with the same refresh tokens. Returns whether the client
/// was disabled.
pub async fn enable(context: &Context, actor: &Actor, id: &AppClientId) -> Result<bool, ClientError> {
    set(context, actor, id, false).await
}

async fn set(context: &Context, actor: &Actor, id: &AppClientId, disabled: bool) -> Result<bool, ClientError> {
    let (mut change, client) = begin_for(context, actor, id, AppClient::is_present).await?;
    if client.disabled_at.is_some() == disabled {
        return Ok(false);
    }
    let disabled_at = disabled.then(|| change.now());
    store::client::set_disabled(&mut change, id, disabled_at).await?;
    let action = if disabled { Action::ClientDisabled } else { Action::ClientEnabled };
    change.commit(actor, &client.event(action)).await?;
    Ok(true)
}

/// What stops when the client is disabled, and begins again when it is enabled.
pub async fn impact(context: &Context, id: &AppClientId) -> Result<ClientImpact> {
    Ok(store::client::impact(&context.store, id, context.now()).await?)
}
