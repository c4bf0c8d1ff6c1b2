//! The client credentials grant (RFC 6749 §4.4). It returns no refresh token (§4.4.3): the client can ask again.

use crate::base::form_body::TokenForm;
use crate::client;
use crate::context::Context;
use crate::model::origin::Origin;
use crate::model::token::ClientProof;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::Client;
use crate::token::grants::{GrantType, issue};

const GRANT: GrantType = GrantType::ClientCredentials;

/// Exchanges the proof of a credential for an access token. `origin` is where the request came from.
///
/// # Errors
///
/// `unauthorized_client` for a client that acts for people, whether it proves itself or is a public client.
pub async fn exchange(context: &Context, client: Client, form: &TokenForm, origin: &Origin) -> Result<AccessToken> {
    context.ledger.check_room()?;
    let Client::Credential(claim) = client else { return Err(OAuthError::unauthorized_client()) };
    let (proof, client_id) = claim.proof(context, form, origin).await?;
    let secret = match &proof {
        ClientProof::Secret(hash) => Some((hash.clone(), client_id.clone())),
        ClientProof::Assertion { .. } => None,
    };
    let error = match issue(context, GRANT, proof, client_id, form, origin).await {
        Err(error) if error.code == OAuthErrorCode::InvalidClient => error,
        result => return result,
    };
    let Some((hash, named)) = secret else { return Err(error) };
    let interactive = client::find_by_secret(context, &hash).await?;
    let proves = interactive.is_some_and(|client| named.is_none_or(|named| named.as_str() == client.id.as_str()));
    Err(if proves { OAuthError::unauthorized_client() } else { error })
}
