//! Connected apps: the consents that people gave.

use domain::base::cursor::Cursor;
use domain::base::id::ConsentId;
use domain::client::consent;
use domain::client::personal_token;
use domain::model::client::ClientKind;
use domain::model::client::consent::{Consent, ListedConsent};
use domain::model::client::personal_token::ListedToken;
use domain::server;

use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::components::table::used_from;
use crate::pages::client::personal_tokens::{named_server, token_table};
use crate::prelude::*;

/// Ends a consent.
#[server(prefix = "/fn", endpoint = "end_grant")]
pub(crate) async fn end_grant(grant: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ConsentId::parse(&grant).ok_or(ActionError::NotFound)?;
    consent::end(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::AppsAccessEnded.at(links::APPS))
}

/// The cursors of the two lists on the page.
#[derive(Debug, Clone, Default)]
pub struct AppsQuery {
    /// Cursor in the list of consents.
    pub after: String,
    /// Cursor in the list of personal tokens.
    pub tokens_after: String,
}

/// The consents of the signed-in person. Administrators also see the consents of all people.
pub async fn page(query: AppsQuery, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let after = Cursor::parse(&query.after);
    let grants = consent::list(&visit.context, authority, after.as_ref(), PAGE_SIZE + 1).await?;
    let (grants, next) = page_of(grants, ListedConsent::cursor);
    let after = Cursor::parse(&query.tokens_after);
    let tokens = personal_token::list(&visit.context, authority, after.as_ref(), PAGE_SIZE + 1).await?;
    let (tokens, next_tokens) = page_of(tokens, ListedToken::cursor);
    let client_of = |consent: &Consent, name: &str| match administers {
        true => html! { <a class="name" href=links::client(&consent.client_id)>{name.to_owned()}</a> },
        false => name.to_owned().into_any(),
    };
    let servers = server::list(&visit.context).await?;
    let is_empty = grants.is_empty();
    let rows = grants.into_iter().map(|ListedConsent { consent, person_name, client_name, client_kind }| {
        let server = servers.iter().find(|server| server.id == consent.server_id);
        let server = server.map(|server| named_server(server, authority));
        let words = one_of_many("End access", format!(" of {client_name} for {person_name}"));
        cells![
            html! { {client_of(&consent, &client_name)}{leaked_chip(consent.leaked_at)} },
            html! {
                {consent.redirect_host}
                {(client_kind != ClientKind::Registered).then(|| sub("name not checked"))}
            },
            person_name,
            html! { {server}{sub(scope_tags(consent.scopes.iter()))} },
            distance(consent.created_at),
            html! { {distance(consent.last_used_at)}{used_from(consent.last_used_from)} },
            post_button(links::END_ACCESS, [("grant", consent.id.to_string())], None, true, words),
        ]
    });
    let columns = [
        "App".into(),
        "Access goes to".into(),
        Column::when("Person", administers),
        Column::labelled("MCP server and scopes", "MCP server"),
        "Allowed".into(),
        "Last token".into(),
        "".into(),
    ];
    let list = if is_empty {
        empty(
            "No app is connected. When a desktop client, a command line or a website asks to act for you and you allow it, it \
             appears here.",
        )
    } else {
        table(columns, rows)
    };
    let lead = match administers {
        true => "Programs that act for people, by their consent.",
        false => "Programs that act for you, by your consent.",
    };
    let generate = view! { <a href=links::PERSONAL_TOKENS>"Generate a token"</a> };
    let body = view! {
        <Receipt on=On::Apps done/>
        {head((), "Connected apps", lead, administers.then(|| button_link(links::CLIENTS, "Clients")))}
        <section class="panel" aria-label="Connected apps">{list}</section>
        {pager(links::APPS, &[("after", next)], !query.after.is_empty())}
        {panel("tokens", "Personal tokens", generate, token_table(tokens, &servers, authority, administers))}
        {pager(links::APPS, &[("tokens_after", next_tokens)], !query.tokens_after.is_empty())}
    };
    Ok(Page::new("Connected apps", body))
}
