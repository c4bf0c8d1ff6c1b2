//! [`Context`]: what every operation takes, so that nothing reaches for a global.

use std::sync::Arc;
use std::time::Duration;

use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::clock::{Clock, Timestamp};
use crate::credential::list::Counts;
use crate::interactive::metadata_document::Documents;
use crate::interactive::registration::{DynamicRegistration, InitialAccessToken};
use crate::issuer_keys::{Fetch, IssuerKeys};
use crate::keys::{KeyError, Keys, MasterKey};
use crate::mcp_server;
use crate::metrics::Metrics;
use crate::openid::RelyingParty;
use crate::password::HashQueue;
use crate::random::Random;
use crate::recent::Recent;
use crate::store::{Store, StoreError, Transaction};
use crate::token::filing::Filing;
use crate::token::ledger::Ledger;
use crate::token::status_list::StatusLists;
use crate::usage::{Hour, RefusalRecorder};
use crate::webhook::deliver::Post;

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The issuer: an origin without a trailing slash. Every URL we name begins with it.
    pub public_url: String,
    /// How long a verifier may keep a token status list, and so how soon a revocation reaches it.
    pub status_list_ttl: Duration,
    /// Which interactive clients may register themselves.
    pub dynamic_registration: DynamicRegistration,
    /// What they must bring, under [`DynamicRegistration::Token`].
    pub initial_access_token: Option<InitialAccessToken>,
    /// Whether a client may be known by the address of a document that describes it.
    pub client_id_metadata_documents: bool,
}

/// See [`Settings::status_list_ttl`].
pub const DEFAULT_STATUS_LIST_TTL: Duration = Duration::from_secs(5);

impl Settings {
    /// The token endpoint (RFC 6749 §3.2).
    pub fn token_endpoint(&self) -> String {
        format!("{}/mcp/oauth/token", self.public_url)
    }

    /// The resource identifier of the built-in MCP server (RFC 8707).
    pub fn built_in_resource(&self) -> String {
        format!("{}/mcp", self.public_url)
    }
}

/// The store, time, randomness, keys and settings of one running instance. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The instance's keys, opened.
    pub keys: Arc<Keys>,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// Where passwords are hashed, a bounded number at a time.
    pub hashing: HashQueue,
    /// Where secrets of other systems are verified: a flood of them must not keep people from signing in.
    pub secret_hashing: HashQueue,
    /// Where exchanges are decided and recorded.
    pub ledger: Ledger,
    /// Where exchanges are filed under their credentials.
    pub filing: Filing,
    /// Where refused exchanges are counted.
    pub refusals: RefusalRecorder,
    /// Counts of this process.
    pub metrics: Arc<Metrics>,
    /// Keys of other issuers.
    pub issuer_keys: IssuerKeys,
    /// Documents that describe clients.
    pub documents: Documents,
    /// The token status lists as they were signed last.
    pub status_lists: StatusLists,
    /// Counts of credentials, of a large instance.
    pub counts: Recent<Counts>,
    /// Exchanges by hour, of a large instance.
    pub hours: Recent<Vec<Hour>>,
    /// The way to webhooks.
    pub post: Arc<dyn Post>,
    /// The OpenID provider that people may sign in with.
    pub openid: Option<RelyingParty>,
}

impl Context {
    /// Opens the keys of `store`, whose schema is up to date, registers the built-in MCP server and starts the ledger.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the master key does not open the database.
    pub async fn open(
        store: Store,
        master: Arc<MasterKey>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        fetch: Arc<dyn Fetch>,
        post: Arc<dyn Post>,
        settings: Settings,
    ) -> Result<Self, KeyError> {
        let keys = Keys::open(&store, master, clock.as_ref(), random.as_ref()).await?;
        let metrics = Arc::<Metrics>::default();
        let context = Self {
            hashing: HashQueue::new(Arc::clone(&random)),
            secret_hashing: HashQueue::new(Arc::clone(&random)),
            ledger: Ledger::start(store.clone(), Arc::clone(&clock), Arc::clone(&random), Arc::clone(&metrics))
                .map_err(StoreError::File)?,
            filing: Filing::start(store.clone()),
            refusals: RefusalRecorder::start(store.clone(), Arc::clone(&metrics)),
            issuer_keys: IssuerKeys::new(Arc::clone(&fetch)),
            documents: Documents::new(fetch),
            status_lists: StatusLists::default(),
            counts: Recent::default(),
            hours: Recent::default(),
            post,
            openid: None,
            metrics,
            store,
            clock,
            random,
            keys: Arc::new(keys),
            settings: Arc::new(settings),
        };
        mcp_server::register_built_in(&context).await?;
        Ok(context)
    }

    /// The same, in which people may also sign in with this OpenID provider.
    pub fn with_openid(mut self, relying_party: Option<RelyingParty>) -> Self {
        self.openid = relying_party;
        self
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins a change. See [`Change`].
    pub async fn begin_change(&self) -> Result<Change<'_>, StoreError> {
        Ok(Change { context: self, transaction: self.store.begin().await? })
    }

    /// Finishes the exchanges and counts under way, then closes the database.
    pub async fn close(&self) {
        self.ledger.close(Duration::from_secs(5)).await;
        self.filing.close(Duration::from_secs(5)).await;
        self.refusals.close(Duration::from_secs(5)).await;
        self.store.close().await;
    }
}

/// A transaction that can only be committed together with its audit event; dropped, it leaves nothing behind.
pub struct Change<'context> {
    context: &'context Context,
    transaction: Transaction,
}

impl Change<'_> {
    /// The transaction, for the statements of the change.
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// Writes the event, commits, and returns the event's number in the audit log.
    pub(crate) async fn commit(self, actor: &Actor, event: &Event) -> Result<i64, StoreError> {
        let numbers = self.commit_all(actor, std::slice::from_ref(event)).await?;
        Ok(numbers.last().copied().unwrap_or_default())
    }

    /// The same for a change of several things, one event each: all of them or none.
    pub(crate) async fn commit_all(mut self, actor: &Actor, events: &[Event]) -> Result<Vec<i64>, StoreError> {
        let now = self.context.now();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            entries.push(audit::append(self.context, &mut self.transaction, actor, event, now).await?);
        }
        self.transaction.commit().await?;
        entries.iter().for_each(audit::log);
        Ok(entries.iter().map(|entry| entry.seq).collect())
    }
}
