//! Personal tokens: one's own, generating one, and the one page that shows it.

use domain::base::id::PersonalTokenId;
use domain::client::personal_token::{self, PersonalTokenError, TokenDraft, grantable};
use domain::model::field_error::FieldError;
use domain::model::personal_token::{ListedToken, PersonalToken};
use domain::model::server::{McpServer, allows_for_person};
use domain::server;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, Select, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::snippet::Texts;
use crate::components::status::{ScopeTags, leaked_chip};
use crate::components::time::{Moment, MomentOr};
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::credential::fields::ScopeChoice;
use crate::pages::message::message;
use crate::snippets::Snippet;
use crate::visit::signed_in;

impl From<PersonalTokenError> for ActionError {
    fn from(error: PersonalTokenError) -> Self {
        match error {
            PersonalTokenError::NotFound => Self::NotFound,
            PersonalTokenError::Invalid(errors) => {
                Self::Invalid(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            PersonalTokenError::AlreadySubmitted => Self::Invalid("This form was sent before.".to_owned()),
            PersonalTokenError::Fault(fault) => fault.into(),
        }
    }
}

/// Ends a personal token.
#[server(prefix = "/fn", endpoint = "revoke_personal_token")]
pub async fn revoke_personal_token(token: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonalTokenId::parse(&token).ok_or(ActionError::NotFound)?;
    personal_token::end(&visit.context, &visit.actor()?, &id).await?;
    Ok("/apps?done=revoked".to_owned())
}

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedToken {
    /// Name.
    pub name: String,
    /// Identifier of the MCP server.
    pub server: String,
    /// Ticked scopes.
    pub scopes: Vec<String>,
    /// Days.
    pub expiry: String,
}

/// Choices of an expiry, in days.
const EXPIRIES: [(&str, &str); 4] = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "365 days")];
const DEFAULT_EXPIRY: &str = "30";

impl TypedToken {
    /// What the rules understand.
    pub fn draft(&self) -> TokenDraft {
        let expiry = if self.expiry.is_empty() { DEFAULT_EXPIRY } else { &self.expiry };
        TokenDraft {
            name: self.name.clone(),
            server: self.server.clone(),
            scopes: self.scopes.clone(),
            days: expiry.parse().unwrap_or(0),
        }
    }
}

/// Tokens, each with a button that ends it; with their people where somebody looks at everybody's.
pub(super) fn token_table(tokens: Vec<ListedToken>, servers: &[McpServer], of_everybody: bool) -> AnyView {
    if tokens.is_empty() {
        return view! { <div class="body"><p>"There is no personal token."</p></div> }.into_any();
    }
    let rows = tokens
        .into_iter()
        .map(|ListedToken { token, person_name, .. }| {
            let server = servers.iter().find(|server| server.id == token.server_id).map(|server| server.name.clone());
            let scopes = token.scopes.iter().map(str::to_owned).collect();
            let from = token.last_used_from.map(|address| view! { <div class="sub">{format!("from {address}")}</div> });
            let name = token.name.clone();
            view! {
                <tr>
                    <th scope="row">
                        {token.name}<div class="sub"><code>{format!("csp_…{}", token.hint)}</code></div>{leaked_chip(token.leaked_at)}
                    </th>
                    {of_everybody.then(|| view! { <td data-label="Person">{person_name.clone()}</td> })}
                    <td data-label="MCP server">{server}<div class="sub"><ScopeTags scopes/></div></td>
                    <td data-label="Ends"><Moment at=token.expires_at/></td>
                    <td data-label="Last used"><MomentOr at=token.last_used_at otherwise="Never"/>{from}</td>
                    <td class="corner">
                        <form method="post" action="/fn/revoke_personal_token">
                            <FormToken/>
                            <input type="hidden" name="token" value=token.id.to_string()/>
                            <button class="button" data-size="small">
                                "Revoke"<span class="vh">{format!(" {name} of {person_name}")}</span>
                            </button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <table>
            <thead><tr>
                <th scope="col">"Token"</th>
                {of_everybody.then(|| view! { <th scope="col">"Person"</th> })}
                <th scope="col">"MCP server and scopes"</th><th scope="col">"Ends"</th><th scope="col">"Last used"</th>
                <td class="corner"><span class="vh">"Actions"</span></td>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// One's own tokens, and the form for another with what was typed and what is wrong with it.
pub async fn page(typed: TypedToken, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let tokens = personal_token::list_own(&visit.context, &visit.viewer()?.id).await?;
    let mut servers = server::list(&visit.context).await?;
    let table = token_table(tokens, &servers, false);
    for server in &mut servers {
        let allowed = grantable(server);
        server.scopes.retain(|scope| allowed.contains(&scope.name));
        for scope in &mut server.scopes {
            scope.description = allows_for_person(scope).to_owned();
        }
    }
    let failed = !errors.is_empty();
    let of = Errors(errors.clone());
    let built_in = servers.iter().find(|server| server.built_in).map(|server| server.id.to_string());
    let chosen = if typed.server.is_empty() { built_in.unwrap_or_default() } else { typed.server };
    let options = servers.iter().map(|server| (server.id.to_string(), server.name.clone())).collect();
    let expiries = EXPIRIES.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let expiry = if typed.expiry.is_empty() { DEFAULT_EXPIRY.to_owned() } else { typed.expiry };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div>
            <a href="/account">"Back to your account"</a>
            <h1>"Personal tokens"</h1>
            <p>"For programs into which you paste a token. Whoever has it acts as you, within its scopes."</p>
        </div></div>
        <section class="panel" aria-label="Your tokens">{table}</section>
        <form method="post" action="/account/tokens" class="stack">
            <FormToken/>
            <section class="panel" aria-labelledby="new">
                <header><h2 id="new">"Another token"</h2></header>
                <div class="body">
                    <TextField id="name" label="Name" value=typed.name required=true error=of.at("name")
                        hint="The program that will hold it, such as mcp-use on my laptop."/>
                    <Select id="server" label="MCP server" options chosen error=of.at("server")
                        hint="Other MCP servers accept it only if they ask Countersign (token introspection)."/>
                    <ScopeChoice servers chosen=typed.scopes error=of.at("scopes")
                        hint="None ticked: the first scope of the MCP server you chose. Tick only scopes of that server."/>
                    <Select id="expiry" label="Expires after" options=expiries chosen=expiry error=of.at("expiry")/>
                </div>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row"><button class="button" data-kind="primary">"Generate token"</button></div>
        </form>
    };
    let status = if failed { 422 } else { 200 };
    Ok(Page::new("Personal tokens", body).framed(Frame::Narrow).answering(status))
}

/// Texts for programs that take a token, for this MCP server.
fn snippets(resource: &str) -> Vec<Snippet> {
    vec![
        Snippet {
            id: "curl",
            tab: "curl",
            about: "Lists the tools.",
            file: "tools.sh",
            text: format!(
                "curl {resource} \\\n  -H \"Authorization: Bearer $MCP_TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  \
                 -H 'Accept: application/json, text/event-stream' \\\n  \
                 -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}}'\n"
            ),
        },
        Snippet {
            id: "mcp-use",
            tab: "mcp-use, Python",
            about: "A client with this server.",
            file: "client.py",
            text: format!(
                "import os\nfrom mcp_use import MCPClient\n\nclient = MCPClient({{\"mcpServers\": {{\"countersign\": {{\n    \
                 \"url\": \"{resource}\",\n    \"auth\": os.environ[\"MCP_TOKEN\"],\n}}}}}})\n"
            ),
        },
        Snippet {
            id: "servers",
            tab: "mcp command line",
            about: "Its file of servers, which reads the variable.",
            file: "servers.json",
            text: format!(
                "{{\n  \"mcpServers\": {{\n    \"countersign\": {{\n      \"url\": \"{resource}\",\n      \
                 \"headers\": {{ \"Authorization\": \"Bearer ${{MCP_TOKEN}}\" }}\n    }}\n  }}\n}}\n"
            ),
        },
    ]
}

/// The answer to the form: the only time the token is shown.
pub async fn reveal(token: PersonalToken, secret: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let servers = server::list(&visit.context).await?;
    let server = servers.into_iter().find(|server| server.id == token.server_id).ok_or(ActionError::NotFound)?;
    let texts = snippets(&server.resource);
    let body = view! {
        <div class="head"><div>
            <h1>"Save your token"</h1>
            <p>"For "<b>{token.name}</b>", until "<Moment at=token.expires_at/>". This is the only time it is shown."</p>
        </div></div>
        <section class="panel body" aria-label="Token">
            <div class="field">
                <label for="token">"Token"</label>
                <input id="token" type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false" value=secret/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="token">
                        <Drawing icon=Icon::Copy/><span>"Copy token"</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask=""><span>"Show token"</span></button>
                </div>
            </div>
            <div class="row">
                <a class="button" data-stored="" href="/account/tokens">
                    <Drawing icon=Icon::Check/>"I have stored this token"
                </a>
            </div>
        </section>
        <Texts title="Use it" about="Without the token, which belongs in the variable MCP_TOKEN.".to_owned() texts/>
    };
    let mut page = Page::new("Save your token", body).framed(Frame::Guarded);
    page.secret = true;
    Ok(page)
}

/// The form was sent again.
pub fn already_generated() -> Page {
    message(
        409,
        "Already generated",
        "This form was sent before. Its token was shown once and cannot be shown again, and no second one was made. If it is \
         lost, revoke it and generate another.",
        Some(("/account/tokens".to_owned(), "Open your tokens")),
    )
}
