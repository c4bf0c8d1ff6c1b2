//! The JWT bearer grant (RFC 7523 §2.1): the assertion is the grant, and needs no other client authentication. A credential
//! must allow it. The token's subject is the client, whatever subject the assertion has.

use crate::base::form_body::TokenForm;
use crate::context::Context;
use crate::model::oauth_error::OAuthError;
use crate::model::origin::Origin;
use crate::model::token::Proof;
use crate::token::access_token::AccessToken;
use crate::token::assertion::{self, Purpose};
use crate::token::grants::{GrantType, issue, refuse_assertion};

const GRANT: GrantType = GrantType::JwtBearer;

/// Exchanges the assertion for an access token.
///
/// `origin` is where the request came from.
pub async fn exchange(context: &Context, form: &TokenForm, origin: &Origin) -> Result<AccessToken, OAuthError> {
    context.ledger.check_room()?;
    let assertion = form.get("assertion").ok_or(OAuthError::invalid_request("assertion is missing."))?;
    let verified = assertion::verify(context, assertion, form.get("client_id"), Purpose::Grant).await;
    let verified = verified.map_err(|error| refuse_assertion(context, GRANT, error, origin))?;
    let proof = Proof::Assertion { authenticator: verified.authenticator, single_use: verified.single_use };
    issue(context, GRANT, proof, Some(verified.client_id), form, origin).await
}
