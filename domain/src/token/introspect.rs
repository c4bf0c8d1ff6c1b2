//! Token introspection (RFC 7662): what a token is worth at this moment. The answer comes from the database, so it knows of
//! a revocation at once.

use crate::client::personal_token;
use crate::context::Context;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::error::Fault;
use crate::model::oauth_error::OAuthError;
use crate::model::personal_token::PersonalToken;
use crate::store;
use crate::token::access_token::Claims;
use crate::token::authenticate::Client;
use crate::token::verify::{VerifyError, verify_for_any};

/// The claims of `token` when it is valid and for an MCP server of the caller. `None` says nothing more: unknown, expired,
/// revoked, malformed and somebody else's tokens look the same.
///
/// # Errors
///
/// `insufficient_scope` when the caller may not ask, `temporarily_unavailable` for faults of ours.
pub async fn introspect(context: &Context, caller: &Client, token: &str) -> Result<Option<Claims>, OAuthError> {
    caller.require_introspection()?;
    let servers = store::server::list(&context.store).await.map_err(Fault::from)?;
    let is_callers = |claims: &Claims| {
        servers.iter().any(|server| server.resource == claims.aud && caller.servers.contains(&server.id))
    };
    if let Some(secret) = PlainSecret::parse_of(SecretKind::PersonalToken, token) {
        let Some((token, claims)) = of_personal_token(context, &secret).await? else { return Ok(None) };
        if !is_callers(&claims) {
            return Ok(None);
        }
        // From where it was used its server knows, and does not say.
        personal_token::note_use(context, &token, None).await;
        return Ok(Some(claims));
    }
    let verified = match verify_for_any(context, token).await {
        Ok(verified) => verified,
        Err(VerifyError::Invalid(reason)) => {
            tracing::debug!(reason, "a token was introspected that is not active");
            return Ok(None);
        }
        Err(VerifyError::Fault(fault)) => return Err(fault.into()),
    };
    Ok(Some(verified.claims).filter(is_callers))
}

/// What a personal token would say if it were signed. Its identifier stands for the client too: nothing else is known of the
/// program that holds it.
async fn of_personal_token(context: &Context, secret: &PlainSecret) -> Result<Option<(PersonalToken, Claims)>, Fault> {
    let Some((found, server)) = personal_token::find_live(context, secret).await? else { return Ok(None) };
    let token = found.token;
    let claims = Claims {
        iss: context.settings.public_url.clone(),
        sub: token.person.to_string(),
        scope: token.scopes.intersection(&server.scope_names()).to_string(),
        aud: server.resource,
        client_id: token.id.to_string(),
        jti: token.id.to_string(),
        iat: token.created_at.seconds(),
        exp: token.expires_at.seconds(),
        status: None,
    };
    Ok(Some((token, claims)))
}
