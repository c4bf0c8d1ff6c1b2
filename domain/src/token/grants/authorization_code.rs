//! The authorization code grant (OAuth 2.1 §4.1.3): what a person allowed becomes a token.

use crate::base::form_body::TokenForm;
use crate::context::Context;
use crate::model::oauth_error::OAuthError;
use crate::model::origin::Origin;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::{self, Presented};
use crate::token::redeem;

/// Exchanges the code for an access token and a refresh token.
///
/// `origin` is where the request came from.
pub async fn exchange(
    context: &Context,
    presented: Result<Presented, OAuthError>,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    let client = client_authentication::interactive_alone(context, &presented, form).await?;
    redeem::code(context, &client, form, origin).await
}
