//! Asks issuers and clients for their keys.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::base::text::printable;
use crate::crypto::public_key::PublicKey;
use crate::model::client::keys::KeySource;
use crate::model::client::{AppClient, document};
use crate::model::credential::key::KeysAt;
use crate::model::ports::{ClientAnswer, ClientFile, Fetch};

/// The longest error text that is kept, in characters. Part of the text comes from the issuer.
pub(super) const LONGEST_PROBLEM: usize = 200;

/// The grant (RFC 6749 §4.4) that the document of a credential's program must list.
const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssuerKeysError {
    /// The issuer did not answer, or not with a document. The text says which hosts and ports there are, so it is for
    /// the log and for administrators.
    #[error("{0}")]
    Unreached(String),
    /// What the issuer published cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl IssuerKeysError {
    pub(super) fn new(problem: &str) -> Self {
        Self::Unusable(shortened(problem))
    }
}

fn shortened(problem: &str) -> String {
    printable(&problem.chars().take(LONGEST_PROBLEM).collect::<String>())
}

/// Where a client publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientKeys {
    /// At its `jwks_uri`.
    At {
        /// The address.
        address: String,
        /// The document that names the address; `None` when a person named it. The document of a public host must not
        /// send us to a private host.
        document: Option<String>,
    },
    /// In this metadata document, or where the document says.
    Document(AppClientId),
}

impl ClientKeys {
    /// The keys of a credential.
    pub fn of_credential(keys: &KeysAt) -> Self {
        match keys {
            KeysAt::Address(address) => Self::At { address: address.clone(), document: None },
            KeysAt::Document(id) => Self::Document(id.clone()),
        }
    }

    /// The keys of a client that acts for people.
    pub fn of_client(client: &AppClient, address: &str) -> Self {
        Self::At { address: address.to_owned(), document: client.id.document().map(str::to_owned) }
    }

    /// The address of the keys, or of the document.
    pub fn address(&self) -> &str {
        match self {
            Self::At { address, .. } => address,
            Self::Document(id) => id.as_str(),
        }
    }
}

/// What they publish.
#[derive(Clone)]
pub(super) struct Published {
    pub(super) keys: Arc<Vec<PublicKey>>,
    /// The discovery document of an issuer.
    pub(super) document: Arc<Value>,
    /// How long the keys are used before they are fetched again.
    pub(super) kept_for: Duration,
    /// Why a client has no keys any more, if its document says so.
    pub(super) problem: Option<String>,
}

impl Published {
    fn of_client(keys: Vec<PublicKey>, kept_for: Duration) -> Self {
        Self { keys: Arc::new(keys), document: Arc::default(), kept_for, problem: None }
    }
}

pub(super) async fn fetch_published(fetch: &dyn Fetch, issuer: &str) -> Result<Published, IssuerKeysError> {
    let document = fetch_json(fetch, issuer, &discovery_url(issuer)).await?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(IssuerKeysError::new("the discovery document is of another issuer"));
    }
    let Some(jwks_uri) = document.get("jwks_uri").and_then(Value::as_str) else {
        return Err(IssuerKeysError::new("the discovery document has no jwks_uri"));
    };
    let keys = PublicKey::read_jwks(&fetch_json(fetch, issuer, jwks_uri).await?)
        .map_err(|problem| IssuerKeysError::new(&format!("{jwks_uri}: {problem}")))?;
    if keys.is_empty() {
        return Err(IssuerKeysError::new(&format!("{jwks_uri} has no usable key")));
    }
    let kept_for = ClientAnswer::USUALLY_KEPT;
    Ok(Published { keys: Arc::new(keys), document: Arc::new(document), kept_for, problem: None })
}

pub(super) async fn fetch_of_client(fetch: &dyn Fetch, keys: &ClientKeys) -> Result<Published, IssuerKeysError> {
    match keys {
        ClientKeys::At { address, document } => fetch_keys(fetch, address, document.as_deref()).await,
        ClientKeys::Document(id) => fetch_described(fetch, id).await,
    }
}

async fn ask_client(fetch: &dyn Fetch, file: ClientFile<'_>, url: &str) -> Result<ClientAnswer, IssuerKeysError> {
    let answer = fetch.of_client(file, url).await;
    answer.map_err(|problem| IssuerKeysError::Unreached(shortened(&format!("{url}: {problem}"))))
}

/// The keys at the `jwks_uri` of a client.
async fn fetch_keys(fetch: &dyn Fetch, jwks_uri: &str, document: Option<&str>) -> Result<Published, IssuerKeysError> {
    let answer = ask_client(fetch, ClientFile::Keys { document }, jwks_uri).await?;
    let unusable = |problem: &str| IssuerKeysError::new(&format!("{jwks_uri}: {problem}"));
    let kept_for = answer.kept_for();
    // No file and an empty set are answers: the client has taken its keys away.
    let Some(body) = answer.body else { return Ok(Published::of_client(Vec::new(), kept_for)) };
    let set = strict_json::parse(&body).ok_or_else(|| unusable("not JSON"))?;
    if !set.get("keys").is_some_and(Value::is_array) {
        return Err(unusable("not a set of keys"));
    }
    let keys = PublicKey::read_jwks(&set).map_err(|problem| unusable(&problem))?;
    Ok(Published::of_client(keys, kept_for))
}

/// The keys of a program by its metadata document, which must say that the program gets tokens by them for itself. A
/// document that says it no more takes the keys away.
async fn fetch_described(fetch: &dyn Fetch, id: &AppClientId) -> Result<Published, IssuerKeysError> {
    let answer = ask_client(fetch, ClientFile::Document, id.as_str()).await?;
    let kept_for = answer.kept_for();
    let none = |problem: &str| {
        let problem = Some(shortened(&format!("{}: {problem}", id.as_str())));
        Ok(Published { problem, ..Published::of_client(Vec::new(), kept_for) })
    };
    let Some(body) = answer.body else { return none("There is no document any more.") };
    let document = match document::parse(id, &body) {
        Ok(document) => document,
        Err(problem) => return none(problem),
    };
    if !document::has_grant(&document, CLIENT_CREDENTIALS) {
        return none("Its grant_types do not hold client_credentials.");
    }
    match document::key_source(&document) {
        Err(problem) => none(&problem),
        Ok(None) => none("Its token_endpoint_auth_method is not private_key_jwt."),
        Ok(Some(KeySource::Listed(set))) => match PublicKey::read_jwks(set) {
            Ok(keys) => Ok(Published::of_client(keys, kept_for)),
            Err(problem) => none(&problem),
        },
        Ok(Some(KeySource::At(address))) => {
            let published = fetch_keys(fetch, address, Some(id.as_str())).await?;
            Ok(Published { kept_for: published.kept_for.min(kept_for), ..published })
        }
    }
}

async fn fetch_json(fetch: &dyn Fetch, issuer: &str, url: &str) -> Result<Value, IssuerKeysError> {
    let unreached = |problem| IssuerKeysError::Unreached(shortened(&format!("{url}: {problem}")));
    let body = fetch.get(issuer, url).await.map_err(unreached)?;
    strict_json::parse(&body).ok_or_else(|| IssuerKeysError::new(&format!("{url}: not JSON")))
}

/// Where an issuer's discovery document is.
fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}
