//! MCP servers behind the gateway, as a call is decided by them. They are kept in memory: each call asks for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::base::text::debug_as;
use crate::crypto::keys::purpose::UPSTREAM_HEADER;
use crate::error::{Fault, Result};
use crate::model::server::McpServer;
use crate::model::server::gateway::rules::Item;
use crate::model::server::gateway::tools::{Tool, ToolState};
use crate::model::server::gateway::{ChangePolicy, Gateway};
use crate::services::keyring::Keys;
use crate::store::{self, Store};

/// How long a snapshot is used although nothing was written to the audit log. Not each change has an entry: a tool that
/// is again as it was accepted has none.
const LONGEST_USE: Duration = Duration::from_secs(5);
/// The most snapshots that are kept.
const MOST: usize = 1024;

/// A server behind the gateway at one moment.
pub struct Snapshot {
    /// The server.
    pub server: McpServer,
    /// Its gateway.
    pub gateway: Gateway,
    /// Its tools, by name.
    pub tools: HashMap<String, Tool>,
    /// The header with which we prove ourselves to it.
    pub header: Option<(String, Zeroizing<String>)>,
    /// The number of the newest audit entry before it was read.
    seq: i64,
    read_at: Timestamp,
}

debug_as!(Snapshot, |value| "Snapshot({}, {})", value.server.id, value.seq);

impl Snapshot {
    /// Whether clients neither see nor call the tool, because its definition is not the accepted one.
    pub fn is_blocked(&self, tool: &str) -> bool {
        self.gateway.on_change == ChangePolicy::Block
            && self.tools.get(tool).is_some_and(|tool| tool.state() == ToolState::Changed)
    }

    /// The name under which an item is counted. A caller can invent any number of names, so only known names are kept.
    pub fn counted_name(&self, item: Item<'_>) -> Option<String> {
        match item {
            Item::Tool(name) => self.tools.contains_key(name).then(|| name.to_owned()),
            Item::Prompt(name) => self.gateway.prompts.iter().any(|known| known == name).then(|| name.to_owned()),
            Item::Resource(_) => Some(String::new()),
        }
    }
}

/// Keeps snapshots.
#[derive(Debug)]
pub struct Gateways {
    store: Store,
    keys: Arc<Keys>,
    kept: Mutex<HashMap<String, Arc<Snapshot>>>,
}

impl Gateways {
    pub(crate) fn new(store: Store, keys: Arc<Keys>) -> Self {
        Self { store, keys, kept: Mutex::default() }
    }

    /// The server as it was a moment ago, without a look at the database. Before a call reaches the server,
    /// [`Self::current`] must be asked.
    pub fn recent(&self, slug: &str, now: Timestamp) -> Option<Arc<Snapshot>> {
        self.kept().get(slug).filter(|known| known.read_at.is_recent(now, LONGEST_USE)).cloned()
    }

    /// The server as it was when the newest audit entry had this number, or later; `None` for the number: as it is now.
    /// `snapshot` is what [`Self::recent`] gave.
    ///
    /// The state of a token is read together with that number, so a call needs one read of the database and not two.
    pub async fn current(
        &self,
        snapshot: Arc<Snapshot>,
        seq: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Arc<Snapshot>>> {
        match seq {
            Some(seq) if seq == snapshot.seq => Ok(Some(snapshot)),
            _ => self.find(&snapshot.gateway.slug, now).await,
        }
    }

    /// The server behind the gateway with this slug, as it is now. `None` when there is none.
    pub async fn find(&self, slug: &str, now: Timestamp) -> Result<Option<Arc<Snapshot>>> {
        // A change that commits after this line is seen by the next call.
        let (seq, _) = store::audit::head(&self.store).await?;
        let known = self.kept().get(slug).cloned();
        if let Some(snapshot) = known.filter(|known| known.seq == seq && known.read_at.is_recent(now, LONGEST_USE)) {
            return Ok(Some(snapshot));
        }
        let Some(snapshot) = self.read(slug, seq, now).await?.map(Arc::new) else {
            self.kept().remove(slug);
            return Ok(None);
        };
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(slug.to_owned(), Arc::clone(&snapshot));
        Ok(Some(snapshot))
    }

    /// The next call reads the server again.
    pub fn forget(&self, slug: &str) {
        self.kept().remove(slug);
    }

    async fn read(&self, slug: &str, seq: i64, now: Timestamp) -> Result<Option<Snapshot>> {
        let mut transaction = self.store.begin_read().await?;
        let Some((id, gateway)) = store::server::gateway::find_by_slug(&mut transaction, slug).await? else {
            return Ok(None);
        };
        let servers = store::server::list(&mut transaction).await?;
        let Some(server) = servers.into_iter().find(|server| server.id == id) else { return Ok(None) };
        let tools = store::server::gateway::tools(&mut transaction, &id).await?;
        let wrapped = store::server::gateway::header_value(&mut transaction, &id).await?;
        transaction.commit().await?;
        let header = match (&gateway.header, wrapped) {
            (Some(name), Some(wrapped)) => Some((name.clone(), self.keys.open_upstream_header(&id, &wrapped)?)),
            _ => None,
        };
        let tools = tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
        Ok(Some(Snapshot { server, gateway, tools, header, seq, read_at: now }))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Snapshot>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// Opens the header with which we prove ourselves to this server.
    pub(crate) fn open_upstream_header(&self, id: &McpServerId, wrapped: &str) -> Result<Zeroizing<String>> {
        let value = self.master.unwrap(UPSTREAM_HEADER, id.as_str(), wrapped)?;
        let value = std::str::from_utf8(&value).map_err(|_| Fault::Damaged)?;
        Ok(Zeroizing::new(value.to_owned()))
    }
}
