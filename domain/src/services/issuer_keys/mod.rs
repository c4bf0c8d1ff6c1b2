//! Keys of other issuers, and of clients. The keys of an issuer are fetched from the address in its discovery document
//! (OpenID Connect Discovery 1.0 §4), those of a client from its `jwks_uri` (RFC 7591 §2), and kept for a while.
//! Only issuers that an administrator or a manager registered, and clients that a person met, are asked: a token that
//! names another one causes no request.

mod fetched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::id::FederatedIdentityId;
use crate::base::text::debug_as;
use crate::crypto::jws::UncheckedJws;
use crate::crypto::public_key::PublicKey;
use crate::model::actor::Actor;
use crate::model::ports::Fetch;
use crate::services::client_documents::{Asked, host};
use crate::services::issuer_keys::fetched::{Published, fetch_of_client, fetch_published};

pub use crate::services::issuer_keys::fetched::{ClientKeys, IssuerKeysError};

/// If the issuer does not answer, its keys are used this long.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An issuer is asked at most once in this time, even if many tokens arrive.
const RETRY: Duration = Duration::from_secs(30);
/// The same for a client. Its keys are at an address that anyone can name.
const RETRY_OF_CLIENT: Duration = Duration::from_secs(60);
/// The most issuers and clients whose keys are kept.
const MOST_KEPT: usize = 4096;

/// The most identities whose pasted keys are kept parsed.
const MOST_PASTED: usize = 1024;

/// Who publishes keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Publisher {
    /// An issuer, by its identifier.
    Issuer(String),
    /// A client.
    Client(ClientKeys),
}

impl Publisher {
    fn address(&self) -> &str {
        match self {
            Self::Issuer(address) => address,
            Self::Client(keys) => keys.address(),
        }
    }

    fn retry(&self) -> Duration {
        match self {
            Self::Issuer(_) => RETRY,
            Self::Client(_) => RETRY_OF_CLIENT,
        }
    }
}

/// The published keys of a client, as its page shows them.
#[derive(Debug, Clone)]
pub struct PublishedKeys {
    /// The keys that were fetched last.
    pub keys: Arc<Vec<PublicKey>>,
    /// When they were fetched.
    pub fetched_at: Option<Timestamp>,
    /// When they are fetched again, at the earliest: with the first assertion after that.
    pub next_at: Timestamp,
    /// What went wrong the last time.
    pub problem: Option<String>,
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

    /// The published keys, unless it is time to fetch them again.
    fn fresh(&self, now: Timestamp) -> Option<Published> {
        let published = self.published();
        let is_fresh = |(published, fetched): &Fetched| fetched.is_recent(now, published.kept_for);
        published.filter(is_fresh).map(|(published, _)| published)
    }

    fn no_older_than(&self, age: Duration, now: Timestamp) -> Option<Published> {
        self.published().filter(|(_, fetched)| fetched.is_recent(now, age)).map(|(published, _)| published)
    }

    fn tried(&self) -> Option<(Timestamp, Option<IssuerKeysError>)> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn was_just_tried(&self, publisher: &Publisher, now: Timestamp) -> bool {
        self.tried().is_some_and(|(at, _)| at.is_recent(now, publisher.retry()))
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
    async fn refresh(&self, fetch: &dyn Fetch, publisher: &Publisher, now: Timestamp) {
        let _turn = self.asking.lock().await;
        if self.was_just_tried(publisher, now) {
            return;
        }
        let outcome = match publisher {
            Publisher::Issuer(issuer) => fetch_published(fetch, issuer).await,
            Publisher::Client(keys) => fetch_of_client(fetch, keys).await,
        };
        if let Err(error) = &outcome {
            tracing::warn!(address = publisher.address(), %error, "the keys of an issuer or client are not available");
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
    entries: Arc<Mutex<HashMap<Publisher, Arc<CachedKeySet>>>>,
    /// Requests for keys of clients because of an unknown `kid`, which strangers can cause.
    unknown: Arc<Mutex<Asked>>,
    /// Requests for keys at addresses that a person tries.
    trials: Arc<Mutex<Asked>>,
    /// Parsed keys that were pasted, by identity.
    pasted: Arc<Mutex<HashMap<FederatedIdentityId, Arc<Vec<PublicKey>>>>>,
}

impl IssuerKeys {
    /// See [`Fetch::check_issuer`].
    pub(crate) fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        self.fetch.check_issuer(issuer)
    }

    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, entries: Arc::default(), unknown: Arc::default(), trials: Arc::default(), pasted: Arc::default() }
    }

    /// The keys of `issuer`, at most an hour old if it answers.
    pub async fn get(&self, issuer: &str, now: Timestamp) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        Ok(self.read(&Publisher::Issuer(issuer.to_owned()), false, now).await?.keys)
    }

    /// The discovery document of `issuer` (OpenID Connect Discovery 1.0 §3), at most an hour old if it answers.
    pub(crate) async fn document(&self, issuer: &str, now: Timestamp) -> Result<Arc<Value>, IssuerKeysError> {
        Ok(self.read(&Publisher::Issuer(issuer.to_owned()), false, now).await?.document)
    }

    /// What is known of the keys at the `jwks_uri` of a client. Nothing is fetched. `None`: they were never asked for
    /// since this process began.
    pub fn known_of_client(&self, keys: &ClientKeys, now: Timestamp) -> Option<PublishedKeys> {
        let publisher = Publisher::Client(keys.clone());
        let entry = self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(&publisher).cloned()?;
        let (published, tried) = (entry.published(), entry.tried());
        let fetched_at = published.as_ref().map(|(_, at)| *at);
        let due = published.as_ref().map_or(now, |(published, at)| at.plus(published.kept_for));
        let failure = tried.as_ref().and_then(|(_, error)| Some(error.as_ref()?.to_string()));
        let problem = failure.or_else(|| published.as_ref().and_then(|(published, _)| published.problem.clone()));
        let next_at = match (&problem, tried) {
            (Some(_), Some((at, _))) => due.max(at.plus(RETRY_OF_CLIENT)),
            _ => due,
        };
        Some(PublishedKeys {
            keys: published.map(|(published, _)| published.keys).unwrap_or_default(),
            fetched_at,
            next_at,
            problem,
        })
    }

    /// The place of these keys.
    fn entry(&self, publisher: &Publisher) -> Arc<CachedKeySet> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // The keys of an issuer stay: somebody registered it here. Anybody can make a client known.
        if entries.len() >= MOST_KEPT && !entries.contains_key(publisher) {
            let client = entries.keys().find(|known| matches!(known, Publisher::Client(_))).cloned();
            client.map(|client| entries.remove(&client));
        }
        Arc::clone(entries.entry(publisher.clone()).or_default())
    }

    /// The published keys. With `again` they are fetched now, unless their publisher was asked a moment ago.
    async fn read(&self, publisher: &Publisher, again: bool, now: Timestamp) -> Result<Published, IssuerKeysError> {
        let entry = self.entry(publisher);
        if let Some(published) = entry.fresh(now).filter(|_| !again) {
            return Ok(published);
        }
        if entry.was_just_tried(publisher, now) {
            return entry.outcome(now);
        }
        // Keys that are needed are fetched whatever else was asked for: a person made each client known, and each
        // is asked once a minute. Otherwise strangers could use up what other programs need.
        if again
            && let Publisher::Client(keys) = publisher
            && !may_ask(&self.unknown, &[host(keys.address())], now)
        {
            return entry.outcome(now);
        }
        // The request runs in a task of its own, so that it ends and is recorded even if the client disconnects.
        // Otherwise such a client could make us ask the issuer again and again.
        let (fetch, asked, publisher) = (Arc::clone(&self.fetch), Arc::clone(&entry), publisher.clone());
        let refresh = tokio::spawn(async move { asked.refresh(fetch.as_ref(), &publisher, now).await });
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
        self.of_publisher_have_signed(&Publisher::Issuer(issuer.to_owned()), jws, now).await
    }

    /// Whether one of the keys at the `jwks_uri` of a client signed `jws`.
    ///
    /// # Errors
    ///
    /// The keys are not available.
    pub(crate) async fn of_client_have_signed(
        &self,
        keys: &ClientKeys,
        jws: &UncheckedJws<'_>,
        now: Timestamp,
    ) -> Result<bool, IssuerKeysError> {
        self.of_publisher_have_signed(&Publisher::Client(keys.clone()), jws, now).await
    }

    /// The keys at an address that `actor` tries, of which there is at least one. They are kept only if they can be
    /// used: addresses that people try do not drive out the keys of clients.
    ///
    /// # Errors
    ///
    /// Why they cannot be used, for the person.
    pub(crate) async fn tried_by(
        &self,
        actor: &Actor,
        keys: &ClientKeys,
        now: Timestamp,
    ) -> Result<Arc<Vec<PublicKey>>, String> {
        if !may_ask(&self.trials, &[host(keys.address()), actor.id()], now) {
            return Err("Too many addresses were tried. Try again in a minute.".to_owned());
        }
        let published = fetch_of_client(self.fetch.as_ref(), keys).await;
        let published = published.map_err(|error| format!("The keys cannot be used. {error}"))?;
        match (published.keys.is_empty(), &published.problem) {
            (false, _) => {}
            (true, Some(problem)) => return Err(format!("The keys cannot be used. {problem}")),
            (true, None) => return Err("The address has no usable key.".to_owned()),
        }
        let found = Arc::clone(&published.keys);
        let entry = self.entry(&Publisher::Client(keys.clone()));
        *entry.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, None));
        *entry.published.lock().unwrap_or_else(PoisonError::into_inner) = Some((published, now));
        Ok(found)
    }

    /// The keys at the `jwks_uri` of a client.
    ///
    /// # Errors
    ///
    /// The keys are not available.
    pub(crate) async fn of_client(
        &self,
        keys: &ClientKeys,
        now: Timestamp,
    ) -> Result<Arc<Vec<PublicKey>>, IssuerKeysError> {
        Ok(self.read(&Publisher::Client(keys.clone()), false, now).await?.keys)
    }

    async fn of_publisher_have_signed(
        &self,
        publisher: &Publisher,
        jws: &UncheckedJws<'_>,
        now: Timestamp,
    ) -> Result<bool, IssuerKeysError> {
        let keys = self.read(publisher, false, now).await?.keys;
        if jws.is_signed_by(&keys) {
            return Ok(true);
        }
        // If the `kid` is unknown, there may be a new key, so the keys are fetched again, at a bounded rate. A bad
        // signature by a known key is no reason to fetch.
        if keys.iter().any(|key| key.kid().is_some() && key.kid() == jws.kid()) {
            return Ok(false);
        }
        Ok(jws.is_signed_by(&self.read(publisher, true, now).await?.keys))
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

/// Whether one more request may be sent to the first of `limited`, which is a host.
fn may_ask(budget: &Mutex<Asked>, limited: &[&str], now: Timestamp) -> bool {
    budget.lock().unwrap_or_else(PoisonError::into_inner).may_ask(limited, now)
}

debug_as!(IssuerKeys, "IssuerKeys");

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::model::ports::{ClientAnswer, ClientFile};
    use crate::services::issuer_keys::fetched::LONGEST_PROBLEM;

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

        fn of_client<'call>(
            &'call self,
            _: ClientFile<'call>,
            url: &'call str,
        ) -> Pin<Box<dyn Future<Output = Result<ClientAnswer, String>> + Send + 'call>> {
            Box::pin(async move { Ok(ClientAnswer { body: Some(self.get(url, url).await?), max_age: None }) })
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
