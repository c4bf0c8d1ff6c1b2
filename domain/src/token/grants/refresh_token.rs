//! The refresh token grant (OAuth 2.1 §4.3): a client goes on with what a person allowed. Each token is used once.

use crate::context::Context;
use crate::interactive::redeem;
use crate::origin::Origin;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::{self, Presented};
use crate::token::error::OAuthError;
use crate::token::form::TokenForm;

/// Exchanges the refresh token for an access token and the next refresh token.
///
/// `origin` is where the request came from.
pub async fn exchange(
    context: &Context,
    presented: Result<Presented, OAuthError>,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    let client = client_authentication::interactive_alone(context, &presented, form).await?;
    redeem::refresh(context, &client, form, origin).await
}
