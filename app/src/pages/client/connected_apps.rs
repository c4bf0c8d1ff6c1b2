//! Connected apps: the consents that people gave.

use domain::base::cursor::Cursor;
use domain::base::id::{AppClientId, ConsentId, McpServerId, PersonId};
use domain::client::consent;
use domain::model::client::ClientKind;
use domain::model::client::consent::{Consent, ListedConsent};
use domain::model::person::authority::Authority;
use domain::model::server::McpServer;
use domain::server;

use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::components::table::used_from;
use crate::pages::client::app_views;
use crate::pages::client::personal_tokens::named_server;
use crate::prelude::*;

/// Ends a consent. It leads back to the page of `client`, of `person` or of `server`, if the form names one.
#[server(prefix = "/fn", endpoint = "end_grant")]
pub(crate) async fn end_grant(
    grant: String,
    #[server(default)] client: String,
    #[server(default)] person: String,
    #[server(default)] server: String,
) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = ConsentId::parse(&grant).ok_or(ActionError::NotFound)?;
    consent::end(&visit.context, &visit.actor()?, &id).await?;
    Ok(match (AppClientId::parse(&client), PersonId::parse(&person), McpServerId::parse(&server)) {
        (Some(client), ..) => Done::ClientAccessEnded.at(links::client(&client)),
        (_, _, Some(server)) => {
            Done::ServerAppEnded.at(links::server_view(&server, &[("view", "access"), ("kind", "apps")]))
        }
        (_, Some(person), _) => Done::PersonAppEnded.at(links::person_view(&person, &[("view", "access")])),
        _ => Done::AppsAccessEnded.at(links::APPS),
    })
}

/// What a table of consents shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsentTable {
    /// The consents of the person who looks.
    Own,
    /// The consents of all people.
    OfEverybody,
    /// The consents for one client.
    OfClient,
    /// The consents of one person, on the page of that person.
    OfPerson,
}

/// Consents, each with a button that ends it.
pub(crate) fn consent_table(
    grants: Vec<ListedConsent>,
    servers: &[McpServer],
    authority: &Authority,
    shown: ConsentTable,
) -> AnyView {
    let client_of = |consent: &Consent, name: &str| match shown {
        ConsentTable::OfEverybody | ConsentTable::OfPerson => {
            html! { <a class="name" href=links::client(&consent.client_id)>{name.to_owned()}</a> }
        }
        _ => name.to_owned().into_any(),
    };
    let rows = grants.into_iter().map(|ListedConsent { consent, person_name, client_name, client_kind }| {
        let server = servers.iter().find(|server| server.id == consent.server_id);
        let server_name = server.map(|server| server.name.clone()).unwrap_or_default();
        let server = server.map(|server| named_server(server, authority));
        let back = match shown {
            ConsentTable::OfClient => Some(("client", consent.client_id.to_string())),
            ConsentTable::OfPerson => Some(("person", consent.person.to_string())),
            ConsentTable::Own | ConsentTable::OfEverybody => None,
        };
        let fields = [("grant", consent.id.to_string())].into_iter().chain(back);
        let words = ("End access", format!(" of {client_name} for {person_name}"));
        let question = format!(
            "{client_name} loses the access of {person_name} to {server_name}, and its tokens no longer work. It can ask again."
        );
        let place = match client_kind {
            ClientKind::Registered => format!("runs at {}", consent.redirect_host),
            _ => format!("runs at {}, name not checked", consent.redirect_host),
        };
        let first = match shown {
            ConsentTable::OfClient => person_name.clone().into_any(),
            _ => client_of(&consent, &client_name),
        };
        cells![
            html! { {first}{sub(place)}{leaked_chip(consent.leaked_at)} },
            person_name,
            html! { {server}{sub(scope_tags(consent.scopes.iter()))} },
            html! {
                {distance(consent.last_used_at)}{used_from(consent.last_used_from)}
                {sub(view! { "allowed "{distance(consent.created_at)} })}
            },
            asking_button(links::END_ACCESS, fields, true, words, question),
        ]
    });
    let columns = [
        if shown == ConsentTable::OfClient { "Person" } else { "App" }.into(),
        Column::when("Person", shown == ConsentTable::OfEverybody),
        Column::labelled("MCP server and scopes", "MCP server"),
        "Last token".into(),
        "".into(),
    ];
    table(columns, rows)
}

/// The consents of the signed-in person. Administrators also see the consents of all people.
pub async fn page(after: &str, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let cursor = Cursor::parse(after);
    let grants = consent::list(&visit.context, authority, cursor.as_ref(), PAGE_SIZE + 1).await?;
    let (grants, next) = page_of(grants, ListedConsent::cursor);
    let servers = server::list(&visit.context).await?;
    let list = if grants.is_empty() {
        empty(
            "No app is connected. When a desktop client, a command line or a website asks to act for you and you allow it, it \
             appears here.",
        )
    } else {
        let shown = if administers { ConsentTable::OfEverybody } else { ConsentTable::Own };
        consent_table(grants, &servers, authority, shown)
    };
    let lead = match administers {
        true => "Apps that people have allowed to act for them.",
        false => "Apps that you have allowed to act for you.",
    };
    let body = view! {
        <Receipt on=On::Apps done/>
        {head((), "Connected apps", lead, ())}
        {app_views(links::APPS, administers)}
        <section class="panel" aria-label="Connected apps">{list}</section>
        {pager(links::APPS, &[("after", next)], !after.is_empty())}
    };
    Ok(Page::new("Connected apps", body))
}
