//! What stands above the list: search, filters, pills with counts, the choice of columns.

use domain::base::id::PersonId;
use domain::credential::list;
use domain::model::credential::query::{Counts, OwnedBy, Show};
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::person::team;
use domain::server;

use crate::components::parts::{danger_pill, pill};
use crate::pages::credential::list::table::{COLUMNS, ListColumn};
use crate::pages::credential::list::{CredentialsQuery, PROOFS, STATUSES};
use crate::prelude::*;

/// What the filters offer.
pub(super) struct Choices {
    pub teams: Vec<Team>,
    servers: Vec<McpServer>,
    owners: Vec<(PersonId, String)>,
    tags: Vec<String>,
}

pub(super) async fn choices(visit: &Visit) -> Result<Choices, ActionError> {
    let (context, authority) = (&visit.context, visit.authority()?);
    Ok(Choices {
        teams: team::list(context, authority).await?,
        servers: server::list(context).await?,
        owners: list::owners(context, authority).await?,
        tags: list::tags(context, authority).await?,
    })
}

/// A filter: the parameter, its label, what the list shows without it, and the values with their names.
struct Filter {
    name: &'static str,
    label: &'static str,
    all: &'static str,
    values: Vec<(String, String)>,
}

impl Choices {
    fn filters(&self) -> [Filter; 5] {
        let teams = self.teams.iter().map(|team| (team.id.to_string(), team.name.clone()));
        let servers = self.servers.iter().map(|server| (server.id.to_string(), server.name.clone()));
        let proofs = PROOFS.map(|(method, word)| (method.as_str().to_owned(), word.to_owned()));
        let owners = self.owners.iter().map(|(id, name)| (id.to_string(), name.clone()));
        let owners = [(OwnedBy::NOBODY.to_owned(), "No owner".to_owned())].into_iter().chain(owners);
        let tags = self.tags.iter().map(|tag| (tag.clone(), tag.clone()));
        let filter = |name, label, all, values| Filter { name, label, all, values };
        [
            filter("team", "Team", "All teams", teams.collect()),
            filter("server", "MCP server", "All servers", servers.collect()),
            filter("method", "Authentication", "Any authentication", proofs.to_vec()),
            filter("owner", "Owner", "Any owner", owners.collect()),
            filter("tag", "Tag", "Any tag", tags.collect()),
        ]
    }
}

impl CredentialsQuery {
    fn value_of(&self, name: &str) -> &str {
        self.parameters().into_iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// The search and the filters. With script, a change submits the form.
pub(super) fn bar(query: &CredentialsQuery, choices: Choices) -> AnyView {
    let select = |Filter { name, label, all, values }: Filter| {
        let chosen = query.value_of(name).to_owned();
        // With one team or one server there is nothing to choose; the chosen value stays in sight.
        let least = if matches!(name, "team" | "server") { 2 } else { 1 };
        let offers = values.len() >= least || !chosen.is_empty();
        let options = options_after(all, values);
        offers.then(|| view! { <Select id=name label options chosen/> })
    };
    let hidden = [("status", &query.status), ("sort", &query.sort)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| hidden(name, value.clone()))
        .collect_view();
    html! {
        <form class="bar" id="filters" method="get" action=links::CREDENTIALS role="search" aria-label="List">
            <div class="field">
                <label for="q">"Search"</label>
                <input id="q" name="q" type="search" placeholder="Name, client ID, tag or end of a secret"
                    autocomplete="off" value=query.q.clone()/>
            </div>
            {hidden}
            {choices.filters().map(select).into_iter().collect_view()}
            <button class="button">"Apply"</button>
        </form>
    }
}

/// The filters that few people need: they stand behind "More", so that the others fit one line.
const RARE: [&str; 5] = ["never_expires", "imported", "disabled", "expired", "revoked"];

/// The filters of the status, each with the number of credentials that it shows. One that shows none is left out.
pub(super) fn pills(query: &CredentialsQuery, counts: Option<Counts>, leaked: i64) -> AnyView {
    let one = |(word, label, show): (&'static str, &'static str, Show)| {
        let is_on = query.status == word;
        let counted = counts.map(|counts| counts.of(show));
        if show == Show::Leaked {
            let is_there = is_on || counted.unwrap_or(leaked) > 0;
            return is_there.then(|| danger_pill(query.with("status", word), label, counted.or(Some(leaked)), is_on));
        }
        // What was never exchanged was never used: one pill is enough, unless a link asked for this one.
        let is_there = is_on || show == Show::All || counted != Some(0) && show != Show::Unverified;
        is_there.then(|| pill(query.with("status", word), label, counted, is_on))
    };
    let (rare, usual): (Vec<_>, Vec<_>) = STATUSES.into_iter().partition(|(word, ..)| RARE.contains(word));
    let active = rare.iter().find(|(word, ..)| query.status == *word).map(|(_, label, _)| *label);
    let rare: Vec<AnyView> = rare.into_iter().filter_map(one).collect();
    let more = (!rare.is_empty()).then(|| {
        view! {
            <details class="menu">
                <summary class="pill" aria-current=active.map(|_| "true")>{active.unwrap_or("More")}<Drawing icon=Icon::Open/></summary>
                <ul>{rare.into_iter().map(|pill| view! { <li>{pill}</li> }).collect_view()}</ul>
            </details>
        }
    });
    html! {
        <nav class="pills" aria-label="Status">{usual.into_iter().filter_map(one).collect_view()}{more}</nav>
    }
}

/// The choice of columns. The browser remembers it.
pub(super) fn columns(query: &CredentialsQuery, shown: &[&'static ListColumn]) -> AnyView {
    let kept = query.parameters().into_iter().filter(|(_, value)| !value.is_empty());
    let kept = kept.map(|(name, value)| hidden(name, value)).collect_view();
    let boxes = COLUMNS.iter().map(|column| {
        let is_shown = shown.iter().any(|shown| shown.word == column.word);
        choice("checkbox", "column", column.word, is_shown, column.title)
    });
    html! {
        <details class="menu">
            <summary class="pill">"Columns"<Drawing icon=Icon::Open/></summary>
            <ul>
                <li>
                    <form class="body" method="get" action=links::CREDENTIALS aria-label="Columns">
                        {kept}
                        {hidden("column", "name")}
                        <div>{boxes.collect_view()}</div>
                        <p class="muted">"Some columns are hidden on narrow screens."</p>
                        <button class="button" data-size="small">"Show columns"</button>
                    </form>
                </li>
            </ul>
        </details>
    }
}

/// What is said when nothing matches: what was asked for, and a way out of each part.
pub(super) fn nothing_found(query: &CredentialsQuery, choices: &Choices) -> AnyView {
    let mut parts: Vec<(String, String)> = Vec::new();
    if !query.q.trim().is_empty() {
        parts.push((format!("“{}”", query.q.trim()), query.with("q", "")));
    }
    if let Some((_, label, _)) = STATUSES.iter().find(|(word, ..)| !word.is_empty() && *word == query.status) {
        parts.push((format!("status {label}"), query.with("status", "")));
    }
    for Filter { name, label, values, .. } in choices.filters() {
        let chosen = query.value_of(name);
        if !chosen.is_empty() {
            let value = values.iter().find(|(value, _)| value == chosen).map_or(chosen, |(_, named)| named);
            parts.push((format!("{} {value}", label.to_lowercase().replace("mcp", "MCP")), query.with(name, "")));
        }
    }
    let asked: Vec<&str> = parts.iter().map(|(part, _)| part.as_str()).collect();
    let words = match asked.as_slice() {
        [] => "No credential is on this page.".to_owned(),
        parts => format!("No credential matches {}.", parts.join(", ")),
    };
    let ways = parts.iter().filter(|_| parts.len() > 1).map(|(part, href)| {
        view! { <a class="button" data-size="small" href=href.clone()>{format!("Clear {part}")}</a> }
    });
    html! {
        <div class="body">
            <h2>{words}</h2>
            <p class="muted">
                "The search looks at all pages: names, client IDs, tags and the last 4 characters of secrets."
            </p>
            <div class="row">
                {ways.collect_view()}
                <a class="button" data-size="small" data-kind="primary" href=links::CREDENTIALS>"Show all"</a>
            </div>
        </div>
    }
}
