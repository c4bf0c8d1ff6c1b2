//! Personal tokens of the signed-in person, generating one, and the only page that shows it.

use domain::base::cursor::Cursor;
use domain::base::id::{McpServerId, PersonId, PersonalTokenId};
use domain::client::personal_token::{self, TokenDraft, grantable};
use domain::crypto::secret::PlainSecret;
use domain::model::client::personal_token::{ListedToken, PersonalToken};
use domain::model::person::authority::Authority;
use domain::model::server::{McpServer, allows_for_person};
use domain::server;

use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::pages::audit::receipt::{receipt, recorded};
use crate::pages::client::app_views;
use crate::pages::credential::fields::{Choose, read_scopes, server_cards};
use crate::pages::message::message;
use crate::prelude::*;
use crate::snippets;

/// Ends a personal token. It leads back to the page of `person` or of `server`, if the form names one.
#[server(prefix = "/fn", endpoint = "revoke_personal_token")]
pub(crate) async fn revoke_personal_token(
    token: String,
    #[server(default)] person: String,
    #[server(default)] server: String,
) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonalTokenId::parse(&token).ok_or(ActionError::NotFound)?;
    personal_token::end(&visit.context, &visit.actor()?, &id).await?;
    let next = match (PersonId::parse(&person), McpServerId::parse(&server)) {
        (_, Some(server)) => {
            Done::ServerTokenRevoked.at(links::server_view(&server, &[("view", "access"), ("kind", "tokens")]))
        }
        (Some(person), _) => Done::PersonTokenRevoked.at(links::person_view(&person, &[("view", "access")])),
        _ => Done::TokensRevoked.at(links::PERSONAL_TOKENS),
    };
    Ok(recorded(&visit, next, &id).await)
}

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedToken {
    /// Name.
    pub name: String,
    /// Identifier or resource identifier of the MCP server.
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
            scopes: read_scopes(&self.scopes, std::slice::from_ref(&self.server)),
            days: expiry.parse().unwrap_or(0),
        }
    }
}

/// What a table of personal tokens shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenTable {
    /// The tokens of the person who looks.
    Own,
    /// The tokens of all people.
    OfEverybody,
    /// The tokens of one person, on the page of that person.
    OfPerson,
}

/// Tokens, each with a button that ends it.
pub(crate) fn token_table(
    tokens: Vec<ListedToken>,
    servers: &[McpServer],
    authority: &Authority,
    shown: TokenTable,
) -> AnyView {
    if tokens.is_empty() {
        return match shown {
            TokenTable::Own => empty("You have no personal tokens."),
            TokenTable::OfEverybody => empty("Nobody has a personal token."),
            TokenTable::OfPerson => empty("This person has no personal tokens."),
        };
    }
    let rows = tokens.into_iter().map(|ListedToken { token, person_name, .. }| {
        let server = servers.iter().find(|server| server.id == token.server_id);
        let server = server.map(|server| named_server(server, authority));
        let words = ("Revoke", format!(" {} of {person_name}", token.name));
        let question = format!("Programs that have the token {} lose access at once. This cannot be undone.", token.name);
        let back = (shown == TokenTable::OfPerson).then(|| ("person", token.person.to_string()));
        let fields = [("token", token.id.to_string())].into_iter().chain(back);
        let of = (shown == TokenTable::OfEverybody).then(|| format!(" of {person_name}"));
        cells![
            html! {
                {token.name}<div class="sub"><code>{format!("csp_…{}", token.hint)}</code>{of}</div>{leaked_chip(token.leaked_at)}
            },
            html! { {server}{sub(scope_tags(token.scopes.iter()))} },
            distance(token.expires_at),
            last_use(token.last_used_at, token.last_used_from),
            asking_button(links::REVOKE_PERSONAL_TOKEN, fields, true, words, question),
        ]
    });
    let columns = [
        "Token".into(),
        Column::labelled("MCP server and scopes", "MCP server"),
        "Expires".into(),
        "Last used".into(),
        "".into(),
    ];
    table(columns, rows)
}

/// The name of the server, and whether it is closed to the person who looks. Administrators see no such mark, because
/// nothing is closed to them.
pub(super) fn named_server(server: &McpServer, authority: &Authority) -> AnyView {
    let closed = match server.is_archived() {
        true => Some(view! { " "{chip("Archived", "idle")} }),
        false => (!server.admits(authority)).then(|| view! { " "{chip("Not open to your teams", "warn")} }),
    };
    html! { {server.name.clone()}{closed} }
}

/// The address of the list.
#[derive(Debug, Clone, Default)]
pub struct TokensQuery {
    /// Cursor of the page.
    pub after: String,
    /// The word of the receipt.
    pub done: Option<String>,
}

/// The form, after a form that was refused.
pub async fn form(form: Form<TypedToken>) -> Result<Page, ActionError> {
    page(TokensQuery::default(), form).await
}

/// The tokens of the signed-in person, or for administrators the tokens of all people, and the form for another token
/// with the typed values and the errors.
pub async fn page(query: TokensQuery, form: Form<TypedToken>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let after = Cursor::parse(&query.after);
    let tokens = personal_token::list(&visit.context, authority, after.as_ref(), PAGE_SIZE + 1).await?;
    let (tokens, next) = page_of(tokens, ListedToken::cursor);
    let mut servers = server::list(&visit.context).await?;
    let table =
        token_table(tokens, &servers, authority, if administers { TokenTable::OfEverybody } else { TokenTable::Own });
    servers.retain(|server| {
        server.admits(authority) || server.id.as_str() == typed.server || server.resource == typed.server
    });
    for server in &mut servers {
        let allowed = grantable(server);
        server.scopes.retain(|scope| allowed.contains(&scope.name));
        for scope in &mut server.scopes {
            scope.description = allows_for_person(scope).to_owned();
        }
    }
    let built_in = servers.iter().find(|server| server.built_in).map(|server| server.id.to_string());
    let chosen = if typed.server.is_empty() { built_in.unwrap_or_default() } else { typed.server };
    let fields = view! {
        <div class="body">
            <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")
                hint="The program that will hold it, such as mcp-use on my laptop."/>
            {server_cards(Choose::One, servers, &[], &[chosen], &typed.scopes, &errors)}
            <Select id="expiry" label="Expires after" options=options(EXPIRIES) chosen=typed.expiry otherwise=DEFAULT_EXPIRY
                error=errors.at("expiry")/>
        </div>
    };
    let list = view! {
        {receipt(&visit, On::Tokens, query.done.as_deref(), String::new(), None).await?}
        {app_views(links::PERSONAL_TOKENS, administers)}
        <section class="panel" aria-label="Personal tokens">{table}</section>
        {pager(links::PERSONAL_TOKENS, &[("after", next)], !query.after.is_empty())}
    };
    let page = FormPage::new("Personal tokens", links::PERSONAL_TOKENS, "Generate token")
        .lead("For programs into which you paste a token. A program with your token acts as you, within its scopes.")
        .above(list)
        .fields(panel("new", "New token", (), fields));
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// The answer to the form. It is the only page that shows the token, with the texts for programs that call this MCP
/// server.
pub fn reveal(token: PersonalToken, secret: &PlainSecret, resource: &str) -> Page {
    let texts = snippets::personal_token(resource, secret.expose());
    let secret = secret.expose().to_owned();
    Reveal::new("Save your token", "Token", links::PERSONAL_TOKENS)
        .lead(view! { {shown_once(&token.name)}" It works until "{moment(token.expires_at)}"." })
        .if_lost("Countersign keeps only a fingerprint of it. If the token is lost, revoke it and generate another.")
        .secret("token", "Token", &secret)
        .stored("I have stored this token")
        .below(view! { <Texts title="Use it" about="The curl lines hold the token.".to_owned() texts secret=Some(secret)/> })
        .page()
}

/// The page for a form that was sent again.
pub fn already_generated(_: &str) -> Page {
    let text = "This form was sent before. Its token was shown once and cannot be shown again, and there is no second token. If \
                the token is lost, revoke it and generate another.";
    message(409, "Already generated", text, (links::PERSONAL_TOKENS, "Open your tokens"))
}
