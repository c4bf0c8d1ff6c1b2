//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): a client whose identifier is the address of a
//! document that describes it. It need not register, and its host vouches for it as far as anybody trusts that host.
//!
//! Only people who are signed in make us ask another server, and no server is asked often. At the token endpoint nothing is
//! fetched: a client that gets there has been before a person, and is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::{ClientKind, InteractiveClient, MOST_REDIRECT_URIS, added, changed};
use super::redirect_uri::RedirectUri;
use super::registration::name;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::InteractiveClientId;
use crate::issuer_keys::Fetch;
use crate::store::{self, StoreError};
use crate::strict_json;
use crate::text::{is_unprintable, printable};

/// A document is believed for this time; whoever comes later makes us ask again.
const FRESH: Duration = Duration::from_secs(3600);
/// Within this time a host is asked at most [`MOST_OF_ONE`] times, one person makes us ask as often, and all together [`MOST`] times.
const WINDOW: Duration = Duration::from_secs(60);
const MOST_OF_ONE: u32 = 10;
const MOST: u32 = 60;
/// Longest problem that is told, in characters: part of it comes from elsewhere.
const LONGEST_PROBLEM: usize = 200;
/// What is kept of a document beside the redirect URIs: what is shown, or explains what was decided.
const MEMBERS: [&str; 4] = ["client_name", "client_uri", "redirect_uris", "token_endpoint_auth_method"];

/// Why a client is not known by its document. The text is for the person.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The document cannot be had, or is none.
    #[error("{0}")]
    Unusable(String),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for DocumentError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

fn unusable(problem: &str) -> DocumentError {
    DocumentError::Unusable(printable(&problem.chars().take(LONGEST_PROBLEM).collect::<String>()))
}

/// The way to documents, and how often it was taken.
#[derive(Clone)]
pub struct Documents {
    fetch: Arc<dyn Fetch>,
    asked: Arc<Mutex<Asked>>,
}

/// Requests of one window, by host and by person.
#[derive(Default)]
struct Asked {
    window: i64,
    total: u32,
    of_one: HashMap<String, u32>,
}

impl Documents {
    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, asked: Arc::default() }
    }

    async fn get(&self, actor: &Actor, url: &str, now: Timestamp) -> Result<Vec<u8>, DocumentError> {
        if !self.may_ask([host(url), actor.id()], now) {
            return Err(unusable("It was asked for too often. Try again in a minute."));
        }
        let answer = self.fetch.document(url).await;
        answer.map_err(|problem| unusable(&format!("It could not be fetched: {problem}.")))
    }

    fn may_ask(&self, limited: [&str; 2], now: Timestamp) -> bool {
        let window = now.millis().div_euclid(WINDOW.as_millis() as i64);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.window != window {
            *asked = Asked { window, ..Asked::default() };
        }
        let is_full = |one: &&str| asked.of_one.get(*one).is_some_and(|count| *count >= MOST_OF_ONE);
        if asked.total >= MOST || limited.iter().any(is_full) {
            return false;
        }
        asked.total += 1;
        for one in limited {
            *asked.of_one.entry(one.to_owned()).or_default() += 1;
        }
        true
    }
}

/// The host of an address of a document, with its port if it is not the usual one.
pub fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// The client that the document at the address `id` describes, as it is now or was less than an hour ago.
///
/// # Errors
///
/// [`DocumentError::Unusable`] when there is no such document or it does not describe a client that can be served: then the
/// client is not known, whatever it was before.
pub async fn client(
    context: &Context,
    actor: &Actor,
    id: &InteractiveClientId,
) -> Result<InteractiveClient, DocumentError> {
    let known = store::interactive_clients::find(&context.store, id).await?;
    let now = context.now();
    match &known {
        Some(client) if client.removed_at.is_some() => return Err(unusable("An administrator removed this client.")),
        Some(client) if client.described_at.is_some_and(|at| now.since(at) < FRESH) => return Ok(client.clone()),
        _ => {}
    }
    let described = read(id, &context.documents.get(actor, id.as_str(), now).await?, now)?;
    keep(context, actor, described).await
}

/// Stores what the document says, and records what changed.
async fn keep(
    context: &Context,
    actor: &Actor,
    described: InteractiveClient,
) -> Result<InteractiveClient, DocumentError> {
    let mut change = context.begin_change().await?;
    let known = store::interactive_clients::find_in(change.transaction(), &described.id).await?;
    let event = match &known {
        None => {
            store::interactive_clients::insert(change.transaction(), &described, None).await?;
            added(&described)
        }
        Some(known) if known.removed_at.is_some() => return Err(unusable("An administrator removed this client.")),
        Some(known) => {
            store::interactive_clients::describe(change.transaction(), &described).await?;
            if known.name == described.name && known.redirect_uris == described.redirect_uris {
                let client = InteractiveClient { described_at: described.described_at, ..known.clone() };
                change.commit_all(actor, &[]).await?;
                return Ok(client);
            }
            changed(known, &described)
        }
    };
    let (created_at, last_used_at) =
        known.map_or((described.created_at, None), |known| (known.created_at, known.last_used_at));
    change.commit(actor, &event).await?;
    Ok(InteractiveClient { created_at, last_used_at, ..described })
}

/// Reads a document (§4). Members that are not known here mean something to others.
fn read(id: &InteractiveClientId, document: &[u8], now: Timestamp) -> Result<InteractiveClient, DocumentError> {
    let Some(Value::Object(document)) = strict_json::parse(document) else {
        return Err(unusable("It is not a JSON object without repeated members."));
    };
    if document.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
        return Err(unusable("Its client_id is not its own address."));
    }
    if document.contains_key("client_secret") || document.contains_key("client_secret_expires_at") {
        return Err(unusable("It holds a client_secret, which everybody can read."));
    }
    // What everybody can read holds no secret, so where nothing is said no secret is meant.
    match document.get("token_endpoint_auth_method").map(Value::as_str) {
        None | Some(Some("none")) => {}
        _ => {
            return Err(unusable(
                "Its token_endpoint_auth_method is not none, which is the only one for documents here.",
            ));
        }
    }
    let has_code = |grants: &Value| grants.as_array().is_some_and(|list| list.contains(&json!("authorization_code")));
    if !document.get("grant_types").is_none_or(has_code) {
        return Err(unusable("Its grant_types do not hold authorization_code."));
    }
    // Of a client for many servers some redirect URIs may be none that are safe here; others of it are.
    let listed = document.get("redirect_uris").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let usable = listed.iter().filter_map(|uri| uri.as_str().and_then(RedirectUri::parse));
    let redirect_uris: Vec<RedirectUri> = usable.take(MOST_REDIRECT_URIS).collect();
    if redirect_uris.is_empty() {
        return Err(unusable("It names no redirect URI that is https, on this computer, or of a private scheme."));
    }
    let name = name(&document).map_err(|error| unusable(&format!("Its {error}")))?;
    if name.chars().any(is_unprintable) {
        return Err(unusable("Its client_name holds characters that cannot be shown."));
    }
    let metadata: Map<String, Value> =
        document.into_iter().filter(|(member, _)| MEMBERS.contains(&member.as_str())).collect();
    Ok(InteractiveClient {
        id: id.clone(),
        kind: ClientKind::Document,
        name,
        redirect_uris,
        metadata,
        secret_hint: None,
        secret_ended: false,
        leaked_at: None,
        created_by: host(id.as_str()).to_owned(),
        made_by: None,
        created_at: now,
        last_used_at: None,
        removed_at: None,
        described_at: Some(now),
    })
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Documents")
    }
}
