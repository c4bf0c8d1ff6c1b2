//! Token revocation (RFC 7009): a client ends a token of its own before its time.

use serde_json::json;

use crate::base::form_body::TokenForm;
use crate::client::consent;
use crate::context::Context;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::client::AppClient;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::origin::Origin;
use crate::store;
use crate::token::authenticate::{Client, authenticate};
use crate::token::client_authentication::{self, Presented};
use crate::token::redeem;
use crate::token::verify::{Subject, Verified, VerifyError, verify_for_any};

/// Ends `token` when it is a live one of the client that asks: an access token, or an interactive client's refresh token, and with it
/// all that the person allowed. A token that is unknown, over or another client's is left as it is, and the client hears no
/// difference (§2.2).
///
/// When this returns the change is on disk: introspection and the built-in MCP server refuse the token from now on.
///
/// # Errors
///
/// `invalid_client`, the same whatever failed.
pub async fn revoke(
    context: &Context,
    presented: Result<Presented, OAuthError>,
    form: &TokenForm,
    token: &str,
    origin: &Origin,
) -> Result<(), OAuthError> {
    // Nothing in the request says of which kind the client is.
    match client_authentication::interactive(context, &presented, form).await {
        Ok(client) => revoke_of_interactive(context, &client, token, origin).await,
        Err(error) if error.code == OAuthErrorCode::InvalidClient => {
            let caller = authenticate(context, presented?, form, origin).await?;
            Ok(revoke_of_credential(context, &caller, token, origin).await?)
        }
        Err(error) => Err(error),
    }
}

async fn revoke_of_credential(context: &Context, caller: &Client, token: &str, origin: &Origin) -> Result<(), Fault> {
    let Some(verified) = valid(context, token).await? else { return Ok(()) };
    if verified.subject != Subject::Credential(caller.client_id.clone()) {
        return Ok(());
    }
    let actor = Actor::credential(caller.client_id.clone(), verified.client_name.clone()).at(origin.address, None);
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::token::ledger::revoke_token(change.transaction(), &verified.jti, now).await? {
        return Ok(());
    }
    let event = Event::new(Action::TokenRevoked, Target::Credential, caller.client_id.as_str(), &verified.client_name)
        .with(json!({ "jti": verified.jti.as_str() }));
    change.commit(&actor, &event).await?;
    Ok(())
}

async fn revoke_of_interactive(
    context: &Context,
    client: &AppClient,
    token: &str,
    origin: &Origin,
) -> Result<(), OAuthError> {
    if let Some(token) = PlainSecret::parse_of(SecretKind::RefreshToken, token) {
        return Ok(redeem::give_up(context, client, &token, origin).await?);
    }
    let Some(verified) = valid(context, token).await? else { return Ok(()) };
    if !matches!(&verified.subject, Subject::Person { client_id, .. } if *client_id == client.id) {
        return Ok(());
    }
    let actor = Actor::system().at(origin.address, origin.agent.as_deref());
    // One that has ended already is as good (RFC 7009 §2.2).
    consent::end_token(context, &actor, &verified.jti, None).await?;
    Ok(())
}

async fn valid(context: &Context, token: &str) -> Result<Option<Verified>, Fault> {
    match verify_for_any(context, token).await {
        Ok(verified) => Ok(Some(verified)),
        Err(VerifyError::Invalid(_)) => Ok(None),
        Err(VerifyError::Fault(fault)) => Err(fault),
    }
}
