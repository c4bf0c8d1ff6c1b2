//! The JWT bearer grant (RFC 7523 §2.1): the assertion is the grant, and it says who the client is. A credential must
//! allow this grant. The token's subject is always the client, even when the assertion has another subject.

use crate::base::form_body::TokenForm;
use crate::context::Context;
use crate::model::origin::Origin;
use crate::model::token::ClientProof;
use crate::model::token::oauth_error::{OAuthError, Result};
use crate::token::access_token::AccessToken;
use crate::token::assertion::{self, AssertionPurpose};
use crate::token::client_authentication::presented::Presented;
use crate::token::grants::{GrantType, issue, refuse_assertion};

const GRANT: GrantType = GrantType::JwtBearer;

/// Exchanges the assertion for an access token. `origin` is where the request came from.
///
/// # Errors
///
/// `invalid_request` when the request also presents a client authentication: it could only contradict the assertion.
pub async fn exchange(
    context: &Context,
    presented: &Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken> {
    if !matches!(presented, Presented::Nothing) {
        let problem = "This grant takes no client authentication beside the assertion.";
        return Err(OAuthError::invalid_request(problem));
    }
    context.ledger.check_room()?;
    let assertion = form.get("assertion").ok_or(OAuthError::invalid_request("assertion is missing."))?;
    let verified = assertion::verify(context, assertion, form.get("client_id"), AssertionPurpose::Grant).await;
    let verified = verified.map_err(|error| refuse_assertion(context, GRANT, error, origin))?;
    let proof = ClientProof::Assertion { authenticator: verified.authenticator, single_use: verified.single_use };
    issue(context, GRANT, proof, Some(verified.client_id), form, origin).await
}
