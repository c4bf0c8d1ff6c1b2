//! MCP servers behind the gateway.
//!
//! | module | what it does |
//! |---|---|
//! | this one | adds a server, changes how it is called |
//! | [`identity`] | tells a server who calls |
//! | [`rules`] | says which scope allows what |
//! | [`tools`] | looks at the server, and accepts the definitions of its tools |
//! | [`usage`] | tells what was called |

pub mod identity;
pub mod rules;
pub mod tools;
pub mod usage;

use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::base::id::McpServerId;
use crate::base::text::debug_as;
use crate::crypto::keys::purpose::UPSTREAM_HEADER;
use crate::model::server::McpServer;
use crate::model::server::gateway::rules::Rules;
use crate::model::server::gateway::{
    CallLimits, ChangePolicy, Gateway, PATH, check_header, check_slug, suggested_slug,
};
use crate::prelude::{Action, Actor, Change, Changes, Context, Errors, Fault, FieldError};
use crate::server::{McpServerError, ServerDraft, begin_for, register};
use crate::store;

/// Longest address of a server behind the gateway, in bytes.
const LONGEST_UPSTREAM: usize = 500;
/// The largest number of a limit.
const LARGEST_LIMIT: u32 = 1_000_000;

/// The header with which we prove ourselves to a server. Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamHeader {
    /// Its name, such as `Authorization`.
    pub name: String,
    /// Its value, such as `Bearer` and a key.
    pub value: Zeroizing<String>,
}

debug_as!(UpstreamHeader, |header| "UpstreamHeader({}, redacted)", header.name);

impl UpstreamHeader {
    /// The header of this name and value, as people type them.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.trim().to_owned(), value: Zeroizing::new(value.trim().to_owned()) }
    }

    /// Reads `Name: value`, as a file holds it.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, value) = line.trim().split_once(':')?;
        Some(Self::new(name, value))
    }

    fn check(&self, errors: &mut Errors) {
        let (name, value) = check_header(&self.name, &self.value);
        errors.take("header_name", name);
        errors.take("header_value", value);
    }
}

/// What a new server behind the gateway has besides the values of each server.
#[derive(Debug, Clone, Default)]
pub struct GatewayDraft {
    /// The address of the MCP server.
    pub upstream: String,
    /// The last part of the address of the gateway; made of the name when absent.
    pub slug: Option<String>,
    /// The header with which we prove ourselves to the server.
    pub header: Option<UpstreamHeader>,
}

/// Checks the address of a server behind the gateway. Whether we may connect to it is decided when we do.
fn check_upstream(context: &Context, address: &str) -> Result<(), String> {
    const EXAMPLE: &str = "Enter the URL of the MCP server, such as http://127.0.0.1:9000/mcp.";
    if address.len() > LONGEST_UPSTREAM {
        return Err(format!("Use at most {LONGEST_UPSTREAM} characters."));
    }
    let url = Url::parse(address).map_err(|_| EXAMPLE.to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(EXAMPLE.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("Leave user name and password out of the address: enter a header in their place.".to_owned());
    }
    if url.fragment().is_some() {
        return Err("Leave out the # and what follows it: it is never sent.".to_owned());
    }
    let own = Url::parse(&context.settings.public_url).map(|own| own.origin());
    if own.is_ok_and(|own| own == url.origin()) && url.path().starts_with(PATH) {
        return Err("This is an address of the gateway itself. Enter the address of the MCP server.".to_owned());
    }
    Ok(())
}

/// The resource identifier of the server behind the gateway with this slug.
fn resource(context: &Context, slug: &str) -> String {
    format!("{}{PATH}{slug}", context.settings.public_url)
}

/// Puts an MCP server behind the gateway. The resource of the draft is not read: the gateway's address is the resource.
/// Without scopes it gets one that allows everything. Only administrators may do this.
pub async fn add(
    context: &Context,
    actor: &Actor,
    draft: &ServerDraft,
    gateway: &GatewayDraft,
) -> Result<McpServer, McpServerError> {
    let mut errors = Errors::default();
    let upstream = gateway.upstream.trim();
    errors.take("upstream", check_upstream(context, upstream));
    let slug = gateway.slug.as_deref().map(str::trim).filter(|slug| !slug.is_empty());
    let slug = slug.map_or_else(|| suggested_slug(&draft.name), str::to_owned);
    errors.take("slug", check_slug(&slug));
    if let Some(header) = &gateway.header {
        header.check(&mut errors);
    }
    let draft = ServerDraft { resource: resource(context, &slug), ..draft.clone() };
    if let Err(wrong) = draft.check() {
        errors.0.extend(wrong.into_iter().filter(|error| error.field != "resource"));
    }
    errors.none()?;

    let mut change = context.begin_change().await?;
    change.require_administrator(actor, McpServerError::NotFound).await?;
    if store::server::gateway::find_by_slug(&mut change, &slug).await?.is_some() {
        let problem = format!("{} is taken. Choose another address.", resource(context, &slug));
        return Err(FieldError::new("slug", problem).into());
    }
    let (server, details) = register(&mut change, &draft).await?;
    let stored = Gateway {
        slug,
        upstream: upstream.to_owned(),
        header: None,
        sends_identity: false,
        on_change: ChangePolicy::Warn,
        reports_destructive: false,
        limits: CallLimits::default(),
        rules: Rules::default(),
        prompts: Vec::new(),
        greeting: None,
        refusal: None,
    };
    store::server::gateway::insert(&mut change, &server.id, &stored).await?;
    set_header(&mut change, &server.id, gateway.header.as_ref()).await?;
    let mut details = details;
    details["upstream"] = json!(stored.upstream);
    details["header"] = json!(gateway.header.as_ref().map(|header| &header.name));
    change.commit(actor, &server.event(Action::McpServerAdded).with(details)).await?;
    Ok(server)
}

async fn set_header(
    change: &mut Change<'_>,
    id: &McpServerId,
    header: Option<&UpstreamHeader>,
) -> Result<(), McpServerError> {
    let context = change.context();
    let wrapped = match header {
        Some(header) => {
            let value = header.value.as_bytes();
            Some(context.keys.master.wrap(UPSTREAM_HEADER, id.as_str(), value, context.random.as_ref())?)
        }
        None => None,
    };
    let stored = header.zip(wrapped.as_deref()).map(|(header, wrapped)| (header.name.as_str(), wrapped));
    Ok(store::server::gateway::set_header(change, id, stored).await?)
}

/// The gateway of this server; `None` when the server checks tokens itself.
pub async fn find(context: &Context, id: &McpServerId) -> Result<Option<Gateway>, Fault> {
    Ok(store::server::gateway::find(&context.store, id).await?)
}

/// Every gateway, with its server.
pub async fn list(context: &Context) -> Result<Vec<(McpServerId, Gateway)>, Fault> {
    Ok(store::server::gateway::list(&context.store).await?)
}

/// What happens to the header with which we prove ourselves.
#[derive(Debug, Clone, Default)]
pub enum HeaderEdit {
    /// It stays.
    #[default]
    Keep,
    /// None is sent any more.
    Remove,
    /// Another one is sent.
    Replace(UpstreamHeader),
}

/// The new values; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct GatewayEdit {
    /// The address of the MCP server.
    pub upstream: Option<String>,
    /// The header.
    pub header: HeaderEdit,
    /// Whether the server is told who calls.
    pub sends_identity: Option<bool>,
    /// What happens to a tool whose definition changed.
    pub on_change: Option<ChangePolicy>,
    /// Whether webhooks are told of the first use of a destructive tool.
    pub reports_destructive: Option<bool>,
    /// The limits.
    pub limits: Option<CallLimits>,
}

impl GatewayEdit {
    fn apply(&self, context: &Context, gateway: &Gateway) -> Result<Gateway, Vec<FieldError>> {
        let mut errors = Errors::default();
        let mut after = gateway.clone();
        if let Some(upstream) = self.upstream.as_deref().map(str::trim) {
            errors.take("upstream", check_upstream(context, upstream));
            upstream.clone_into(&mut after.upstream);
        }
        match &self.header {
            HeaderEdit::Replace(header) => header.check(&mut errors),
            HeaderEdit::Keep if is_another_host(&gateway.upstream, &after.upstream) && gateway.header.is_some() => {
                let problem = "The header was meant for the host before. Enter it again, or remove it.";
                errors.push("header_value", problem);
            }
            HeaderEdit::Keep | HeaderEdit::Remove => {}
        }
        after.sends_identity = self.sends_identity.unwrap_or(after.sends_identity);
        after.on_change = self.on_change.unwrap_or(after.on_change);
        after.reports_destructive = self.reports_destructive.unwrap_or(after.reports_destructive);
        if let Some(limits) = self.limits {
            let CallLimits { per_minute, concurrent, per_minute_each, concurrent_each, .. } = limits;
            for (field, limit) in [
                ("per_minute", per_minute),
                ("concurrent", concurrent),
                ("per_minute_each", per_minute_each),
                ("concurrent_each", concurrent_each),
            ] {
                if limit.is_some_and(|limit| !(1..=LARGEST_LIMIT).contains(&limit)) {
                    errors.push(field, "Enter a whole number from 1 to 1,000,000, or nothing for no limit.");
                }
            }
            after.limits = limits;
        }
        errors.none()?;
        Ok(after)
    }
}

/// Whether the two addresses are of different hosts.
fn is_another_host(before: &str, after: &str) -> bool {
    let origin = |address: &str| Url::parse(address).ok().map(|url| url.origin());
    origin(before) != origin(after)
}

/// The limits as the audit log says them.
fn audited(limits: CallLimits) -> Value {
    json!({
        "calls_per_minute": limits.per_minute,
        "concurrent_calls": limits.concurrent,
        "calls_per_minute_each": limits.per_minute_each,
        "concurrent_calls_each": limits.concurrent_each,
        "enforced": limits.is_enforced,
    })
}

/// Applies `edit`. Returns whether anything changed. When this returns, each further call obeys the new values, on
/// every node. Only administrators may do this.
///
/// A header does not follow to another host: nobody can read it, and a new address must not be the way to read it.
pub async fn edit(
    context: &Context,
    actor: &Actor,
    id: &McpServerId,
    edit: &GatewayEdit,
) -> Result<bool, McpServerError> {
    let (mut change, server, before) = begin_for_gateway(context, actor, id).await?;
    let after = edit.apply(context, &before)?;
    let mut changes = Changes::default();
    changes.note("upstream", &before.upstream, &after.upstream);
    changes.note("identity", before.sends_identity, after.sends_identity);
    changes.note("on_change", before.on_change.as_str(), after.on_change.as_str());
    changes.note("reports_destructive", before.reports_destructive, after.reports_destructive);
    changes.note("limits", audited(before.limits), audited(after.limits));
    match &edit.header {
        HeaderEdit::Keep => {}
        HeaderEdit::Remove => changes.note("header", before.header.as_deref(), None),
        HeaderEdit::Replace(header) => {
            changes.add("header", json!({ "before": before.header, "after": header.name, "replaced": true }));
        }
    }
    if changes.is_empty() {
        return Ok(false);
    }
    let now = change.now();
    store::server::gateway::update(&mut change, id, &after, now).await?;
    match &edit.header {
        HeaderEdit::Keep => {}
        HeaderEdit::Remove => set_header(&mut change, id, None).await?,
        HeaderEdit::Replace(header) => set_header(&mut change, id, Some(header)).await?,
    }
    change.commit(actor, &server.event(Action::McpServerEdited).with(changes.into())).await?;
    Ok(true)
}

fn no_gateway() -> McpServerError {
    FieldError::new("main", "This server checks tokens itself. It is not behind the gateway.").into()
}

/// Begins a change of a server behind the gateway by an administrator.
async fn begin_for_gateway<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &McpServerId,
) -> Result<(Change<'context>, McpServer, Gateway), McpServerError> {
    let (mut change, server) = begin_for(context, actor, id).await?;
    let gateway = store::server::gateway::find(&mut change, id).await?.ok_or_else(no_gateway)?;
    Ok((change, server, gateway))
}

/// The header with which we prove ourselves to the server, opened.
pub(crate) async fn opened_header(
    context: &Context,
    id: &McpServerId,
    gateway: &Gateway,
) -> Result<Option<(String, Zeroizing<String>)>, Fault> {
    let Some(name) = &gateway.header else { return Ok(None) };
    let Some(wrapped) = store::server::gateway::header_value(&context.store, id).await? else { return Ok(None) };
    Ok(Some((name.clone(), context.keys.open_upstream_header(id, &wrapped)?)))
}
