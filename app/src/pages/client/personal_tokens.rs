//! Personal tokens of the signed-in person, generating one, and the only page that shows it.

use domain::base::id::PersonalTokenId;
use domain::client::personal_token::{self, TokenDraft, grantable};
use domain::crypto::secret::PlainSecret;
use domain::model::client::personal_token::{ListedToken, PersonalToken};
use domain::model::person::authority::Authority;
use domain::model::server::{McpServer, allows_for_person};
use domain::server;

use crate::pages::credential::fields::ScopeChoice;
use crate::pages::message::message;
use crate::prelude::*;
use crate::snippets;

/// Ends a personal token.
#[server(prefix = "/fn", endpoint = "revoke_personal_token")]
pub(crate) async fn revoke_personal_token(token: String) -> Result<String, ActionError> {
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
pub(super) fn token_table(
    tokens: Vec<ListedToken>,
    servers: &[McpServer],
    authority: &Authority,
    of_everybody: bool,
) -> AnyView {
    if tokens.is_empty() {
        return empty("There is no personal token.");
    }
    let rows = tokens.into_iter().map(|ListedToken { token, person_name, .. }| {
        let server = servers.iter().find(|server| server.id == token.server_id);
        let server = server.map(|server| named_server(server, authority));
        let words = one_of_many("Revoke", format!(" {} of {person_name}", token.name));
        cells![
            html! {
                {token.name}<div class="sub"><code>{format!("csp_…{}", token.hint)}</code></div>{leaked_chip(token.leaked_at)}
            },
            person_name,
            html! { {server}{sub(scope_tags(token.scopes.iter()))} },
            distance(token.expires_at),
            last_use(token.last_used_at, token.last_used_from),
            post_button(links::REVOKE_PERSONAL_TOKEN, [("token", token.id.to_string())], None, true, words),
        ]
    });
    let columns = [
        "Token".into(),
        Column::when("Person", of_everybody),
        Column::labelled("MCP server and scopes", "MCP server"),
        "Ends".into(),
        "Last used".into(),
        "".into(),
    ];
    table(columns, rows)
}

/// The name of the server, and whether it is closed to the person who looks. Administrators see no such mark, because
/// nothing is closed to them.
pub(super) fn named_server(server: &McpServer, authority: &Authority) -> AnyView {
    let closed = match server.is_archived() {
        true => Some(view! { " "{chip("Archived", "warn")} }),
        false => (!server.admits(authority)).then(|| view! { " "{chip("Not open to your teams", "warn")} }),
    };
    html! { {server.name.clone()}{closed} }
}

/// The tokens of the signed-in person, and the form for another token with the typed values and the errors.
pub async fn page(form: Form<TypedToken>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let tokens = personal_token::list_own(&visit.context, &visit.viewer()?.id).await?;
    let mut servers = server::list(&visit.context).await?;
    let authority = visit.authority()?;
    let table = token_table(tokens, &servers, authority, false);
    servers.retain(|server| server.admits(authority) || server.id.as_str() == typed.server);
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
    let fields = view! {
        <div class="body">
            <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")
                hint="The program that will hold it, such as mcp-use on my laptop."/>
            <Select id="server" label="MCP server" options=names chosen error=errors.at("server")
                hint="Other MCP servers accept it only if they ask Countersign (token introspection)."/>
            <ScopeChoice servers chosen=typed.scopes error=errors.at("scopes")
                hint="None ticked: the first scope of the MCP server you chose. Tick only scopes of that server."/>
            <Select id="expiry" label="Expires after" options=options(EXPIRIES) chosen=typed.expiry otherwise=DEFAULT_EXPIRY
                error=errors.at("expiry")/>
        </div>
    };
    let page = FormPage::new("Personal tokens", links::PERSONAL_TOKENS, "Generate token")
        .back(links::ACCOUNT, "Back to your account")
        .lead("For programs into which you paste a token. A program that has it acts as you, within its scopes.")
        .without_cancel()
        .above(view! { <section class="panel" aria-label="Your tokens">{table}</section> })
        .fields(panel("new", "Another token", (), fields));
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// The answer to the form. It is the only page that shows the token, with the texts for programs that call this MCP
/// server.
pub fn reveal(token: PersonalToken, secret: &PlainSecret, resource: &str) -> Page {
    let texts = snippets::personal_token(resource);
    let lead =
        view! { "For "<b>{token.name}</b>", until "{moment(token.expires_at)}". This is the only time it is shown." };
    Reveal::new("Save your token", "Token", links::PERSONAL_TOKENS)
        .lead(lead)
        .secret("token", "Token", secret.expose())
        .stored("I have stored this token")
        .below(view! { <Texts title="Use it" about="Without the token, which belongs in the variable MCP_TOKEN.".to_owned() texts/> })
        .page()
}

/// The page for a form that was sent again.
pub fn already_generated(_: &str) -> Page {
    let text = "This form was sent before. Its token was shown once and cannot be shown again, and no second one was made. If it \
                is lost, revoke it and generate another.";
    message(409, "Already generated", text, (links::PERSONAL_TOKENS, "Open your tokens"))
}
