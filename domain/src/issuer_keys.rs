//! Keys of other issuers, fetched from where their discovery document says (OpenID Connect Discovery 1.0 §4) and kept for
//! a while. Only issuers that an administrator registered are ever asked; what a token says leads to no request.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::public_key::PublicKey;
use crate::strict_json;

/// Fetched keys are asked for anew after this time.
const FRESH: Duration = Duration::from_secs(3600);
/// When the issuer does not answer, its keys are believed this long.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An issuer is asked at most this often, whatever tokens arrive.
const RETRY: Duration = Duration::from_secs(30);

/// Fetches a document. The implementation refuses what an administrator did not allow: plain http, private addresses,
/// redirects, answers that are long or slow.
pub trait Fetch: Send + Sync {
    /// The body of a 200 answer.
    fn get<'call>(
        &'call self,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>>;
}

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct IssuerKeysError(String);

/// Keys and when they were fetched.
type Fetched = (Arc<Vec<PublicKey>>, Timestamp);

#[derive(Default)]
struct Entry {
    /// Read by every exchange, so never held while the issuer is asked.
    keys: Mutex<Option<Fetched>>,
    /// Held while the issuer is asked: many tokens that arrive at once lead to one request.
    tried: tokio::sync::Mutex<Option<(Timestamp, Option<IssuerKeysError>)>>,
}

impl Entry {
    fn keys(&self) -> Option<Fetched> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn no_older_than(&self, age: Duration, now: Timestamp) -> Option<Arc<Vec<PublicKey>>> {
        self.keys().filter(|(_, fetched)| now.since(*fetched) < age).map(|(keys, _)| keys)
    }
}

/// The keys of issuers that were needed.
#[derive(Clone)]
pub struct IssuerKeys {
    fetch: Arc<dyn Fetch>,
    entries: Arc<Mutex<HashMap<String, Arc<Entry>>>>,
}

impl IssuerKeys {
    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, entries: Arc::default() }
    }

    /// The keys of `issuer`, at most an hour old if it answers.
    pub async fn get(&self, issuer: &str, now: Timestamp) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        self.at_most(FRESH, issuer, now).await
    }

    /// The keys of `issuer`, asked for again unless that was done a moment ago.
    pub async fn get_anew(&self, issuer: &str, now: Timestamp) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        self.at_most(Duration::ZERO, issuer, now).await
    }

    async fn at_most(
        &self,
        age: Duration,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        let entry = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(entries.entry(issuer.to_owned()).or_default())
        };
        if let Some(keys) = entry.no_older_than(age, now) {
            return Ok(keys);
        }
        let mut tried = entry.tried.lock().await;
        // Somebody else may have asked while we waited.
        let just_tried = tried.as_ref().is_some_and(|(at, _)| now.since(*at) < RETRY);
        if !just_tried {
            let outcome = self.fetch_keys(issuer).await;
            if let Err(error) = &outcome {
                tracing::warn!(issuer, %error, "the keys of an issuer are not available");
            }
            *tried = Some((now, outcome.as_ref().err().cloned()));
            if let Ok(keys) = outcome {
                *entry.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(keys), now));
            }
        }
        match (entry.no_older_than(STALE, now), tried.as_ref()) {
            (Some(keys), _) => Ok(keys),
            (None, Some((_, Some(error)))) => Err(error.clone()),
            (None, _) => Err(IssuerKeysError("the keys are too old".to_owned())),
        }
    }

    async fn fetch_keys(&self, issuer: &str) -> Result<Vec<PublicKey>, IssuerKeysError> {
        let document = self.fetch_json(&discovery_url(issuer)).await?;
        if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(IssuerKeysError("the discovery document is of another issuer".to_owned()));
        }
        let Some(jwks_uri) = document.get("jwks_uri").and_then(Value::as_str) else {
            return Err(IssuerKeysError("the discovery document has no jwks_uri".to_owned()));
        };
        let keys = PublicKey::read_jwks(&self.fetch_json(jwks_uri).await?);
        if keys.is_empty() {
            return Err(IssuerKeysError(format!("{jwks_uri} has no usable key")));
        }
        Ok(keys)
    }

    async fn fetch_json(&self, url: &str) -> Result<Value, IssuerKeysError> {
        let body = self.fetch.get(url).await.map_err(|problem| IssuerKeysError(format!("{url}: {problem}")))?;
        strict_json::parse(&body).ok_or_else(|| IssuerKeysError(format!("{url}: not JSON")))
    }
}

impl std::fmt::Debug for IssuerKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("IssuerKeys")
    }
}

/// Where an issuer's discovery document is.
pub fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}
