//! [`Context`]: what every operation takes, so that nothing reaches for a global.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::TeamId;
use crate::base::random::Random;
use crate::base::stale_cache::StaleCache;
use crate::crypto::keys::MasterKey;
use crate::crypto::password::HashQueue;
use crate::error::Fault;
use crate::model::credential::query::Counts;
use crate::model::credential::usage::{Bar, Leaders};
use crate::model::ports::{Fetch, Post, SendMail};
use crate::model::settings::Settings;
use crate::model::token::claims::SignatureCheck;
use crate::services::calls::CallRecorder;
use crate::services::client_documents::ClientDocuments;
use crate::services::gateways::Gateways;
use crate::services::issuer_keys::IssuerKeys;
use crate::services::keyring::Keys;
use crate::services::ledger::Ledger;
use crate::services::ledger::rollup::Rollup;
use crate::services::metrics::Metrics;
use crate::services::refusals::RefusalRecorder;
use crate::services::relying_party::RelyingParty;
use crate::services::signatures::Signatures;
use crate::services::status_list::StatusLists;
use crate::store::{Store, StoreError};

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
    /// Where secrets of other systems are verified. The queue is separate, because a flood of such secrets must not
    /// keep people from signing in.
    pub secret_hashing: HashQueue,
    /// Where exchanges are decided and recorded.
    pub ledger: Ledger,
    /// Where exchanges are listed under their credentials and counted.
    pub rollup: Rollup,
    /// Where refused exchanges are counted.
    pub refusals: RefusalRecorder,
    /// Access tokens whose signature was checked.
    pub signatures: Arc<Signatures<SignatureCheck>>,
    /// Where calls through the gateway are counted.
    pub calls: CallRecorder,
    /// The servers behind the gateway.
    pub gateways: Arc<Gateways>,
    /// Counts of this process.
    pub metrics: Arc<Metrics>,
    /// Keys of other issuers.
    pub issuer_keys: IssuerKeys,
    /// The documents that describe clients.
    pub documents: ClientDocuments,
    /// The token status lists as they were last signed.
    pub status_lists: StatusLists,
    /// Counts of credentials, of a large instance.
    pub counts: StaleCache<Counts>,
    /// The bars of charts, of a large instance.
    pub bars: StaleCache<Vec<Bar>>,
    /// The most used and most refused credentials, of an instance with very much use.
    pub leaders: StaleCache<Leaders>,
    /// How many credentials are to be confirmed, by the number of the newest audit entry and by who sees them.
    pub unconfirmed: StaleCache<i64>,
    /// Emergency stops in force, by the number of the newest audit entry.
    pub stops: StaleCache<Vec<(Timestamp, i64)>>,
    /// Numbers of credentials by MCP server or scope, of a large instance.
    pub callers: StaleCache<Vec<(String, i64)>>,
    /// Numbers of working credentials by team, of a large instance.
    pub team_counts: StaleCache<HashMap<TeamId, i64>>,
    /// Sends messages to webhooks.
    pub post: Arc<dyn Post>,
    /// Sends e-mails to people; `None`: no mail server is set.
    pub mail: Option<Arc<dyn SendMail>>,
    /// The OpenID provider that people may sign in with.
    pub openid: Option<RelyingParty>,
}

impl Context {
    /// Opens the keys of `store`, whose schema is up to date, and starts the services. [`open_instance`] also registers
    /// the built-in MCP server.
    ///
    /// [`open_instance`]: crate::operations::instance::open_instance
    ///
    /// # Errors
    ///
    /// [`Fault::Keys`] when the master key does not open the database.
    pub async fn open(
        store: Store,
        master: Arc<MasterKey>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        fetch: Arc<dyn Fetch>,
        post: Arc<dyn Post>,
        settings: Settings,
    ) -> Result<Self, Fault> {
        let keys = Keys::open(&store, master, clock.as_ref(), random.as_ref()).await?;
        let (keys, settings) = (Arc::new(keys), Arc::new(settings));
        let metrics = Arc::<Metrics>::default();
        Ok(Self {
            hashing: HashQueue::new(Arc::clone(&random)),
            secret_hashing: HashQueue::new(Arc::clone(&random)),
            ledger: Ledger::start(store.clone(), Arc::clone(&clock), Arc::clone(&random), Arc::clone(&metrics))
                .map_err(StoreError::File)?,
            rollup: Rollup::start(store.clone()),
            refusals: RefusalRecorder::start(store.clone(), Arc::clone(&metrics)),
            signatures: Arc::default(),
            calls: CallRecorder::start(store.clone(), Arc::clone(&metrics)),
            gateways: Arc::new(Gateways::new(store.clone(), Arc::clone(&keys))),
            issuer_keys: IssuerKeys::new(Arc::clone(&fetch)),
            documents: ClientDocuments::new(fetch),
            status_lists: StatusLists::new(store.clone(), Arc::clone(&keys), Arc::clone(&settings)),
            counts: StaleCache::default(),
            bars: StaleCache::default(),
            leaders: StaleCache::default(),
            unconfirmed: StaleCache::default(),
            stops: StaleCache::default(),
            callers: StaleCache::default(),
            team_counts: StaleCache::default(),
            post,
            mail: None,
            openid: None,
            metrics,
            store,
            clock,
            random,
            keys,
            settings,
        })
    }

    /// The same context, in which people may also sign in with this OpenID provider.
    pub fn with_openid(mut self, relying_party: Option<RelyingParty>) -> Self {
        self.openid = relying_party;
        self
    }

    /// The same context, which sends e-mails in this way.
    pub fn with_mail(mut self, mail: Option<Arc<dyn SendMail>>) -> Self {
        self.mail = mail;
        self
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Finishes the exchanges and counts under way, then closes the database.
    pub async fn close(&self) {
        self.ledger.close(Duration::from_secs(5)).await;
        self.rollup.close(Duration::from_secs(5)).await;
        self.refusals.close(Duration::from_secs(5)).await;
        self.calls.close(Duration::from_secs(5)).await;
        self.store.close().await;
    }
}
