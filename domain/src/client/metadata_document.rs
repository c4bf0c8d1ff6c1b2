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

use serde_json::{Map, Value, json};

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::base::text::printable;
use crate::client::{added, changed, name};
use crate::crypto::public_key::PublicKey;
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::{AppClient, ClientKind, DEVICE_GRANT, MOST_REDIRECT_URIS, keys};
use crate::model::credential::key::is_keys_address;
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
/// The members of a JWK that are private or symmetric (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 2] = ["d", "k"];

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
    let answer = context.documents.get(Some(actor), id.as_str(), now).await.map_err(|problem| unread(&problem))?;
    let described = read(id, &answer.body, now)?;
    let described_until = Some(now.plus(answer.kept_for()));
    keep(context, actor, AppClient { described_until, ..described }).await
}

/// The same for a request of the client itself, which is stored already. Nobody is signed in, so only the requests to
/// its host and all requests are counted.
pub(crate) async fn client_again(context: &Context, id: &AppClientId) -> Result<AppClient, DocumentError> {
    let now = context.now();
    let answer = context.documents.get(None, id.as_str(), now).await.map_err(|problem| unread(&problem))?;
    let described = read(id, &answer.body, now)?;
    let described_until = Some(now.plus(answer.kept_for()));
    keep(context, &Actor::system(), AppClient { described_until, ..described }).await
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
    let has_keys = proves_itself(&document)?;
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
    let mut metadata: Map<String, Value> =
        document.into_iter().filter(|(member, _)| MEMBERS.contains(&member.as_str())).collect();
    if has_keys {
        keys::set_private_key_jwt(&mut metadata);
    }
    let client = AppClient::new(id.clone(), ClientKind::Document, name, redirect_uris, host(id.as_str()), now);
    Ok(AppClient { metadata, device_grant_since, described_at: Some(now), ..client })
}

/// Whether the client proves itself with keys, which its document then names. A document that everybody can read cannot
/// hold a secret, so the other method is `none`.
///
/// Some documents state no method but a list of methods. Then the client uses its keys, if it has some.
fn proves_itself(document: &Map<String, Value>) -> Result<bool, DocumentError> {
    let listed = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let is_listed = |method: &str| listed.is_some_and(|list| list.iter().any(|own| own == method));
    let (jwks, jwks_uri) = (document.get("jwks"), document.get("jwks_uri"));
    let has_keys = jwks.is_some() || jwks_uri.is_some();
    let method = match document.get("token_endpoint_auth_method") {
        Some(method) => method.as_str().unwrap_or_default(),
        None if is_listed(keys::PRIVATE_KEY_JWT) && has_keys => keys::PRIVATE_KEY_JWT,
        None if listed.is_none() || is_listed("none") => "none",
        None => "",
    };
    match method {
        "none" => return Ok(false),
        keys::PRIVATE_KEY_JWT => {}
        _ => return Err(unusable("Its token_endpoint_auth_method is neither none nor private_key_jwt.")),
    }
    match (jwks, jwks_uri) {
        (Some(_), Some(_)) => Err(unusable("It has jwks and jwks_uri; one of them is allowed (RFC 7591 §2).")),
        (None, None) => Err(unusable("It uses private_key_jwt and names no keys: jwks or jwks_uri.")),
        (None, Some(address)) if address.as_str().is_some_and(is_keys_address) => Ok(true),
        (None, Some(_)) => Err(unusable("Its jwks_uri is no https address without user information and fragment.")),
        (Some(set), None) => {
            let all = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            if all.iter().any(|key| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())) {
                return Err(unusable("Its jwks hold a private or symmetric key, which everybody can read."));
            }
            match PublicKey::read_jwks(set) {
                Ok(usable) if !usable.is_empty() => Ok(true),
                Ok(_) => Err(unusable("Its jwks hold no key that can be used here.")),
                Err(problem) => Err(unusable(&format!("Its jwks cannot be used. {problem}"))),
            }
        }
    }
}
