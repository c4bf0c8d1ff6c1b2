//! The clients that may ask people for consent.

use std::time::Duration;

use domain::base::cursor::Cursor;
use domain::client::{self, consent, prune};
use domain::model::client::redirect_uri::RedirectUri;
use domain::model::client::{AppClient, ClientKind, ClientQuery, ClientState};

use crate::components::pager::{PAGE_SIZE, page_of, pager};
use crate::components::parts::toolbar;
use crate::pages::audit::receipt::receipt;
use crate::pages::client::app_views;
use crate::prelude::*;

/// The filter in the list's address.
#[derive(Debug, Clone, Default)]
pub struct ClientsQuery {
    /// Part of the name or the client ID.
    pub q: String,
    /// Kind of client, as stored; empty: every kind.
    pub kind: String,
    /// State of the client, as stored; empty: every state.
    pub status: String,
    /// Cursor of the page.
    pub after: String,
    /// How many consents ended with the client that was removed.
    pub ended: String,
}

/// The list of the clients that may ask people for consent.
pub async fn page(query: ClientsQuery, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let ended = format!("{}.", query.ended.parse::<i64>().unwrap_or_default());
    let search = Some(query.q.trim().to_owned()).filter(|search| !search.is_empty());
    let (kind, state) = (ClientKind::parse(&query.kind), ClientState::parse(&query.status));
    let asked = ClientQuery { kind, state, search, after: Cursor::parse(&query.after) };
    let clients = client::list(&visit.context, &asked, PAGE_SIZE + 1).await?;
    let (clients, next) = page_of(clients, AppClient::cursor);
    let consents = consent::count_by_client(&visit.context, &clients).await?;
    let is_empty = clients.is_empty();
    let is_filtered = asked.search.is_some() || asked.kind.is_some() || asked.state.is_some() || asked.after.is_some();
    let kinds = options([
        ("", "Every kind"),
        (ClientKind::Registered.as_str(), "Added by an administrator"),
        (ClientKind::Dynamic.as_str(), "Registered themselves"),
        (ClientKind::Document.as_str(), "Described by their host"),
    ]);
    let states = options([
        ("", "Every status"),
        (ClientState::Enabled.as_str(), "Enabled"),
        (ClientState::Disabled.as_str(), "Disabled"),
    ]);
    let filters = (is_filtered || !is_empty).then(|| {
        let filters = view! {
            <div class="field">
                <label for="q">"Search"</label>
                <input id="q" name="q" type="search" placeholder="Name or client ID" autocomplete="off" value=query.q.clone()/>
            </div>
            <Select id="kind" label="Kind" options=kinds chosen=query.kind.clone()/>
            <Select id="status" label="Status" options=states chosen=query.status.clone()/>
        };
        toolbar(links::CLIENTS, "Clients", filters)
    });
    let given = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let pages = pager(
        links::CLIENTS,
        &[("q", given(&query.q)), ("kind", given(&query.kind)), ("status", given(&query.status)), ("after", next)],
        !query.after.is_empty(),
    );
    let list = if is_empty && is_filtered {
        empty(view! { "No client matches. "<a href=links::CLIENTS>"Show all"</a> })
    } else if is_empty {
        empty(
            "There is no client yet. Clients that can register themselves do so when somebody connects them. Add the others \
             here.",
        )
    } else {
        let rows = clients.into_iter().map(|client| {
            let hosts: Vec<String> = client.redirect_uris.iter().map(RedirectUri::host).collect();
            let path = links::client(&client.id);
            let access = match consents.get(client.id.as_str()) {
                Some(count) => html! { <a href=path.clone()>{grouped(*count)}</a> },
                None => muted("0"),
            };
            cells![
                html! {
                    <a class="name" href=path>{client.name.clone()}</a>{disabled_chip(client.disabled_at)}
                    <code>{client.id.to_string()}</code>
                },
                kind_words(&client),
                hosts.join(", "),
                access,
                distance(client.created_at),
                distance_or(client.last_used_at, "Never"),
            ]
        });
        let columns = [
            "Name and client ID".into(),
            "Kind".into(),
            "Redirects to".into(),
            Column::number("Allowed by"),
            "Created".into(),
            "Last token".into(),
        ];
        table(columns, rows)
    };
    let lead = format!(
        "Apps that may ask people for access. Self-registered clients are removed after {} days if nobody approves them, or \
         after {} days without use.",
        days(prune::NEVER_USED),
        days(prune::IDLE)
    );
    let add = primary_link(links::NEW_CLIENT, "Add client");
    let body = view! {
        {receipt(&visit, On::Clients, done, ended, None).await?}
        {head((), "Clients", lead, add)}
        {app_views(links::CLIENTS, true)}
        <section class="panel" aria-label="List">{filters}{list}</section>
        {pages}
    };
    Ok(Page::new("Clients", body))
}

fn days(time: Duration) -> u64 {
    time.as_secs() / (24 * 3600)
}

/// How a client was registered, in words.
pub(super) fn kind_words(client: &AppClient) -> &'static str {
    match (client.kind, client.is_confidential()) {
        (ClientKind::Registered, true) => "Added by an administrator, confidential",
        (ClientKind::Registered, false) if client.proves_itself() => {
            "Added by an administrator, proves itself with keys"
        }
        (ClientKind::Registered, false) => "Added by an administrator, public",
        (ClientKind::Dynamic, _) => "Registered itself",
        (ClientKind::Document, _) if client.key_source().is_some() => "Described by its host, proves itself with keys",
        (ClientKind::Document, _) => "Described by its host",
    }
}
