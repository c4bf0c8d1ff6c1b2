//! Calls through the gateway, as commands print them.

use domain::model::server::McpServer;
use domain::model::server::gateway::call::{CallKind, CallSum};
use serde_json::{Value, json};

/// The resource of a server.
pub(crate) fn resource<'of>(servers: &'of [McpServer], id: &str) -> &'of str {
    let found = servers.iter().find(|server| server.id.as_str() == id);
    found.map_or("a removed server", |server| server.resource.as_str())
}

/// What was called, by its name.
pub(crate) fn called(kind: CallKind, name: &str) -> String {
    match kind {
        CallKind::Tool => name.to_owned(),
        CallKind::Prompt => format!("prompt {name}"),
        CallKind::Resource => "resources".to_owned(),
    }
}

/// One line for each thing that was called, and how the calls ended.
pub(crate) fn call_lines(calls: &[CallSum], servers: &[McpServer]) -> Vec<String> {
    let line = |sum: &CallSum| {
        let (count, outcome) = (sum.calls, sum.outcome.as_str());
        let (what, server) = (called(sum.kind, &sum.name), resource(servers, sum.server.as_str()));
        format!("  {count} × {what} at {server}: {outcome}, last {}", sum.last_at.rfc3339())
    };
    calls.iter().map(line).collect()
}

/// The same as objects.
pub(crate) fn call_objects(calls: &[CallSum], servers: &[McpServer]) -> Value {
    let object = |sum: &CallSum| {
        json!({
            "mcp_server": resource(servers, sum.server.as_str()),
            "kind": sum.kind.as_str(),
            "name": sum.name,
            "outcome": sum.outcome.as_str(),
            "calls": sum.calls,
            "total_ms": sum.total_ms,
            "longest_ms": sum.longest_ms,
            "last_at": sum.last_at.rfc3339(),
        })
    };
    calls.iter().map(object).collect()
}
