//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): the identifier of the client is the
//! address of a document that describes it. Such a client need not register. Its host vouches for it, so it is trusted
//! only as far as a person trusts that host.
//!
//! We fetch a document only for a person who is signed in, and we ask no server often. The token endpoint fetches
//! nothing: a client that calls it has asked a person before, and is stored.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::base::text::printable;
use crate::client::{added, changed, name};
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::{AppClient, ClientKind, DEVICE_GRANT, MOST_REDIRECT_URIS};
use crate::prelude::{Action, Actor, Context, Timestamp, operation_error};
use crate::services::client_documents::host;
use crate::store;

/// How long a stored document is used. After that, the next request fetches it again.
const FRESH: Duration = Duration::from_secs(3600);
/// Longest problem that is shown, in characters. Part of the text comes from another server.
const LONGEST_PROBLEM: usize = 200;
/// The members of a document that are kept beside the redirect URIs, because they are shown or explain a decision.
const MEMBERS: [&str; 4] = ["client_name", "client_uri", "redirect_uris", "token_endpoint_auth_method"];

operation_error! {
    /// Why a document gives no client. The text is for the person.
    pub enum DocumentError {
        /// The document cannot be fetched, or is not a valid client document.
        #[error("{0}")]
        Unusable(String),
    }
}

fn unusable(problem: &str) -> DocumentError {
    DocumentError::Unusable(printable(&problem.chars().take(LONGEST_PROBLEM).collect::<String>()))
}

/// Whether what is stored of the client need not be read again at `now`.
pub(crate) fn is_fresh(client: &AppClient, now: Timestamp) -> bool {
    client.described_at.is_some_and(|at| at.is_recent(now, FRESH))
}

/// The client that the document at the address `id` describes. The document is at most one hour old.
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
        Some(client) if is_fresh(client, now) => return Ok(client.clone()),
        _ => {}
    }
    let described =
        read(id, &context.documents.get(actor, id.as_str(), now).await.map_err(|problem| unusable(&problem))?, now)?;
    keep(context, actor, described).await
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
            if known.name == described.name
                && known.redirect_uris == described.redirect_uris
                && known.device_grant_since.is_some() == described.device_grant_since.is_some()
            {
                let client = AppClient { described_at: described.described_at, ..known.clone() };
                change.commit_all(actor, &[]).await?;
                return Ok(client);
            }
            changed(known, &described)
        }
    };
    let (created_at, last_used_at) =
        known.map_or((described.created_at, None), |known| (known.created_at, known.last_used_at));
    // The person who asks has not made the change, only found it.
    let system = Actor::system().at(actor.address(), actor.agent());
    change.commit(if event.action == Action::ClientChanged { &system } else { actor }, &event).await?;
    Ok(AppClient { created_at, last_used_at, ..described })
}

/// Reads a document (§4). Unknown members are ignored: they mean something to other servers.
pub(crate) fn read(id: &AppClientId, document: &[u8], now: Timestamp) -> Result<AppClient, DocumentError> {
    let Some(Value::Object(document)) = strict_json::parse(document) else {
        return Err(unusable("It is not a JSON object without repeated members."));
    };
    if document.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
        return Err(unusable("Its client_id is not its own address."));
    }
    if document.contains_key("client_secret") || document.contains_key("client_secret_expires_at") {
        return Err(unusable("It holds a client_secret, which everybody can read."));
    }
    // A document that everybody can read cannot hold a secret. So an absent method means that there is no secret.
    if document.get("token_endpoint_auth_method").is_some_and(|method| method != "none") {
        return Err(unusable("Its token_endpoint_auth_method is not none, which is the only one for documents here."));
    }
    let has = |grant: &str| {
        let grants = document.get("grant_types");
        grants.is_some_and(|list| list.as_array().is_some_and(|list| list.contains(&json!(grant))))
    };
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
    let metadata = document.into_iter().filter(|(member, _)| MEMBERS.contains(&member.as_str())).collect();
    let client = AppClient::new(id.clone(), ClientKind::Document, name, redirect_uris, host(id.as_str()), now);
    Ok(AppClient { metadata, device_grant_since, described_at: Some(now), ..client })
}
