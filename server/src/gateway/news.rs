//! Definitions of tools that passed: what is news goes to the database, behind the answer.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::base::id::McpServerId;
use domain::model::server::gateway::call::CallerKey;
use domain::model::server::gateway::tools::Hint;
use domain::server::gateway::tools::{self, note_refusal, note_sent};
use domain::token::verify::Caller;

use crate::gateway::filter::{Filter, Sent};
use crate::state::AppState;

/// How often news of one server are written: a server whose definitions change with each answer must not fill the audit
/// log.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most first uses of destructive tools that are remembered.
const MOST_USES: usize = 8192;

/// When news of each server were written last.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewsTimes(Arc<Mutex<HashMap<(McpServerId, &'static str), Timestamp>>>);

/// Who used which destructive tool: they are in the database already.
#[derive(Debug, Clone, Default)]
pub(crate) struct DestructiveUses(Arc<Mutex<HashSet<(McpServerId, CallerKey, String)>>>);

impl DestructiveUses {
    /// Whether the use may be the first one. It then counts as known.
    fn begin(&self, server: &McpServerId, caller: CallerKey, tool: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_USES {
            known.clear();
        }
        known.insert((server.clone(), caller, tool.to_owned()))
    }
}

impl NewsTimes {
    /// Whether news of this kind may be written now. They then count as written.
    fn begin(&self, server: &McpServerId, kind: &'static str, now: Timestamp) -> bool {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (server.clone(), kind);
        if times.get(&key).is_some_and(|last| last.is_recent(now, INTERVAL)) {
            return false;
        }
        times.insert(key, now);
        true
    }
}

/// Stores definitions that are news.
pub(super) fn note(state: &AppState, filter: &Filter, sent: Sent) {
    if !filter.is_news(&sent) {
        return;
    }
    let server = filter.snapshot.server.id.clone();
    if !state.gateway.news.begin(&server, "tools", state.context.now()) {
        return;
    }
    let (context, slug) = (state.context.clone(), filter.snapshot.gateway.slug.clone());
    tokio::spawn(async move {
        if let Err(fault) = note_sent(&context, &server, &sent).await {
            tracing::warn!(%fault, %server, "definitions of tools could not be stored");
        }
        context.gateways.forget(&slug);
    });
}

/// Stores that the server refused our header, or takes it again, if that is news.
pub(super) fn note_status(state: &AppState, filter: &Filter, status: u16) {
    let refused = matches!(status, 401 | 403).then_some(status);
    let known = filter.snapshot.gateway.refusal.is_some();
    let server = filter.snapshot.server.id.clone();
    let kind = if refused.is_some() { "refused" } else { "taken" };
    if refused.is_some() == known || !state.gateway.news.begin(&server, kind, state.context.now()) {
        return;
    }
    let (context, slug) = (state.context.clone(), filter.snapshot.gateway.slug.clone());
    tokio::spawn(async move {
        if let Err(fault) = note_refusal(&context, &server, refused).await {
            tracing::warn!(%fault, %server, "the answer of an MCP server to our header could not be stored");
        }
        context.gateways.forget(&slug);
    });
}

/// Stores the first use of a destructive tool by this caller, if the webhooks are to be told.
pub(super) fn note_destructive(
    state: &AppState,
    filter: &Filter,
    caller: &Caller,
    tool: &str,
    address: Option<IpAddr>,
) {
    let snapshot = &filter.snapshot;
    let is_destructive = snapshot.tools.get(tool).is_some_and(|tool| tool.hint() == Hint::Destroys);
    if !snapshot.gateway.reports_destructive
        || !is_destructive
        || !state.gateway.uses.begin(&snapshot.server.id, caller.key(), tool)
    {
        return;
    }
    let (context, server, key) = (state.context.clone(), snapshot.server.id.clone(), caller.key());
    let (name, tool) = (caller.name.clone(), tool.to_owned());
    tokio::spawn(async move {
        if let Err(fault) = tools::note_destructive(&context, &server, &key, &name, &tool, address).await {
            tracing::warn!(%fault, %server, "the use of a destructive tool could not be stored");
        }
    });
}
