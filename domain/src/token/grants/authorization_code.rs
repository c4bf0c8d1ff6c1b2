//! The authorization code grant (OAuth 2.1 §4.1.3): the client redeems a person's consent for an access token and a
//! refresh token.

use aws_lc_rs::constant_time;

use crate::base::digest;
use crate::base::form_body::TokenForm;
use crate::base::id::AppClientId;
use crate::client::consent;
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::consent::EndCause;
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::refusal::AppRefusal;
use crate::model::origin::Origin;
use crate::model::token::oauth_error::{OAuthError, Result};
use crate::prelude::{Actor, Context};
use crate::store;
use crate::store::client::consent::Code;
use crate::token::access_token::AccessToken;
use crate::token::client_authentication::Client;
use crate::token::grants::redemption::{self, Allowed, NextRefreshToken, Redemption, invalid_grant};

/// Lengths of a code verifier (RFC 7636 §4.1).
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// Exchanges the code in `form` for an access token and a refresh token. `origin` is where the request came from.
///
/// # Errors
///
/// - `invalid_grant`: the code is not this client's, does not fit these parameters, or was used before. In the last
///   case the consent that the code made ends.
/// - `invalid_target`: `resource` is not the server that the person was asked about, or that server is not open to the
///   person's teams.
/// - `unauthorized_client`: a credential asks.
pub async fn exchange(context: &Context, client: Client, form: &TokenForm, origin: &Origin) -> Result<AccessToken> {
    let client = client.interactive(context).await?;
    let code = form.get("code").ok_or(OAuthError::invalid_request("code is missing."))?;
    let code = PlainSecret::parse_of(SecretKind::AuthorizationCode, code)
        .ok_or(invalid_grant(AppRefusal::CodeUnknown, "malformed code"))?;
    let hash = code.hash(&context.keys.pepper);
    redemption::check_known(context, &hash, AppRefusal::CodeUnknown).await?;
    let mut change = context.begin_change().await?;
    client.check(&mut change).await?;
    let stored = store::client::consent::code(&mut change, &hash).await?;
    let stored = stored.ok_or(invalid_grant(AppRefusal::CodeUnknown, "unknown code"))?;
    check_parameters(&stored, &client.id, form)?;
    let server = redemption::server(&mut change, &stored.server_id).await?;
    redemption::check_resource(form, &server)?;
    // A client with all these parameters owns the code, or has stolen everything. If the code was used before, the
    // owner or the thief has used it.
    if let Some(consent) = &stored.consent {
        consent::end_and_commit(change, &Actor::system_for(origin), consent, EndCause::CodeReused).await?;
        return Err(invalid_grant(AppRefusal::CodeUsed, "the code was used before"));
    }
    let now = change.now();
    if stored.expires_at <= now {
        return Err(invalid_grant(AppRefusal::CodeExpired, "the code has expired"));
    }
    redemption::check_person(&mut change, &stored.person, &server).await?;
    let redirect_host = RedirectUri::parse(&stored.redirect_uri).map(|uri| uri.host()).unwrap_or_default();
    let Code { person, client_id, scopes, .. } = stored;
    let consent = Allowed { person, client_id, scopes, redirect_host }.begin(&mut change, &server, origin).await?;
    store::client::consent::use_code(&mut change, &hash, &consent.id).await?;
    // The person read what the scopes implied then. What the server lets them imply since is not theirs.
    let scopes = consent.scopes.intersection(&server.scope_names());
    Redemption { consent: &consent, server: &server, scopes, next: NextRefreshToken::First, origin }.issue(change).await
}

/// Checks that the code is this client's, and that the request has the parameters that the code was issued for.
fn check_parameters(stored: &Code, client: &AppClientId, form: &TokenForm) -> Result<()> {
    if stored.client_id != *client {
        return Err(invalid_grant(AppRefusal::CodeUnknown, "the code of another client"));
    }
    // OAuth 2.1 §10.2: the verifier binds the code to its client, so `redirect_uri` may be left out.
    if form.get("redirect_uri").is_some_and(|uri| uri != stored.redirect_uri) {
        return Err(invalid_grant(AppRefusal::OtherRedirectUri, "another redirect_uri than the request had"));
    }
    let verifier =
        form.get("code_verifier").ok_or(invalid_grant(AppRefusal::WrongVerifier, "code_verifier is missing"))?;
    if !answers(verifier, &stored.challenge) {
        return Err(invalid_grant(AppRefusal::WrongVerifier, "the code_verifier does not answer the challenge"));
    }
    Ok(())
}

/// Whether the S256 `challenge` was made from `verifier` (RFC 7636 §4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let is_verifier = VERIFIER_LENGTHS.contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let hash = digest::sha256(verifier.as_bytes());
    is_verifier && constant_time::verify_slices_are_equal(hash.as_bytes(), challenge.as_bytes()).is_ok()
}
