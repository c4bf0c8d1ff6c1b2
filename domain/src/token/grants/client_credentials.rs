//! The client credentials grant (RFC 6749 §4.4). It returns no refresh token (§4.4.3): the client can ask again.

use super::{GrantType, issue};
use crate::context::Context;
use crate::origin::Origin;
use crate::token::access_token::AccessToken;
use crate::token::authenticate;
use crate::token::client_authentication::Presented;
use crate::token::error::OAuthError;
use crate::token::form::TokenForm;

const GRANT: GrantType = GrantType::ClientCredentials;

/// Exchanges what the client presents for an access token.
///
/// `origin` is where the request came from.
pub async fn exchange(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    context.ledger.check_room()?;
    let (proof, client_id) = authenticate::proof(context, GRANT, presented, form, origin).await?;
    issue(context, GRANT, proof, client_id, form, origin).await
}
