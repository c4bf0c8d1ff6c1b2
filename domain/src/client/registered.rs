//! Management of a registration by the client itself (RFC 7592). The client proves itself with the token that it got
//! when it registered. The token manages the registration and nothing else: it gives no access to an MCP server.
//!
//! The token stays the same until the client is removed. RFC 7592 lets a server replace it with each answer; a client
//! that lost an answer would then lose its registration.

use serde_json::{Map, Value};

use crate::base::id::AppClientId;
use crate::client::registration::{Description, RegistrationError, Result, answer, describe, metadata_error, read};
use crate::client::{changed, commit, find_by_secret, name, remove_in};
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::{AppClient, DynamicRegistration};
use crate::model::origin::Origin;
use crate::prelude::{Actor, Change, Context};
use crate::store;

/// Members of an answer that a client must not send back (RFC 7592 §2.2).
const NEVER_SENT: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// The registration of the client `id` (§2.1). `bearer` is the token of the request.
///
/// # Errors
///
/// [`RegistrationError::NotManaged`] when the token is not the one of this client, or the client was removed.
pub async fn inspect(context: &Context, id: &str, bearer: Option<&str>) -> Result<Value> {
    let token = token(bearer)?;
    let found = store::client::find_by_registration(&context.store, &token.hash(&context.keys.pepper)).await?;
    let client = found.filter(|client| client.id.as_str() == id).ok_or(RegistrationError::NotManaged)?;
    Ok(answer(context, &client, &token))
}

/// Replaces the registration by `metadata` (§2.2). Returns what holds now. Consents stay. Codes that were issued for
/// other redirect URIs can no longer be redeemed.
///
/// # Errors
///
/// As [`inspect`]; and those of a registration. A client stays public or confidential.
pub async fn update(
    context: &Context,
    id: &str,
    bearer: Option<&str>,
    metadata: &[u8],
    origin: &Origin,
) -> Result<Value> {
    let (mut change, before, token) = begin(context, id, bearer).await?;
    let mode = context.settings.dynamic_registration;
    if mode == DynamicRegistration::Off {
        return Err(RegistrationError::Off);
    }
    let asked = read(metadata)?;
    check_identity(context, &asked, &before.id).await?;
    let Description { name, redirect_uris, is_confidential, uses_devices, metadata } =
        describe(&asked, mode, context.settings.device_grant)?;
    if is_confidential != before.is_confidential() {
        return metadata_error("token_endpoint_auth_method cannot change between none and a secret. Register again.");
    }
    if name != before.name && !name::is_free(&mut change, &name).await? {
        return metadata_error(name::TAKEN);
    }
    let now = change.now();
    let device_grant_since = uses_devices.then(|| before.device_grant_since.unwrap_or(now));
    let described_at = Some(now);
    let after = AppClient { name, redirect_uris, metadata, device_grant_since, described_at, ..before.clone() };
    if after.metadata == before.metadata && after.redirect_uris == before.redirect_uris {
        return Ok(answer(context, &before, &token));
    }
    store::client::describe(&mut change, &after).await?;
    if after.redirect_uris != before.redirect_uris {
        store::client::consent::forget_codes_of_client(&mut change, &after.id).await?;
    }
    commit(change, &Actor::system_for(origin), &before, &changed(&before, &after)).await?;
    Ok(answer(context, &after, &token))
}

/// Removes the client (§2.3). The access that people gave it ends.
///
/// # Errors
///
/// As [`inspect`].
pub async fn remove(context: &Context, id: &str, bearer: Option<&str>, origin: &Origin) -> Result<()> {
    let (change, client, _) = begin(context, id, bearer).await?;
    remove_in(change, &Actor::system_for(origin), &client).await?;
    Ok(())
}

fn token(bearer: Option<&str>) -> Result<PlainSecret> {
    let token = bearer.and_then(|bearer| PlainSecret::parse_of(SecretKind::RegistrationToken, bearer));
    token.ok_or(RegistrationError::NotManaged)
}

/// Begins a change of the registration that the token manages.
async fn begin<'context>(
    context: &'context Context,
    id: &str,
    bearer: Option<&str>,
) -> Result<(Change<'context>, AppClient, PlainSecret)> {
    // Read first, without a write permit: strangers must not delay a revocation.
    inspect(context, id, bearer).await?;
    let token = token(bearer)?;
    let mut change = context.begin_change().await?;
    let found = store::client::find_by_registration(&mut change, &token.hash(&context.keys.pepper)).await?;
    Ok((change, found.ok_or(RegistrationError::NotManaged)?, token))
}

/// The request names the client, and may repeat its secret (§2.2). It cannot choose either.
async fn check_identity(context: &Context, asked: &Map<String, Value>, id: &AppClientId) -> Result<()> {
    if asked.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
        return metadata_error("client_id must be the one of this registration.");
    }
    if let Some(member) = NEVER_SENT.into_iter().find(|member| asked.contains_key(*member)) {
        return metadata_error(format!("{member} must not be sent."));
    }
    let Some(secret) = asked.get("client_secret") else { return Ok(()) };
    if let Some(secret) = secret.as_str().and_then(PlainSecret::parse) {
        let owner = find_by_secret(context, &secret.hash(&context.keys.pepper)).await?;
        if owner.is_some_and(|owner| owner.id == *id) {
            return Ok(());
        }
    }
    metadata_error("client_secret must be left out, or be the one of this registration.")
}
