//! Definitions of tools that passed: what is news goes to the database, behind the answer.

use std::net::IpAddr;

use domain::model::server::gateway::tools::Hint;
use domain::server::gateway::tools::{self, note_refusal, note_sent};
use domain::token::verify::Caller;

use crate::gateway::filter::{Filter, Sent};
use crate::state::AppState;

/// Stores definitions that are news. Each tool has its own time: a tool that changes must be known before its next
/// call, also when another tool changed a moment ago.
pub(super) fn note(state: &AppState, filter: &Filter, sent: Sent) {
    let server = filter.snapshot.server.id.clone();
    let (times, now) = (state.gateway.news.clone(), state.context.now());
    let tools: Vec<String> = filter.news(&sent).filter(|tool| times.begin(&server, tool, now)).cloned().collect();
    if tools.is_empty() {
        return;
    }
    let (context, slug) = (state.context.clone(), filter.snapshot.gateway.slug.clone());
    tokio::spawn(async move {
        if let Err(fault) = note_sent(&context, &server, &sent).await {
            tracing::warn!(%fault, %server, "definitions of tools could not be stored");
            tools.iter().for_each(|tool| times.failed(&server, tool));
        }
        context.gateways.forget(&slug);
    });
}

/// Stores that the server refused our header, or takes it again, if that is news.
pub(super) fn note_status(state: &AppState, filter: &Filter, status: u16) {
    let refused = matches!(status, 401 | 403).then_some(status);
    let known = filter.snapshot.gateway.refusal.is_some();
    let server = filter.snapshot.server.id.clone();
    // No tool has these names.
    let kind = if refused.is_some() { " refused" } else { " taken" };
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
    let uses = state.gateway.uses.clone();
    let (name, tool) = (caller.name.clone(), tool.to_owned());
    tokio::spawn(async move {
        if let Err(fault) = tools::note_destructive(&context, &server, &key, &name, &tool, address).await {
            tracing::warn!(%fault, %server, "the use of a destructive tool could not be stored");
            uses.failed(&server, key, &tool);
        }
    });
}
