//! Keys of other issuers. They are fetched from the address in the issuer's discovery document (OpenID Connect
//! Discovery 1.0 §4) and kept for a while. Only issuers that an administrator or a manager registered are asked: a
//! token that names another issuer causes no request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::id::FederatedIdentityId;
use crate::base::strict_json;
use crate::base::text::{debug_as, printable};
use crate::crypto::jws::UncheckedJws;
use crate::crypto::public_key::PublicKey;
use crate::model::ports::Fetch;

/// Fetched keys are fetched again after this time.
const FRESH: Duration = Duration::from_secs(3600);
/// If the issuer does not answer, its keys are used this long.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An issuer is asked at most once in this time, even if many tokens arrive.
const RETRY: Duration = Duration::from_secs(30);

/// The most identities whose pasted keys are kept parsed.
const MOST_PASTED: usize = 1024;

/// The longest error text that is kept, in characters. Part of the text comes from the issuer.
const LONGEST_PROBLEM: usize = 200;

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
    fn new(problem: &str) -> Self {
        Self::Unusable(shortened(problem))
    }
}

fn shortened(problem: &str) -> String {
    printable(&problem.chars().take(LONGEST_PROBLEM).collect::<String>())
}

/// What an issuer publishes.
#[derive(Clone)]
struct Published {
    keys: Arc<Vec<PublicKey>>,
    document: Arc<Value>,
}

/// The published document and keys, and when they were fetched.
type Fetched = (Published, Timestamp);

#[derive(Default)]
struct CachedKeySet {
    /// Every exchange reads it, so the lock is never held while the issuer is asked.
    published: Mutex<Option<Fetched>>,
    /// When the issuer was last asked, and what went wrong.
    tried: Mutex<Option<(Timestamp, Option<IssuerKeysError>)>>,
    /// Held while the issuer is asked, so that many tokens that arrive at once cause one request.
    asking: tokio::sync::Mutex<()>,
}

impl CachedKeySet {
    fn published(&self) -> Option<Fetched> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn no_older_than(&self, age: Duration, now: Timestamp) -> Option<Published> {
        self.published().filter(|(_, fetched)| fetched.is_recent(now, age)).map(|(published, _)| published)
    }

    fn tried(&self) -> Option<(Timestamp, Option<IssuerKeysError>)> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn was_just_tried(&self, now: Timestamp) -> bool {
        self.tried().is_some_and(|(at, _)| at.is_recent(now, RETRY))
    }

    fn is_failing(&self) -> bool {
        matches!(self.tried(), Some((_, Some(_))))
    }

    /// What can be used now: the published keys if they are not too old, or the last error.
    fn outcome(&self, now: Timestamp) -> Result<Published, IssuerKeysError> {
        match (self.no_older_than(STALE, now), self.tried()) {
            (Some(published), _) => Ok(published),
            (None, Some((_, Some(error)))) => Err(error),
            (None, _) => Err(IssuerKeysError::new("the keys are too old")),
        }
    }

    /// Asks the issuer, unless another task did so while this one waited for the lock.
    async fn refresh(&self, fetch: &dyn Fetch, issuer: &str, now: Timestamp) {
        let _turn = self.asking.lock().await;
        if self.was_just_tried(now) {
            return;
        }
        let outcome = fetch_published(fetch, issuer).await;
        if let Err(error) = &outcome {
            tracing::warn!(issuer, %error, "the keys of an issuer are not available");
        }
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, outcome.as_ref().err().cloned()));
        if let Ok(published) = outcome {
            *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some((published, now));
        }
    }
}

/// The keys of the issuers that were needed so far.
#[derive(Clone)]
pub struct IssuerKeys {
    fetch: Arc<dyn Fetch>,
    entries: Arc<Mutex<HashMap<String, Arc<CachedKeySet>>>>,
    /// Parsed keys that were pasted, by identity.
    pasted: Arc<Mutex<HashMap<FederatedIdentityId, Arc<Vec<PublicKey>>>>>,
}

impl IssuerKeys {
    /// See [`Fetch::check_issuer`].
    pub(crate) fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        self.fetch.check_issuer(issuer)
    }

    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, entries: Arc::default(), pasted: Arc::default() }
    }

    /// The keys of `issuer`, at most an hour old if it answers.
    pub async fn get(&self, issuer: &str, now: Timestamp) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        Ok(self.at_most(FRESH, issuer, now).await?.keys)
    }

    /// The discovery document of `issuer` (OpenID Connect Discovery 1.0 §3), at most an hour old if it answers.
    pub(crate) async fn document(&self, issuer: &str, now: Timestamp) -> Result<Arc<Value>, IssuerKeysError> {
        Ok(self.at_most(FRESH, issuer, now).await?.document)
    }

    /// The keys of `issuer`, fetched again unless the issuer was asked a moment ago.
    pub(crate) async fn fetch_again(
        &self,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        Ok(self.at_most(Duration::ZERO, issuer, now).await?.keys)
    }

    async fn at_most(&self, age: Duration, issuer: &str, now: Timestamp) -> Result<Published, IssuerKeysError> {
        let entry = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(entries.entry(issuer.to_owned()).or_default())
        };
        if let Some(published) = entry.no_older_than(age, now) {
            return Ok(published);
        }
        if entry.was_just_tried(now) {
            return entry.outcome(now);
        }
        // The request runs in a task of its own, so that it ends and is recorded even if the client disconnects.
        // Otherwise such a client could make us ask the issuer again and again.
        let (fetch, asked) = (Arc::clone(&self.fetch), Arc::clone(&entry));
        let issuer = issuer.to_owned();
        let refresh = tokio::spawn(async move { asked.refresh(fetch.as_ref(), &issuer, now).await });
        // While an issuer does not answer, a request that the earlier keys can serve does not wait for it.
        let is_served = entry.is_failing() && entry.no_older_than(STALE, now).is_some();
        if !is_served && refresh.await.is_err() {
            tracing::error!("asking an issuer for its keys met a defect");
        }
        entry.outcome(now)
    }

    /// Whether one of the keys that `issuer` publishes signed `jws`.
    ///
    /// # Errors
    ///
    /// The keys are not available.
    pub(crate) async fn have_signed(
        &self,
        issuer: &str,
        jws: &UncheckedJws<'_>,
        now: Timestamp,
    ) -> Result<bool, IssuerKeysError> {
        let keys = self.get(issuer, now).await?;
        if jws.is_signed_by(&keys) {
            return Ok(true);
        }
        // If the `kid` is unknown, the issuer may have a new key, so its keys are fetched again, at a bounded rate. A
        // bad signature by a known key is no reason to fetch.
        if keys.iter().any(|key| key.kid().is_some() && key.kid() == jws.kid()) {
            return Ok(false);
        }
        Ok(jws.is_signed_by(&self.fetch_again(issuer, now).await?))
    }

    /// The keys that were pasted for an identity. They are parsed once: an identity is never edited.
    ///
    /// # Errors
    ///
    /// There are too many. Versions before the limit stored such sets.
    pub(crate) fn pasted(
        &self,
        id: &FederatedIdentityId,
        jwks: &Value,
    ) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        let mut pasted = self.pasted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = pasted.get(id) {
            return Ok(Arc::clone(keys));
        }
        let keys = PublicKey::read_jwks(jwks).map_err(|problem| IssuerKeysError::new(&problem))?;
        if pasted.len() >= MOST_PASTED {
            pasted.clear();
        }
        let keys = Arc::new(keys);
        pasted.insert(id.clone(), Arc::clone(&keys));
        Ok(keys)
    }
}

async fn fetch_published(fetch: &dyn Fetch, issuer: &str) -> Result<Published, IssuerKeysError> {
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
    Ok(Published { keys: Arc::new(keys), document: Arc::new(document) })
}

async fn fetch_json(fetch: &dyn Fetch, issuer: &str, url: &str) -> Result<Value, IssuerKeysError> {
    let unreached = |problem| IssuerKeysError::Unreached(shortened(&format!("{url}: {problem}")));
    let body = fetch.get(issuer, url).await.map_err(unreached)?;
    strict_json::parse(&body).ok_or_else(|| IssuerKeysError::new(&format!("{url}: not JSON")))
}

debug_as!(IssuerKeys, "IssuerKeys");

/// Where an issuer's discovery document is.
pub(crate) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use tokio::sync::Semaphore;

    /// An issuer that answers only when the test lets it.
    struct Slow {
        asked: Semaphore,
        may_answer: Semaphore,
    }

    impl Fetch for Slow {
        fn check_issuer(&self, _: &str) -> Result<(), String> {
            Ok(())
        }

        fn get<'call>(
            &'call self,
            _: &'call str,
            url: &'call str,
        ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>> {
            Box::pin(async move {
                self.asked.add_permits(1);
                let _permit = self.may_answer.acquire().await.map_err(|_| "closed")?;
                Err(format!("{url} is\nbroken {}", "x".repeat(500)))
            })
        }

        fn document<'call>(
            &'call self,
            url: &'call str,
        ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>> {
            self.get(url, url)
        }
    }

    #[tokio::test]
    async fn whoever_hangs_up_does_not_make_the_issuer_be_asked_again() {
        let slow = Arc::new(Slow { asked: Semaphore::new(0), may_answer: Semaphore::new(0) });
        let keys = IssuerKeys::new(Arc::clone(&slow) as Arc<dyn Fetch>);
        let now = Timestamp::from_millis(1_000_000);
        for _ in 0..20 {
            let impatient = keys.clone();
            let call = tokio::spawn(async move { impatient.get("https://issuer.example", now).await });
            slow.asked.acquire().await.expect("open").forget();
            call.abort();
            slow.asked.add_permits(1);
        }
        slow.may_answer.add_permits(1);
        let error = keys.get("https://issuer.example", now).await.expect_err("broken");
        assert_eq!(slow.asked.available_permits(), 1, "asked once");
        let text = error.to_string();
        assert!(!text.contains('\n') && text.chars().count() <= LONGEST_PROBLEM, "{text}");
    }
}
