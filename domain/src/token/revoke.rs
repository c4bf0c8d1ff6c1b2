//! Token revocation (RFC 7009): a client ends a token of its own before its time.

use std::net::IpAddr;

use serde_json::json;

use super::authenticate::Client;
use super::verify::{Verified, VerifyError, verify_for_any};
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
    match valid(context, token).await? {
        Some(verified) if verified.client_id == caller.client_id => {
            let actor = Actor::credential(caller.client_id.clone(), verified.credential_name.clone());
            end(context, &actor.at(address, None), &verified).await
        }
        _ => Ok(()),
    }
}

async fn valid(context: &Context, token: &str) -> Result<Option<Verified>, Fault> {
    match verify_for_any(context, token).await {
        Ok(verified) => Ok(Some(verified)),
        Err(VerifyError::Invalid(_)) => Ok(None),
        Err(VerifyError::Fault(fault)) => Err(fault),
    }
}

async fn end(context: &Context, actor: &Actor, verified: &Verified) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::ledger::revoke_token(change.transaction(), &verified.jti, now).await? {
        return Ok(());
    }
    let event = Event::new("token.revoked", "credential", verified.client_id.as_str(), &verified.credential_name)
        .with(json!({ "jti": verified.jti.as_str() }));
    change.commit(actor, &event).await?;
    Ok(())
}
