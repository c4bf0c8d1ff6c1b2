//! Clients that act for people ([`AppClient`]; OAuth 2.1, authorization code with PKCE). The dashboard calls them
//! connected apps.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | clients that administrators add, and what all clients have in common |
//! | [`registration`], [`registered`] | clients that register themselves (RFC 7591), and manage that (RFC 7592) |
//! | [`metadata_document`] | clients whose identifier is the address of a document that describes them |
//! | [`name`] | the names that clients state about themselves |
//! | [`disable`] | stops a client until it is enabled again |
//! | [`prune`] | removal of unused clients |
//! | [`device`] | the code of a program without a browser, and the person's answer (RFC 8628) |
//! | [`authorization`] | a request at the authorization endpoint, and the code that answers it |
//! | [`offer`] | the MCP server that such a request is for |
//! | [`consent`] | what people have allowed, and how it ends |
//! | [`usage`] | how many tokens a client got, over time |
//! | [`personal_token`] | tokens that people generate for their own programs |
//!
//! The life of a consent: [`authorization::check`] → the person's decision → [`authorization::allow`] → tokens
//! ([`crate::token::grants`]) → [`consent::end`].

pub mod authorization;
pub mod consent;
pub mod device;
pub mod disable;
pub mod metadata_document;
pub(crate) mod name;
pub mod offer;
pub mod personal_token;
pub mod prune;
pub mod registered;
pub mod registration;
pub mod usage;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::base::id::AppClientId;
use crate::crypto::secret::{PlainSecret, SecretHash};
use crate::idempotency;
use crate::model::client::consent::EndCause;
use crate::model::client::keys::{self, KeySource};
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::{AppClient, ClientKind, ClientQuery, MOST_REDIRECT_URIS};
use crate::model::credential::draft::check_name;
use crate::model::credential::key::{NO_KEYS_ADDRESS, is_keys_address};
use crate::prelude::{
    Action, Actor, Change, Changes, Context, Errors, Event, FieldError, Result, Target, operation_error,
};
use crate::services::issuer_keys::ClientKeys;
use crate::store;
use crate::store::client::consent::ConsentSelection;

/// What the audit log calls the token with which a client manages its registration (RFC 7592).
pub(crate) const REGISTRATION_TOKEN: &str = "registration access token";
/// Longest part of a host that the audit log repeats, in characters. Names in the DNS have at most 253.
const LONGEST_HOST: usize = 100;

/// What an administrator enters for a new client.
#[derive(Debug, Clone, Default)]
pub struct ClientDraft {
    /// Its name for people.
    pub name: String,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Whether the client can keep a secret, because it runs on a server.
    pub confidential: bool,
    /// Where the client publishes the keys with which it proves itself (RFC 7591 §2), in place of a secret.
    pub jwks_uri: Option<String>,
    /// Whether the client may use the device grant. Then it needs no redirect URI.
    pub device_grant: bool,
}

operation_error! {
    /// Why a client was not made or removed.
    pub enum ClientError: Invalid {
        /// The client does not exist, or the actor may not see it.
        #[error("there is no such client")]
        NotFound,
        /// The form was sent before, and made this client at that time.
        #[error("this form was sent before")]
        AlreadySubmitted(AppClientId),
    }
}

impl ClientDraft {
    fn check(&self) -> Result<(String, Vec<RedirectUri>), Vec<FieldError>> {
        let mut errors = Errors::default();
        let name = errors.take("name", check_name(&self.name));
        let fewest = if self.device_grant { 0 } else { 1 };
        let uris = errors.take("redirect_uris", redirect_uris(&self.redirect_uris, fewest));
        let keys = errors.take("jwks_uri", self.check_keys());
        name.zip(uris).filter(|_| keys.is_some()).ok_or(errors.0)
    }

    fn check_keys(&self) -> Result<(), String> {
        match &self.jwks_uri {
            Some(_) if self.confidential => Err("The client has a secret or keys. Leave the address empty.".to_owned()),
            Some(address) if !is_keys_address(address) => Err(NO_KEYS_ADDRESS.to_owned()),
            _ => Ok(()),
        }
    }
}

/// What the client's metadata says of its keys. The keys are fetched, so that an address without keys is told at once.
async fn metadata_of_keys(context: &Context, actor: &Actor, address: &str) -> Result<Map<String, Value>, ClientError> {
    let source = ClientKeys::At { address: address.to_owned(), document: None };
    let usable = context.issuer_keys.tried_by(actor, &source, context.now()).await;
    usable.map_err(|problem| FieldError::new("jwks_uri", problem))?;
    Ok(keys::metadata_with_jwks_uri(address))
}

fn redirect_uris(written: &[String], fewest: usize) -> Result<Vec<RedirectUri>, String> {
    let written: Vec<&str> = written.iter().map(|uri| uri.trim()).filter(|uri| !uri.is_empty()).collect();
    if written.len() < fewest || written.len() > MOST_REDIRECT_URIS {
        let one = if fewest == 0 { "" } else { " at least one and" };
        return Err(format!("Enter one redirect URI per line,{one} at most {MOST_REDIRECT_URIS}."));
    }
    let parsed = |uri| RedirectUri::parse(uri).ok_or_else(|| format!("{uri} cannot be used. {}", RedirectUri::RULE));
    written.into_iter().map(parsed).collect()
}

/// The client that the form with this one-use token made when it was sent before.
pub async fn made_by_form(context: &Context, form_token: &str) -> Result<Option<AppClientId>> {
    Ok(idempotency::result_of(context, form_token).await?.as_deref().and_then(AppClientId::parse))
}

/// Adds a client. Only the answer holds the secret of a confidential client. `form_token` is the form's one-use token:
/// a form that is sent twice makes one client.
pub async fn create(
    context: &Context,
    actor: &Actor,
    draft: &ClientDraft,
    form_token: Option<&str>,
) -> Result<(AppClient, Option<PlainSecret>), ClientError> {
    let (name, redirect_uris) = draft.check()?;
    let metadata = match &draft.jwks_uri {
        Some(address) => {
            context.begin_change().await?.require_administrator(actor, ClientError::NotFound).await?;
            metadata_of_keys(context, actor, address).await?
        }
        None => Map::new(),
    };
    let secret = draft.confidential.then(|| PlainSecret::generate(context.random.as_ref()));
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, ClientError::NotFound).await?;
    let id = AppClientId::generate(context.random.as_ref());
    let client = AppClient {
        metadata,
        secret_hint: secret.as_ref().map(PlainSecret::hint),
        made_by: actor.person_id().cloned(),
        device_grant_since: draft.device_grant.then(|| change.now()),
        ..AppClient::new(id, ClientKind::Registered, name, redirect_uris, actor.name(), change.now())
    };
    let sent_before = |id: &str| AppClientId::parse(id).map(ClientError::AlreadySubmitted);
    change.use_form_token(form_token, client.id.as_str(), sent_before).await?;
    let hash = secret.as_ref().map(|secret| secret.hash(&context.keys.pepper));
    store::client::insert(&mut change, &client, hash.as_ref(), None).await?;
    change.commit(actor, &added(&client)).await?;
    Ok((client, secret))
}

/// The audit event of a new client. When no administrator added the client, the event holds only the hosts of its
/// redirect URIs: such a client must not write long texts into a log that is kept permanently.
pub(crate) fn added(client: &AppClient) -> Event {
    let mut details = json!({ "kind": client.kind.as_str(), "confidential": client.is_confidential() });
    if client.device_grant_since.is_some() {
        details["device_grant"] = json!(true);
    }
    if client.key_source().is_some() && client.kind == ClientKind::Registered {
        details["keys"] = json!(client.keys_in_words());
    }
    if client.kind == ClientKind::Registered {
        details["redirect_uris"] = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    } else {
        let shortened = |uri: &RedirectUri| uri.host().chars().take(LONGEST_HOST).collect::<String>();
        details["redirect_hosts"] =
            client.redirect_uris.iter().map(shortened).collect::<BTreeSet<_>>().into_iter().collect();
    }
    client.event(Action::ClientAdded).with(details)
}

/// The audit event of a client whose description changed: what is different. When no administrator added the client,
/// the event says who described it, and shortens the redirect URIs as [`added`] does.
pub(crate) fn changed(before: &AppClient, after: &AppClient) -> Event {
    let is_own = after.kind != ClientKind::Registered;
    let longest = if is_own { LONGEST_HOST } else { usize::MAX };
    let uris = |client: &AppClient| -> Vec<String> {
        client.redirect_uris.iter().map(|uri| uri.as_str().chars().take(longest).collect()).collect()
    };
    let mut changes = Changes::default();
    changes.note("name", &before.name, &after.name);
    changes.note("redirect_uris", uris(before), uris(after));
    let keys = |client: &AppClient| client.keys_in_words().chars().take(longest).collect::<String>();
    changes.note("keys", keys(before), keys(after));
    changes.note("device_grant", before.device_grant_since.is_some(), after.device_grant_since.is_some());
    match after.kind {
        ClientKind::Registered => {}
        ClientKind::Dynamic => changes.add("by", json!("the client itself")),
        ClientKind::Document => changes.add("by", json!("the document of the client")),
    }
    after.event(Action::ClientChanged).with(changes.into())
}

/// Changes the name, the redirect URIs, the address of the keys and the device grant of a client that an administrator
/// added. Its consents stay. When the redirect URIs change, codes that were issued before can no longer be redeemed.
pub async fn edit(context: &Context, actor: &Actor, id: &AppClientId, draft: &ClientDraft) -> Result<(), ClientError> {
    let (name, redirect_uris) = draft.check()?;
    let (mut change, mut before) = begin_for(context, actor, id, AppClient::is_editable).await?;
    let metadata = match (before.key_source(), &draft.jwks_uri) {
        (Some(KeySource::At(present)), Some(address)) if present != address => {
            // Nobody else's change waits while the keys are fetched.
            drop(change);
            let metadata = metadata_of_keys(context, actor, address).await?;
            (change, before) = begin_for(context, actor, id, AppClient::is_editable).await?;
            metadata
        }
        (None, Some(_)) => {
            return Err(FieldError::new("jwks_uri", "This client has no keys. Add another client.").into());
        }
        (Some(KeySource::At(_)), None) => return Err(FieldError::new("jwks_uri", NO_KEYS_ADDRESS).into()),
        _ => before.metadata.clone(),
    };
    let now = change.now();
    let device_grant_since = draft.device_grant.then(|| before.device_grant_since.unwrap_or(now));
    let (moves, has_other_keys) = (before.redirect_uris != redirect_uris, before.metadata != metadata);
    if before.name == name && !moves && !has_other_keys && before.device_grant_since == device_grant_since {
        return Ok(());
    }
    let made_by = if moves || has_other_keys { actor.person_id().cloned() } else { before.made_by.clone() };
    let after = AppClient { name, redirect_uris, metadata, device_grant_since, made_by, ..before.clone() };
    store::client::describe(&mut change, &after).await?;
    if moves {
        store::client::consent::forget_codes_of_client(&mut change, id).await?;
    }
    Ok(change.commit(actor, &changed(&before, &after)).await?)
}

/// Begins a change by an administrator, and reads the client. Without the property that the change needs, the client is
/// not found.
async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &AppClientId,
    needed: fn(&AppClient) -> bool,
) -> Result<(Change<'context>, AppClient), ClientError> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, ClientError::NotFound).await?;
    let found = store::client::find(&mut change, id).await?;
    Ok((change, found.filter(needed).ok_or(ClientError::NotFound)?))
}

/// The clients that were not removed, newest first, at most `limit`.
pub async fn list(context: &Context, query: &ClientQuery, limit: u16) -> Result<Vec<AppClient>> {
    Ok(store::client::list(&context.store, query, i64::from(limit)).await?)
}

/// The client with this identifier, removed or not.
pub async fn find(context: &Context, id: &AppClientId) -> Result<Option<AppClient>> {
    Ok(store::client::find(&context.store, id).await?)
}

/// The client with this secret, if it was not removed.
pub(crate) async fn find_by_secret(context: &Context, hash: &SecretHash) -> Result<Option<AppClient>> {
    let found = store::client::find_by_secret(&context.store, hash).await?;
    Ok(found.filter(AppClient::is_present))
}

/// Gives a confidential client a new secret. Only the answer holds it. The old secret ends now; the consents stay.
/// `form_token` is the form's one-use token: a form that is sent twice makes one secret.
pub async fn replace_secret(
    context: &Context,
    actor: &Actor,
    id: &AppClientId,
    form_token: Option<&str>,
) -> Result<(AppClient, PlainSecret), ClientError> {
    let secret = PlainSecret::generate(context.random.as_ref());
    let (mut change, mut client) = begin_for(context, actor, id, AppClient::takes_secret).await?;
    change.use_form_token(form_token, id.as_str(), |_| Some(ClientError::AlreadySubmitted(id.clone()))).await?;
    client.secret_hint = Some(secret.hint());
    (client.secret_ended, client.leaked_at, client.made_by) = (false, None, actor.person_id().cloned());
    let hash = secret.hash(&context.keys.pepper);
    store::client::replace_secret(&mut change, &client, &hash).await?;
    change.commit(actor, &client.event(Action::ClientSecretReplaced)).await?;
    Ok((client, secret))
}

/// Ends the secret of a client after it was found at `place` and reported. The consents stay. They cannot be refreshed
/// until an administrator replaces the secret, or the client registers again.
pub(crate) async fn end_secret(context: &Context, actor: &Actor, id: &AppClientId, place: Option<&str>) -> Result<()> {
    let mut change = context.begin_change().await?;
    let found = store::client::find(&mut change, id).await?;
    let Some(client) = found.filter(AppClient::is_present) else { return Ok(()) };
    if store::client::forget_secret(&mut change, id).await? {
        let details = json!({ "cause": EndCause::Leaked.as_str(), "found_at": place });
        commit(change, actor, &client, &client.event(Action::ClientSecretEnded).with(details)).await?;
    }
    Ok(())
}

/// Ends the token with which a client manages its registration, after it was found at `place` and reported.
pub(crate) async fn end_registration(
    context: &Context,
    actor: &Actor,
    id: &AppClientId,
    place: Option<&str>,
) -> Result<()> {
    let mut change = context.begin_change().await?;
    let found = store::client::find(&mut change, id).await?;
    let Some(client) = found.filter(AppClient::is_present) else { return Ok(()) };
    if store::client::forget_registration(&mut change, id).await? {
        let details = json!({
            "cause": EndCause::Leaked.as_str(), "found_at": place, "secret": REGISTRATION_TOKEN,
        });
        commit(change, actor, &client, &client.event(Action::ClientSecretEnded).with(details)).await?;
    }
    Ok(())
}

/// Commits an event about a client.
///
/// Strangers can register as many clients as they like, and cause events about them. So events of clients that
/// registered themselves are folded when no known actor causes them: those of one client, and those of all clients that
/// nobody ever used.
pub(crate) async fn commit(change: Change<'_>, actor: &Actor, client: &AppClient, event: &Event) -> Result<()> {
    if client.kind != ClientKind::Dynamic || !actor.is_system() {
        return change.commit(actor, event).await;
    }
    let repeats = match client.last_used_at {
        Some(_) => client.event(event.action),
        None => Event::new(event.action, Target::Client, "", "Clients that registered themselves"),
    };
    change.commit_folded(actor, event, &repeats).await
}

/// Removes a client. Its consents and their tokens end. Returns how many consents ended.
pub async fn remove(context: &Context, actor: &Actor, id: &AppClientId) -> Result<u64, ClientError> {
    let (change, client) = begin_for(context, actor, id, AppClient::is_present).await?;
    Ok(remove_in(change, actor, &client).await?)
}

async fn remove_in(mut change: Change<'_>, actor: &Actor, client: &AppClient) -> Result<u64> {
    let now = change.now();
    store::client::remove(&mut change, &client.id, now).await?;
    let all = ConsentSelection::OfClient(&client.id);
    let ended = store::client::consent::end(&mut change, all, now, EndCause::ClientRemoved).await?;
    commit(change, actor, client, &client.event(Action::ClientRemoved).with(json!({ "grants_ended": ended }))).await?;
    Ok(ended)
}
