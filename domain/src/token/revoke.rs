//! Token revocation (RFC 7009): a client ends a token of its own before its time.

use std::net::IpAddr;

use serde_json::json;

use super::authenticate::Client;
use super::verify::{VerifyError, verify_for_any};
use crate::actor::Actor;
use crate::audit::Event;
use crate::context::Context;
use crate::error::Fault;
use crate::store;

/// Ends `token` when it is a live one of the caller. A token that is unknown, over or another client's is left as it is,
/// and the caller hears no difference (§2.2).
///
/// When this returns the change is on disk: introspection and the built-in MCP server refuse the token from now on.
pub async fn revoke(context: &Context, caller: &Client, token: &str, address: Option<IpAddr>) -> Result<(), Fault> {
    let verified = match verify_for_any(context, token).await {
        Ok(verified) if verified.client_id == caller.client_id => verified,
        Ok(_) | Err(VerifyError::Invalid(_)) => return Ok(()),
        Err(VerifyError::Fault(fault)) => return Err(fault),
    };
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::ledger::revoke_token(change.transaction(), &verified.jti, now).await? {
        return Ok(());
    }
    let event = Event::new("token.revoked", "credential", caller.client_id.as_str(), &verified.credential_name)
        .with(json!({ "jti": verified.jti.as_str() }));
    change
        .commit(&Actor::credential(caller.client_id.clone(), verified.credential_name).at(address, None), &event)
        .await?;
    Ok(())
}
