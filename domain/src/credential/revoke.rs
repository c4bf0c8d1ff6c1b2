//! Ending a credential and all of its secrets permanently.

use serde_json::json;

use crate::base::id::ClientId;
use crate::credential::{Outcome, Result, find_for};
use crate::model::credential::draft::check_reason;
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, AtField, Context};
use crate::store;

/// Revokes the credential. When this returns, the change is on disk: no exchange that begins later succeeds, and the
/// built-in MCP server refuses every token of the credential.
pub async fn revoke(context: &Context, actor: &Actor, client_id: &ClientId, reason: &str) -> Result<Outcome> {
    let numbers = revoke_all(context, actor, std::slice::from_ref(client_id), reason).await?;
    Ok(Outcome::of(&numbers))
}

/// Revokes several credentials in one transaction: all of them, or none when one does not exist. Returns the numbers of
/// the audit entries: one entry for each credential that was not revoked before.
pub async fn revoke_all(context: &Context, actor: &Actor, client_ids: &[ClientId], reason: &str) -> Result<Vec<i64>> {
    let reason = check_reason(reason).at("reason")?;
    let now = context.now();
    let mut change = context.begin_change().await?;
    let mut events = Vec::with_capacity(client_ids.len());
    for client_id in client_ids {
        let credential = find_for(&mut change, actor, client_id, Role::Member).await?;
        if credential.revoked_at.is_none() {
            store::credential::revoke(&mut change, client_id, now, reason.as_deref()).await?;
            events.push(credential.event(Action::CredentialRevoked).with(json!({ "reason": reason })));
        }
    }
    Ok(change.commit_all(actor, &events).await?)
}
