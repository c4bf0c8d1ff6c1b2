//! Looks at the server behind the gateway, and keeps the definitions of its tools.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::base::digest;
use crate::base::id::McpServerId;
use crate::model::ports::McpConnection;
use crate::model::server::gateway::call::CallerKey;
use crate::model::server::gateway::tools::{Definition, MOST_TOOLS, Tool, ToolState, is_name};
use crate::model::server::gateway::{UpstreamGreeting, UpstreamRefusal};
use crate::prelude::{Action, Actor, Context, Fault, FieldError, Timestamp};
use crate::server::McpServerError;
use crate::server::conversation::{CallProblem, Conversation};
use crate::server::gateway::{begin_for_gateway, opened_header};
use crate::store::{self, Transaction};

/// What a look at the server brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What the server says about itself.
    pub greeting: UpstreamGreeting,
    /// How many tools it has.
    pub tools: usize,
    /// The tools whose definition is not the accepted one. A tool that is gone is among them.
    pub differing: Vec<String>,
}

/// The tools of a server, by name, as they were accepted and as they are.
pub async fn list(context: &Context, id: &McpServerId) -> Result<Vec<Tool>, Fault> {
    Ok(store::server::gateway::tools(&context.store, id).await?)
}

/// Names the definitions that the server sends now: whoever accepts them says which ones they saw.
pub fn version(tools: &[Tool]) -> String {
    let seen: Vec<(&str, Option<&str>)> =
        tools.iter().map(|tool| (tool.name.as_str(), tool.seen.as_ref().map(Definition::as_str))).collect();
    digest::sha256(json!(seen).to_string().as_bytes())
}

/// What the server answered to a look.
struct Answers {
    greeting: UpstreamGreeting,
    tools: BTreeMap<String, Definition>,
    prompts: Vec<String>,
}

/// Asks the server about itself, its tools and its prompts.
async fn ask(
    context: &Context,
    servers: &dyn McpConnection,
    upstream: &str,
    header: Option<(String, Zeroizing<String>)>,
) -> Result<Answers, CallProblem> {
    let mut conversation = Conversation::new(servers, upstream, header);
    let greeting = conversation.begin().await?;
    let tools = match conversation.list("tools/list", "tools", MOST_TOOLS).await {
        Ok(tools) => tools,
        // The server has prompts or resources only.
        Err(CallProblem::Refused { .. }) => Vec::new(),
        Err(problem) => return Err(problem),
    };
    // Most servers have no prompts, and say so in many ways.
    let prompts = conversation.list("prompts/list", "prompts", MOST_TOOLS).await.unwrap_or_default();
    let names = prompts.iter().filter_map(|prompt| prompt["name"].as_str()).filter(|name| is_name(name));
    Ok(Answers {
        greeting: UpstreamGreeting { name: greeting.name, protocol: greeting.protocol, at: context.now() },
        tools: tools.iter().filter_map(Definition::of).collect(),
        prompts: names.map(str::to_owned).collect(),
    })
}

/// Looks at the server: what it says about itself, and its tools. The first definitions are accepted as they are,
/// because an administrator has just put this server here; each later change must be accepted. Only administrators may
/// do this: the result says which addresses answer.
///
/// # Errors
///
/// The inner error says why the server gave no answer.
pub async fn look(
    context: &Context,
    servers: &dyn McpConnection,
    actor: &Actor,
    id: &McpServerId,
) -> Result<Result<Look, CallProblem>, McpServerError> {
    let (change, _, gateway) = begin_for_gateway(context, actor, id).await?;
    drop(change);
    let header = opened_header(context, id, &gateway).await?;
    let answers = match ask(context, servers, &gateway.upstream, header).await {
        Ok(answers) => answers,
        Err(problem) => {
            if let CallProblem::Status { status: status @ (401 | 403), .. } = &problem {
                note_refusal(context, id, Some(*status)).await?;
            }
            return Ok(Err(problem));
        }
    };
    let (mut change, server, gateway) = begin_for_gateway(context, actor, id).await?;
    store::server::gateway::set_greeting(&mut change, id, &answers.greeting, &answers.prompts).await?;
    let before = store::server::gateway::tools(&mut change, id).await?;
    let is_first = gateway.greeting.is_none() && before.iter().all(|tool| tool.accepted.is_none());
    let now = change.now();
    let news = note(&mut change, id, (&before, now), &answers.tools, true).await?;
    let names: Vec<&String> = answers.tools.keys().collect();
    let events = if is_first {
        store::server::gateway::accept(&mut change, id, now).await?;
        vec![server.event(Action::McpServerToolsAccepted).with(json!({ "tools": names }))]
    } else if news.is_empty() {
        Vec::new()
    } else {
        vec![server.event(Action::McpServerToolsChanged).with(news.details())]
    };
    let after = store::server::gateway::tools(&mut change, id).await?;
    let is_differing = |tool: &&Tool| tool.state() != ToolState::Accepted;
    let differing = after.iter().filter(is_differing).map(|tool| tool.name.clone()).collect();
    change.commit_all(actor, &events).await?;
    Ok(Ok(Look { greeting: answers.greeting, tools: answers.tools.len(), differing }))
}

/// Tools whose definition became another one.
#[derive(Debug, Default)]
struct News {
    changed: Vec<String>,
    new: Vec<String>,
    gone: Vec<String>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.new.is_empty() && self.gone.is_empty()
    }

    fn details(&self) -> Value {
        json!({ "changed": self.changed, "new": self.new, "gone": self.gone })
    }
}

/// Stores the definitions that the server sends now. `is_all` says whether the list is complete, so that a tool which
/// is not in it is gone. Definitions of further tools than [`MOST_TOOLS`] are not kept.
async fn note(
    transaction: &mut Transaction,
    id: &McpServerId,
    (before, now): (&[Tool], Timestamp),
    sent: &BTreeMap<String, Definition>,
    is_all: bool,
) -> Result<News, Fault> {
    let mut news = News::default();
    let mut room = MOST_TOOLS.saturating_sub(before.len());
    for (name, definition) in sent {
        let known = before.iter().find(|tool| tool.name == *name);
        if known.is_some_and(|tool| tool.seen.as_ref() == Some(definition)) {
            continue;
        }
        if known.is_none() {
            let Some(left) = room.checked_sub(1) else { continue };
            room = left;
        }
        store::server::gateway::set_seen(&mut *transaction, id, name, definition, now).await?;
        match known.and_then(|tool| tool.accepted.as_ref()) {
            // It is again what was accepted.
            Some(accepted) if accepted == definition => {}
            Some(_) => news.changed.push(name.clone()),
            None => news.new.push(name.clone()),
        }
    }
    for tool in before.iter().filter(|tool| is_all && tool.seen.is_some() && !sent.contains_key(&tool.name)) {
        store::server::gateway::set_gone(&mut *transaction, id, &tool.name).await?;
        news.gone.push(tool.name.clone());
    }
    Ok(news)
}

/// Stores definitions that the server sent to a client. When some are news, the audit log says so, and the webhooks. A
/// tool that is not among them may still be there: some servers offer each client other tools.
pub async fn note_sent(context: &Context, id: &McpServerId, sent: &BTreeMap<String, Definition>) -> Result<(), Fault> {
    let mut change = context.begin_change().await?;
    let servers = store::server::list(&mut change).await?;
    // The server may have been removed meanwhile.
    let Some(server) = servers.into_iter().find(|server| server.id == *id) else { return Ok(()) };
    let before = store::server::gateway::tools(&mut change, id).await?;
    let now = change.now();
    let news = note(&mut change, id, (&before, now), sent, false).await?;
    let event = server.event(Action::McpServerToolsChanged).with(news.details());
    let events = if news.is_empty() { &[][..] } else { std::slice::from_ref(&event) };
    change.commit_all(&Actor::system(), events).await.map(drop)
}

/// Accepts the definitions that the server sends now. `seen` is the [`version`] that the person saw. Only
/// administrators may do this.
///
/// # Errors
///
/// [`McpServerError::Invalid`] when the server now sends other definitions than the person saw.
pub async fn accept(context: &Context, actor: &Actor, id: &McpServerId, seen: &str) -> Result<(), McpServerError> {
    let (mut change, server, _) = begin_for_gateway(context, actor, id).await?;
    let tools = store::server::gateway::tools(&mut change, id).await?;
    if version(&tools) != seen {
        let problem = "The definitions changed once more since you opened this page. Read them again.";
        return Err(FieldError::new("main", problem).into());
    }
    let of = |state| tools.iter().filter(|tool| tool.state() == state).map(|tool| &tool.name).collect::<Vec<_>>();
    let (changed, new, gone) = (of(ToolState::Changed), of(ToolState::New), of(ToolState::Gone));
    if changed.is_empty() && new.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let details = json!({ "changed": changed, "new": new, "gone": gone });
    let now = change.now();
    store::server::gateway::accept(&mut change, id, now).await?;
    Ok(change.commit(actor, &server.event(Action::McpServerToolsAccepted).with(details)).await?)
}

/// Stores that the server refused our header with this status; `None`: that it takes the header again.
pub async fn note_refusal(context: &Context, id: &McpServerId, status: Option<u16>) -> Result<(), Fault> {
    let refusal = status.map(|status| UpstreamRefusal { status: i64::from(status), at: context.now() });
    let mut change = context.begin_change().await?;
    store::server::gateway::set_refusal(&mut change, id, refusal).await?;
    Ok(change.commit_without_event().await?)
}

/// Notes that a caller used a destructive tool, which is in the audit log once for each caller and tool. Returns
/// whether it was the first time.
pub async fn note_destructive(
    context: &Context,
    id: &McpServerId,
    caller: &CallerKey,
    name: &str,
    tool: &str,
    address: Option<IpAddr>,
) -> Result<bool, Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::server::gateway::insert_destructive_use(&mut change, id, caller, tool, now).await? {
        return Ok(false);
    }
    let servers = store::server::list(&mut change).await?;
    let Some(server) = servers.into_iter().find(|server| server.id == *id) else { return Ok(false) };
    let event = server.event(Action::DestructiveToolUsed).with(json!({
        "tool": tool,
        "caller": caller.id,
        "caller_name": name,
        "person": Some(&caller.person).filter(|person| !person.is_empty()),
        "address": address.map(|address| address.to_string()),
    }));
    change.commit(&Actor::system(), &event).await?;
    Ok(true)
}
