//! Connected apps: the consents that people gave.

use domain::base::cursor::Cursor;
use domain::base::id::ConsentId;
use domain::client::consent;
use domain::client::personal_token;
use domain::model::client::ClientKind;
use domain::model::client::consent::{Consent, ListedConsent};
use domain::model::client::personal_token::ListedToken;
use domain::server;
use leptos::prelude::*;

use crate::components::form::post_button::{one_of_many, post_button};
use crate::components::notice::Receipt;
use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::components::status::{ScopeTags, leaked_chip};
use crate::components::table::{table, used_from};
use crate::components::time::Moment;
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::client::personal_tokens::token_table;
use crate::visit::signed_in;

/// Ends a consent.
#[server(prefix = "/fn", endpoint = "end_grant")]
pub async fn end_grant(grant: String) -> Result<String, ActionError> {
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
    let client_of = |grant: &Consent, name: &str| match administers {
        true => view! { <a class="name" href=links::client(&grant.client_id)>{name.to_owned()}</a> }.into_any(),
        false => name.to_owned().into_any(),
    };
    let servers = server::list(&visit.context).await?;
    let is_empty = grants.is_empty();
    let rows = grants
        .into_iter()
        .map(|ListedConsent { consent, person_name, client_name, client_kind }| {
            let server = servers.iter().find(|server| server.id == consent.server_id).map(|server| server.name.clone());
            let scopes = consent.scopes.iter().map(str::to_owned).collect();
            let name = client_of(&consent, &client_name);
            let from = used_from(consent.last_used_from);
            let leaked = leaked_chip(consent.leaked_at);
            let unchecked =
                (client_kind != ClientKind::Registered).then(|| view! { <div class="sub">"name not checked"</div> });
            let words = one_of_many("End access", format!(" of {client_name} for {person_name}"));
            let end = post_button(links::END_ACCESS, [("grant", consent.id.to_string())], None, true, words);
            view! {
                <tr>
                    <th scope="row">{name}{leaked}</th>
                    <td data-label="Access goes to">{consent.redirect_host}{unchecked}</td>
                    {administers.then(|| view! { <td data-label="Person">{person_name.clone()}</td> })}
                    <td data-label="MCP server">{server}<div class="sub"><ScopeTags scopes/></div></td>
                    <td data-label="Allowed"><Moment at=consent.created_at/></td>
                    <td data-label="Last token"><Moment at=consent.last_used_at/>{from}</td>
                    <td class="corner">
                        {end}
                    </td>
                </tr>
            }
        })
        .collect_view();
    let person = administers.then_some("Person");
    let columns = ["App", "Access goes to"].into_iter().chain(person);
    let columns = columns.chain(["MCP server and scopes", "Allowed", "Last token", ""]);
    let list = if is_empty {
        view! { <div class="body"><p>"No app is connected. When a desktop client, a command line or a website asks to act for you and you allow it, it appears here."</p></div> }
            .into_any()
    } else {
        table(columns, rows)
    };
    let body = view! {
        <Receipt on=On::Apps done/>
        <div class="head">
            <div><h1>"Connected apps"</h1><p>{if administers {
                "Programs that act for people, by their consent."
            } else {
                "Programs that act for you, by your consent."
            }}</p></div>
            {administers.then(|| view! { <a class="button" href=links::CLIENTS>"Clients"</a> })}
        </div>
        <section class="panel" aria-label="Connected apps">{list}</section>
        {pager(links::APPS, &[("after", next)], !query.after.is_empty())}
        <section class="panel" aria-labelledby="tokens">
            <header><h2 id="tokens">"Personal tokens"</h2><a href=links::PERSONAL_TOKENS>"Generate a token"</a></header>
            {token_table(tokens, &servers, administers)}
        </section>
        {pager(links::APPS, &[("tokens_after", next_tokens)], !query.tokens_after.is_empty())}
    };
    Ok(Page::new("Connected apps", body))
}
