//! Connected apps: the consents that people gave.

use domain::base::cursor::Cursor;
use domain::base::id::{AppClientId, ConsentId, McpServerId, PersonId};
use domain::client::consent;
use domain::model::client::ClientKind;
use domain::model::client::consent::{Consent, ConsentQuery, ListedConsent};
use domain::model::person::authority::Authority;
use domain::model::server::McpServer;
use domain::server;

use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::components::parts::toolbar;
use crate::components::table::used_from;
use crate::pages::audit::receipt::{receipt, recorded};
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
    let ended = consent::end(&visit.context, &visit.actor()?, &id).await?;
    let next = match (AppClientId::parse(&client), PersonId::parse(&person), McpServerId::parse(&server)) {
        (Some(client), ..) => Done::ClientAccessEnded.at(links::client(&client)),
        (_, _, Some(server)) => {
            Done::ServerAppEnded.at(links::server_view(&server, &[("view", "access"), ("kind", "apps")]))
        }
        (_, Some(person), _) => Done::PersonAppEnded.at(links::person_view(&person, &[("view", "access")])),
        _ => Done::AppsAccessEnded.at(links::APPS),
    };
    Ok(recorded(&visit, next, &ended).await)
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
    let rows = grants.into_iter().map(|ListedConsent { consent, person_name, client_name, client_kind, client_disabled_at }| {
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
        let place = match consent.is_of_device() {
            true => "signed in on a device".to_owned(),
            false => format!("runs at {}", consent.redirect_host),
        };
        let place = match client_kind {
            ClientKind::Registered => place,
            // The page of a client says it once.
            _ if shown == ConsentTable::OfClient => place,
            _ => format!("{place}, name not checked"),
        };
        let first = match shown {
            ConsentTable::OfClient => person_name.clone().into_any(),
            _ => client_of(&consent, &client_name),
        };
        let disabled = disabled_chip(client_disabled_at.filter(|_| shown != ConsentTable::OfClient));
        cells![
            html! { {first}{disabled}{sub(place)}{leaked_chip(consent.leaked_at)} },
            person_name,
            html! { {server}{sub(scope_tags(consent.scopes.iter()))} },
            distance(consent.created_at),
            html! { {distance(consent.last_used_at)}{used_from(consent.last_used_from)} },
            asking_button(links::END_ACCESS, fields, true, words, question),
        ]
    });
    let columns = [
        if shown == ConsentTable::OfClient { "Person" } else { "App" }.into(),
        Column::when("Person", shown == ConsentTable::OfEverybody),
        Column::labelled("MCP server and scopes", "MCP server"),
        "Allowed".into(),
        "Last token".into(),
        "".into(),
    ];
    table(columns, rows)
}

/// The filter in the list's address.
#[derive(Debug, Clone, Default)]
pub struct AppsQuery {
    /// Part of the name of a person or of an app.
    pub q: String,
    /// Identifier of an MCP server; empty: every server.
    pub server: String,
    /// Cursor of the page.
    pub after: String,
}

/// The consents of the signed-in person. Administrators also see the consents of all people.
pub async fn page(query: AppsQuery, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let search = Some(query.q.trim().to_owned()).filter(|search| !search.is_empty());
    let asked = ConsentQuery { server: McpServerId::parse(&query.server), search, after: Cursor::parse(&query.after) };
    let grants = consent::list(&visit.context, authority, &asked, PAGE_SIZE + 1).await?;
    let (grants, next) = page_of(grants, ListedConsent::cursor);
    let servers = server::list(&visit.context).await?;
    let is_filtered = asked.server.is_some() || asked.search.is_some();
    let filters = (is_filtered || !grants.is_empty()).then(|| filters(&query, &servers, administers));
    let list = if grants.is_empty() && is_filtered {
        empty(view! { "No connected app matches. "<a href=links::APPS>"Show all"</a> })
    } else if grants.is_empty() {
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
    let device = visit.context.settings.device_grant.then(|| button_link(links::DEVICE, "Enter a device’s code"));
    let given = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let pages = pager(
        links::APPS,
        &[("q", given(&query.q)), ("server", given(&query.server)), ("after", next)],
        !query.after.is_empty(),
    );
    let body = view! {
        {receipt(&visit, On::Apps, done, String::new(), None).await?}
        {head((), "Connected apps", lead, device)}
        {app_views(links::APPS, administers)}
        <section class="panel" aria-label="Connected apps">{filters}{list}</section>
        {pages}
    };
    Ok(Page::new("Connected apps", body))
}

/// The search and the filter above the list.
fn filters(query: &AppsQuery, servers: &[McpServer], administers: bool) -> AnyView {
    let names = servers.iter().map(|server| (server.id.to_string(), server.name.clone()));
    let placeholder = if administers { "Person or app" } else { "App" };
    let fields = view! {
        <div class="field">
            <label for="q">"Search"</label>
            <input id="q" name="q" type="search" placeholder=placeholder autocomplete="off" value=query.q.clone()/>
        </div>
        <Select id="server" label="MCP server" options=options_after("All servers", names) chosen=query.server.clone()/>
    };
    toolbar(links::APPS, "Connected apps", fields)
}
