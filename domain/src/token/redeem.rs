//! Codes and refresh tokens become access tokens (OAuth 2.1 §4.1.3, §4.3). Each happens in a transaction of its own that reaches
//! the disk, one at a time: what is used is used, whatever happens next.

use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::clock::Timestamp;
use crate::base::form_body::TokenForm;
use crate::base::id::{AppClientId, ConsentId, TokenId};
use crate::client::consent;
use crate::context::Context;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::{PlainSecret, SecretHash, SecretKind};
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::client::AppClient;
use crate::model::consent::{ABSOLUTE_LIMIT, Consent, EndCause, IDLE_LIMIT};
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::origin::Origin;
use crate::model::redirect_uri::RedirectUri;
use crate::model::resource;
use crate::model::scope::Scopes;
use crate::model::server::McpServer;
use crate::model::token::StatusReference;
use crate::store::client::consent::ConsentToken;
use crate::store::{self, StoreError, Transaction};
use crate::token::access_token::{self, AccessToken, Claims};

/// Within this time of its use a refresh token that comes again is not a client that lost the answer and tries anew, but one that
/// sent two requests at once: the second is refused, and nothing else happens.
const SIMULTANEOUS: Duration = Duration::from_secs(1);
/// Within this time it may be such a client.
const LOST_ANSWER: Duration = Duration::from_secs(30);
/// Lengths of a code verifier (RFC 7636 §4.1).
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// The answer is the same whatever is wrong with a code or token; only the log knows.
fn invalid_grant(detail: &'static str) -> OAuthError {
    OAuthError {
        detail: detail.into(),
        ..OAuthError::new(OAuthErrorCode::InvalidGrant, "The code or refresh token is not valid.")
    }
}

/// Who ends what nobody of ours ends: with the address that it was asked from.
fn nobody(origin: &Origin) -> Actor {
    Actor::system().at(origin.address, origin.agent.as_deref())
}

fn store_fault(error: StoreError) -> OAuthError {
    Fault::from(error).into()
}

/// Redeems the code in `form` for `client`.
///
/// # Errors
///
/// `invalid_grant` when it is not this client's, not for these parameters, or was used: then what it was used for ends.
/// `invalid_target` when `resource` is not what the person was asked about.
pub async fn code(
    context: &Context,
    client: &AppClient,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    let code = form.get("code").ok_or(OAuthError::invalid_request("code is missing."))?;
    let code = PlainSecret::parse_of(SecretKind::AuthorizationCode, code).ok_or(invalid_grant("malformed code"))?;
    let hash = code.hash(&context.keys.pepper);
    check_known(context, &hash).await?;
    let mut transaction = context.store.begin().await.map_err(store_fault)?;
    let now = context.now();
    check_client(&mut transaction, &client.id).await?;
    let stored = store::client::consent::code(&mut transaction, &hash).await.map_err(store_fault)?;
    let stored = stored.ok_or(invalid_grant("unknown code"))?;
    if stored.client_id != client.id {
        return Err(invalid_grant("the code of another client"));
    }
    if form.get("redirect_uri") != Some(&stored.redirect_uri) {
        return Err(invalid_grant("another redirect_uri than the request had"));
    }
    let verifier = form.get("code_verifier").ok_or(invalid_grant("code_verifier is missing"))?;
    if !answers(verifier, &stored.challenge) {
        return Err(invalid_grant("the code_verifier does not answer the challenge"));
    }
    let server = server(&mut transaction, &stored.server_id).await?;
    check_resource(form, &server)?;
    // Whoever knows all this has the code by right or has stolen everything. One of the two has used it.
    if let Some(grant) = &stored.grant {
        consent::end_and_commit(context, transaction, &nobody(origin), grant, EndCause::CodeReused).await?;
        return Err(invalid_grant("the code was used before"));
    }
    if stored.expires_at <= now {
        return Err(invalid_grant("the code has expired"));
    }
    check_person(&mut transaction, &stored.person).await?;
    let redirect_host = RedirectUri::parse(&stored.redirect_uri).map(|uri| uri.host()).unwrap_or_default();
    let grant = Consent {
        id: ConsentId::generate(context.random.as_ref()),
        person: stored.person,
        client_id: client.id.clone(),
        server_id: server.id.clone(),
        scopes: stored.scopes,
        redirect_host,
        status_index: store::token::status_list::next_index(&mut transaction).await.map_err(store_fault)?,
        created_at: now,
        expires_at: now.plus(ABSOLUTE_LIMIT),
        last_used_at: now,
        last_used_from: origin.address.map(|address| address.to_string()),
        leaked_at: None,
        ended_at: None,
        end_cause: None,
    };
    store::client::consent::insert(&mut transaction, &grant).await.map_err(store_fault)?;
    store::client::consent::use_code(&mut transaction, &hash, &grant.id).await.map_err(store_fault)?;
    let scopes = grant.scopes.intersection(&server.scope_names());
    issue(context, transaction, &grant, &server, scopes, None, origin).await
}

/// Redeems the refresh token in `form` for `client`. The answer holds the next one; the one that was sent is worth nothing more.
///
/// # Errors
///
/// `invalid_grant` when it is not this client's or worth nothing; when it was used before, the whole grant ends, unless the client
/// can only have lost the answer. `invalid_scope` and `invalid_target` when more is asked for than was allowed.
pub async fn refresh(
    context: &Context,
    client: &AppClient,
    form: &TokenForm,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    let token = form.get("refresh_token").ok_or(OAuthError::invalid_request("refresh_token is missing."))?;
    let token = PlainSecret::parse_of(SecretKind::RefreshToken, token).ok_or(invalid_grant("malformed token"))?;
    let hash = token.hash(&context.keys.pepper);
    check_known(context, &hash).await?;
    let arrived = context.now();
    let mut transaction = context.store.begin().await.map_err(store_fault)?;
    let now = context.now();
    check_client(&mut transaction, &client.id).await?;
    let stored = store::client::consent::refresh_token(&mut transaction, hash.as_str()).await.map_err(store_fault)?;
    let stored = stored.ok_or(invalid_grant("unknown token"))?;
    let grant = store::client::consent::find_in(&mut transaction, &stored.grant).await.map_err(store_fault)?;
    let grant = grant.ok_or(Fault::Damaged)?;
    if grant.client_id != client.id {
        return Err(invalid_grant("the token of another client"));
    }
    if !grant.is_live(now) {
        return Err(invalid_grant("the grant is over"));
    }
    if let Some(used_at) = stored.used_at {
        if arrived.since(used_at) < SIMULTANEOUS
            && !is_successor_used(&mut transaction, stored.successor.as_deref()).await?
        {
            return Err(invalid_grant("the token is being used by another request"));
        }
        if !is_lost_answer(&mut transaction, used_at, stored.successor.as_deref(), now).await? {
            consent::end_and_commit(context, transaction, &nobody(origin), &grant.id, EndCause::TokenReused).await?;
            return Err(invalid_grant("the token was used before"));
        }
    } else if stored.revoked_at.is_some() {
        consent::end_and_commit(context, transaction, &nobody(origin), &grant.id, EndCause::TokenReused).await?;
        return Err(invalid_grant("the token was given up"));
    }
    if stored.expires_at <= now {
        return Err(invalid_grant("the token has expired"));
    }
    check_person(&mut transaction, &grant.person).await?;
    let server = server(&mut transaction, &grant.server_id).await?;
    check_resource(form, &server)?;
    let scopes = match form.get("scope").map(Scopes::parse) {
        Some(None) => return Err(OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed.")),
        Some(Some(asked)) if !asked.is_empty() => {
            if asked.intersection(&grant.scopes) != asked {
                let wider = "The scope may only become smaller.";
                return Err(OAuthError::new(OAuthErrorCode::InvalidScope, wider));
            }
            asked
        }
        _ => grant.scopes.clone(),
    };
    let scopes = scopes.intersection(&server.scope_names());
    // The answer that was lost had one too.
    if let Some(successor) = stored.successor.as_deref() {
        store::client::consent::revoke_refresh_token(&mut transaction, successor, now).await.map_err(store_fault)?;
    }
    issue(context, transaction, &grant, &server, scopes, Some(&hash), origin).await
}

/// The client gives the grant of this refresh token up (RFC 7009). A token that is none of its own stays what it is.
pub async fn give_up(context: &Context, client: &AppClient, token: &PlainSecret, origin: &Origin) -> Result<(), Fault> {
    let hash = token.hash(&context.keys.pepper);
    if !store::client::consent::is_known(&context.store, &hash).await? {
        return Ok(());
    }
    let mut transaction = context.store.begin().await?;
    let Some(stored) = store::client::consent::refresh_token(&mut transaction, hash.as_str()).await? else {
        return Ok(());
    };
    let grant = store::client::consent::find_in(&mut transaction, &stored.grant).await?.ok_or(Fault::Damaged)?;
    if grant.client_id != client.id {
        return Ok(());
    }
    consent::end_and_commit(context, transaction, &nobody(origin), &grant.id, EndCause::Client).await
}

/// Whether `verifier` is what the S256 `challenge` was made of (RFC 7636 §4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let is_verifier = VERIFIER_LENGTHS.contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    is_verifier && constant_time::verify_slices_are_equal(hash.as_bytes(), challenge.as_bytes()).is_ok()
}

/// Whether a token that was used before may come from a client that never heard of the next one: it is soon after, and the next
/// one was not used.
async fn is_lost_answer(
    transaction: &mut Transaction,
    used_at: Timestamp,
    successor: Option<&str>,
    now: Timestamp,
) -> Result<bool, OAuthError> {
    Ok(now.since(used_at) <= LOST_ANSWER && !is_successor_used(transaction, successor).await?)
}

async fn is_successor_used(transaction: &mut Transaction, successor: Option<&str>) -> Result<bool, OAuthError> {
    let Some(successor) = successor else { return Ok(true) };
    let next = store::client::consent::refresh_token(transaction, successor).await.map_err(store_fault)?;
    Ok(next.is_none_or(|next| next.used_at.is_some()))
}

async fn server(transaction: &mut Transaction, id: &crate::base::id::McpServerId) -> Result<McpServer, OAuthError> {
    let servers = store::server::list_in(transaction).await.map_err(store_fault)?;
    Ok(servers.into_iter().find(|server| server.id == *id).ok_or(Fault::Damaged)?)
}

/// A `resource` that is sent must be the one that was asked for (RFC 8707 §2.2).
fn check_resource(form: &TokenForm, server: &McpServer) -> Result<(), OAuthError> {
    let own = resource::canonical(&server.resource);
    if form.resources().all(|asked| resource::canonical(asked) == own) {
        return Ok(());
    }
    Err(OAuthError::new(OAuthErrorCode::InvalidTarget, "resource must be the one that was authorized."))
}

/// Whatever was made up takes no turn to write.
async fn check_known(context: &Context, hash: &SecretHash) -> Result<(), OAuthError> {
    match store::client::consent::is_known(&context.store, hash).await.map_err(store_fault)? {
        true => Ok(()),
        false => Err(invalid_grant("unknown")),
    }
}

/// The client may have been removed since it was authenticated, or its secret ended.
async fn check_client(transaction: &mut Transaction, id: &AppClientId) -> Result<(), OAuthError> {
    let client = store::client::find_in(transaction, id).await.map_err(store_fault)?;
    match client.filter(|client| client.removed_at.is_none() && !client.secret_ended) {
        Some(_) => Ok(()),
        None => Err(OAuthError::invalid_client("the client was removed, or its secret ended")),
    }
}

async fn check_person(transaction: &mut Transaction, id: &crate::base::id::PersonId) -> Result<(), OAuthError> {
    let person = store::person::find_in(transaction, id).await.map_err(store_fault)?.ok_or(Fault::Damaged)?;
    if person.disabled_at.is_some() {
        return Err(invalid_grant("the person is disabled"));
    }
    Ok(())
}

/// Records an access token and the next refresh token, commits, and signs.
async fn issue(
    context: &Context,
    mut transaction: Transaction,
    grant: &Consent,
    server: &McpServer,
    scopes: Scopes,
    used: Option<&SecretHash>,
    origin: &Origin,
) -> Result<AccessToken, OAuthError> {
    if scopes.is_empty() {
        return Err(OAuthError::new(OAuthErrorCode::InvalidScope, "None of the scopes may be granted any more."));
    }
    let now = context.now();
    let next = PlainSecret::generate_of(SecretKind::RefreshToken, context.random.as_ref());
    let next_hash = next.hash(&context.keys.pepper);
    let next_ends = now.plus(IDLE_LIMIT).min(grant.expires_at);
    let jti = TokenId::generate(context.random.as_ref(), now);
    let expires_at = now.plus(server.token_lifetime).min(grant.expires_at);
    let address = origin.address.map(|address| address.to_string());
    let token = ConsentToken {
        jti: &jti,
        grant: &grant.id,
        scope: &scopes,
        issued_at: now,
        expires_at,
        address: address.as_deref(),
    };
    let recorded = async {
        if let Some(used) = used {
            store::client::consent::use_refresh_token(&mut transaction, used, &next_hash, now).await?;
        }
        store::client::consent::insert_refresh_token(&mut transaction, &next_hash, &grant.id, next_ends).await?;
        store::client::consent::insert_token(&mut transaction, &token).await?;
        store::client::consent::mark_used(&mut transaction, &grant.id, now, address.as_deref()).await?;
        store::client::mark_used(&mut transaction, &grant.client_id, now).await?;
        let mut signing = store::operations::keys::active_signing_keys(&mut *transaction, now).await?;
        // Nothing is used up for a token that could not be signed.
        let kid = signing.remove(server.alg.as_str()).ok_or(KeyError::Missing("signing key"))?;
        context.keys.signing.get(&context.store, &kid, now).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok::<_, Fault>(kid)
    };
    let kid = recorded.await?;
    let claims = Claims {
        iss: context.settings.public_url.clone(),
        sub: grant.person.to_string(),
        aud: server.resource.clone(),
        client_id: grant.client_id.to_string(),
        scope: scopes.to_string(),
        jti: jti.as_str().to_owned(),
        iat: now.seconds(),
        exp: expires_at.seconds(),
        status: Some(StatusReference::of(&context.settings, grant.status_index)),
    };
    let mut token = access_token::sign_claims(context, &kid, claims).await?;
    token.refresh_token = Some(next);
    Ok(token)
}
