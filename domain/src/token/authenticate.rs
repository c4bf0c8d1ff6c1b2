//! A client that proves itself for something else than a token: introspection and revocation. The rules are those of an
//! exchange, and so is what is counted when they refuse.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::base::form_body::TokenForm;
use crate::base::id::{ClientId, McpServerId};
use crate::context::Context;
use crate::crypto::imported_secret::{ImportedHash, ImportedSecret};
use crate::crypto::secret::SecretHash;
use crate::error::Fault;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::origin::Origin;
use crate::model::scope::Scopes;
use crate::model::token::{AuthenticatorState, LAST_USE_INTERVAL, Proof, Refusal, check_alive};
use crate::store::{self, StoreError};
use crate::token::assertion::{self, Purpose};
use crate::token::client_authentication::{Presented, PresentedSecret};
use crate::token::grants::{GrantType, refuse_assertion};

/// A client that was authenticated.
#[derive(Debug, Clone)]
pub struct Client {
    /// Who it is.
    pub client_id: ClientId,
    /// What it may do.
    pub scopes: Scopes,
    /// The MCP servers of its credential.
    pub servers: Vec<McpServerId>,
}

/// What is presented as a proof, with the client that the request names.
pub(crate) async fn proof(
    context: &Context,
    grant: GrantType,
    presented: Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<(Proof, Option<ClientId>), OAuthError> {
    match presented {
        Presented::Secret { client_id, names_client, secret } => {
            let found = match (secret, &client_id) {
                // A name that cannot be one of ours proves nothing, whatever stands beside it.
                (PresentedSecret::Generated(secret), named) if named.is_some() || !names_client => {
                    Some(secret.hash(&context.keys.pepper))
                }
                (PresentedSecret::Imported(secret), Some(client_id)) => {
                    imported(context, client_id, secret, origin).await?
                }
                _ => None,
            };
            match found {
                Some(hash) => Ok((Proof::Secret(hash), client_id)),
                None => {
                    context.refusals.record(client_id.as_ref(), Refusal::WrongSecret, origin, context.now());
                    Err(OAuthError::invalid_client(Refusal::WrongSecret.as_str()))
                }
            }
        }
        Presented::Assertion => {
            let assertion = form.get("client_assertion").unwrap_or_default();
            let verified =
                assertion::verify(context, assertion, form.get("client_id"), Purpose::ClientAuthentication).await;
            let verified = verified.map_err(|error| refuse_assertion(context, grant, error, origin))?;
            let proof = Proof::Assertion { authenticator: verified.authenticator, single_use: verified.single_use };
            Ok((proof, Some(verified.client_id)))
        }
    }
}

/// Under which hash the client has this secret of another system. At its first use that becomes ours.
async fn imported(
    context: &Context,
    client_id: &ClientId,
    secret: ImportedSecret,
    origin: &Origin,
) -> Result<Option<SecretHash>, Fault> {
    let stored = store::credential::secret_hashes(&context.store, client_id).await?;
    let ours = secret.hash(client_id, &context.keys.pepper);
    if stored.iter().any(|(_, hash)| hash == ours.as_str()) {
        return Ok(Some(ours));
    }
    let secret = Arc::new(secret);
    for (id, hash) in &stored {
        let Some(hash) = ImportedHash::from_stored(hash) else { continue };
        if context.secret_hashing.verify_imported(Arc::clone(&secret), hash, origin.address).await? {
            let mut transaction = context.store.begin_exchange().await?;
            store::credential::replace_hash(&mut transaction, id, &ours).await?;
            transaction.commit().await.map_err(StoreError::from)?;
            return Ok(Some(ours));
        }
    }
    Ok(None)
}

/// Authenticates the client.
///
/// # Errors
///
/// `invalid_client`, the same whatever failed; `temporarily_unavailable` for faults of ours.
pub async fn authenticate(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    origin: &Origin,
) -> Result<Client, OAuthError> {
    let (proof, named) = proof(context, GrantType::ClientCredentials, presented, form, origin).await?;
    match check(context, &proof, named.as_ref(), origin).await? {
        Ok(client) => Ok(client),
        Err((refusal, client_id)) => {
            context.refusals.record(client_id.as_ref(), refusal, origin, context.now());
            Err(OAuthError::invalid_client(refusal.as_str()))
        }
    }
}

async fn check(
    context: &Context,
    proof: &Proof,
    named: Option<&ClientId>,
    origin: &Origin,
) -> Result<Result<Client, (Refusal, Option<ClientId>)>, Fault> {
    let engine = context.store.engine();
    let single_use = match proof {
        Proof::Assertion { single_use, .. } => single_use.as_ref(),
        Proof::Secret(_) => None,
    };
    // Only what uses something up waits for its turn to write.
    let mut transaction = match single_use {
        Some(_) => context.store.begin_exchange().await?,
        None => context.store.reads().begin().await.map_err(StoreError::from)?.into(),
    };
    let state = match store::token::batch::authenticator_state(&mut transaction, engine, proof).await? {
        Some(Ok(state)) if named.is_none_or(|named| *named == state.client_id) => state,
        Some(Err(_)) => return Err(Fault::Damaged),
        _ => return Ok(Err((Refusal::WrongSecret, named.cloned()))),
    };
    let refused = |refusal| Ok(Err((refusal, Some(state.client_id.clone()))));
    if let Err(refusal) = check_alive(&state, origin.address, context.now()) {
        return refused(refusal);
    }
    if let Some(single_use) = single_use.filter(|_| !state.reusable_assertions)
        && !store::token::batch::use_assertion(&mut transaction, &state.client_id, single_use).await?
    {
        return refused(Refusal::AssertionReplayed);
    }
    let now = context.now();
    let writes = single_use.is_some();
    if writes {
        store::token::ledger::mark_authenticated(&mut transaction, &state, origin, now).await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    if !writes && is_news(&state, origin.address, now) {
        let mut transaction = context.store.begin_exchange().await?;
        store::token::ledger::mark_authenticated(&mut transaction, &state, origin, now).await?;
        transaction.commit().await.map_err(StoreError::from)?;
    }
    Ok(Ok(Client { client_id: state.client_id, scopes: state.scopes, servers: state.servers }))
}

/// Whether a use is worth noting: the last one is long ago, or came from elsewhere. While a secret is being replaced people
/// watch for every use.
fn is_news(state: &AuthenticatorState, address: Option<IpAddr>, now: Timestamp) -> bool {
    state.retires_at.is_some()
        || state.last_used_at.is_none_or(|last| now.since(last) >= LAST_USE_INTERVAL)
        || state.last_used_from != address
}

impl Client {
    /// Whether it may ask about tokens.
    pub(crate) fn require_introspection(&self) -> Result<(), OAuthError> {
        if self.scopes.contains(crate::model::server::SCOPE_INTROSPECT) {
            return Ok(());
        }
        Err(OAuthError::new(
            OAuthErrorCode::InsufficientScope,
            "The credential needs the scope tokens:introspect to ask about tokens.",
        ))
    }
}
