//! Token introspection (RFC 7662): what a token is worth at this moment. The answer comes from the database, so it knows of
//! a revocation at once.

use super::access_token::Claims;
use super::authenticate::Client;
use super::error::OAuthError;
use super::verify::{VerifyError, verify_for_any};
use crate::context::Context;
use crate::error::Fault;
use crate::store;

/// The claims of `token` when it is valid and for an MCP server of the caller. `None` says nothing more: unknown, expired,
/// revoked, malformed and somebody else's tokens look the same.
///
/// # Errors
///
/// `insufficient_scope` when the caller may not ask, `temporarily_unavailable` for faults of ours.
pub async fn introspect(context: &Context, caller: &Client, token: &str) -> Result<Option<Claims>, OAuthError> {
    caller.require_introspection()?;
    let verified = match verify_for_any(context, token).await {
        Ok(verified) => verified,
        Err(VerifyError::Invalid(reason)) => {
            tracing::debug!(reason, "a token was introspected that is not active");
            return Ok(None);
        }
        Err(VerifyError::Fault(fault)) => return Err(fault.into()),
    };
    let servers = store::mcp_servers::list(&context.store).await.map_err(Fault::from)?;
    let is_callers =
        servers.iter().any(|server| server.resource == verified.claims.aud && caller.servers.contains(&server.id));
    Ok(is_callers.then_some(verified.claims))
}
