//! The pages that archive an MCP server, take it back, and remove it. Each says first what it affects.

use domain::model::server::McpServer;
use domain::model::server::callers::CallerCounts;
use domain::server::{archive, callers};

use crate::pages::server::access::find;
use crate::prelude::*;

/// The page that archives a server.
pub async fn archive_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let facts = callers::archive_facts(&visit.context, &server).await?;
    let only = match facts.credentials_only_for_it {
        0 => "each has another MCP server too".to_owned(),
        count => format!("{} only this MCP server", counted(count, "has", "have")),
    };
    let exchanges = match facts.is_at_least {
        true => format!("at least {}", grouped(facts.exchanges)),
        false => grouped(facts.exchanges),
    };
    let list = view! {
        <dl class="facts">
            {fact(&server, "Credentials", "credentials", facts.callers.credentials, (facts.callers.credentials > 0).then_some(only))}
            {fact(&server, "Connected apps", "apps", facts.callers.apps, None)}
            {fact(&server, "Personal tokens", "tokens", facts.callers.personal_tokens, None)}
            <div><dt>"Exchanges, last 24 hours"</dt><dd>{exchanges}</dd></div>
        </dl>
        <div class="body"><ul class="what">
            <li>"The server gets no new tokens: exchanges, refreshes and new consents are refused."</li>
            <li>"Personal tokens for the server are refused at each use."</li>
            <li>
                {format!("Access tokens that exist work until they expire, {} at most. ", duration(facts.longest_lifetime))}
                "To stop them at once, revoke the credentials."
            </li>
            <li>"The server leaves the lists and choices. You can unarchive it at any time: everything works again as before."</li>
        </ul></div>
    };
    let page = FormPage::new(format!("Archive {}?", server.name), links::archive_server(&id), "Archive MCP server")
        .back(links::server(&id), server.name.clone())
        .above(replace_first(&server, facts.callers.credentials))
        .fields(view! { <section class="panel" aria-label="What happens">{list}</section> });
    Ok(page.quiet().page(form.errors))
}

/// How credentials get another MCP server, before this one goes.
fn replace_first(server: &McpServer, credentials: i64) -> Option<AnyView> {
    let href = links::server_view(&server.id, &[("view", "access"), ("kind", "credentials")]);
    let words = view! {
        <p>
            "Credentials can use another MCP server instead. Tick them in "<a href=href>"the list of its credentials"</a>
            ", and choose “Replace or remove server”."
        </p>
    };
    (credentials > 0).then(|| words.into_any())
}

/// A number with a link to what it counts.
fn fact(
    server: &McpServer,
    label: &'static str,
    kind: &'static str,
    count: i64,
    note: Option<String>,
) -> impl IntoView + use<> {
    let href = links::server_view(&server.id, &[("view", "access"), ("kind", kind)]);
    let value = match count {
        0 => muted("None"),
        count => html! { <a href=href>{grouped(count)}</a> },
    };
    view! { <div><dt>{label}</dt><dd>{value}{note.map(sub)}</dd></div> }
}

/// The page that takes a server back from the archive.
pub async fn unarchive_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let callers = archive::obstacles(&visit.context, &server).await?;
    let page =
        FormPage::new(format!("Unarchive {}?", server.name), links::unarchive_server(&id), "Unarchive MCP server")
            .back(links::server(&id), server.name.clone())
            .question(format!("{} can get tokens for this server again, from their next request.", listed(callers)));
    Ok(page.page(form.errors))
}

/// "3 credentials, 1 connected app and 2 personal tokens".
fn listed(callers: CallerCounts) -> String {
    format!(
        "{}, {} and {}",
        counted(callers.credentials, "credential", "credentials"),
        counted(callers.apps, "connected app", "connected apps"),
        counted(callers.personal_tokens, "personal token", "personal tokens")
    )
}

/// The page that removes an archived server. It has no button while something refers to the server.
pub async fn remove_form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let obstacles = archive::obstacles(&visit.context, &server).await?;
    let page = FormPage::new(format!("Remove {}?", server.name), links::remove_server(&id), "Remove MCP server")
        .back(links::server(&id), server.name.clone());
    let not_yet = format!("{} cannot be removed yet", server.name);
    if !server.is_archived() {
        let href = links::archive_server(&id);
        let words =
            view! { <p>"Only an archived MCP server can be removed. "<a href=href>"Archive it first"</a>"."</p> };
        return Ok(page.heading(not_yet).above(notice("warn", words)).without_button().page(form.errors));
    }
    if !obstacles.is_empty() {
        let list = view! {
            <dl class="facts">
                {fact(&server, "Credentials", "credentials", obstacles.credentials, None)}
                {fact(&server, "Connected apps", "apps", obstacles.apps, None)}
                {fact(&server, "Personal tokens", "tokens", obstacles.personal_tokens, None)}
            </dl>
        };
        let words = "Something still refers to it. Each number leads to a list where you can remove many credentials from \
                     the server at once, or revoke them, and end the apps and personal tokens. Until then it stays archived.";
        return Ok(page
            .heading(not_yet)
            .above(view! {
                {notice("warn", view! { <p>{words}</p> })}
                {replace_first(&server, obstacles.credentials)}
            })
            .fields(view! { <section class="panel" aria-label="What refers to it">{list}</section> })
            .without_button()
            .page(form.errors));
    }
    let page = page.question(
        "This cannot be undone. Nothing refers to the server any more. Its entries in the activity log stay. Introspection \
         reports tokens for it as inactive. You can add a server with the same resource later.",
    );
    Ok(page.danger().page(form.errors))
}
