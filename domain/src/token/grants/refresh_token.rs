//! The refresh token grant (OAuth 2.1 §4.3): a client gets a new access token for an existing consent. Each refresh
//! token is used once. A client that lost the answer may send it again for some seconds.

use std::time::Duration;

use crate::base::form_body::TokenForm;
use crate::client::consent;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::consent::{Consent, EndCause};
use crate::model::origin::Origin;
use crate::model::server::scope::Scopes;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Actor, Change, Context, Fault, Timestamp};
use crate::store;
use crate::store::client::consent::RefreshToken;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::Client;
use crate::token::grants::redemption::{self, Redemption, invalid_grant};

/// When a refresh token comes again within this time of its use, the client sent two requests at once. The second
/// request is refused, and the consent goes on. A client that lost the answer would not try again so soon.
const SIMULTANEOUS: Duration = Duration::from_secs(1);
/// When a used token comes again within this time, its client may have lost the answer.
const LOST_ANSWER: Duration = Duration::from_secs(30);

/// Exchanges the refresh token in `form` for an access token and the next refresh token. The old refresh token is used
/// up. `origin` is where the request came from.
///
/// # Errors
///
/// - `invalid_grant`: the token is not this client's, or is not valid. When it was used before, the whole consent ends,
///   unless the client may only have lost the answer.
/// - `invalid_scope`, `invalid_target`: the request asks for more than the person allowed.
/// - `unauthorized_client`: a credential asks.
pub async fn exchange(context: &Context, client: Client, form: &TokenForm, origin: &Origin) -> Result<AccessToken> {
    let client = client.interactive(context).await?;
    let token = form.get("refresh_token").ok_or(OAuthError::invalid_request("refresh_token is missing."))?;
    let token = PlainSecret::parse_of(SecretKind::RefreshToken, token).ok_or(invalid_grant("malformed token"))?;
    let hash = token.hash(&context.keys.pepper);
    redemption::check_known(context, &hash).await?;
    let arrived = context.now();
    let mut change = context.begin_change().await?;
    let now = change.now();
    client.check(&mut change).await?;
    let stored = store::client::consent::refresh_token(&mut change, hash.as_str()).await?;
    let stored = stored.ok_or(invalid_grant("unknown token"))?;
    let consent = store::client::consent::find_in(&mut change, &stored.consent).await?.ok_or(Fault::Damaged)?;
    if consent.client_id != client.id {
        return Err(invalid_grant("the token of another client"));
    }
    if !consent.is_live(now) {
        return Err(invalid_grant("the grant is over"));
    }
    if let Some(reuse) = check_unused(&mut change, &stored, arrived, now).await? {
        consent::end_and_commit(change, &Actor::system_for(origin), &consent.id, EndCause::TokenReused).await?;
        return Err(reuse);
    }
    if stored.expires_at <= now {
        return Err(invalid_grant("the token has expired"));
    }
    redemption::check_person(&mut change, &consent.person).await?;
    let server = redemption::server(&mut change, &consent.server_id).await?;
    redemption::check_resource(form, &server)?;
    let scopes = requested_scopes(form, &consent)?.intersection(&server.scope_names());
    // The lost answer contained the next refresh token. It is revoked, because this answer has another one.
    if let Some(successor) = stored.successor.as_deref() {
        store::client::consent::revoke_refresh_token(&mut change, successor, now).await?;
    }
    Redemption { consent: &consent, server: &server, scopes, used: Some(&hash), origin }.issue(change).await
}

/// `None` when the token was not used before, or its client may only have lost the answer. Otherwise the refusal of a
/// reuse, which ends the consent.
///
/// # Errors
///
/// `invalid_grant` for a reuse that does not end the consent: the client sent two requests at once.
async fn check_unused(
    change: &mut Change<'_>,
    stored: &RefreshToken,
    arrived: Timestamp,
    now: Timestamp,
) -> Result<Option<OAuthError>> {
    let Some(used_at) = stored.used_at else {
        return Ok(stored.revoked_at.map(|_| invalid_grant("the token was given up")));
    };
    if is_successor_used(change, stored.successor.as_deref()).await? {
        return Ok(Some(invalid_grant("the token was used before")));
    }
    if arrived.since(used_at) < SIMULTANEOUS {
        return Err(invalid_grant("the token is being used by another request"));
    }
    Ok((now.since(used_at) > LOST_ANSWER).then(|| invalid_grant("the token was used before")))
}

async fn is_successor_used(change: &mut Change<'_>, successor: Option<&str>) -> Result<bool> {
    let Some(successor) = successor else { return Ok(true) };
    let next = store::client::consent::refresh_token(change, successor).await?;
    Ok(next.is_none_or(|next| next.used_at.is_some()))
}

/// The scopes that the request asks for; by default all scopes of the consent. The request may not ask for more.
fn requested_scopes(form: &TokenForm, consent: &Consent) -> Result<Scopes> {
    match form.get("scope").map(Scopes::parse) {
        Some(None) => Err(OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed.")),
        Some(Some(asked)) if !asked.is_empty() => {
            if asked.intersection(&consent.scopes) == asked {
                return Ok(asked);
            }
            Err(OAuthError::new(OAuthErrorCode::InvalidScope, "The scope may only become smaller."))
        }
        _ => Ok(consent.scopes.clone()),
    }
}
