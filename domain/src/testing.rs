//! What tests give to operations in place of the real things: a clock that moves only on command, randomness from a
//! seed, and a database for each test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, SqlSafeStr};
use tokio::sync::Semaphore;

use crate::base::clock::{Clock, Timestamp};
use crate::base::encoding::base62;
use crate::base::random::{Random, SystemRandom};
use crate::context::Context;
use crate::crypto::keys::MasterKey;
use crate::model::client::DynamicRegistration;
use crate::model::ports::{Answer, ClientAnswer, ClientFile, Fetch, Post, SendMail, WebhookMessage};
use crate::model::settings::{DEFAULT_STATUS_LIST_TTL, Settings};
use crate::model::webhook::mail::Mail;
use crate::operations::housekeeping::Housekeeping;
use crate::operations::instance::open_instance;
use crate::store::{DatabaseUrl, Store, StoreOptions};

/// A clock that moves only when a test says so.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows 2026-11-21T09:00:00Z.
    pub fn new() -> Self {
        Self(AtomicI64::new(1_795_251_600_000))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.store(self.now().plus(duration).millis(), Ordering::SeqCst);
    }

    /// Moves the clock back, as somebody does who sets a clock right that was ahead.
    pub fn set_back(&self, duration: Duration) {
        self.0.store(self.now().minus(duration).millis(), Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that are the same in every run.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// Documents by URL, in place of the network. It counts how often each document was asked for.
#[derive(Default)]
pub struct FakeIssuers {
    /// `None`: the document was taken away.
    documents: Mutex<HashMap<String, Option<String>>>,
    kept_for: Mutex<HashMap<String, Duration>>,
    held: Mutex<HashMap<String, HeldAnswer>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl FakeIssuers {
    /// Publishes a document.
    pub fn publish(&self, url: &str, document: &str) {
        self.documents.lock().expect("not poisoned").insert(url.to_owned(), Some(document.to_owned()));
    }

    /// Lets the document be kept for this long.
    pub fn keep_for(&self, url: &str, max_age: Duration) {
        self.kept_for.lock().expect("not poisoned").insert(url.to_owned(), max_age);
    }

    /// The host answers that there is no such document any more.
    pub fn take_away(&self, url: &str) {
        self.documents.lock().expect("not poisoned").insert(url.to_owned(), None);
    }

    /// The host answers requests for this document of a client only when the test lets it.
    pub fn hold(&self, url: &str) -> HeldAnswer {
        let held = HeldAnswer { asked: Arc::new(Semaphore::new(0)), may_answer: Arc::new(Semaphore::new(0)) };
        self.held.lock().expect("not poisoned").insert(url.to_owned(), held.clone());
        held
    }

    /// The host does not answer any more.
    pub fn withdraw(&self, url: &str) {
        self.documents.lock().expect("not poisoned").remove(url);
    }

    /// How often the document was asked for.
    pub fn asked(&self, url: &str) -> usize {
        self.asked.lock().expect("not poisoned").get(url).copied().unwrap_or(0)
    }
}

/// The answer of a host that waits for the test; see [`FakeIssuers::hold`].
#[derive(Debug, Clone)]
pub struct HeldAnswer {
    asked: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

impl HeldAnswer {
    /// Resolves when the host was asked.
    pub async fn asked(&self) {
        self.asked.acquire().await.expect("not closed").forget();
    }

    /// Lets the host answer one request.
    pub fn answer(&self) {
        self.may_answer.add_permits(1);
    }
}

impl Fetch for FakeIssuers {
    fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        if issuer.starts_with("https://") { Ok(()) } else { Err("Use https.".to_owned()) }
    }

    fn get<'call>(&'call self, _: &'call str, url: &'call str) -> Answer<'call, Vec<u8>> {
        *self.asked.lock().expect("not poisoned").entry(url.to_owned()).or_default() += 1;
        let document = self.documents.lock().expect("not poisoned").get(url).cloned().flatten();
        Box::pin(async move { document.map(String::into_bytes).ok_or_else(|| "404".to_owned()) })
    }

    fn of_client<'call>(&'call self, _: ClientFile<'call>, url: &'call str) -> Answer<'call, ClientAnswer> {
        let is_gone = self.documents.lock().expect("not poisoned").get(url).is_some_and(Option::is_none);
        if is_gone {
            *self.asked.lock().expect("not poisoned").entry(url.to_owned()).or_default() += 1;
            return Box::pin(async { Ok(ClientAnswer { body: None, max_age: None }) });
        }
        let max_age = self.kept_for.lock().expect("not poisoned").get(url).copied();
        let held = self.held.lock().expect("not poisoned").get(url).cloned();
        Box::pin(async move {
            if let Some(held) = held {
                held.asked.add_permits(1);
                held.may_answer.acquire().await.expect("not closed").forget();
            }
            Ok(ClientAnswer { body: Some(self.get(url, url).await?), max_age })
        })
    }
}

/// A receiver of webhooks, in place of the network. It keeps the messages that it got, and answers 204 or what the test
/// set.
#[derive(Default)]
pub struct FakeReceiver {
    received: Mutex<Vec<Received>>,
    answers: Mutex<HashMap<String, ReceiverAnswer>>,
}

/// What a [`FakeReceiver`] does.
#[derive(Debug, Clone)]
pub enum ReceiverAnswer {
    /// Answers with this status.
    Status(u16),
    /// Cannot be reached.
    Problem(String),
    /// Never answers.
    Never,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where it arrived.
    pub url: String,
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub timestamp: i64,
    /// `webhook-signature`
    pub signature: String,
    /// The JSON.
    pub body: serde_json::Value,
    /// The same as it was sent.
    pub text: String,
}

impl FakeReceiver {
    /// Sets the answer of this address from now on.
    pub fn answer(&self, url: &str, answer: ReceiverAnswer) {
        self.answers.lock().expect("not poisoned").insert(url.to_owned(), answer);
    }

    /// Takes what arrived since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().expect("not poisoned"))
    }
}

/// A mail server that keeps what it gets.
#[derive(Default)]
pub struct FakeMailServer {
    mails: Mutex<Vec<(String, String, String)>>,
    problem: Mutex<Option<String>>,
}

impl FakeMailServer {
    /// The e-mails that arrived since the last time: address, subject and text.
    pub fn take(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut *self.mails.lock().expect("not poisoned"))
    }

    /// Whether nothing arrived since the last time.
    pub fn is_empty(&self) -> bool {
        self.mails.lock().expect("not poisoned").is_empty()
    }

    /// The server refuses e-mails with this text from now on; `None`: it takes them.
    pub fn refuse(&self, problem: Option<&str>) {
        *self.problem.lock().expect("not poisoned") = problem.map(str::to_owned);
    }
}

impl SendMail for FakeMailServer {
    fn send<'call>(&'call self, mail: &'call Mail) -> Answer<'call, ()> {
        let problem = self.problem.lock().expect("not poisoned").clone();
        if problem.is_none() {
            let arrived = (mail.to.clone(), mail.subject.clone(), mail.text.to_string());
            self.mails.lock().expect("not poisoned").push(arrived);
        }
        Box::pin(async move { problem.map_or(Ok(()), Err) })
    }
}

impl Post for FakeReceiver {
    fn check(&self, url: &str) -> Result<(), String> {
        if url.starts_with("https://") { Ok(()) } else { Err("Use https.".to_owned()) }
    }

    fn post<'call>(&'call self, message: &'call WebhookMessage) -> Answer<'call, u16> {
        self.received.lock().expect("not poisoned").push(Received {
            url: message.url.to_string(),
            id: message.id.clone(),
            timestamp: message.timestamp,
            signature: message.signature.clone(),
            body: serde_json::from_str(&message.body).expect("JSON"),
            text: message.body.clone(),
        });
        let answer = self.answers.lock().expect("not poisoned").get(message.url.as_str()).cloned();
        Box::pin(async move {
            match answer.unwrap_or(ReceiverAnswer::Status(204)) {
                ReceiverAnswer::Status(status) => Ok(status),
                ReceiverAnswer::Problem(problem) => Err(problem),
                ReceiverAnswer::Never => std::future::pending().await,
            }
        })
    }
}

/// Names the PostgreSQL server that tests run on, as `postgres://…`. They run on SQLite without it.
pub(crate) const POSTGRES_VARIABLE: &str = "COUNTERSIGN_TEST_POSTGRES";

/// The address of a new, empty database: this file, or a schema of the server that [`POSTGRES_VARIABLE`] names.
pub async fn database_url(file: &Path) -> String {
    match std::env::var(POSTGRES_VARIABLE) {
        Ok(server) => new_schema(&server).await,
        Err(_) => format!("sqlite://{}", file.display()),
    }
}

async fn new_schema(server: &str) -> String {
    let name = format!("test_{}", base62::random(&SystemRandom, 12).to_lowercase());
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(server).await.expect("the PostgreSQL server of the tests");
    let sql = AssertSqlSafe(format!("CREATE SCHEMA {name}"));
    connection.execute(sql.into_sql_str()).await.expect("a new schema");
    connection.close().await.expect("closes");
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}options[search_path]={name}")
}

/// A new folder for a test's database.
pub fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("countersign-test-{}", base62::random(&SystemRandom, 12)));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// An instance for one test: it has its own database, and a folder that is removed with it.
pub struct Instance {
    /// What operations take.
    pub context: Context,
    /// The clock behind it.
    pub clock: Arc<FixedClock>,
    /// The documents that other issuers publish.
    pub issuers: Arc<FakeIssuers>,
    /// What webhooks send to.
    pub receiver: Arc<FakeReceiver>,
    url: String,
    folder: PathBuf,
}

impl Instance {
    /// A new instance whose PostgreSQL avoids reading a whole table and sorting if it can. A plan that still does so
    /// has no index. SQLite shows such plans without this setting.
    #[cfg(test)]
    pub(crate) async fn without_whole_reads() -> Self {
        const RELUCTANT: &str = "options[enable_seqscan]=off&options[enable_sort]=off&options[enable_bitmapscan]=on";
        Self::on(|url| if url.starts_with("postgres") { format!("{url}&{RELUCTANT}") } else { url }).await
    }

    /// A new instance, issuer `http://localhost:8080`.
    pub async fn new() -> Self {
        Self::on(|url| url).await
    }

    async fn on(url: impl FnOnce(String) -> String) -> Self {
        let folder = folder();
        let url = url(database_url(&folder.join("countersign.db")).await);
        let address = DatabaseUrl::parse(&url).expect("the address of a database");
        let store = Store::open(&address, &StoreOptions::default()).await.expect("a new database opens");
        store.migrate().await.expect("a new database gets its schema");
        let clock = Arc::new(FixedClock::new());
        let issuers = Arc::new(FakeIssuers::default());
        let receiver = Arc::new(FakeReceiver::default());
        let context = open_instance(
            store,
            Arc::new(MasterKey::new(&[42; 32])),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SeededRandom::new(2026)),
            Arc::clone(&issuers) as Arc<dyn Fetch>,
            Arc::clone(&receiver) as Arc<dyn Post>,
            Settings {
                public_url: "http://localhost:8080".to_owned(),
                status_list_ttl: DEFAULT_STATUS_LIST_TTL,
                dynamic_registration: DynamicRegistration::default(),
                initial_access_token: None,
                client_id_metadata_documents: true,
                device_grant: true,
                default_resource: None,
            },
        )
        .await
        .expect("a new instance opens");
        Self { context, clock, issuers, receiver, url, folder }
    }

    /// The address of the database.
    pub fn database_url(&self) -> &str {
        &self.url
    }

    /// Housekeeping of a server that has run for an hour.
    pub async fn tidy(&self) {
        let mut housekeeping = Housekeeping::default();
        for _ in 0..2 {
            housekeeping.run(&self.context).await.expect("old rows are removed");
        }
    }

    /// A folder that is removed with the instance.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A folder that remains in the temporary directory is untidy, but it makes no test wrong.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
