//! Client authentication (RFC 6749 §2.3): finds out which client asks. The token, revocation and introspection
//! endpoints each call [`authenticate`] once.
//!
//! | module | what it holds |
//! |---|---|
//! | [`presented`] | what a request presents, read from the `Authorization` header and the form; nothing is verified |
//! | [`credential`] | the check of a request that claims to come from a credential |

pub mod credential;
mod imported;
pub mod presented;

use std::borrow::Cow;
use std::ops::Deref;

use crate::base::form_body::TokenForm;
use crate::base::id::AppClientId;
use crate::client;
use crate::client::metadata_document::{self, DocumentError};
use crate::crypto::jws::{UncheckedJws, text};
use crate::crypto::secret::SecretHash;
use crate::model::client::AppClient;
use crate::model::client::refusal::AppRefusal;
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};
use crate::prelude::{Change, Context};
use crate::store;
use crate::token::assertion::{self, AppAssertionError};
use crate::token::client_authentication::credential::CredentialClaim;
use crate::token::client_authentication::presented::{Presented, PresentedSecret, SecretValue};

/// The clients that an endpoint or a grant serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedClients {
    /// Only credentials.
    Credentials,
    /// Clients that act for people, alone or beside credentials.
    Interactive,
}

/// The client that asks.
#[derive(Debug)]
pub enum Client {
    /// A credential, with its claim. The transaction that acts for the credential checks the claim: in an exchange the
    /// ledger's transaction, otherwise `CredentialClaim::check`.
    Credential(CredentialClaim),
    /// A client that acts for people, authenticated.
    Interactive(Box<AuthenticatedClient>),
}

/// A client that acts for people, as it authenticated its request. Its secret may be replaced while the request runs.
/// So the transaction that acts for the client checks it again, by [`AuthenticatedClient::check`].
#[derive(Debug)]
pub struct AuthenticatedClient {
    client: AppClient,
    proof: Proof,
}

/// How a client that acts for people proved itself.
#[derive(Debug)]
enum Proof {
    /// It is public: it only names itself.
    Named,
    /// It presented the secret with this hash.
    Secret(SecretHash),
    /// It signed an assertion, which was used up.
    Assertion,
}

impl Deref for AuthenticatedClient {
    type Target = AppClient;

    fn deref(&self) -> &AppClient {
        &self.client
    }
}

impl AuthenticatedClient {
    /// Whether it signed an assertion.
    pub(crate) fn has_signed(&self) -> bool {
        matches!(self.proof, Proof::Assertion)
    }

    /// Checks in `change` that the client still is one, and that its proof still is one.
    ///
    /// # Errors
    ///
    /// `invalid_client`, or a fault.
    pub(crate) async fn check(&self, change: &mut Change<'_>) -> Result<()> {
        let id = &self.client.id;
        let ended = || not_proven("the client was removed or disabled, or its secret or keys ended");
        if let Proof::Secret(hash) = &self.proof {
            return if store::client::has_secret(change, id, hash).await? { Ok(()) } else { Err(ended()) };
        }
        let present = store::client::find(&mut *change, id).await?.filter(AppClient::is_served).ok_or_else(ended)?;
        if present.is_confidential() || present.key_source() != self.client.key_source() {
            return Err(ended());
        }
        Ok(())
    }
}

/// Finds out which client asks. A confidential client that acts for people proves itself by its secret. A public client
/// sends only its `client_id` (RFC 6749 §2.1); the code or refresh token that it sends was issued to it alone.
///
/// A secret does not show which kind of client it belongs to. With [`ServedClients::Credentials`] this function does
/// not look the secret up: that would cost each exchange a round trip to the database, and the ledger's transaction
/// finds the secret anyway.
///
/// # Errors
///
/// `invalid_client`, the same for every failure; `temporarily_unavailable` for faults of ours.
pub async fn authenticate(
    context: &Context,
    presented: Presented,
    form: &TokenForm,
    served: ServedClients,
) -> Result<Client> {
    match presented {
        Presented::Nothing => {
            let client = public_client(context, form).await?;
            Ok(Client::Interactive(Box::new(AuthenticatedClient { client, proof: Proof::Named })))
        }
        Presented::Malformed(detail) => Err(OAuthError::invalid_client(detail)),
        Presented::Assertion => {
            let client = match served {
                ServedClients::Credentials => None,
                ServedClients::Interactive => client_with_keys(context, form).await?,
            };
            Ok(match client {
                Some(client) => Client::Interactive(Box::new(client)),
                None => Client::Credential(CredentialClaim::Assertion),
            })
        }
        Presented::Secret(secret) => {
            let client = match served {
                ServedClients::Credentials => None,
                ServedClients::Interactive => confidential_client(context, &secret).await?,
            };
            Ok(match client {
                Some(client) => Client::Interactive(Box::new(client)),
                None => Client::Credential(CredentialClaim::Secret(secret)),
            })
        }
    }
}

/// The answer to a client that acts for people and did not prove itself. Only the log gets the detail.
fn not_proven(detail: impl Into<Cow<'static, str>>) -> OAuthError {
    OAuthError::invalid_client(detail).of_app(AppRefusal::NotProven)
}

/// The public client that the form names.
async fn public_client(context: &Context, form: &TokenForm) -> Result<AppClient> {
    let id = form.get("client_id").and_then(AppClientId::parse);
    let id = id.ok_or_else(|| not_proven("no client authentication"))?;
    check_kind(context, &id)?;
    let found = client::find(context, &id).await?;
    let client = found
        .filter(|client| client.is_present() && !client.is_confidential() && client.key_source().is_none())
        .ok_or_else(|| not_proven("unknown client, or one that must prove itself"))?;
    check_enabled(&client)?;
    Ok(client)
}

/// Checks that the client is not stopped.
fn check_enabled(client: &AppClient) -> Result<()> {
    match client.disabled_at {
        Some(_) => Err(OAuthError::invalid_client("the client is disabled").of_app(AppRefusal::ClientDisabled)),
        None => Ok(()),
    }
}

/// Checks that a client that a document describes is served at all.
fn check_kind(context: &Context, id: &AppClientId) -> Result<()> {
    match id.document() {
        Some(_) if !context.settings.client_id_metadata_documents => {
            let problem = "clients are not known by documents here";
            Err(OAuthError::invalid_client(problem).of_app(AppRefusal::DocumentUnusable))
        }
        _ => Ok(()),
    }
}

/// The client that acts for people and signed the assertion of the form with one of its keys. `None`: the assertion is
/// not by such a client.
async fn client_with_keys(context: &Context, form: &TokenForm) -> Result<Option<AuthenticatedClient>> {
    let Ok(jws) = UncheckedJws::parse(form.get("client_assertion").unwrap_or_default()) else { return Ok(None) };
    let Some(id) = text(jws.unchecked_claims(), "iss").and_then(AppClientId::parse) else { return Ok(None) };
    let found = client::find(context, &id).await?;
    let Some(client) = found.filter(|client| client.is_present() && client.key_source().is_some()) else {
        return Ok(None);
    };
    check_kind(context, &id)?;
    // Before its keys are fetched: a client that is stopped must not make this server send requests.
    check_enabled(&client)?;
    let client = present(context, client).await?;
    let once = assertion::verify_of_app(context, &client, &jws).await.map_err(|error| match error {
        AppAssertionError::Rejected(detail) => not_proven(format!("assertion: {detail}")),
        AppAssertionError::NoKeys(detail) => OAuthError {
            detail: detail.into(),
            of_app: Some(AppRefusal::KeysUnavailable),
            ..OAuthError::new(
                OAuthErrorCode::IssuerUnavailable,
                "The keys of the client are not available now. Try again soon.",
            )
        },
        AppAssertionError::Fault(fault) => fault.into(),
    })?;
    // Only after the signature was verified: a stranger does not learn which clients there are.
    if form.get("client_id").is_some_and(|named| named != id.as_str()) {
        return Err(OAuthError::invalid_request("client_id is not the client that the assertion names."));
    }
    // Here, and not with what the request does: an assertion is good for one request of any kind.
    if !assertion::use_up(context, id.as_str(), &once).await? {
        let problem = "the assertion was used before";
        return Err(OAuthError::invalid_client(problem).of_app(AppRefusal::AssertionReplayed));
    }
    Ok(Some(AuthenticatedClient { client, proof: Proof::Assertion }))
}

/// The client as its document describes it now. Without this, keys that its host took away would work until a person is
/// asked. While the host does not answer, what was read before counts for a day.
async fn present(context: &Context, client: AppClient) -> Result<AppClient> {
    if client.id.document().is_none() || metadata_document::is_fresh(&client, context.now()) {
        return Ok(client);
    }
    let refused =
        || OAuthError::invalid_client("its document cannot be used any more").of_app(AppRefusal::DocumentUnusable);
    match metadata_document::client_again(context, &client.id).await {
        Ok(present) if present.key_source().is_some() => Ok(present),
        Ok(_) => Err(refused()),
        Err(DocumentError::Fault(fault)) => Err(fault.into()),
        Err(DocumentError::Unread(_)) if metadata_document::counts(&client, context.now()) => Ok(client),
        Err(DocumentError::Unread(_) | DocumentError::Unusable(_)) => Err(refused()),
    }
}

/// The client that acts for people and has this secret, unless the request names another client.
async fn confidential_client(context: &Context, secret: &PresentedSecret) -> Result<Option<AuthenticatedClient>> {
    let SecretValue::Generated(value) = &secret.value else { return Ok(None) };
    let hash = value.hash(&context.keys.pepper);
    let found = client::find_by_secret(context, &hash).await?;
    let found = found.filter(|client| secret.allows_name(client.id.as_str()));
    found.as_ref().map_or(Ok(()), check_enabled)?;
    Ok(found.map(|client| AuthenticatedClient { client, proof: Proof::Secret(hash) }))
}

impl Client {
    /// The client of a grant that only clients that act for people may use.
    ///
    /// # Errors
    ///
    /// `unauthorized_client` for a credential with a live secret (RFC 6749 §5.2), `invalid_client` in all other cases.
    pub(crate) async fn interactive(self, context: &Context) -> Result<AuthenticatedClient> {
        match self {
            Self::Interactive(client) => Ok(*client),
            Self::Credential(claim) if claim.has_live_secret(context).await? => Err(OAuthError::unauthorized_client()),
            Self::Credential(_) => Err(not_proven("no proof of an interactive client")),
        }
    }
}
