//! MCP servers behind the gateway: `countersign server add --upstream`, `gateway`, `tools` and `allow`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use domain::context::Context;
use domain::model::server::McpServer;
use domain::model::server::gateway::rules::{Item, ScopeRule};
use domain::model::server::gateway::tools::{Hint, Tool, ToolState};
use domain::model::server::gateway::{CallLimits, ChangePolicy};
use domain::server::conversation::CallProblem;
use domain::server::gateway::tools::{self, Look};
use domain::server::gateway::{self, GatewayEdit, HeaderEdit, UpstreamHeader, rules};
use serde_json::{Value, json};

use super::OneServer;
use crate::cli::shared::{CliError, Format, line, operator, read_text};
use crate::config::{Config, ConfigError};
use crate::egress::mcp::McpServers;

/// The option that names the file of the header.
const HEADER_FILE: &str = "--upstream-header-file";

#[derive(Args)]
pub(in crate::cli) struct GatewayArguments {
    #[command(flatten)]
    server: OneServer,
    /// The address of the MCP server behind the gateway
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// A file with the header that proves Countersign to the MCP server: "Authorization: Bearer KEY"
    #[arg(long, value_name = "FILE", conflicts_with = "no_upstream_header")]
    upstream_header_file: Option<PathBuf>,
    /// Send no such header any more
    #[arg(long)]
    no_upstream_header: bool,
    /// Tell the MCP server who calls, in the signed header Countersign-Identity: true or false
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set)]
    identity: Option<bool>,
    /// What happens to a tool whose definition changed: warn or block
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    on_change: Option<ChangePolicy>,
    /// Tell webhooks when a caller uses a destructive tool for the first time: true or false
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set)]
    report_destructive: Option<bool>,
    /// Most calls a minute, of all callers together; 0: no limit
    #[arg(long, value_name = "NUMBER")]
    calls_per_minute: Option<u32>,
    /// Most calls at the same time, of all callers together; 0: no limit
    #[arg(long, value_name = "NUMBER")]
    concurrent_calls: Option<u32>,
    /// Most calls a minute of each caller; 0: no limit
    #[arg(long, value_name = "NUMBER")]
    calls_per_minute_each: Option<u32>,
    /// Most calls at the same time of each caller; 0: no limit
    #[arg(long, value_name = "NUMBER")]
    concurrent_calls_each: Option<u32>,
    /// Refuse calls over a limit: true, or false to let them pass and count them in the metrics
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set)]
    enforce_limits: Option<bool>,
}

fn policy(text: &str) -> Result<ChangePolicy, String> {
    ChangePolicy::parse(text).ok_or_else(|| "write warn or block".to_owned())
}

#[derive(Args)]
pub(in crate::cli) struct ToolsArguments {
    #[command(flatten)]
    server: OneServer,
    /// Accept the definitions that the MCP server sends now
    #[arg(long)]
    accept: bool,
    /// How the tools are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Args)]
pub(in crate::cli) struct AllowArguments {
    #[command(flatten)]
    server: OneServer,
    /// The scope whose rule is replaced
    #[arg(long)]
    scope: String,
    /// A tool that the scope allows
    #[arg(long = "tool", value_name = "NAME", conflicts_with_all = ["all_tools", "read_only_tools"])]
    tools: Vec<String>,
    /// The scope allows all tools, also tools that the MCP server adds later
    #[arg(long)]
    all_tools: bool,
    /// The scope allows the tools that say now that they only read
    #[arg(long, conflicts_with = "all_tools")]
    read_only_tools: bool,
    /// A prompt that the scope allows
    #[arg(long = "prompt", value_name = "NAME", conflicts_with = "all_prompts")]
    prompts: Vec<String>,
    /// The scope allows all prompts
    #[arg(long)]
    all_prompts: bool,
    /// The beginning of the URIs of resources that the scope allows
    #[arg(long = "resource", value_name = "URI", conflicts_with = "all_resources")]
    resources: Vec<String>,
    /// The scope allows all resources
    #[arg(long)]
    all_resources: bool,
}

/// Reads the header in this file.
pub(super) fn header_in(path: Option<&Path>) -> Result<Option<UpstreamHeader>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let text = zeroize::Zeroizing::new(read_text(HEADER_FILE, path)?);
    let problem = || ConfigError::new(HEADER_FILE, "the file must hold one line, such as Authorization: Bearer KEY");
    Ok(Some(UpstreamHeader::parse(&text).ok_or_else(problem)?))
}

/// Looks at the server behind the gateway, and prints what it found. A server that does not answer is no error: the
/// gateway is there.
pub(super) async fn look_after_adding(config: &Config, context: &Context, server: &McpServer) -> Result<(), CliError> {
    match look(config, context, server).await? {
        Ok(look) => {
            println!("{} answered in protocol {}: {} tools", look.greeting.name, look.greeting.protocol, look.tools);
        }
        Err(problem) => {
            eprintln!("The MCP server gave no answer yet: {problem}");
            eprintln!("Correct that, then run: countersign server tools {}", server.id);
        }
    }
    Ok(())
}

async fn look(config: &Config, context: &Context, server: &McpServer) -> Result<Result<Look, String>, CliError> {
    let servers = McpServers::new(config.egress.private_hosts().upstreams);
    Ok(tools::look(context, &servers, &operator(), &server.id).await?.map_err(said))
}

/// Why a server gave no answer, in words.
fn said(problem: CallProblem) -> String {
    match problem {
        CallProblem::Unreachable(cause) => cause,
        CallProblem::Status { status: status @ (401 | 403), .. } => {
            format!("it answered {status}; give it the header that it expects with {HEADER_FILE}")
        }
        CallProblem::Status { status, .. } => format!("it answered {status}"),
        CallProblem::NotMcp => "its answer holds no message of the protocol".to_owned(),
        CallProblem::Refused { code, message } => format!("it answered with the error {code}: {message}"),
        CallProblem::Withheld => "it did not answer".to_owned(),
    }
}

/// `server gateway`
pub(super) async fn edit(context: &Context, arguments: GatewayArguments) -> Result<(), CliError> {
    let server = arguments.server.find(context).await?;
    let before = gateway::find(context, &server.id).await?.map(|gateway| gateway.limits).unwrap_or_default();
    let number = |given: Option<u32>, before: Option<u32>| match given {
        None => before,
        Some(0) => None,
        given => given,
    };
    let limits = CallLimits {
        per_minute: number(arguments.calls_per_minute, before.per_minute),
        concurrent: number(arguments.concurrent_calls, before.concurrent),
        per_minute_each: number(arguments.calls_per_minute_each, before.per_minute_each),
        concurrent_each: number(arguments.concurrent_calls_each, before.concurrent_each),
        is_enforced: arguments.enforce_limits.unwrap_or(before.is_enforced),
    };
    let header = match header_in(arguments.upstream_header_file.as_deref())? {
        Some(header) => HeaderEdit::Replace(header),
        None if arguments.no_upstream_header => HeaderEdit::Remove,
        None => HeaderEdit::Keep,
    };
    let edit = GatewayEdit {
        upstream: arguments.upstream,
        header,
        sends_identity: arguments.identity,
        on_change: arguments.on_change,
        reports_destructive: arguments.report_destructive,
        limits: Some(limits),
    };
    match gateway::edit(context, &operator(), &server.id, &edit).await? {
        true => println!("Changed {} {}", server.id, server.resource),
        false => println!("Nothing changed."),
    }
    Ok(())
}

/// `server tools`
pub(super) async fn tools(config: &Config, context: &Context, arguments: ToolsArguments) -> Result<(), CliError> {
    let server = arguments.server.find(context).await?;
    let found = look(config, context, &server).await?;
    if let Err(problem) = &found {
        eprintln!("The MCP server gave no answer, so this is what it sent before: {problem}");
    }
    let mut tools = tools::list(context, &server.id).await?;
    if arguments.accept && found.is_ok() {
        tools::accept(context, &operator(), &server.id, &tools::version(&tools)).await?;
        tools = tools::list(context, &server.id).await?;
    }
    let gateway = gateway::find(context, &server.id).await?;
    let allowing = |tool: &Tool| -> Vec<&str> {
        let allows = |scope: &&str| {
            gateway.as_ref().is_some_and(|gateway| gateway.rules.scope_allows(scope, Item::Tool(&tool.name)))
        };
        server.scopes.iter().map(|scope| scope.name.as_str()).filter(allows).collect()
    };
    match arguments.format {
        Format::Json => {
            let objects = tools.iter().map(|tool| object(tool, &allowing(tool)));
            println!("{:#}", json!(objects.collect::<Vec<_>>()));
        }
        Format::Text => {
            for tool in &tools {
                let scopes = allowing(tool).join(" ");
                println!("{}  {}  {}  {scopes}", tool.name, word(tool.state()), hint(tool.hint()));
            }
        }
    }
    match found {
        Ok(_) => Ok(()),
        Err(_) => Err(CliError::failed("the MCP server gave no answer")),
    }
}

fn object(tool: &Tool, scopes: &[&str]) -> Value {
    json!({
        "name": tool.name,
        "state": word(tool.state()),
        "hint": hint(tool.hint()),
        "scopes": scopes,
        "accepted": tool.accepted.as_ref().map(|definition| definition.value()),
        "accepted_at": tool.accepted_at.map(|at| at.rfc3339()),
        "sent": tool.seen.as_ref().map(|definition| definition.value()),
        "sent_since": tool.seen_at.map(|at| at.rfc3339()),
    })
}

fn word(state: ToolState) -> &'static str {
    match state {
        ToolState::Accepted => "accepted",
        ToolState::Changed => "changed",
        ToolState::New => "new",
        ToolState::Gone => "gone",
    }
}

fn hint(hint: Hint) -> &'static str {
    match hint {
        Hint::Reads => "reads",
        Hint::Writes => "writes",
        Hint::Destroys => "destroys",
        Hint::Unknown => "-",
    }
}

/// `server allow`
pub(super) async fn allow(context: &Context, arguments: AllowArguments) -> Result<(), CliError> {
    let server = arguments.server.find(context).await?;
    let gateway = gateway::find(context, &server.id).await?;
    let mut rule = gateway.map(|gateway| gateway.rules.of(&arguments.scope)).unwrap_or_default();
    let list = |is_all: bool, names: Vec<String>, before: Option<BTreeSet<String>>| match (is_all, names.is_empty()) {
        (true, _) => None,
        (false, false) => Some(names.into_iter().collect()),
        (false, true) => before,
    };
    let mut names = arguments.tools;
    if arguments.read_only_tools {
        let known = tools::list(context, &server.id).await?;
        names = known.into_iter().filter(|tool| tool.hint() == Hint::Reads).map(|tool| tool.name).collect();
        if names.is_empty() {
            return Err(CliError::failed("no tool of this MCP server says that it only reads"));
        }
    }
    rule = ScopeRule {
        tools: list(arguments.all_tools, names, rule.tools),
        prompts: list(arguments.all_prompts, arguments.prompts, rule.prompts),
        resources: list(arguments.all_resources, arguments.resources, rule.resources),
    };
    match rules::set(context, &operator(), &server.id, &[(arguments.scope.clone(), rule.clone())]).await? {
        true => print!("{}", described(&arguments.scope, &rule)),
        false => println!("Nothing changed."),
    }
    Ok(())
}

fn described(scope: &str, rule: &ScopeRule) -> String {
    let list = |list: &Option<BTreeSet<String>>| match list {
        None => "all".to_owned(),
        Some(names) if names.is_empty() => "none".to_owned(),
        Some(names) => names.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
    };
    [
        line("Scope", scope),
        line("Tools", list(&rule.tools)),
        line("Prompts", list(&rule.prompts)),
        line("Resources", list(&rule.resources)),
    ]
    .concat()
}
