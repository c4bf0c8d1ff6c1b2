//! The ledger: every exchange is decided and recorded in one transaction before its token leaves.
//!
//! Requests queue; one task takes as many as are waiting, up to [`LARGEST_BATCH`], and serves them with one
//! transaction. It reads the state of all their authenticators and credentials, decides each, writes the entries of those
//! granted and commits. On PostgreSQL a few such tasks do. So every decision rests on what the database held after its request arrived: there is no
//! cache that a revocation would have to reach, and the cost of the commit is shared. The alternatives: a transaction
//! a request caps SQLite at a tenth of the rate; a cache of credential states keeps honouring revoked secrets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::{ClientId, McpServerId, TokenId};
use crate::base::random::Random;
use crate::crypto::keys::KeyError;
use crate::error::Fault;
use crate::model::resource;
use crate::model::server::McpServer;
use crate::model::token::{
    Ask, AskedResource, AskedScope, AuthenticatorState, Issued, Proof, Refusal, SingleUse, check_alive,
};
use crate::services::metrics::Metrics;
use crate::store::credential::authenticators::{KeyOwner, KeyRow};
use crate::store::token::batch::{BatchConnection, BatchState, KeyLookups, NewEntry, Written};
use crate::store::{Store, StoreError};

/// Most requests that share a transaction.
pub const LARGEST_BATCH: usize = 64;
/// Most requests that wait. Beyond it the answer is 503: a longer queue would only make everybody late.
const QUEUE: usize = 1024;
const FULL: Fault = Fault::Overloaded("too many exchanges at once");
/// How often a batch is decided because something was changed meanwhile; the last time nothing can be.
const MOST_ATTEMPTS: usize = 3;

/// Why there is no token.
#[derive(Debug)]
pub enum LedgerError {
    /// The rules forbid it.
    Refused {
        /// The cause.
        refusal: Refusal,
        /// The credential it is shown at.
        client_id: Option<ClientId>,
    },
    /// A fault of ours.
    Fault(Fault),
}

struct Pending {
    ask: Ask,
    answer: oneshot::Sender<Result<Issued, LedgerError>>,
}

/// Who wants to know the keys of a client.
struct Lookup {
    client_id: ClientId,
    since: Timestamp,
    answer: oneshot::Sender<Result<Vec<KeyRow>, Fault>>,
}

enum Message {
    Ask(Pending),
    Close,
}

/// The queue to the ledger's task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Message>,
    lookups: mpsc::Sender<Lookup>,
    /// Says nothing; ends with the last of the writers.
    writers: watch::Receiver<()>,
}

impl Ledger {
    /// Starts the ledger's tasks, in a thread of their own: among thousands of connections that all want to be served, each
    /// step of a batch would wait for a turn of all of them, and nobody would be.
    ///
    /// # Errors
    ///
    /// The system gives no further thread.
    pub(crate) fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let (lookups, asked) = mpsc::channel(QUEUE);
        let (alive, writers) = watch::channel(());
        let shared = Arc::new(Shared { inbox: tokio::sync::Mutex::new(inbox), clock, random, metrics, _alive: alive });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // Ends with the runtime.
            runtime.spawn(look_up(asked, KeyLookups::new(store.clone()), Arc::clone(&shared.metrics)));
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..store.ledger_writers() {
                let connection = BatchConnection::new(store.clone());
                let writer = Writer { shared: Arc::clone(&shared), connection, servers: None };
                running.spawn_on(writer.run(), runtime.handle());
            }
            drop((shared, store));
            runtime.block_on(async { while running.join_next().await.is_some() {} });
        })?;
        Ok(Self { queue, lookups, writers })
    }

    /// Whether a further request could wait. Asked before any work is done for it.
    ///
    /// # Errors
    ///
    /// [`Fault::Overloaded`] when as many wait as may.
    pub(crate) fn check_room(&self) -> Result<(), Fault> {
        if self.queue.capacity() > 0 { Ok(()) } else { Err(FULL) }
    }

    /// Decides and records one exchange.
    pub async fn issue(&self, ask: Ask) -> Result<Issued, LedgerError> {
        let (answer, decided) = oneshot::channel();
        self.queue.try_send(Message::Ask(Pending { ask, answer })).map_err(|_| LedgerError::Fault(FULL))?;
        decided.await.map_err(|_| LedgerError::Fault(Fault::Overloaded("shutting down")))?
    }

    /// The keys of the client that work, or stopped working after `since`, and the rules for its assertions; `None` when there
    /// is no such client. Read for all who want to know at the same moment together, and beside the exchanges: who is refused
    /// here takes no place from them.
    pub(crate) async fn keys(&self, client_id: ClientId, since: Timestamp) -> Result<Option<KeyOwner>, Fault> {
        let (answer, found) = oneshot::channel();
        self.lookups.try_send(Lookup { client_id, since, answer }).map_err(|_| FULL)?;
        let rows = found.await.map_err(|_| Fault::Overloaded("shutting down"))??;
        Ok(KeyOwner::of(rows)?)
    }

    /// How many requests wait at this moment.
    pub fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Serves what is queued, refuses what comes after, and returns when done or after `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        if self.queue.send(Message::Close).await.is_ok() {
            let mut writers = self.writers.clone();
            // An expired limit leaves requests without an answer, not entries without a token: nothing to undo.
            let _ = tokio::time::timeout(limit, writers.changed()).await;
        }
    }
}

/// What the writers have in common.
struct Shared {
    /// Whoever has nothing to write waits here for the next batch.
    inbox: tokio::sync::Mutex<mpsc::Receiver<Message>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<Metrics>,
    _alive: watch::Sender<()>,
}

impl Shared {
    /// Whether requests wait at this moment.
    fn has_more(&self) -> bool {
        self.inbox.try_lock().is_ok_and(|inbox| !inbox.is_empty())
    }

    /// The requests that wait, at least one; none when the ledger was closed.
    async fn next_batch(&self) -> Vec<Pending> {
        let mut inbox = self.inbox.lock().await;
        let mut messages = Vec::with_capacity(LARGEST_BATCH);
        let mut batch = Vec::with_capacity(LARGEST_BATCH);
        while batch.is_empty() && inbox.recv_many(&mut messages, LARGEST_BATCH).await > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Ask(pending) => batch.push(pending),
                    // What is in the queue is still served; what comes after is refused.
                    Message::Close => inbox.close(),
                }
            }
        }
        batch
    }
}

struct Writer {
    /// Before `shared`: once that is gone, so is the connection.
    connection: BatchConnection,
    shared: Arc<Shared>,
    /// The MCP servers, and the number of the audit log's newest entry when they were read.
    servers: Option<(i64, Arc<[Target]>)>,
}

impl Writer {
    async fn run(mut self) {
        loop {
            let batch = self.shared.next_batch().await;
            if batch.is_empty() {
                break;
            }
            self.serve(batch).await;
            if !self.shared.has_more() {
                self.connection.release();
            }
        }
    }

    async fn serve(&mut self, batch: Vec<Pending>) {
        let asks: Vec<&Ask> = batch.iter().map(|pending| &pending.ask).collect();
        match self.decide_and_record(&asks).await {
            Ok(decisions) => {
                let granted = decisions.iter().filter(|decision| decision.is_ok()).count();
                self.shared.metrics.batch(decisions.len(), granted);
                for (pending, decision) in batch.into_iter().zip(decisions) {
                    // A client that went away does not want its answer; the entry stands.
                    let _ = pending.answer.send(decision);
                }
            }
            Err(fault) => {
                self.shared.metrics.ledger_error();
                tracing::error!(%fault, requests = batch.len(), "the ledger could not be written");
                for pending in batch {
                    let fault = Fault::Overloaded("the ledger could not be written");
                    let _ = pending.answer.send(Err(LedgerError::Fault(fault)));
                }
            }
        }
    }

    async fn decide_and_record(&mut self, asks: &[&Ask]) -> Result<Vec<Result<Issued, LedgerError>>, Fault> {
        let proofs: Vec<&Proof> = asks.iter().map(|ask| &ask.proof).collect();
        for attempt in 1..=MOST_ATTEMPTS {
            let now = self.shared.clock.now();
            let read = self.connection.read(&proofs, now, attempt == MOST_ATTEMPTS).await?;
            if let Some(decisions) = self.decide_and_write(asks, read, now).await? {
                return Ok(decisions);
            }
        }
        Err(Fault::Overloaded("too many changes at once"))
    }

    /// `None`: something was changed meanwhile, and nothing is written.
    async fn decide_and_write(
        &mut self,
        asks: &[&Ask],
        read: BatchState,
        now: Timestamp,
    ) -> Result<Option<Vec<Result<Issued, LedgerError>>>, Fault> {
        let BatchState { head, signing, states } = read;
        let rules = Rules { servers: self.servers(head).await?, signing, now };
        let mut decisions = Vec::with_capacity(asks.len());
        for (position, ask) in asks.iter().enumerate() {
            decisions.push(match &states[position] {
                Some(Ok(state)) => rules.decide(Some(state), ask, self.shared.random.as_ref()),
                Some(Err(detail)) => {
                    tracing::error!(detail, "an exchange met a damaged row");
                    Err(LedgerError::Fault(Fault::Damaged))
                }
                None => rules.decide(None, ask, self.shared.random.as_ref()),
            });
        }
        let single_uses = single_uses(asks, &states, &mut decisions);
        let mut entries = Vec::with_capacity(decisions.len());
        for (position, decision) in decisions.iter().enumerate() {
            if let Ok(issued) = decision {
                entries.push(NewEntry { issued, single_use: single_uses.get(&position).copied() });
            }
        }
        if entries.is_empty() {
            self.connection.leave().await?;
            return Ok(Some(decisions));
        }
        let Written::Committed(fresh) = self.connection.write(head, &entries).await? else { return Ok(None) };
        refuse_replays(&single_uses, &fresh, &mut decisions);
        Ok(Some(decisions))
    }

    /// The MCP servers as they are at this number of the audit log: every change of them has an entry, so a list that was
    /// read at the same number is the same list. This is no cache that could be stale: the number is of this batch.
    async fn servers(&mut self, head: i64) -> Result<Arc<[Target]>, StoreError> {
        if let Some((at, servers)) = &self.servers
            && *at == head
        {
            return Ok(Arc::clone(servers));
        }
        let servers: Arc<[Target]> = self.connection.mcp_servers().await?.into_iter().map(Target::from).collect();
        self.servers = Some((head, Arc::clone(&servers)));
        Ok(servers)
    }
}

/// Answers those who want to know keys, as many at once as wait.
async fn look_up(mut asked: mpsc::Receiver<Lookup>, mut connection: KeyLookups, metrics: Arc<Metrics>) {
    let mut waiting = Vec::with_capacity(LARGEST_BATCH);
    while asked.recv_many(&mut waiting, LARGEST_BATCH).await > 0 {
        let clients: Vec<_> = waiting.iter().map(|lookup| (&lookup.client_id, lookup.since)).collect();
        match connection.keys(&clients).await {
            Ok(found) => {
                for (lookup, rows) in waiting.drain(..).zip(found) {
                    // As with a token: whoever asked may be gone.
                    let _ = lookup.answer.send(Ok(rows));
                }
            }
            Err(error) => {
                metrics.ledger_error();
                tracing::error!(%error, requests = waiting.len(), "the keys of clients could not be read");
                for lookup in waiting.drain(..) {
                    let _ = lookup.answer.send(Err(Fault::Overloaded("the keys could not be read")));
                }
            }
        }
    }
}

/// The assertions that the granted exchanges use up, by position. Of two equal ones the second is refused.
fn single_uses<'batch>(
    asks: &[&'batch Ask],
    states: &[Option<Result<AuthenticatorState, String>>],
    decisions: &mut [Result<Issued, LedgerError>],
) -> HashMap<usize, &'batch SingleUse> {
    let mut used = HashMap::new();
    let mut seen = HashSet::new();
    for (position, (ask, decision)) in asks.iter().zip(decisions.iter_mut()).enumerate() {
        if let (Proof::Assertion { single_use: Some(single_use), .. }, Ok(issued)) = (&ask.proof, &*decision)
            && matches!(&states[position], Some(Ok(state)) if !state.reusable_assertions)
        {
            if seen.insert((issued.client_id.clone(), single_use.jti.as_str())) {
                used.insert(position, single_use);
            } else {
                *decision = Err(replayed(issued));
            }
        }
    }
    used
}

/// Refuses what was not written because its assertion had been used before.
fn refuse_replays(
    single_uses: &HashMap<usize, &SingleUse>,
    fresh: &HashSet<(String, String)>,
    decisions: &mut [Result<Issued, LedgerError>],
) {
    for (position, single_use) in single_uses {
        if let Ok(issued) = &decisions[*position]
            && !fresh.contains(&(issued.client_id.as_str().to_owned(), single_use.jti.clone()))
        {
            decisions[*position] = Err(replayed(issued));
        }
    }
}

fn replayed(issued: &Issued) -> LedgerError {
    LedgerError::Refused { refusal: Refusal::AssertionReplayed, client_id: Some(issued.client_id.clone()) }
}

/// An MCP server that a token can be for.
struct Target {
    server: McpServer,
    /// Its resource in canonical form, as requests name it.
    resource: Option<String>,
}

impl From<McpServer> for Target {
    fn from(server: McpServer) -> Self {
        Self { resource: resource::canonical(&server.resource), server }
    }
}

/// What all decisions of a batch rest on.
struct Rules {
    servers: Arc<[Target]>,
    /// The signing key in force, by algorithm.
    signing: HashMap<String, String>,
    now: Timestamp,
}

impl Rules {
    /// The rules of an exchange, in the order of RFC 6749: who, whether at all, what, for whom.
    fn decide(
        &self,
        state: Option<&AuthenticatorState>,
        ask: &Ask,
        random: &dyn Random,
    ) -> Result<Issued, LedgerError> {
        let now = self.now;
        let unknown = || LedgerError::Refused { refusal: Refusal::WrongSecret, client_id: ask.client_id.clone() };
        let state = state.ok_or_else(unknown)?;
        if ask.client_id.as_ref().is_some_and(|named| *named != state.client_id) {
            return Err(unknown());
        }
        let refused = |refusal| LedgerError::Refused { refusal, client_id: Some(state.client_id.clone()) };
        check_alive(state, ask.origin.address, now).map_err(refused)?;
        if ask.jwt_bearer && !state.jwt_bearer {
            return Err(refused(Refusal::GrantNotAllowed));
        }
        let scope = match &ask.scope {
            AskedScope::Malformed => return Err(refused(Refusal::ScopeMalformed)),
            AskedScope::Default => state.scopes.clone(),
            AskedScope::These(asked) => asked.intersection(&state.scopes),
        };
        let server = target(state, &ask.resource, &self.servers);
        // A scope that no server of ours could grant is answered before the target is looked at.
        if scope.is_empty() {
            return Err(refused(Refusal::ScopeNotAllowed));
        }
        let server = server.ok_or_else(|| refused(Refusal::TargetNotAllowed))?;
        let scope = scope.intersection(&server.scope_names());
        if scope.is_empty() {
            return Err(refused(Refusal::ScopeNotAllowed));
        }
        let missing = || LedgerError::Fault(Fault::Keys(KeyError::Missing("signing key")));
        let kid = self.signing.get(server.alg.as_str()).cloned().ok_or_else(missing)?;

        let lifetime = state.token_lifetime.unwrap_or(server.token_lifetime);
        let ends = [Some(now.plus(lifetime)), state.expires_at, state.retires_at, state.hard_end_at];
        // A token does not outlive the secret it was made with.
        let expires_at = ends.into_iter().flatten().min().unwrap_or(now);
        Ok(Issued {
            jti: TokenId::generate(random, now),
            client_id: state.client_id.clone(),
            authenticator: state.id.clone(),
            status_index: state.status_index,
            server_id: server.id.clone(),
            audience: server.resource.clone(),
            scope,
            issued_at: now,
            expires_at,
            kid,
            origin: ask.origin.clone(),
        })
    }
}

fn target<'server>(
    state: &AuthenticatorState,
    asked: &AskedResource,
    servers: &'server [Target],
) -> Option<&'server McpServer> {
    let find = |id: &McpServerId| servers.iter().find(|target| target.server.id == *id);
    let target = match asked {
        AskedResource::Unusable => None,
        AskedResource::Default => state.servers.first().and_then(find),
        AskedResource::This(asked) => {
            state.servers.iter().filter_map(find).find(|target| target.resource.as_ref() == Some(asked))
        }
    };
    target.map(|target| &target.server)
}
