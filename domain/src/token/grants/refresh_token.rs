//! The refresh token grant (OAuth 2.1 §4.3): a client gets a new access token for an existing consent. Each refresh
//! token is replaced at its first use. For some seconds its client may repeat the request: it gets the same next token.

use crate::base::form_body::TokenForm;
use crate::client::consent;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::consent::{Consent, EndCause, REPEATABLE};
use crate::model::client::refusal::AppRefusal;
use crate::model::origin::Origin;
use crate::model::server::McpServer;
use crate::model::server::scope::Scopes;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Actor, Change, Context, Fault, Timestamp};
use crate::store;
use crate::store::client::consent::RefreshToken;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::Client;
use crate::token::grants::redemption::{self, NextRefreshToken, Redemption, invalid_grant};

/// Exchanges the refresh token in `form` for an access token and the next refresh token. The old refresh token is used
/// up. `origin` is where the request came from.
///
/// # Errors
///
/// - `invalid_grant`: the token is not this client's, or is not valid. When it was used more than 30 seconds before,
///   the whole consent ends.
/// - `invalid_scope`: the person allowed none of the requested scopes.
/// - `invalid_target`: the request is for another server than the person allowed, or that server is not open to the
///   person's teams any more.
/// - `unauthorized_client`: a credential asks.
pub async fn exchange(context: &Context, client: Client, form: &TokenForm, origin: &Origin) -> Result<AccessToken> {
    let client = client.interactive(context).await?;
    let token = form.get("refresh_token").ok_or(OAuthError::invalid_request("refresh_token is missing."))?;
    let token = PlainSecret::parse_of(SecretKind::RefreshToken, token)
        .ok_or(invalid_grant(AppRefusal::TokenUnknown, "malformed token"))?;
    let hash = token.hash(&context.keys.pepper);
    redemption::check_known(context, &hash, AppRefusal::TokenUnknown).await?;
    let arrived = context.now();
    let mut change = context.begin_change().await?;
    let now = change.now();
    client.check(&mut change).await?;
    let stored = store::client::consent::refresh_token(&mut change, hash.as_str()).await?;
    let stored = stored.ok_or(invalid_grant(AppRefusal::TokenUnknown, "unknown token"))?;
    let consent = store::client::consent::find_in(&mut change, &stored.consent).await?.ok_or(Fault::Damaged)?;
    if consent.client_id != client.id {
        return Err(invalid_grant(AppRefusal::TokenUnknown, "the token of another client"));
    }
    if !consent.is_live(now) {
        return Err(invalid_grant(AppRefusal::AccessEnded, "the grant is over"));
    }
    let successor = token.successor(&context.keys.pepper);
    let next = match use_of(&mut change, &stored, &successor, arrived).await? {
        TokenUse::First => NextRefreshToken::Successor { used: &hash, token: successor },
        TokenUse::Repeated => NextRefreshToken::Again(successor),
        TokenUse::Reuse(detail) => {
            consent::end_and_commit(change, &Actor::system_for(origin), &consent.id, EndCause::TokenReused).await?;
            return Err(invalid_grant(AppRefusal::TokenUsed, detail));
        }
    };
    if stored.expires_at <= now {
        return Err(invalid_grant(AppRefusal::AccessEnded, "the token has expired"));
    }
    let server = redemption::server(&mut change, &consent.server_id).await?;
    redemption::check_person(&mut change, &consent.person, &server).await?;
    redemption::check_resource(form, &server)?;
    let scopes = requested_scopes(form, &consent, &server)?;
    Redemption { consent: &consent, server: &server, scopes, next, origin }.issue(change).await
}

/// What a request does with a refresh token.
enum TokenUse {
    /// It uses the token, which nobody used before.
    First,
    /// It repeats a request of a moment ago. It gets the same successor.
    Repeated,
    /// It uses a token that was used or given up before, so the token is in two hands. The consent ends.
    Reuse(&'static str),
}

/// Decides by the state of the token, and of its successor, what a request does that arrived at `arrived`.
///
/// The time is counted from the first use and never again. So a thief who repeats a stolen token does not keep it
/// usable.
///
/// # Errors
///
/// `invalid_grant` for a repetition whose successor cannot be made again, because an earlier version chose it at
/// random. The consent goes on.
async fn use_of(
    change: &mut Change<'_>,
    stored: &RefreshToken,
    successor: &PlainSecret,
    arrived: Timestamp,
) -> Result<TokenUse> {
    let Some(used_at) = stored.used_at else {
        return Ok(stored.revoked_at.map_or(TokenUse::First, |_| TokenUse::Reuse("the token was given up")));
    };
    if arrived.since(used_at) > REPEATABLE {
        return Ok(TokenUse::Reuse("the token was used before"));
    }
    let hash = successor.hash(&change.context().keys.pepper);
    if stored.successor.as_deref() != Some(hash.as_str()) {
        return Err(invalid_grant(AppRefusal::TokenUsed, "the token is being used by another request"));
    }
    let next = store::client::consent::refresh_token(change, hash.as_str()).await?.ok_or(Fault::Damaged)?;
    Ok(next.revoked_at.map_or(TokenUse::Repeated, |_| TokenUse::Reuse("the next token was given up")))
}

/// The scopes that the request asks for; by default all scopes of the consent. As at the authorization endpoint, scopes
/// that cannot be granted are left out: clients repeat at each refresh what they asked for first.
fn requested_scopes(form: &TokenForm, consent: &Consent, server: &McpServer) -> Result<Scopes> {
    let grantable = consent.scopes.intersection(&server.scope_names());
    let malformed =
        || OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed.").of_app(AppRefusal::ScopeMalformed);
    let scopes = Scopes::granted(form.get("scope"), &grantable, grantable.clone()).ok_or_else(malformed)?;
    if scopes.is_empty() {
        Err(OAuthError::no_scope(Some(&grantable)).of_app(AppRefusal::ScopeNotAllowed))
    } else {
        Ok(server.closure(&scopes).intersection(&grantable))
    }
}
