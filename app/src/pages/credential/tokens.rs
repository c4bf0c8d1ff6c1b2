//! The live tokens of a credential, each with a button that ends it.

use domain::base::id::TokenId;
use domain::model::credential::Credential;
use domain::model::person::authority::Role;
use domain::server;
use domain::token::live::{self, LedgerToken};

use crate::components::parts::page_links;
use crate::components::table::used_from;
use crate::pages::credential::list::short_resource;
use crate::prelude::*;

/// Number of tokens on one page.
const PAGE: u16 = 50;
/// The parameter of the address that names the last token of the page before.
const BEFORE: &str = "tokens_before";

/// Ends one access token. It leads back to what the token belongs to.
#[server(prefix = "/fn", endpoint = "revoke_token")]
pub(crate) async fn revoke_token(token: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let jti = TokenId::parse(&token).ok_or(ActionError::NotFound)?;
    Ok(match live::end(&visit.context, &visit.actor()?, &jti).await? {
        Some(client_id) => {
            format!("{}&view=tokens", Done::CredentialTokenRevoked.at(links::credential(client_id)))
        }
        None => Done::AppsAppTokenRevoked.at(links::APPS),
    })
}

/// The panel with the live tokens of a credential. The address of the page may name the token before the first.
pub(crate) async fn tokens_view(visit: &Visit, credential: &Credential) -> Result<AnyView, ActionError> {
    let before = parameter(&visit.path, BEFORE).and_then(TokenId::parse);
    let mut tokens = live::list(&visit.context, credential, before.as_ref(), PAGE + 1).await?;
    let has_more = tokens.len() > usize::from(PAGE);
    tokens.truncate(usize::from(PAGE));
    let address = |before: &str| {
        links::with_query(&links::credential(&credential.client_id), &[("view", "tokens"), (BEFORE, before)])
    };
    let first = before.is_some().then(|| address(""));
    let next = tokens.last().filter(|_| has_more).map(|token| address(token.jti.as_str()));
    let pages =
        (first.is_some() || next.is_some()).then(|| view! { <div class="body">{page_links(first, next)}</div> });
    let look_up = view! { <a href=links::TOKENS>"Look up a token"</a> };
    let content = if tokens.is_empty() {
        empty(none(credential))
    } else {
        table_of(visit, tokens, visit.may(&credential.team, Role::Member)).await?
    };
    Ok(panel("tokens", "Live tokens", look_up, view! { {content}{pages} }))
}

/// Why there is no live token.
fn none(credential: &Credential) -> &'static str {
    match (credential.revoked_at, credential.disabled_at) {
        (Some(_), _) => "The credential is revoked, so none of its tokens works.",
        (_, Some(_)) => "The credential is disabled. Its tokens are refused until you enable it again.",
        _ => "No live token. Each exchange issues one; it appears here until it expires.",
    }
}

async fn table_of(visit: &Visit, tokens: Vec<LedgerToken>, may_end: bool) -> Result<AnyView, ActionError> {
    let servers = server::list(&visit.context).await?;
    let rows = tokens.into_iter().map(|token| {
        let server = servers.iter().find(|server| server.id == token.server);
        let server = server.map(|server| short_resource(&server.resource)).unwrap_or_default();
        let end = token.jti.as_str().get(26..).unwrap_or_default().to_owned();
        let question = view! {
            "Revoke the token that ends in "{end.clone()}"? MCP servers that check only the signature accept it until "
            {moment(token.expires_at)}". This cannot be undone."
        };
        let fields = [("token", token.jti.to_string())];
        let button = asking_button(links::REVOKE_TOKEN, fields, true, ("Revoke", format!(" token {end}")), question);
        cells![
            html! { <code>{format!("tok_…{end}")}</code>{sub(view! { "issued "{distance(token.issued_at)} })} },
            html! { {server}{sub(scope_tags(token.scope.split(' ')))} },
            html! { <code>{token.exchanged()}</code>{used_from(token.address)} },
            distance(token.expires_at),
            may_end.then_some(button),
        ]
    });
    let columns = [
        "Token".into(),
        Column::labelled("MCP server and scopes", "MCP server"),
        Column::labelled("Secret or key", "With"),
        "Expires".into(),
        Column::when("", may_end),
    ];
    Ok(table(columns, rows))
}

/// The value of a parameter in an address of ours. Identifiers need no decoding.
fn parameter<'address>(address: &'address str, name: &str) -> Option<&'address str> {
    let (_, query) = address.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
