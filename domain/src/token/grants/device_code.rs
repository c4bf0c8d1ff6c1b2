//! The device grant at the token endpoint (RFC 8628 §3.4, §3.5): a program asks again and again until its person has
//! answered, and then gets an access token and a refresh token, once.

use crate::base::form_body::TokenForm;
use crate::base::id::AppClientId;
use crate::client::consent;
use crate::crypto::secret::{PlainSecret, SecretHash, SecretKind};
use crate::model::client::consent::EndCause;
use crate::model::client::device::{DeviceRequest, DeviceState};
use crate::model::client::refusal::AppRefusal;
use crate::model::origin::Origin;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Actor, Context, Fault};
use crate::store;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::AuthenticatedClient;
use crate::token::client_authentication::presented::Presented;
use crate::token::device_authorization::Asker;
use crate::token::grants::redemption::{self, Allowed, NextRefreshToken, Redemption, invalid_grant};

/// Answers a program that asks for its token. `origin` is where the request came from.
///
/// # Errors
///
/// - `authorization_pending`, `slow_down`, `expired_token`, `access_denied`: RFC 8628 §3.5.
/// - `invalid_grant`: the code is not this client's, or was used before. In the last case the consent that the code
///   made ends.
/// - `invalid_target`: `resource` is not the server that the person allowed, or that server is not open to the person's
///   teams any more.
/// - `unsupported_grant_type`, `unauthorized_client`, `invalid_client`: those of [`Asker::of`].
pub async fn exchange(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken> {
    let asker = Asker::of(context, presented, form).await?;
    let code = form.get("device_code").ok_or(OAuthError::invalid_request("device_code is missing."))?;
    let code = PlainSecret::parse_of(SecretKind::DeviceCode, code)
        .ok_or(invalid_grant(AppRefusal::CodeUnknown, "malformed code"))?;
    let hash = code.hash(&context.keys.pepper);
    // Most requests come too early for an answer. They change little, and do not wait for other changes.
    let request = store::client::device::find(&context.store, hash.as_str()).await?;
    let request = of_client(request, asker.id())?;
    match (request.state(context.now()), asker) {
        (DeviceState::Waiting, _) => Err(poll(context, &hash).await?),
        (DeviceState::Allowed | DeviceState::Redeemed, Asker::Known(client)) => {
            redeem(context, &client, &hash, form, origin).await
        }
        // A person can allow only a client whose document was read.
        (DeviceState::Allowed | DeviceState::Redeemed, Asker::Unread(_)) => {
            Err(OAuthError::invalid_client("the document of the client says nothing of the device grant any more")
                .of_app(AppRefusal::DocumentUnusable))
        }
        (DeviceState::Denied, _) => Err(denied()),
        (DeviceState::Expired, _) => Err(expired()),
    }
}

/// The request, if it is one of this client.
fn of_client(request: Option<DeviceRequest>, client: &AppClientId) -> Result<DeviceRequest> {
    let request = request.ok_or(invalid_grant(AppRefusal::CodeUnknown, "unknown code"))?;
    match request.client_id == *client {
        true => Ok(request),
        false => Err(invalid_grant(AppRefusal::CodeUnknown, "the code of another client")),
    }
}

/// Records that the program asked before its person answered. Returns the answer.
async fn poll(context: &Context, hash: &SecretHash) -> Result<OAuthError> {
    let mut transaction = context.store.begin_exchange().await?;
    let in_time = store::client::device::poll(&mut transaction, hash.as_str(), context.now()).await?;
    transaction.commit().await?;
    Ok(match in_time {
        true => pending(),
        false => OAuthError::new(OAuthErrorCode::SlowDown, "Wait five seconds longer between two requests."),
    })
}

fn pending() -> OAuthError {
    OAuthError::new(OAuthErrorCode::AuthorizationPending, "The person has not answered yet.")
}

fn denied() -> OAuthError {
    OAuthError::new(OAuthErrorCode::DeviceDenied, "The person did not allow it, or the request was ended.")
        .of_app(AppRefusal::Denied)
}

fn expired() -> OAuthError {
    OAuthError::new(OAuthErrorCode::ExpiredToken, "The device code has expired. Ask for a new one.")
        .of_app(AppRefusal::CodeExpired)
}

/// Redeems a code that a person allowed. The state is read again: a code that two servers redeem at the same moment is
/// used once.
async fn redeem(
    context: &Context,
    client: &AuthenticatedClient,
    hash: &SecretHash,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken> {
    let mut change = context.begin_change().await?;
    client.check(&mut change).await?;
    let now = change.now();
    let request = of_client(store::client::device::find(&mut change, hash.as_str()).await?, &client.id)?;
    match (request.state(now), &request.consent) {
        (DeviceState::Redeemed, Some(consent)) => {
            consent::end_and_commit(change, &Actor::system_for(origin), consent, EndCause::CodeReused).await?;
            return Err(invalid_grant(AppRefusal::CodeUsed, "the code was used before"));
        }
        (DeviceState::Denied, _) => return Err(denied()),
        (DeviceState::Expired, _) => return Err(expired()),
        (DeviceState::Waiting | DeviceState::Redeemed, _) => return Err(pending()),
        (DeviceState::Allowed, _) => {}
    }
    let DeviceRequest { person: Some(person), server_id: Some(server), scopes: Some(scopes), .. } = request else {
        return Err(Fault::Damaged.into());
    };
    let server = redemption::server(&mut change, &server).await?;
    redemption::check_resource(form, &server)?;
    redemption::check_person(&mut change, &person, &server).await?;
    let allowed = Allowed { person, client_id: client.id.clone(), scopes, redirect_host: String::new() };
    let consent = allowed.begin(&mut change, &server, origin).await?;
    store::client::device::redeem(&mut change, hash, &consent.id).await?;
    // The person read what the scopes implied then. What the server lets them imply since is not theirs.
    let scopes = consent.scopes.intersection(&server.scope_names());
    Redemption { consent: &consent, server: &server, scopes, next: NextRefreshToken::First, origin }.issue(change).await
}
