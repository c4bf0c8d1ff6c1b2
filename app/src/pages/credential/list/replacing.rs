//! The page that asks before several credentials lose an MCP server, or get another one in its place. First both are
//! chosen; then the page says which servers and scopes each credential would have.

use domain::base::id::McpServerId;
use domain::credential::several::{Replaced, replaced};
use domain::model::credential::Credential;
use domain::model::server::McpServer;
use domain::server;

use crate::pages::credential::list::outcome::why;
use crate::pages::credential::list::short_resource;
use crate::pages::credential::list::ticked::{NOTHING, Typed, choice_page, form_page};
use crate::prelude::*;

/// The page.
pub(super) async fn page(
    visit: &Visit,
    typed: Typed,
    errors: Errors,
    confirm: bool,
    credentials: Vec<Credential>,
) -> Result<Page, ActionError> {
    let servers = server::list(&visit.context).await?;
    let find = |id: &str| servers.iter().find(|server| server.id.as_str() == id);
    let count = counted(credentials.len(), "credential", "credentials");
    let (Some(taken), true) = (find(&typed.server), typed.instead == NOTHING || find(&typed.instead).is_some()) else {
        let title = format!("Replace or remove an MCP server of {count}");
        let lead = "The next page says which servers and scopes each of them would have.";
        return Ok(choice_page(&typed, errors.clone(), title, lead, fields(&typed, &credentials, &servers, &errors)));
    };
    let instead = find(&typed.instead);
    let outcomes: Vec<(Credential, Replaced)> = credentials
        .into_iter()
        .map(|credential| {
            let outcome = replaced(&credential, &taken.id, instead, &servers);
            (credential, outcome)
        })
        .collect();
    let changes = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    let title = match instead {
        None => format!("Take {} from {count}?", taken.name),
        Some(instead) => format!("Put {} in place of {} in {count}?", instead.name, taken.name),
    };
    let verb = match changes == outcomes.len() {
        true => "Change servers".to_owned(),
        false => format!("Change {changes} of {count}"),
    };
    let lead = "They get no new tokens for the server that is taken. Tokens that exist work until they expire.";
    let page = form_page(&typed, title, verb)
        .lead(lead)
        .hidden("server", typed.server.clone())
        .hidden("instead", typed.instead.clone())
        .fields(view! { <section class="panel" aria-label="What is selected">{rows(outcomes, &servers)}</section> });
    let page = if changes == 0 { page.without_button() } else { page };
    Ok(page.confirm(confirm || typed.needs_proof() && visit.must_confirm()).page(errors))
}

/// The server that is taken, and what comes instead: each choice says for how many of the credentials it can be done.
fn fields(typed: &Typed, credentials: &[Credential], servers: &[McpServer], errors: &Errors) -> AnyView {
    let taken = McpServerId::parse(&typed.server);
    let count = |instead: Option<&McpServer>| {
        let taken = taken.as_ref()?;
        let able = credentials.iter().filter(|credential| replaced(credential, taken, instead, servers).is_ok());
        Some(format!(": {} of {}", able.count(), credentials.len()))
    };
    let named = |server: &McpServer, count: Option<String>| {
        (server.id.to_string(), format!("{}{}", server.name, count.unwrap_or_default()))
    };
    let all = options_after("Choose an MCP server", servers.iter().map(|server| named(server, None)));
    let others = servers.iter().filter(|server| !server.is_archived() && Some(&server.id) != taken.as_ref());
    let nothing = (NOTHING.to_owned(), format!("Nothing{}", count(None).unwrap_or_default()));
    let instead: Vec<_> =
        [nothing].into_iter().chain(others.map(|server| named(server, count(Some(server))))).collect();
    let (chosen, other) = (typed.server.clone(), typed.instead.clone());
    html! {
        <div class="body">
            <Select id="server" label="MCP server" options=all chosen error=errors.at("server")/>
            <Select id="instead" label="Instead" options=instead chosen=other error=errors.at("instead")
                hint="The number says for how many of the credentials it can be done. Scopes of the same name stay; otherwise a credential gets the default scope of the new server."/>
        </div>
    }
}

/// The credentials, each with the servers and scopes after the change, or why it stays.
fn rows(outcomes: Vec<(Credential, Replaced)>, servers: &[McpServer]) -> AnyView {
    let names = |ids: &[McpServerId]| {
        let own = servers.iter().filter(|server| ids.contains(&server.id));
        own.map(|server| short_resource(&server.resource)).collect::<Vec<_>>().join(", ")
    };
    let row = |(credential, outcome): (Credential, Replaced)| {
        let name =
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name.clone()}</a> };
        let before = credential.scopes.to_string();
        match outcome {
            Err(kept) => cells![name, muted(format!("Stays: {}", why(kept, "unassign"))), before, ()],
            Ok((after, scopes)) => cells![name, names(&after), before, scopes.to_string()],
        }
    };
    table(["Name", "MCP servers after it", "Scopes now", "Scopes after it"], outcomes.into_iter().map(row))
}
