//! Personal tokens of the signed-in person, generating one, and the only page that shows it.

use domain::base::id::PersonalTokenId;
use domain::client::personal_token::{self, TokenDraft, grantable};
use domain::crypto::secret::PlainSecret;
use domain::model::client::personal_token::{ListedToken, PersonalToken};
use domain::model::server::{McpServer, allows_for_person};
use domain::server;
use leptos::prelude::*;

use crate::components::form::field::{Select, TextField, options};
use crate::components::form::form_page::FormPage;
use crate::components::form::post_button::{one_of_many, post_button};
use crate::components::reveal::Reveal;
use crate::components::snippet::Texts;
use crate::components::status::{ScopeTags, leaked_chip};
use crate::components::table::{table, used_from};
use crate::components::time::{Moment, MomentOr};
use crate::done::Done;
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::pages::credential::fields::ScopeChoice;
use crate::pages::message::message;
use crate::snippets::Snippet;
use crate::visit::signed_in;

/// Ends a personal token.
#[server(prefix = "/fn", endpoint = "revoke_personal_token")]
pub async fn revoke_personal_token(token: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonalTokenId::parse(&token).ok_or(ActionError::NotFound)?;
    personal_token::end(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::AppsTokenRevoked.at(links::APPS))
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
    /// Days until it expires.
    pub expiry: String,
}

/// The expiries to choose from, in days.
const EXPIRIES: [(&str, &str); 4] = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "365 days")];
const DEFAULT_EXPIRY: &str = "30";

impl TypedToken {
    /// Converts the fields to the input of the domain rules.
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

/// Tokens, each with a button that ends it. The list of all people's tokens also shows the person.
pub(super) fn token_table(tokens: Vec<ListedToken>, servers: &[McpServer], of_everybody: bool) -> AnyView {
    if tokens.is_empty() {
        return view! { <div class="body"><p>"There is no personal token."</p></div> }.into_any();
    }
    let rows = tokens
        .into_iter()
        .map(|ListedToken { token, person_name, .. }| {
            let server = servers.iter().find(|server| server.id == token.server_id).map(|server| server.name.clone());
            let scopes = token.scopes.iter().map(str::to_owned).collect();
            let from = used_from(token.last_used_from);
            let name = token.name.clone();
            let words = one_of_many("Revoke", format!(" {name} of {person_name}"));
            let end = post_button(links::REVOKE_PERSONAL_TOKEN, [("token", token.id.to_string())], None, true, words);
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
                        {end}
                    </td>
                </tr>
            }
        })
        .collect_view();
    let columns = ["Token"].into_iter().chain(of_everybody.then_some("Person"));
    table(columns.chain(["MCP server and scopes", "Ends", "Last used", ""]), rows)
}

/// The tokens of the signed-in person, and the form for another token with the typed values and the errors.
pub async fn page(form: Form<TypedToken>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
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
    let built_in = servers.iter().find(|server| server.built_in).map(|server| server.id.to_string());
    let chosen = if typed.server.is_empty() { built_in.unwrap_or_default() } else { typed.server };
    let names = servers.iter().map(|server| (server.id.to_string(), server.name.clone())).collect();
    let expiry = if typed.expiry.is_empty() { DEFAULT_EXPIRY.to_owned() } else { typed.expiry };
    let fields = view! {
        <section class="panel" aria-labelledby="new">
            <header><h2 id="new">"Another token"</h2></header>
            <div class="body">
                <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")
                    hint="The program that will hold it, such as mcp-use on my laptop."/>
                <Select id="server" label="MCP server" options=names chosen error=errors.at("server")
                    hint="Other MCP servers accept it only if they ask Countersign (token introspection)."/>
                <ScopeChoice servers chosen=typed.scopes error=errors.at("scopes")
                    hint="None ticked: the first scope of the MCP server you chose. Tick only scopes of that server."/>
                <Select id="expiry" label="Expires after" options=options(&EXPIRIES) chosen=expiry error=errors.at("expiry")/>
            </div>
        </section>
    };
    let page = FormPage::new("Personal tokens", links::PERSONAL_TOKENS, "Generate token")
        .back(links::ACCOUNT, "Back to your account")
        .lead("For programs into which you paste a token. Whoever has it acts as you, within its scopes.")
        .without_cancel()
        .above(view! { <section class="panel" aria-label="Your tokens">{table}</section> })
        .fields(fields);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// The texts for programs that use a token, for this MCP server.
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

/// The answer to the form. It is the only page that shows the token, with the texts for programs that call this MCP
/// server.
pub fn reveal(token: PersonalToken, secret: &PlainSecret, resource: &str) -> Page {
    let texts = snippets(resource);
    let lead = view! { "For "<b>{token.name}</b>", until "<Moment at=token.expires_at/>". This is the only time it is shown." };
    Reveal::new("Save your token", "Token", links::PERSONAL_TOKENS)
        .lead(lead)
        .secret("token", "Token", secret.expose())
        .stored("I have stored this token")
        .below(view! { <Texts title="Use it" about="Without the token, which belongs in the variable MCP_TOKEN.".to_owned() texts/> })
        .page()
}

/// The page for a form that was sent again.
pub fn already_generated(_: &str) -> Page {
    message(
        409,
        "Already generated",
        "This form was sent before. Its token was shown once and cannot be shown again, and no second one was made. If it is \
         lost, revoke it and generate another.",
        Some((links::PERSONAL_TOKENS.to_owned(), "Open your tokens")),
    )
}
