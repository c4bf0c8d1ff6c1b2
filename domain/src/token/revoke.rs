//! Token revocation (RFC 7009): a client ends its own token before the token expires.

use serde_json::json;

use crate::base::form_body::TokenForm;
use crate::base::id::{ClientId, TokenId};
use crate::client::consent;
use crate::credential::update_ends_of;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::AppClient;
use crate::model::client::consent::EndCause;
use crate::model::origin::Origin;
use crate::model::token::oauth_error::OAuthError;
use crate::prelude::{Action, Actor, Context, Event, Fault, Target};
use crate::store;
use crate::token::client_authentication::credential::AuthenticatedCredential;
use crate::token::client_authentication::{AuthenticatedClient, Client};
use crate::token::verify::{SignedToken, signed};

/// Ends `token` when it is a token of the client that asks. An access token ends alone. A refresh token of a client
/// that acts for people ends with the whole consent. Unknown tokens and tokens of other clients stay as they are; the
/// client gets the same answer (§2.2).
///
/// A token that is not accepted at the moment ends too: its person may be enabled again, and a clock that is ahead may
/// be set right.
///
/// When this returns, the change is on disk: introspection and the built-in MCP server refuse the token from now on.
///
/// # Errors
///
/// `invalid_client`, the same for every failure.
pub async fn revoke(
    context: &Context,
    client: Client,
    form: &TokenForm,
    token: &str,
    origin: &Origin,
) -> Result<(), OAuthError> {
    match client {
        Client::Interactive(client) => Ok(revoke_of_interactive(context, &client, token, origin).await?),
        Client::Credential(claim) => {
            let credential = claim.check(context, form, origin).await?;
            Ok(revoke_of_credential(context, &credential, token, origin).await?)
        }
    }
}

async fn revoke_of_credential(
    context: &Context,
    caller: &AuthenticatedCredential,
    token: &str,
    origin: &Origin,
) -> Result<(), Fault> {
    match signed(context, token).await? {
        Some((SignedToken::OfCredential(owner, jti), _)) if owner == caller.client_id => {
            end_token(context, &owner, &jti, origin).await
        }
        _ => Ok(()),
    }
}

/// Ends a token of the credential `owner`, which asks for it.
async fn end_token(context: &Context, owner: &ClientId, jti: &TokenId, origin: &Origin) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::token::ledger::revoke_token(&mut change, jti, now).await? {
        return Ok(());
    }
    update_ends_of(&mut change, owner).await?;
    let state = store::token::ledger::token_state(&mut change, jti).await?.ok_or(Fault::Damaged)?;
    let actor = Actor::authenticated_credential(owner.clone(), state.credential_name.clone());
    let actor = actor.at(origin.address, None);
    let event = Event::new(Action::TokenRevoked, Target::Credential, owner.as_str(), &state.credential_name)
        .with(json!({ "jti": jti.as_str() }));
    change.commit(&actor, &event).await
}

async fn revoke_of_interactive(
    context: &Context,
    client: &AuthenticatedClient,
    token: &str,
    origin: &Origin,
) -> Result<(), Fault> {
    if let Some(token) = PlainSecret::parse_of(SecretKind::RefreshToken, token) {
        return give_up(context, client, &token, origin).await;
    }
    let jti = match signed(context, token).await? {
        Some((SignedToken::OfGrant(jti), _)) => jti,
        // A document may describe a client that acts for people and also approve a credential. It is the same program.
        Some((SignedToken::OfCredential(owner, jti), _)) if client.id.document().is_some() && client.has_signed() => {
            return match store::credential::of_document(&context.store, &client.id).await? == Some(owner.clone()) {
                true => end_token(context, &owner, &jti, origin).await,
                false => Ok(()),
            };
        }
        _ => return Ok(()),
    };
    let state = store::client::consent::token_state(&context.store, &jti).await?;
    if state.is_none_or(|state| state.client_id != client.id) {
        return Ok(());
    }
    // A token that has ended already counts as success (RFC 7009 §2.2).
    consent::end_token(context, &Actor::system_for(origin), &jti, None).await.map(drop)
}

/// Ends the consent of this refresh token for its client. A token of another client stays as it is.
async fn give_up(context: &Context, client: &AppClient, token: &PlainSecret, origin: &Origin) -> Result<(), Fault> {
    let hash = token.hash(&context.keys.pepper);
    if !store::client::consent::is_known(&context.store, &hash).await? {
        return Ok(());
    }
    let mut change = context.begin_change().await?;
    let stored = store::client::consent::refresh_token(&mut change, hash.as_str()).await?;
    let Some(stored) = stored else { return Ok(()) };
    let consent = store::client::consent::find_in(&mut change, &stored.consent).await?.ok_or(Fault::Damaged)?;
    if consent.client_id != client.id {
        return Ok(());
    }
    consent::end_and_commit(change, &Actor::system_for(origin), &consent.id, EndCause::Client).await
}
