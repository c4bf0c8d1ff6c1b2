//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): the identifier of the client is the
//! address of a document that describes it. Such a client need not register. Its host vouches for it, so it is trusted
//! only as far as a person trusts that host.
//!
//! We fetch a document only for a person who is signed in, and we ask no server often. The token endpoint fetches no
//! document: a client that calls it has asked a person before, and is stored. It may fetch the keys that such a client
//! publishes.
//!
//! Each request asks the person, so other keys or other redirect URIs are never used without a question.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::base::id::AppClientId;
use crate::base::text::printable;
use crate::client::{added, changed, name};
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::{AppClient, ClientKind, DEVICE_GRANT, MOST_REDIRECT_URIS, document, keys};
use crate::prelude::{Action, Actor, Context, Timestamp, operation_error};
use crate::services::client_documents::host;
use crate::store;

/// For how long a document counts whose host does not answer any more.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Longest problem that is shown, in characters. Part of the text comes from another server.
const LONGEST_PROBLEM: usize = 200;
/// The members of a document that are kept beside the redirect URIs, because they are shown or explain a decision.
const MEMBERS: [&str; 6] =
    ["client_name", "client_uri", "redirect_uris", "token_endpoint_auth_method", "jwks", "jwks_uri"];

operation_error! {
    /// Why a document gives no client. The text is for the person.
    pub enum DocumentError {
        /// The document is not a valid client document, or its client is not served.
        #[error("{0}")]
        Unusable(String),
        /// The document cannot be fetched now.
        #[error("{0}")]
        Unread(String),
    }
}

fn unusable(problem: &str) -> DocumentError {
    DocumentError::Unusable(shortened(problem))
}

fn unread(problem: &str) -> DocumentError {
    DocumentError::Unread(shortened(problem))
}

fn shortened(problem: &str) -> String {
    printable(&problem.chars().take(LONGEST_PROBLEM).collect::<String>())
}

/// Whether what is stored of the client need not be read again at `now`.
pub(crate) fn is_fresh(client: &AppClient, now: Timestamp) -> bool {
    client.described_until.is_some_and(|until| until > now)
}

/// The client that the document at the address `id` describes, stopped or not. The document is read again after the
/// time for which its server lets it be kept: from five minutes to a day, and an hour when the server does not say.
///
/// # Errors
///
/// [`DocumentError::Unusable`] when there is no such document, or it does not describe a client that can be served.
/// Then the client is refused, even if it was known before.
pub async fn client(context: &Context, actor: &Actor, id: &AppClientId) -> Result<AppClient, DocumentError> {
    let known = store::client::find(&context.store, id).await?;
    let now = context.now();
    match &known {
        Some(client) if client.removed_at.is_some() => return Err(unusable("An administrator removed this client.")),
        // The document of a client that is stopped is not asked for. The caller refuses the client.
        Some(client) if client.disabled_at.is_some() || is_fresh(client, now) => return Ok(client.clone()),
        _ => {}
    }
    keep(context, actor, described(context, Some(actor), id).await?).await
}

/// The same for a request of the client itself, which is stored already. Nobody is signed in, so only the requests to
/// its host and all requests are counted.
pub(crate) async fn client_again(context: &Context, id: &AppClientId) -> Result<AppClient, DocumentError> {
    let kept = async { keep(context, &Actor::system(), described(context, None, id).await?).await };
    kept.await.inspect_err(|error| {
        if !matches!(error, DocumentError::Fault(_)) {
            context.documents.remember_failure(id.as_str(), context.now());
        }
    })
}

/// The client as its document describes it at this moment.
async fn described(context: &Context, actor: Option<&Actor>, id: &AppClientId) -> Result<AppClient, DocumentError> {
    let now = context.now();
    let answer = context.documents.get(actor, id.as_str(), now).await.map_err(|problem| unread(&problem))?;
    let described_until = Some(now.plus(answer.kept_for()));
    let body = answer.body.ok_or_else(|| unusable("There is no document at its address."))?;
    Ok(AppClient { described_until, ..read(id, &body, now)? })
}

/// Whether what was read of the client's document still counts while its host does not answer.
pub(crate) fn counts(client: &AppClient, now: Timestamp) -> bool {
    client.described_until.is_some_and(|until| until.plus(STALE) > now)
}

/// Stores what the document says, and records what changed.
async fn keep(context: &Context, actor: &Actor, described: AppClient) -> Result<AppClient, DocumentError> {
    let mut change = context.begin_change().await?;
    let known = store::client::find(&mut change, &described.id).await?;
    // A client that had the name first keeps it.
    let is_new = known.as_ref().is_none_or(|known| known.name != described.name);
    if is_new && !name::is_free(&mut change, &described.name).await? {
        return Err(unusable(&format!("Its {}", name::TAKEN)));
    }
    let event = match &known {
        None => {
            store::client::insert(&mut change, &described, None, None).await?;
            added(&described)
        }
        Some(known) if known.removed_at.is_some() => return Err(unusable("An administrator removed this client.")),
        Some(known) => {
            store::client::describe(&mut change, &described).await?;
            let is_same = known.name == described.name
                && known.redirect_uris == described.redirect_uris
                && known.key_source() == described.key_source()
                && known.device_grant_since.is_some() == described.device_grant_since.is_some();
            if is_same {
                let AppClient { described_at, described_until, metadata, .. } = described;
                change.commit_all(actor, &[]).await?;
                return Ok(AppClient { described_at, described_until, metadata, ..known.clone() });
            }
            changed(known, &described)
        }
    };
    let (created_at, last_used_at, disabled_at) = known
        .map_or((described.created_at, None, None), |known| (known.created_at, known.last_used_at, known.disabled_at));
    // The person who asks has not made the change, only found it.
    let system = Actor::system().at(actor.address(), actor.agent());
    change.commit(if event.action == Action::ClientChanged { &system } else { actor }, &event).await?;
    Ok(AppClient { created_at, last_used_at, disabled_at, ..described })
}

/// Reads a document (§4).
pub(crate) fn read(id: &AppClientId, body: &[u8], now: Timestamp) -> Result<AppClient, DocumentError> {
    let document = document::parse(id, body).map_err(unusable)?;
    let has_keys = document::key_source(&document).map_err(|problem| unusable(&problem))?.is_some();
    let has = |grant: &str| document::has_grant(&document, grant);
    let takes_codes = !document.contains_key("grant_types") || has("authorization_code");
    let device_grant_since = has(DEVICE_GRANT).then_some(now);
    if !takes_codes && device_grant_since.is_none() {
        return Err(unusable("Its grant_types do not hold authorization_code."));
    }
    // A client for many servers may list redirect URIs that are not safe here. Only those are left out.
    let listed = document.get("redirect_uris").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let usable = listed.iter().filter_map(|uri| uri.as_str().and_then(RedirectUri::parse));
    let redirect_uris: Vec<RedirectUri> = usable.take(if takes_codes { MOST_REDIRECT_URIS } else { 0 }).collect();
    if takes_codes && redirect_uris.is_empty() {
        return Err(unusable("It names no redirect URI that is https, on this computer, or of a private scheme."));
    }
    let name = name::stated(&document).map_err(|problem| unusable(&format!("Its {problem}")))?;
    let mut metadata: Map<String, Value> =
        document.into_iter().filter(|(member, _)| MEMBERS.contains(&member.as_str())).collect();
    if has_keys {
        keys::set_private_key_jwt(&mut metadata);
    }
    let client = AppClient::new(id.clone(), ClientKind::Document, name, redirect_uris, host(id.as_str()), now);
    Ok(AppClient { metadata, device_grant_since, described_at: Some(now), ..client })
}
