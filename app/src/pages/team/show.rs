//! The page of one team, in views: people and newest credentials, MCP servers, usage, latest changes.

use domain::base::id::{PersonId, TeamId};
use domain::credential::{list, usage};
use domain::model::credential::Credential;
use domain::model::credential::query::{OwnedBy, Query, Total};
use domain::model::credential::usage::{Period, Whose};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::{Member, Team};
use domain::model::server::McpServer;
use domain::model::server::access::ServerAccess;
use domain::person::invitation;
use domain::person::team;
use domain::server::{self, callers};

use crate::components::parts::{View, key_figures, view_links};
use crate::pages::audit::entry::latest_changes;
use crate::pages::audit::receipt::receipt;
use crate::pages::credential::usage::team_usage;
use crate::pages::server::list::resource;
use crate::pages::team::find;
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// The page of a team. `view` names the view: `servers`, `usage`, `activity`, or the overview. `about` is the person
/// that the receipt is about.
pub async fn page(
    id: String,
    view: &str,
    period: Period,
    (done, about): (Option<&str>, Option<&str>),
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &id).await?;
    let members = team::members(&visit.context, &team.id).await?;
    let more = receipt_words(&visit, &team, &members, about).await?;
    let servers = servers_of(&visit, &team).await?;
    let views = [
        ("", "Overview", None),
        ("servers", "MCP servers", Some(servers.len() as i64)),
        ("usage", "Usage", None),
        ("activity", "Activity", None),
    ];
    let shown = views.iter().find(|(word, ..)| *word == view).map_or("", |(word, ..)| *word);
    let tabs = views.into_iter().map(|(word, name, count)| View {
        href: links::team_view(&team.id, &[("view", word)]),
        name,
        count,
        is_current: word == shown,
    });
    let figures = figures(&visit, &team, &members, servers.len()).await?;
    let content = match shown {
        "servers" => servers_panel(&team, servers),
        "usage" => team_usage(&visit, &team.id, period, &links::team_view(&team.id, &[("view", "usage")])).await?,
        "activity" => latest_changes(&visit, &team.id, 20).await?,
        _ => overview(&visit, &team, members).await?,
    };
    let body = view! {
        {receipt(&visit, On::Team, done, more, Some(team.id.to_string())).await?}
        {head((links::TEAMS, "Teams"), team.name.clone(), (), actions(&visit, &team)?)}
        {figures}
        {view_links("Views of the team", tabs)}
        {content}
    };
    Ok(Page::new(team.name, body))
}

/// What the visitor may do with the team.
fn actions(visit: &Visit, team: &Team) -> Result<AnyView, ActionError> {
    let manages = visit.may(&team.id, Role::Manager);
    let rename = manages.then(|| button_link(links::rename_team(&team.id), "Rename"));
    let removes = visit.authority()?.is_administrator() && team.id != TeamId::first();
    let remove = removes.then(|| button_link(links::remove_team(&team.id), "Remove"));
    let invite = manages.then(|| primary_link(links::invite_to_team(&team.id), "Add somebody"));
    Ok(html! { <div class="row">{rename}{remove}{invite}</div> })
}

/// The numbers of the team.
async fn figures(visit: &Visit, team: &Team, members: &[Member], servers: usize) -> Result<AnyView, ActionError> {
    let summaries = team::summaries(&visit.context, visit.authority()?).await?;
    let working = summaries.iter().find(|summary| summary.team.id == team.id).map_or(0, |summary| summary.credentials);
    let query = Query { team: Some(team.id.clone()), ..Query::default() };
    let all = match list::total(&visit.context, visit.authority()?, &query).await? {
        Total::Exactly(count) => format!("of {}", grouped(count)),
        Total::MoreThan(count) => format!("of more than {}", grouped(count)),
    };
    let bars = usage::bars(&visit.context, Whose::Team(&team.id), Period::Day).await?;
    let (exchanges, refused) =
        bars.iter().fold((0, 0), |(exchanges, refused), bar| (exchanges + bar.exchanges, refused + bar.refusals));
    let to = |href: String, count: i64| match count {
        0 => "0".into_any(),
        count => html! { <a href=href>{grouped(count)}</a> },
    };
    let view = |word| links::team_view(&team.id, &[("view", word)]);
    let day = || html! { "in 24 hours" };
    let refusals = links::with_query(links::REFUSALS, &[("team", team.id.as_str())]);
    Ok(key_figures([
        ("People", grouped(members.len() as i64).into_any(), ().into_any()),
        ("Working credentials", to(links::credentials_of_team(&team.id), working), all.into_any()),
        ("MCP servers", to(view("servers"), servers as i64), ().into_any()),
        ("Exchanges", to(view("usage"), exchanges), day()),
        ("Refused", to(refusals, refused), day()),
    ]))
}

/// The people, the open invitations and the newest credentials.
async fn overview(visit: &Visit, team: &Team, members: Vec<Member>) -> Result<AnyView, ActionError> {
    let manages = visit.may(&team.id, Role::Manager);
    let invitations = if manages { invitation::list(&visit.context, Some(&team.id)).await? } else { Vec::new() };
    let query = Query { team: Some(team.id.clone()), ..Query::default() };
    let found = list::list(&visit.context, visit.authority()?, &query, NAMED).await?;
    Ok(html! {
        {panel("people", "People", (), people(visit, team, members, manages))}
        {(!invitations.is_empty()).then(|| open_invitations(invitations, Vec::new()))}
        {credentials_panel(visit, team, found.credentials)}
    })
}

/// How many credentials the overview names.
const NAMED: u16 = 8;

/// The newest credentials of the team.
fn credentials_panel(visit: &Visit, team: &Team, credentials: Vec<Credential>) -> AnyView {
    let all = view! { <a href=links::credentials_of_team(&team.id)>"See all credentials"</a> };
    let content = if credentials.is_empty() {
        empty("This team has no credentials.")
    } else {
        let rows = credentials.into_iter().map(|credential| {
            let href = links::credential(&credential.client_id);
            cells![
                html! { <a class="name" href=href>{credential.name.clone()}</a> },
                credential_status(&credential, visit.now()),
                distance(credential.created_at),
                distance_or(credential.last_used_at, "Never"),
            ]
        });
        table(["Name", "Status", "Generated", "Last used"], rows)
    };
    panel("credentials", "Newest credentials", all, content)
}

/// The end of a receipt about a person: their name and role when they are in the team; otherwise the credentials of the
/// team that the person still owns, because somebody must look after them.
async fn receipt_words(
    visit: &Visit,
    team: &Team,
    members: &[Member],
    about: Option<&str>,
) -> Result<String, ActionError> {
    let Some(person) = about.and_then(PersonId::parse) else { return Ok(String::new()) };
    if let Some(member) = members.iter().find(|member| member.person == person) {
        return Ok(format!("{} is in the team, as {}.", member.name, role_word(member.role)));
    }
    let query = Query { team: Some(team.id.clone()), owner: Some(OwnedBy::Person(person)), ..Query::default() };
    let owned = list::list(&visit.context, visit.authority()?, &query, NAMED).await?;
    if owned.credentials.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<_> = owned.credentials.into_iter().map(|credential| credential.name).collect();
    let others = if owned.next.is_some() { " and others" } else { "" };
    Ok(format!(" They still own {}{others}: choose another owner on the pages of these credentials.", names.join(", ")))
}

/// The MCP servers that the team may use, each with the number of the team's credentials that may call it.
async fn servers_of(visit: &Visit, team: &Team) -> Result<Vec<(McpServer, i64)>, ActionError> {
    let mut servers = server::list(&visit.context).await?;
    servers.retain(|server| !server.is_archived());
    let counts = callers::count_by_server(&visit.context, &Authority::Team(team.id.clone()), &servers).await?;
    let counted = servers.into_iter().map(|server| {
        let count = counts.get(&server.id).copied().unwrap_or_default();
        (server, count)
    });
    Ok(counted.filter(|(server, count)| server.access.admits_team(&team.id) || *count > 0).collect())
}

fn servers_panel(team: &Team, servers: Vec<(McpServer, i64)>) -> AnyView {
    let rows = servers.iter().map(|(server, count)| {
        let access = match (&server.access, server.access.admits_team(&team.id)) {
            (ServerAccess::All, _) => html! { "All teams" },
            (ServerAccess::Teams(teams), true) => match teams.len() {
                1 => html! { "This team only" },
                count => html! { "This team and "{counted(count - 1, "other team", "other teams")} },
            },
            (_, false) => chip("Not this team: no tokens", "warn"),
        };
        let credentials = match count {
            0 => muted("0"),
            count => html! { <a href=links::credentials_of_team_for(&team.id, &server.id)>{grouped(*count)}</a> },
        };
        cells![
            html! { <a class="name" href=links::server(&server.id)>{server.name.clone()}</a>{sub(resource(server))} },
            access,
            credentials,
        ]
    });
    let columns =
        ["Server", "Access"].map(Column::from).into_iter().chain([Column::number("Credentials of this team")]);
    let content = if servers.is_empty() { empty("This team may use no MCP server.") } else { table(columns, rows) };
    panel("servers", "MCP servers", (), content)
}

fn people(visit: &Visit, team: &Team, members: Vec<Member>, manages: bool) -> AnyView {
    if members.is_empty() {
        return empty("Nobody is in this team yet. Administrators can see its credentials.");
    }
    let own = visit.viewer.as_ref().map(|viewer| viewer.id.clone());
    let rows = members.into_iter().map(|member| {
        let change = manages.then(|| {
            let words = one_of_many("Change", format!(" {}", member.name));
            small_link(links::team_member(&team.id, &member.person), words)
        });
        let you = (own.as_ref() == Some(&member.person)).then_some(" (you)");
        let disabled = member.disabled.then(|| view! { " "{chip("Disabled", "warn")} });
        cells![html! { {member.name}{you}{sub(member.email)} }, html! { {role_word(member.role)}{disabled} }, change,]
    });
    table(["Name", "Role", ""], rows)
}
