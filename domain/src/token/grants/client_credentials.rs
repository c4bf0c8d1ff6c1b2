//! The client credentials grant (RFC 6749 §4.4). It returns no refresh token (§4.4.3): the client can ask again.

use crate::base::form_body::TokenForm;
use crate::client;
use crate::context::Context;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::origin::Origin;
use crate::model::token::Proof;
use crate::token::access_token::AccessToken;
use crate::token::authenticate;
use crate::token::client_authentication::{self, Presented};
use crate::token::grants::{GrantType, issue};

const GRANT: GrantType = GrantType::ClientCredentials;

/// Exchanges what the client presents for an access token.
///
/// `origin` is where the request came from.
///
/// # Errors
///
/// `unauthorized_client` for an interactive client that proves itself, or is a public one: it acts for people only.
pub async fn exchange(
    context: &Context,
    presented: Result<Presented, OAuthError>,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    context.ledger.check_room()?;
    let presented = match presented {
        Ok(presented) => presented,
        failed => {
            client_authentication::interactive(context, &failed, form).await?;
            return Err(OAuthError::unauthorized_client());
        }
    };
    let (proof, client_id) = authenticate::proof(context, GRANT, presented, form, origin).await?;
    let secret = match &proof {
        Proof::Secret(hash) => Some((hash.clone(), client_id.clone())),
        Proof::Assertion { .. } => None,
    };
    let error = match issue(context, GRANT, proof, client_id, form, origin).await {
        Err(error) if error.code == OAuthErrorCode::InvalidClient => error,
        result => return result,
    };
    let Some((hash, named)) = secret else { return Err(error) };
    let of_interactive = client::find_by_secret(context, &hash).await?;
    let proves = of_interactive.is_some_and(|client| named.is_none_or(|named| named.as_str() == client.id.as_str()));
    Err(if proves { OAuthError::unauthorized_client() } else { error })
}
