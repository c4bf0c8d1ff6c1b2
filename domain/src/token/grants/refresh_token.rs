//! The refresh token grant (OAuth 2.1 §4.3): a client goes on with what a person allowed. Each token is used once.

use crate::base::form_body::TokenForm;
use crate::context::Context;
use crate::model::oauth_error::OAuthError;
use crate::model::origin::Origin;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::{self, Presented};
use crate::token::redeem;

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
