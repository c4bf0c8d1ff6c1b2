//! The view “Tools” of an MCP server behind the gateway: which scope allows which tool, and definitions that changed.

use std::collections::{BTreeMap, BTreeSet};

use domain::model::credential::usage::Period;
use domain::model::field_error::FieldError;
use domain::model::person::authority::Authority;
use domain::model::server::McpServer;
use domain::model::server::gateway::rules::ScopeRule;
use domain::model::server::gateway::tools::{Definition, Hint, Tool, ToolState};
use domain::model::server::gateway::{ChangePolicy, Gateway};
use domain::server::conversation::CallProblem;
use domain::server::gateway::{self, tools, usage};
use serde_json::Value;

use crate::components::form::field::text_area_content;
use crate::pages::server::access::find;
use crate::prelude::*;

/// What was typed for one scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedRule {
    /// The scope.
    pub scope: String,
    /// Whether it allows all tools.
    pub all_tools: bool,
    /// The ticked tools.
    pub tools: Vec<String>,
    /// Whether it allows all prompts.
    pub all_prompts: bool,
    /// Names of prompts, one a line.
    pub prompts: String,
    /// Whether it allows all resources.
    pub all_resources: bool,
    /// Beginnings of URIs, one a line.
    pub resources: String,
}

impl TypedRule {
    fn of(scope: &str, rule: &ScopeRule, known: &[Tool]) -> Self {
        let lines =
            |list: &Option<BTreeSet<String>>| list.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
        let tools = match &rule.tools {
            Some(names) => names.iter().cloned().collect(),
            None => known.iter().map(|tool| tool.name.clone()).collect(),
        };
        Self {
            scope: scope.to_owned(),
            all_tools: rule.tools.is_none(),
            tools,
            all_prompts: rule.prompts.is_none(),
            prompts: lines(&rule.prompts),
            all_resources: rule.resources.is_none(),
            resources: lines(&rule.resources),
        }
    }

    /// Converts the fields to a rule. `shown` are the tools that the form showed.
    ///
    /// # Errors
    ///
    /// All tools are ticked together, and one of them is not: the person may mean either.
    pub fn rule(&self, shown: &[String]) -> Result<(String, ScopeRule), FieldError> {
        if let Some(tool) = shown.iter().find(|tool| self.all_tools && !self.tools.contains(tool)) {
            let problem = format!(
                "{}: “All tools” is ticked, and {tool} is not. Untick “All tools” to allow only the ticked tools.",
                self.scope
            );
            return Err(FieldError::new("rules", problem));
        }
        let lines =
            |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let rule = ScopeRule {
            tools: (!self.all_tools).then(|| self.tools.iter().cloned().collect()),
            prompts: (!self.all_prompts).then(|| lines(&self.prompts)),
            resources: (!self.all_resources).then(|| lines(&self.resources)),
        };
        Ok((self.scope.clone(), rule))
    }
}

/// The rules as they are, in the order of the scopes.
fn present(server: &McpServer, gateway: &Gateway, tools: &[Tool]) -> Vec<TypedRule> {
    let of = |scope: &str| TypedRule::of(scope, &gateway.rules.of(scope), tools);
    server.scopes.iter().map(|scope| of(&scope.name)).collect()
}

/// The form of the rules on a page of its own: after it was sent with something wrong in it, and when the person must
/// prove who they are.
pub async fn rules_form(id: String, form: Form<Option<Vec<TypedRule>>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let gateway = gateway::find(&visit.context, &server.id).await?.ok_or(ActionError::NotFound)?;
    let tools = tools::list(&visit.context, &server.id).await?;
    let Form { typed, errors, confirm } = form;
    let typed = typed.unwrap_or_else(|| present(&server, &gateway, &tools));
    let page = FormPage::new(format!("Tools of {}", server.name), links::server_tools(&id), "Save rules")
        .back(links::server_view(&id, &[("view", "tools")]), server.name.clone())
        .lead("The rules count from the next call.")
        .fields(html! {
            <section class="panel" id="rules" aria-labelledby="tools-title">
                <header><h2 id="tools-title">"Tools"</h2></header>
                {matrix(&server, &tools, &typed, &BTreeMap::new(), true)}
                {others(&gateway, &typed)}
            </section>
        });
    Ok(page.confirm(confirm).page(errors))
}

/// The view.
pub(super) async fn view(visit: &Visit, server: &McpServer, gateway: &Gateway) -> Result<AnyView, ActionError> {
    let context = &visit.context;
    let administers = visit.authority()?.is_administrator();
    let tools = tools::list(context, &server.id).await?;
    let week = Period::Week.first_hour(visit.now());
    let sums = usage::by_name(context, &Authority::Everything, &server.id, week).await?;
    let mut calls: BTreeMap<String, i64> = BTreeMap::new();
    for sum in sums.into_iter().filter(|sum| sum.outcome.reached()) {
        *calls.entry(sum.name).or_default() += sum.calls;
    }
    if !administers {
        // How much other teams call is not for everybody.
        calls.clear();
    }
    let typed = present(server, gateway, &tools);
    let changes = changes(server, gateway, &tools, administers);
    if !administers {
        return Ok(html! {
            {changes}
            {panel("tools", "Tools", muted("Which scope allows which tool"), matrix(server, &tools, &typed, &calls, false))}
        });
    }
    let look = post_form(
        links::look_at_tools(&server.id),
        "",
        view! {
            <button class="button" data-size="small">"Look again"</button>
        },
    );
    let ready = ready_scopes(server, gateway, &tools);
    Ok(html! {
        {changes}
        <section class="panel" aria-labelledby="tools-title">
            <header><h2 id="tools-title">"Tools"</h2><div class="row">{muted("Which scope allows which tool")}{look}</div></header>
            <form method="post" action=links::server_tools(&server.id)>
                <FormToken/>
                {matrix(server, &tools, &typed, &calls, true)}
                {others(gateway, &typed)}
                <div class="body row"><button class="button" data-kind="primary">"Save rules"</button></div>
            </form>
        </section>
        {ready}
    })
}

/// The table of tools and scopes.
fn matrix(
    server: &McpServer,
    tools: &[Tool],
    typed: &[TypedRule],
    calls: &BTreeMap<String, i64>,
    can_change: bool,
) -> AnyView {
    if tools.is_empty() {
        return html! {
            {hidden_scopes(typed, can_change)}
            {empty("No tool is known yet. Countersign reads them when an administrator looks at the server, and when a client lists them.")}
        };
    }
    let heads = server.scopes.iter().map(|scope| {
        view! { <th scope="col"><code title=scope.description.clone()>{scope.name.clone()}</code></th> }
    });
    let cell = |scope: &str, is_on: bool, name: &'static str, value: String, words: String| {
        let label = scope.to_owned();
        match can_change {
            true => view! {
                <td data-label=label><input type="checkbox" name=name value=value checked=is_on aria-label=words/></td>
            }
            .into_any(),
            false if is_on => view! { <td data-label=label>"Yes"</td> }.into_any(),
            false => view! { <td data-label=label>{muted("No")}</td> }.into_any(),
        }
    };
    let all = typed.iter().map(|rule| {
        let words = format!("{} allows all tools", rule.scope);
        cell(&rule.scope, rule.all_tools, "all_tools", rule.scope.clone(), words)
    });
    let rows = tools.iter().filter(|tool| tool.state() != ToolState::Gone).map(|tool| {
        let cells = typed.iter().map(|rule| {
            let is_on = rule.tools.contains(&tool.name);
            let words = format!("{} allows {}", rule.scope, tool.name);
            cell(&rule.scope, is_on, "tool", format!("{} {}", rule.scope, tool.name), words)
        });
        let description = tool.definition().map(Definition::description).unwrap_or_default();
        let short: String = description.chars().take(140).collect();
        let short = if short.len() < description.len() { format!("{short}…") } else { short };
        let count = calls.get(&tool.name).copied().unwrap_or_default();
        view! {
            <tr>
                <th scope="row">{can_change.then(|| hidden("shown", tool.name.clone()))}<span class="named">{tool.name.clone()}{state_chip(tool.state())}{hint_words(tool.hint())}</span>{sub(short)}</th>
                {cells.collect_view()}
                {can_change.then(|| view! { <td class="number" data-label="Calls, 7 d">{grouped(count)}</td> })}
            </tr>
        }
    });
    html! {
        {hidden_scopes(typed, can_change)}
        <div class="scroll">
            <table class="matrix">
                <thead><tr><th scope="col">"Tool"</th>{heads.collect_view()}{can_change.then(|| view! { <th scope="col" class="number">"Calls, 7 d"</th> })}</tr></thead>
                <tbody>
                    <tr><th scope="row">"All tools"{sub("Also tools that the server adds later")}</th>{all.collect_view()}{can_change.then(|| view! { <td></td> })}</tr>
                    {rows.collect_view()}
                </tbody>
            </table>
        </div>
    }
}

/// The scopes that the form is about: without them, a scope without a tick would not be in the form.
fn hidden_scopes(typed: &[TypedRule], can_change: bool) -> AnyView {
    let fields = typed.iter().filter(|_| can_change).map(|rule| hidden("scope", rule.scope.clone()));
    html! { {fields.collect_view()} }
}

fn state_chip(state: ToolState) -> Option<AnyView> {
    match state {
        ToolState::Accepted => None,
        ToolState::Changed => Some(chip("Changed", "warn")),
        ToolState::New => Some(chip("New", "idle")),
        ToolState::Gone => Some(chip("Gone", "idle")),
    }
}

fn hint_words(hint: Hint) -> AnyView {
    muted(match hint {
        Hint::Reads => "reads",
        Hint::Writes => "writes",
        Hint::Destroys => "destroys",
        Hint::Unknown => "",
    })
}

/// The fields for prompts and resources.
fn others(gateway: &Gateway, typed: &[TypedRule]) -> AnyView {
    let is_limited = typed.iter().any(|rule| !rule.all_prompts || !rule.all_resources);
    let known = match gateway.prompts.as_slice() {
        [] => "The server listed no prompts when an administrator last looked.".to_owned(),
        prompts => format!("The server has these prompts: {}.", prompts.join(", ")),
    };
    let rows = typed.iter().enumerate().map(|(place, rule)| {
        let area = |kind: &'static str, label: String, value: &str| {
            let id = format!("{kind}-{place}");
            view! {
                <div class="field">
                    <label for=id.clone()>{label}</label>
                    <textarea id=id name=format!("{kind} {}", rule.scope) rows="2">{text_area_content(value)}</textarea>
                </div>
            }
        };
        let scope = &rule.scope;
        view! {
            <fieldset class="stack">
                <legend><code>{scope.clone()}</code></legend>
                {choice("checkbox", "all_prompts", scope.clone(), rule.all_prompts, "All prompts")}
                {area("prompts", format!("Prompts of {scope}, if not all"), &rule.prompts)}
                {choice("checkbox", "all_resources", scope.clone(), rule.all_resources, "All resources")}
                {area("resources", format!("Resources of {scope}, if not all"), &rule.resources)}
            </fieldset>
        }
    });
    html! {
        <details class="more" open=is_limited>
            <summary>"Prompts and resources"</summary>
            <div class="body stack">
                <p class="hint">{known}" Write one name of a prompt per line, and for resources one beginning of a URI per line, such as "<code>"file:///docs/"</code>"."</p>
                {rows.collect_view()}
            </div>
        </details>
    }
}

/// Scopes that can be added with one click: made of what the tools say about themselves.
fn ready_scopes(server: &McpServer, gateway: &Gateway, tools: &[Tool]) -> Option<AnyView> {
    let reading: BTreeSet<&str> =
        tools.iter().filter(|tool| tool.hint() == Hint::Reads).map(|tool| tool.name.as_str()).collect();
    let is_there = |name: &str| server.scopes.iter().any(|scope| scope.name == name);
    let [read, all] = ready_names(gateway);
    let offer = |kind: &'static str, name: &str, words: String| {
        post_form(
            links::ready_scope(&server.id),
            "",
            view! {
                {hidden("kind", kind.to_owned())}
                <button class="button">"Add "<code>{name.to_owned()}</code></button>
                <span class="muted">{words}</span>
            },
        )
    };
    let reads = (!reading.is_empty() && reading.len() < tools.len() && !is_there(&read)).then(|| {
        let words = counted(reading.len(), "tool that only reads", "tools that only read");
        offer("read", &read, format!("allows the {words}, by their own account"))
    });
    let everything = (!is_there(&all)
        && !gateway.rules.allow_all(&server.scopes.iter().map(|scope| scope.name.as_str()).collect()))
    .then(|| offer("all", &all, "allows all tools, also tools that the server adds later".to_owned()));
    (reads.is_some() || everything.is_some()).then(|| {
        panel(
            "ready",
            "Ready scopes",
            muted("Scopes made of what the tools say about themselves"),
            view! {
                <div class="body stack">{reads}{everything}</div>
            },
        )
    })
}

/// The names of the scopes that can be added with one click: for tools that only read, and for all.
pub fn ready_names(gateway: &Gateway) -> [String; 2] {
    ["read", "all"].map(|kind| format!("{}:{kind}", gateway.slug))
}

/// The definitions that are not the accepted ones, and the button that accepts them.
fn changes(server: &McpServer, gateway: &Gateway, tools: &[Tool], administers: bool) -> Option<AnyView> {
    let differing: Vec<&Tool> = tools.iter().filter(|tool| tool.state() != ToolState::Accepted).collect();
    if differing.is_empty() {
        return None;
    }
    let rows = differing.iter().map(|tool| {
        let words = match tool.state() {
            ToolState::New => "This tool is new. Only scopes that allow all tools allow it.",
            ToolState::Gone => "The server no longer has this tool.",
            ToolState::Changed if gateway.on_change == ChangePolicy::Block => {
                "Calls are blocked, and clients do not see the tool, until somebody accepts this definition."
            }
            ToolState::Changed | ToolState::Accepted => "Clients get this definition now.",
        };
        let since = tool.seen_at.map(|at| html! { <span class="muted">"since "{moment(at)}</span> });
        view! {
            <div class="body stack">
                <h3 class="row">{tool.name.clone()}{state_chip(tool.state())}{since}</h3>
                <p>{words}</p>
                {difference(tool.accepted.as_ref(), tool.seen.as_ref())}
            </div>
        }
    });
    let accept = administers.then(|| {
        post_form(
            links::accept_tools(&server.id),
            "",
            view! {
                {hidden("seen", tools::version(tools))}
                <button class="button" data-kind="primary">"Accept these definitions"</button>
            },
        )
    });
    Some(panel("changes", "Definitions to accept", accept, rows.collect_view()))
}

/// What differs between two definitions, member by member.
fn difference(before: Option<&Definition>, after: Option<&Definition>) -> AnyView {
    let (before, after) = (before.map(Definition::value), after.map(Definition::value));
    let members = [
        ("description", "Description"),
        ("title", "Title"),
        ("annotations", "Hints"),
        ("inputSchema", "Input"),
        ("outputSchema", "Output"),
    ];
    let rows = members.into_iter().filter_map(|(member, label)| {
        let of =
            |definition: &Option<Value>| definition.as_ref().map(|value| value[member].clone()).unwrap_or_default();
        let (old, new) = (of(&before), of(&after));
        (old != new).then(|| {
            let old = (before.is_some() && !old.is_null()).then(|| removed(&old));
            let new = (after.is_some() && !new.is_null()).then(|| added(&new));
            view! { <div><b>{label}</b>{old}{new}</div> }
        })
    });
    html! { <div class="stack">{rows.collect_view()}</div> }
}

fn removed(value: &Value) -> AnyView {
    html! { <p class="lines"><del>{written(value)}</del></p> }
}

fn added(value: &Value) -> AnyView {
    html! { <p class="lines"><ins>{written(value)}</ins></p> }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

/// The page that looks at the server. It is shown again with the reason when the server gave no answer.
pub async fn look_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    gateway::find(&visit.context, &server.id).await?.ok_or(ActionError::NotFound)?;
    Ok(look_again(&server, form.errors))
}

/// The same page for a server that was just looked at.
pub fn look_again(server: &McpServer, errors: Errors) -> Page {
    let id = &server.id;
    FormPage::new(format!("Look at {}", server.name), links::look_at_tools(id), "Look again")
        .back(links::server_view(id, &[("view", "tools")]), server.name.clone())
        .question(
            "Countersign asks the server about itself, its tools and its prompts, with the header that is set for it. \
             The server is behind the gateway already: as soon as it answers, clients can call it.",
        )
        .page(errors)
}

/// Why a server behind the gateway gave no answer, and what to do.
pub fn problem_words(problem: &CallProblem, upstream: &str) -> String {
    match problem {
        CallProblem::Unreachable(cause) => format!("{upstream} could not be reached: {cause}."),
        CallProblem::Status { status: status @ (401 | 403), .. } => {
            format!("{upstream} answered {status}. Enter the header that it expects under “Gateway settings”.")
        }
        CallProblem::Status { status: 404 | 405, .. } => {
            format!(
                "{upstream} has no MCP endpoint at this address. Often the path is /mcp. Correct it under “Gateway settings”."
            )
        }
        CallProblem::Status { status: status @ 300..=399, .. } => {
            format!(
                "{upstream} answered {status}, a redirect, which Countersign does not follow. Enter the address that it leads to."
            )
        }
        CallProblem::Status { status, .. } => format!("{upstream} answered {status}. Its log says why."),
        CallProblem::NotMcp => {
            format!("{upstream} answered, but not with a message of the protocol. Is it an MCP server?")
        }
        CallProblem::Refused { code, message } => format!("{upstream} answered with the error {code}: {message}"),
        CallProblem::Withheld => format!("{upstream} did not answer."),
    }
}
