//! The client credentials grant (RFC 6749 §4.4). It returns no refresh token (§4.4.3): the client can ask again.

use std::net::IpAddr;

use super::{Grant, issue, oauth_error, refuse_assertion};
use crate::context::Context;
use crate::token::access_token::AccessToken;
use crate::token::assertion::{self, Purpose};
use crate::token::client_authentication::Presented;
use crate::token::error::OAuthError;
use crate::token::form::TokenForm;
use crate::token::ledger::{Proof, Refusal};

const GRANT: Grant = Grant::ClientCredentials;

/// Exchanges what the client presents for an access token.
///
/// `address` is where the request came from, as far as that can be trusted.
pub async fn exchange(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    address: Option<IpAddr>,
) -> Result<AccessToken, OAuthError> {
    match presented {
        Presented::Secret { client_id, names_client, secret } => {
            // The checksum first: a mistyped secret costs no look-up.
            let Some(secret) = secret.filter(|_| client_id.is_some() || !names_client) else {
                context.refusals.record(client_id.as_ref(), Refusal::WrongSecret, address, context.now());
                return Err(oauth_error(GRANT, Refusal::WrongSecret));
            };
            let proof = Proof::Secret(secret.hash(&context.keys.pepper));
            issue(context, GRANT, proof, client_id, form, address).await
        }
        Presented::Assertion => {
            let assertion = form.get("client_assertion").unwrap_or_default();
            let verified =
                assertion::verify(context, assertion, form.get("client_id"), Purpose::ClientAuthentication).await;
            let verified = verified.map_err(|error| refuse_assertion(context, GRANT, error, address))?;
            let proof = Proof::Assertion { authenticator: verified.authenticator, single_use: verified.single_use };
            issue(context, GRANT, proof, Some(verified.client_id), form, address).await
        }
    }
}
