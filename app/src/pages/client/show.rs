//! The page of one client.

use domain::base::cursor::Cursor;
use domain::base::id::AppClientId;
use domain::client::consent::EndedConsent;
use domain::client::{self, consent, usage};
use domain::credential::keys;
use domain::crypto::public_key::PublicKey;
use domain::model::audit::Action;
use domain::model::client::AppClient;
use domain::model::client::consent::ListedConsent;
use domain::model::client::keys::KeySource;
use domain::model::credential::usage::Period;
use domain::model::server::McpServer;
use domain::server;
use domain::services::issuer_keys::ClientKeys;

use crate::components::chart::{Chart, Counts, chart, period_pills};
use crate::components::pager::{PAGE_SIZE, page_of};
use crate::components::parts::{copied_code, key_figures, page_links, pairs};
use crate::pages::audit::entry::latest_changes;
use crate::pages::audit::receipt::{receipt, recorded};
use crate::pages::client::connected_apps::{ConsentTable, consent_table};
use crate::pages::client::list::kind_words;
use crate::pages::client::personal_tokens::named_server;
use crate::pages::client::refusals::refused;
use crate::pages::credential::authenticators::{key_names, published_keys};
use crate::pages::token::look_up::cause_words;
use crate::prelude::*;

/// How many consents the list of ended access has.
const NEWEST_ENDED: u16 = 20;

/// Removes a client and ends the consents that it has.
#[server(prefix = "/fn", endpoint = "remove_client")]
pub(crate) async fn remove_client(client: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&client).ok_or(ActionError::NotFound)?;
    let ended = client::remove(&visit.context, &visit.actor()?, &id).await?;
    let next = format!("{}&ended={ended}", Done::ClientsRemoved.at(links::CLIENTS));
    Ok(recorded(&visit, next, &id).await)
}

fn secret_words(hint: &str, ended: bool) -> String {
    match ended {
        false => format!("ends in {hint}"),
        true => format!(
            "ended in {hint}; it was reported as leaked and no longer works. Remove this client, then add it again or let \
             it register again."
        ),
    }
}

/// Where the keys of the client are, and which of them are known here.
fn proof(client: &AppClient) -> Option<AnyView> {
    Some(match client.key_source()? {
        KeySource::At(address) => published_keys(&ClientKeys::of_client(client, address)),
        KeySource::Listed(set) => {
            let keys = PublicKey::read_jwks(set).unwrap_or_default();
            html! { <div>"Keys in its document"</div>{key_names(&keys)} }
        }
    })
}

/// The credential with which the program of a document gets tokens for itself, or the way to generate one.
async fn machine(visit: &Visit, client: &AppClient) -> Result<Option<AnyView>, ActionError> {
    if client.id.document().is_none() || client.key_source().is_none() {
        return Ok(None);
    }
    Ok(Some(match keys::of_document(&visit.context, visit.authority()?, &client.id).await? {
        Some(credential) => {
            html! { <a href=links::credential(&credential.client_id)>{credential.name}</a>{sub("A credential works with the keys of this document.")} }
        }
        None => {
            let href = links::with_query(links::NEW_CREDENTIAL, &[("document", client.id.as_str())]);
            html! { "No. "<a href=href>"Generate a credential for its document"</a> }
        }
    }))
}

/// The chart of the tokens that the client got.
async fn exchanges(visit: &Visit, id: &AppClientId, period: Period) -> Result<AnyView, ActionError> {
    let bars = usage::bars(&visit.context, id, period).await?;
    let word = |word: &str| if word == Period::default().as_str() { String::new() } else { word.to_owned() };
    let address =
        |period: &str| format!("{}#exchanges", links::with_query(&links::client(id), &[("period", &word(period))]));
    let chart = chart(Chart { counts: Counts::Exchanges, bars, period, refused: None, causes: String::new() });
    let kept = view! { <div class="body"><p class="muted">"Access tokens that the app got. Countersign keeps them for 90 days."</p></div> };
    Ok(panel("exchanges", "Exchanges", period_pills(period, "Period", address), view! { {chart}{kept} }))
}

/// The access that has ended, the latest first: whose, when, and by whom or why. Nothing if none has.
async fn ended(visit: &Visit, id: &AppClientId, servers: &[McpServer]) -> Result<Option<AnyView>, ActionError> {
    let authority = visit.authority()?;
    let ended = consent::list_ended_of_client(&visit.context, authority, id, NEWEST_ENDED).await?;
    if ended.is_empty() {
        return Ok(None);
    }
    let rows = ended.into_iter().map(|EndedConsent { listed: ListedConsent { consent, person_name, .. }, entry }| {
        let server = servers.iter().find(|server| server.id == consent.server_id);
        let why = match consent.end_cause {
            Some(cause) => cause_words(cause),
            None if consent.end() < consent.expires_at => "The app did not use it for 30 days.",
            None => "It was 90 days old.",
        };
        let by = entry.map(|(seq, actor)| sub(html! { "by "{actor}", "<a href=links::entry(seq)>"see the entry"</a> }));
        cells![
            html! { <a class="name" href=links::person(&consent.person)>{person_name}</a> },
            server.map(|server| named_server(server, authority)),
            distance(consent.end()),
            html! { {why}{by} },
        ]
    });
    let all = links::with_query(links::ACTIVITY, &[("target", id.as_str()), ("action", Action::GrantEnded.as_str())]);
    let all = view! { <a href=all>"See all entries"</a> };
    Ok(Some(panel("ended", "Ended", all, table(["Person", "MCP server", "Ended", "Why"], rows))))
}

/// The way to remove the client. `consents` says how many consents end with it.
fn remove_panel(client: &AppClient, consents: &str) -> AnyView {
    let fields = [("client", client.id.to_string())];
    let question = format!(
        "The client can no longer ask anybody. The access that people gave it ends now: {consents}. This cannot be undone."
    );
    let button = asking_button(links::REMOVE_CLIENT, fields, false, ("Remove client", String::new()), question);
    let words = format!("Removing the client ends the access of everybody who allowed it: {consents}.");
    danger_panel(
        "stop",
        "Remove the client",
        view! { <div class="body"><p class="muted">{words}</p><div class="row">{button}</div></div> },
    )
}

/// The page of one client: what it is, who gave it access, and how to stop it.
pub async fn page(id: String, after: &str, period: Period, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)?;
    let (authority, cursor) = (visit.authority()?, Cursor::parse(after));
    let listed = consent::list_of_client(&visit.context, authority, &id, cursor.as_ref(), PAGE_SIZE + 1).await?;
    let (grants, count) = listed;
    let (grants, next) = page_of(grants, ListedConsent::cursor);
    let servers = server::list(&visit.context).await?;
    let issuer = visit.context.settings.public_url.clone();
    let uris = client
        .redirect_uris
        .iter()
        .map(|uri| view! { <div><code>{uri.as_str().to_owned()}</code></div> })
        .collect_view();
    let title = client.name.clone();
    let list = match grants.is_empty() {
        true => empty("Nobody has given this client access. When somebody allows it, they appear here."),
        false => consent_table(grants, &servers, authority, ConsentTable::OfClient),
    };
    let page_of_list = |after: &str| links::with_query(&links::client(&id), &[("after", after)]);
    let first = (!after.is_empty()).then(|| page_of_list(""));
    let next = next.map(|after| page_of_list(&after));
    let pages =
        (first.is_some() || next.is_some()).then(|| view! { <div class="body">{page_links(first, next)}</div> });
    let consents = counted(count, "consent", "consents");
    let access = panel("access", "Access", muted(consents.clone()), view! { {list}{pages} });
    let action = match client.removed_at {
        Some(at) => notice("danger", view! { <p>"Removed "{distance(at)}". It has no access any more."</p> }),
        None => remove_panel(&client, &consents),
    };
    let replace = client.takes_secret().then(|| button_link(links::client_secret(&client.id), "Replace secret"));
    let edit = client.is_editable().then(|| button_link(links::edit_client(&client.id), "Edit"));
    let stop = client.removed_at.is_none().then(|| match client.disabled_at {
        None => button_link(links::disable_client(&client.id), "Disable"),
        Some(_) => primary_link(links::enable_client(&client.id), "Enable again"),
    });
    let actions = view! { <div class="row">{replace}{edit}{stop}</div> };
    let stopped = client.disabled_at.filter(|_| client.removed_at.is_none()).map(|at| {
        let words = ". The app cannot ask for access and gets no tokens, and its tokens are refused. The access that people \
                     gave stays.";
        notice("warn", view! { <p><b>"Disabled "{distance(at)}</b>{words}</p> })
    });
    let name = html! { <span class="named">{client.name.clone()}{disabled_chip(client.disabled_at)}</span> };
    let created = match client.created_by.as_str() {
        "Itself" => muted("by itself"),
        name => muted(format!("by {name}")),
    };
    let secret = client.secret_hint.as_ref().map(|hint| {
        html! { {secret_words(hint, client.secret_ended)}{leaked_chip(client.leaked_at)} }
    });
    let facts = [
        Some(("Client ID", copied_code("client-id", client.id.to_string(), "Copy client ID"))),
        Some(("Kind", kind_words(&client).into_any())),
        (!client.redirect_uris.is_empty()).then(|| ("Redirects to", uris.into_any())),
        client.device_grant_since.map(|_| ("Device", "Signs in on a device".into_any())),
        secret.map(|secret| ("Secret", secret)),
        proof(&client).map(|keys| ("Proves itself with", keys)),
        machine(&visit, &client).await?.map(|own| ("Works without a person", own)),
        Some(("Issuer", html! { <code>{issuer}</code> })),
    ];
    let facts = facts.into_iter().flatten();
    let figures = key_figures([
        ("Allowed by", grouped(count).into_any(), html! { {if count == 1 { "consent" } else { "consents" }} }),
        ("Last token", distance_or(client.last_used_at, "Never"), ().into_any()),
        ("Created", distance(client.created_at), created),
    ]);
    let exchanges = exchanges(&visit, &client.id, period).await?;
    let refused = refused(&visit, &client.id).await?;
    let ended = ended(&visit, &client.id, &servers).await?;
    let receipt = receipt(&visit, On::Client, done, String::new(), Some(client.id.to_string())).await?;
    let changes = latest_changes(&visit, &client.id, 5).await?;
    let body = view! {
        {receipt}
        {head((links::CLIENTS, "Clients"), name, (), actions)}
        {stopped}
        {figures}
        <section class="panel" aria-label="Facts">{pairs(facts)}</section>
        {exchanges}
        {refused}
        {access}
        {ended}
        {changes}
        {action}
    };
    Ok(Page::new(title, body))
}
