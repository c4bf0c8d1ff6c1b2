//! The JWT bearer grant (RFC 7523 §2.1): the assertion is the grant, and needs no other client authentication. A credential
//! must allow it. The token's subject is the client, whatever subject the assertion has.

use super::{GrantType, issue, refuse_assertion};
use crate::context::Context;
use crate::origin::Origin;
use crate::token::access_token::AccessToken;
use crate::token::assertion::{self, Purpose};
use crate::token::error::OAuthError;
use crate::token::form::TokenForm;
use crate::token::ledger::Proof;

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
