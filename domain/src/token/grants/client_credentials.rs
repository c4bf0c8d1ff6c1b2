//! The client credentials grant (RFC 6749 §4.4). It returns no refresh token (§4.4.3): the client can ask again.

use std::net::IpAddr;

use crate::context::Context;
use crate::scope::Scopes;
use crate::token::access_token::{self, AccessToken};
use crate::token::client_authentication::Presented;
use crate::token::error::{OAuthError, OAuthErrorCode};
use crate::token::form::TokenForm;
use crate::token::ledger::{Ask, AskedResource, AskedScope, LedgerError, Refusal};
use crate::token::resource;

/// Exchanges what the client presents for an access token.
///
/// `address` is where the request came from, as far as that can be trusted.
pub async fn exchange(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    address: Option<IpAddr>,
) -> Result<AccessToken, OAuthError> {
    let refuse = |refusal: Refusal| {
        context.refusals.record(presented.client_id.as_ref(), refusal, address, context.now());
        oauth_error(refusal)
    };
    // The checksum first: a mistyped secret costs no look-up.
    let Some(secret) = &presented.secret else {
        return Err(refuse(Refusal::WrongSecret));
    };
    if presented.names_client && presented.client_id.is_none() {
        return Err(oauth_error(Refusal::WrongSecret));
    }
    let ask = Ask {
        secret_hash: secret.hash(&context.keys.pepper),
        client_id: presented.client_id.clone(),
        scope: asked_scope(form),
        resource: asked_resource(form),
        address,
    };
    match context.ledger.issue(ask).await {
        Ok(entry) => Ok(access_token::sign(context, &entry).await?),
        Err(LedgerError::Refused { refusal, client_id }) => {
            context.refusals.record(client_id.as_ref(), refusal, address, context.now());
            Err(oauth_error(refusal))
        }
        Err(LedgerError::Fault(fault)) => Err(fault.into()),
    }
}

fn asked_scope(form: &TokenForm) -> AskedScope {
    match form.get("scope").map(Scopes::parse) {
        None => AskedScope::Default,
        Some(None) => AskedScope::Malformed,
        Some(Some(scopes)) if scopes.is_empty() => AskedScope::Default,
        Some(Some(scopes)) => AskedScope::These(scopes),
    }
}

/// One resource a request (RFC 8707 §2 allows a server to insist on it): a token has one audience.
fn asked_resource(form: &TokenForm) -> AskedResource {
    let mut resources = form.resources();
    match (resources.next(), resources.next()) {
        (None, _) => AskedResource::Default,
        (Some(one), None) => resource::canonical(one).map_or(AskedResource::Unusable, AskedResource::This),
        (Some(_), Some(_)) => AskedResource::Unusable,
    }
}

fn oauth_error(refusal: Refusal) -> OAuthError {
    match refusal {
        Refusal::ScopeMalformed => OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed."),
        Refusal::ScopeNotAllowed => {
            OAuthError::new(OAuthErrorCode::InvalidScope, "None of the requested scopes may be granted.")
        }
        Refusal::TargetNotAllowed => OAuthError::new(
            OAuthErrorCode::InvalidTarget,
            "resource must name one MCP server that this client may call.",
        ),
        refusal => OAuthError::invalid_client(refusal.as_str()),
    }
}
