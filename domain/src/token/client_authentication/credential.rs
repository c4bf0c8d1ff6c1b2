//! A request that claims to come from a credential: the proof of the claim, and its check for introspection and
//! revocation. The rules are the same as in an exchange, and refusals are counted in the same way.

use std::net::IpAddr;

use crate::base::form_body::TokenForm;
use crate::base::id::{ClientId, McpServerId};
use crate::model::origin::Origin;
use crate::model::server::SCOPE_INTROSPECT;
use crate::model::server::scope::Scopes;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::model::token::{AuthenticatorState, ClientProof, LAST_USE_INTERVAL, Refusal, check_alive};
use crate::prelude::{Context, Fault, Timestamp};
use crate::services::ledger::rules::LedgerError;
use crate::store;
use crate::token::assertion::{self, AssertionPurpose};
use crate::token::client_authentication::imported;
use crate::token::client_authentication::presented::{PresentedSecret, SecretValue};
use crate::token::grants::{GrantType, refuse_assertion};

/// The unverified claim of a request to come from a credential.
#[derive(Debug)]
pub enum CredentialClaim {
    /// A secret.
    Secret(PresentedSecret),
    /// An assertion, in the form's `client_assertion`.
    Assertion,
}

/// A credential that was authenticated.
#[derive(Debug, Clone)]
pub struct AuthenticatedCredential {
    /// Its client ID.
    pub client_id: ClientId,
    /// What it may do.
    pub scopes: Scopes,
    /// Its MCP servers.
    pub servers: Vec<McpServerId>,
}

impl CredentialClaim {
    /// The proof that the issuing transaction checks, and the client that the request names.
    ///
    /// # Errors
    ///
    /// `invalid_client` when it is clear before that transaction that the claim proves nothing.
    pub(crate) async fn proof(
        self,
        context: &Context,
        form: &TokenForm,
        origin: &Origin,
    ) -> Result<(ClientProof, Option<ClientId>)> {
        let PresentedSecret { client_id, names_client, value } = match self {
            Self::Secret(secret) => secret,
            Self::Assertion => return proof_of_assertion(context, form, origin).await,
        };
        let found = match (value, &client_id) {
            // A `client_id` that cannot be one of ours fits no secret.
            (SecretValue::Generated(secret), named) if named.is_some() || !names_client => {
                Ok(secret.hash(&context.keys.pepper))
            }
            (SecretValue::Imported(secret), Some(client_id)) => {
                imported::find(context, client_id, secret, origin).await.inspect_err(|error| {
                    if matches!(error.code, OAuthErrorCode::TooManyGuesses { .. }) {
                        context.refusals.record(Some(client_id), Refusal::TooManyGuesses, origin, context.now());
                    }
                })?
            }
            _ => Err(Refusal::WrongSecret),
        };
        match found {
            Ok(hash) => Ok((ClientProof::Secret(hash), client_id)),
            Err(refusal) => Err(refused(context, refusal, client_id.as_ref(), origin)),
        }
    }

    /// Checks the claim in a transaction of its own.
    ///
    /// # Errors
    ///
    /// `invalid_client`, the same for every failure; `temporarily_unavailable` for faults of ours.
    pub(crate) async fn check(
        self,
        context: &Context,
        form: &TokenForm,
        origin: &Origin,
    ) -> Result<AuthenticatedCredential> {
        let (proof, named) = self.proof(context, form, origin).await?;
        check(context, &proof, named.as_ref(), origin).await.map_err(|error| match error {
            LedgerError::Refused { refusal, client_id, .. } => refused(context, refusal, client_id.as_ref(), origin),
            LedgerError::Fault(fault) => fault.into(),
        })
    }

    /// Whether this is a live secret of the credential that the request names, if it names one.
    pub(crate) async fn has_live_secret(&self, context: &Context) -> Result<bool, Fault> {
        let Self::Secret(presented) = self else { return Ok(false) };
        let SecretValue::Generated(secret) = &presented.value else { return Ok(false) };
        let hash = secret.hash(&context.keys.pepper);
        let found = store::credential::secret_by_hash(&context.store, &hash).await?;
        Ok(found.is_some_and(|(owner, secret)| {
            presented.allows_name(owner.as_str()) && secret.end().is_live(context.now())
        }))
    }
}

/// Counts the refusal for the credential that it concerns. The client gets the same answer for every refusal.
fn refused(context: &Context, refusal: Refusal, client_id: Option<&ClientId>, origin: &Origin) -> OAuthError {
    context.refusals.record(client_id, refusal, origin, context.now());
    OAuthError::invalid_client(refusal.as_str()).because_of(refusal)
}

async fn proof_of_assertion(
    context: &Context,
    form: &TokenForm,
    origin: &Origin,
) -> Result<(ClientProof, Option<ClientId>)> {
    let (assertion, named) = (form.get("client_assertion").unwrap_or_default(), form.get("client_id"));
    let verified = assertion::verify(context, assertion, named, AssertionPurpose::ClientAuthentication).await;
    let verified = verified.map_err(|error| refuse_assertion(context, GrantType::ClientCredentials, error, origin))?;
    let proof = ClientProof::Assertion { authenticator: verified.authenticator, single_use: verified.single_use };
    Ok((proof, Some(verified.client_id)))
}

/// Checks the proof by the rules of an exchange, uses up an assertion, and stores the use.
async fn check(
    context: &Context,
    proof: &ClientProof,
    named: Option<&ClientId>,
    origin: &Origin,
) -> Result<AuthenticatedCredential, LedgerError> {
    let engine = context.store.engine();
    let single_use = match proof {
        ClientProof::Assertion { single_use, .. } => single_use.as_ref(),
        ClientProof::Secret(_) => None,
    };
    // Only a single-use proof must wait for a write permit.
    let mut transaction = match single_use {
        Some(_) => context.store.begin_exchange().await?,
        None => context.store.begin_read().await?,
    };
    let state = match store::token::batch::authenticator_state(&mut transaction, engine, proof).await? {
        Some(Ok(state)) if named.is_none_or(|named| *named == state.client_id) => state,
        Some(Err(damage)) => return Err(damage.into()),
        _ => return Err(LedgerError::refused(Refusal::WrongSecret, named.cloned())),
    };
    let refused = |refusal| LedgerError::refused(refusal, Some(state.client_id.clone()));
    check_alive(&state, origin.address, context.now()).map_err(refused)?;
    if let Some(single_use) = single_use.filter(|_| !state.reusable_assertions)
        && !store::token::batch::use_assertion(&mut transaction, state.client_id.as_str(), single_use).await?
    {
        return Err(refused(Refusal::AssertionReplayed));
    }
    let now = context.now();
    let writes = single_use.is_some();
    if writes {
        store::token::ledger::mark_authenticated(&mut transaction, &state, origin, now).await?;
    }
    transaction.commit().await?;
    if !writes && is_news(&state, origin.address, now) {
        let mut transaction = context.store.begin_exchange().await?;
        store::token::ledger::mark_authenticated(&mut transaction, &state, origin, now).await?;
        transaction.commit().await?;
    }
    Ok(AuthenticatedCredential { client_id: state.client_id, scopes: state.scopes, servers: state.servers })
}

/// Whether a use is worth storing: the last stored use is long ago or came from another address, or the secret is being
/// replaced. During a replacement people watch every use.
fn is_news(state: &AuthenticatorState, address: Option<IpAddr>, now: Timestamp) -> bool {
    state.retires_at.is_some()
        || state.last_used_at.is_none_or(|last| !last.is_recent(now, LAST_USE_INTERVAL))
        || state.last_used_from != address
}

impl AuthenticatedCredential {
    /// Checks that the credential may ask about tokens.
    pub(crate) fn require_introspection(&self) -> Result<()> {
        if self.scopes.contains(SCOPE_INTROSPECT) {
            return Ok(());
        }
        Err(OAuthError::new(
            OAuthErrorCode::InsufficientScope,
            "The credential needs the scope tokens:introspect to ask about tokens.",
        ))
    }
}
