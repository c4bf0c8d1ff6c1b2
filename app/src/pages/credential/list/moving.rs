//! The page that asks before several credentials move to another team. First the team is chosen; then the page says
//! what the move would do to each of them.

use domain::base::id::TeamId;
use domain::credential::several::{Foreseen, foresee};
use domain::model::credential::Credential;
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::person::manage::{self, Listed};
use domain::person::team;

use crate::pages::credential::list::outcome::why;
use crate::pages::credential::list::ticked::{Typed, choice_page, form_page};
use crate::prelude::*;

/// The page.
pub(super) async fn page(
    visit: &Visit,
    typed: Typed,
    errors: Errors,
    confirm: bool,
    credentials: Vec<Credential>,
) -> Result<Page, ActionError> {
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let chosen = TeamId::parse(&typed.team).and_then(|id| teams.iter().find(|team| team.id == id));
    let Some(to) = chosen.filter(|team| visit.may(&team.id, Role::Manager)) else {
        return Ok(choice(visit, &typed, errors, &teams, credentials));
    };
    let count = counted(credentials.len(), "credential", "credentials");
    let foreseen = foresee(&visit.context, visit.authority()?, credentials, &to.id).await?;
    let moves = foreseen.iter().filter(|one| one.kept.is_none()).count();
    let losing = foreseen.iter().filter(|one| one.kept.is_none() && one.loses_owner).count();
    let verb = if moves == foreseen.len() { "Move credentials".to_owned() } else { format!("Move {moves} of {count}") };
    let lead =
        "The people of the new team see them, and its members can stop them. The current team can no longer see them.";
    let page = form_page(&typed, format!("Move {count} to {}?", to.name), verb)
        .lead(lead)
        .hidden("team", to.id.to_string())
        .above(view! { <Receipt on=On::Server done=Some(typed.done.as_str())/>{obstacles(&typed, &foreseen, to)} });
    let page = match losing {
        0 => page,
        count => page.panel("Owner", new_owner(visit, to, count, &typed, &errors).await?),
    };
    let page =
        page.fields(view! { <section class="panel" aria-label="What is selected">{rows(foreseen, &teams)}</section> });
    let page = if moves == 0 { page.without_button() } else { page };
    Ok(page.confirm(confirm || visit.must_confirm()).page(errors))
}

/// The form that asks for the team.
fn choice(visit: &Visit, typed: &Typed, errors: Errors, teams: &[Team], credentials: Vec<Credential>) -> Page {
    // A team that has all of them already is no choice.
    let has_all = |team: &Team| credentials.iter().all(|credential| credential.team == team.id);
    let own = teams.iter().filter(|team| visit.may(&team.id, Role::Manager) && !has_all(team));
    let options = options_after("Choose a team", own.map(|team| (team.id.to_string(), team.name.clone())));
    let count = counted(credentials.len(), "credential", "credentials");
    let title = format!("Move {count} to another team");
    let rows: Vec<_> = credentials
        .into_iter()
        .map(|credential| Foreseen { credential, kept: None, closed: Vec::new(), loses_owner: false })
        .collect();
    let error = errors.at("team");
    let fields = view! {
        <div class="body"><Select id="team" label="New team" options chosen=typed.team.clone() error/></div>
        {self::rows(rows, teams)}
    };
    choice_page(typed, errors, title, "The next page says what the move does to each of them.", fields)
}

/// What stands in the way, with the MCP servers that would have to be opened.
fn obstacles(typed: &Typed, foreseen: &[Foreseen], to: &Team) -> Option<AnyView> {
    let mut closed: Vec<_> = foreseen.iter().flat_map(|one| &one.closed).collect();
    closed.sort_by(|left, right| left.name.cmp(&right.name));
    closed.dedup_by(|left, right| left.id == right.id);
    let stays = foreseen.iter().filter(|one| one.kept.is_some()).count();
    if stays == 0 {
        return None;
    }
    let administers = Visit::current().viewer.is_some_and(|viewer| viewer.authority.is_administrator());
    let ids = typed.client_ids.iter().map(|id| ("client_id", id.as_str()));
    let back: Vec<_> =
        [("do", "move"), ("team", to.id.as_str()), ("list", typed.list.as_str())].into_iter().chain(ids).collect();
    let back = links::query_string(&back);
    let server = |server: &McpServer| {
        let holding = foreseen.iter().filter(|one| one.closed.iter().any(|closed| closed.id == server.id)).count();
        let open = administers.then(|| {
            view! { " "<a href=links::with_query(&links::server_access(&server.id), &[("open", to.id.as_str()), ("then", &back)])>{format!("Open it to {}", to.name)}</a>"." }
        });
        let stay = if holding == 1 { "it stays" } else { "they stay" };
        let uses = counted(holding, "credential uses", "credentials use");
        view! { <li>{format!("{uses} {}, not open to {}: {stay}.", server.name, to.name)}{open}</li> }
    };
    let lines = closed.into_iter().map(server).collect_view();
    let title = format!("{} cannot move.", counted(stays, "credential", "credentials"));
    Some(notice("warn", view! { <p><b>{title}</b></p><ul>{lines}</ul> }))
}

/// The choice of an owner for what would lose its owner.
async fn new_owner(
    visit: &Visit,
    to: &Team,
    count: usize,
    typed: &Typed,
    errors: &Errors,
) -> Result<AnyView, ActionError> {
    let mut able: Vec<(String, String)> = Vec::new();
    if visit.authority()?.is_administrator() {
        let people = manage::list(&visit.context).await?.into_iter().filter(|one| one.person.disabled_at.is_none());
        let sees =
            |one: &Listed| one.person.administrator_since.is_some() || one.teams.iter().any(|own| own.team.id == to.id);
        able.extend(people.filter(sees).map(|one| (one.person.id.to_string(), one.person.name)));
    } else {
        let members = team::members(&visit.context, &to.id).await?.into_iter().filter(|member| !member.disabled);
        able.extend(members.map(|member| (member.person.to_string(), member.name)));
    }
    let options = options_after("Nobody", able);
    let words = format!(
        "{} their owner: the owner is not in {}.",
        counted(count, "credential loses", "credentials lose"),
        to.name
    );
    Ok(html! {
        <p>{words}</p>
        <Select id="owner" label="New owner" options chosen=typed.owner.clone() error=errors.at("owner")/>
    })
}

/// The credentials, each with what happens to it.
fn rows(foreseen: Vec<Foreseen>, teams: &[Team]) -> AnyView {
    let row = |Foreseen { credential, kept, loses_owner, .. }: Foreseen| {
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        let owner = credential.owner.map_or_else(|| "Nobody".to_owned(), |owner| owner.name);
        let loses = (kept.is_none() && loses_owner).then(|| sub("not in the new team"));
        let stays = kept.map(|kept| sub(format!("Stays: {}", why(kept, "move"))));
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name}</a>{stays} },
            team,
            html! { {owner}{loses} },
            distance_or(credential.last_used_at, "Never used"),
        ]
    };
    table(["Name", "Current team", "Owner", "Last used"], foreseen.into_iter().map(row))
}
