//! Token introspection (RFC 7662): whether a token is valid at this moment. The answer comes from the database, so a
//! revocation counts at once.

use crate::base::form_body::TokenForm;
use crate::client::personal_token;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::personal_token::PersonalToken;
use crate::model::origin::Origin;
use crate::model::token::claims::Claims;
use crate::model::token::oauth_error::{OAuthError, Result};
use crate::prelude::{Context, Fault};
use crate::store;
use crate::token::client_authentication::Client;
use crate::token::verify::{VerifyError, if_valid, verify_for_any};

/// The claims of `token` when it is valid, and is for an MCP server of the client that asks. `None` in all other cases:
/// the client cannot distinguish unknown, expired, revoked and malformed tokens, and tokens for other servers.
///
/// # Errors
///
/// `invalid_client` when the client is not a credential or does not prove itself, `insufficient_scope` when it may not
/// ask, `temporarily_unavailable` for faults of ours.
pub async fn introspect(
    context: &Context,
    client: Client,
    form: &TokenForm,
    token: &str,
    origin: &Origin,
) -> Result<Option<Claims>> {
    let Client::Credential(claim) = client else {
        return Err(OAuthError::invalid_client("an interactive client cannot ask about tokens"));
    };
    let caller = claim.check(context, form, origin).await?;
    caller.require_introspection()?;
    let servers = store::server::list(&context.store).await?;
    let is_callers = |claims: &Claims| {
        servers.iter().any(|server| server.resource == claims.aud && caller.servers.contains(&server.id))
    };
    if let Some(secret) = PlainSecret::parse_of(SecretKind::PersonalToken, token) {
        let Some((token, claims)) = of_personal_token(context, &secret).await? else { return Ok(None) };
        if !is_callers(&claims) {
            return Ok(None);
        }
        // The MCP server knows the address that used the token, but does not send it.
        personal_token::note_use(context, &token, None).await;
        return Ok(Some(claims));
    }
    let verified = verify_for_any(context, token).await;
    if let Err(VerifyError::Invalid(reason) | VerifyError::Foreign(reason)) = &verified {
        tracing::debug!(reason, "a token was introspected that is not active");
    }
    Ok(if_valid(verified)?.map(|verified| verified.claims).filter(is_callers))
}

/// The claims that a personal token would have if it were signed. Its identifier is also the client ID: nothing else is
/// known about the program that holds the token.
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
