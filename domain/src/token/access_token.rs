//! Access tokens: signed JWTs in the profile of RFC 9068.

use crate::base::text::debug_as;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::PlainSecret;
use crate::model::token::claims::Claims;
use crate::model::token::{IssuedToken, StatusReference};
use crate::prelude::{Context, Fault};

/// A successful answer (RFC 6749 §5.1). Its `Debug` shows no token.
pub struct AccessToken {
    /// The signed token.
    pub token: String,
    /// Seconds from now to its end.
    pub expires_in: i64,
    /// The granted scopes.
    pub scope: String,
    /// The refresh token, when a person allowed the access.
    pub refresh_token: Option<PlainSecret>,
}

debug_as!(AccessToken, |value| "AccessToken(redacted, {} s, {})", value.expires_in, value.scope);

/// Signs the token of a ledger entry with the key that the issuing transaction chose.
pub(crate) async fn sign(context: &Context, issued: &IssuedToken) -> Result<AccessToken, Fault> {
    let claims = Claims {
        iss: context.settings.public_url.clone(),
        sub: issued.client_id.to_string(),
        aud: issued.audience.clone(),
        client_id: issued.client_id.to_string(),
        scope: issued.scope.to_string(),
        jti: issued.jti.as_str().to_owned(),
        iat: issued.issued_at.seconds(),
        exp: issued.expires_at.seconds(),
        status: Some(StatusReference::of(&context.settings, issued.status_index)),
    };
    sign_claims(context, &issued.kid, claims).await
}

/// Signs a token with these claims. The record of the token is committed already.
pub(crate) async fn sign_claims(context: &Context, kid: &str, claims: Claims) -> Result<AccessToken, Fault> {
    let key = context.keys.signing.get(&context.store, kid, context.now()).await?;
    let json = serde_json::to_vec(&claims).map_err(|_| KeyError::Crypto("writing the claims of a token"))?;
    let expires_in = claims.exp - claims.iat;
    Ok(AccessToken { token: key.sign_access_token(&json)?, expires_in, scope: claims.scope, refresh_token: None })
}
