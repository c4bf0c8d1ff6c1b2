//! The page of one team: its members and their roles, its credentials, its latest changes.

use domain::audit;
use domain::base::id::{PersonId, TeamId};
use domain::credential::list;
use domain::model::audit::AuditEntry;
use domain::model::credential::Credential;
use domain::model::credential::query::Query;
use domain::model::credential::usage::Period;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::{Member, Team};
use domain::model::server::McpServer;
use domain::model::server::access::ServerAccess;
use domain::person::invitation;
use domain::person::team;
use domain::server::{self, callers};

use crate::pages::audit::entry::{EntryView, entry_list};
use crate::pages::credential::usage::team_usage;
use crate::pages::server::list::resource;
use crate::pages::team::find;
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// Removes a team. The team must own nothing.
#[server(prefix = "/fn", endpoint = "remove_team")]
pub(crate) async fn remove_team(team: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = TeamId::parse(&team).ok_or(ActionError::NotFound)?;
    team::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::TeamsRemoved.at(links::TEAMS))
}

/// The page of a team. `about` is the person that the receipt is about. The form holds a name that was not accepted.
pub async fn page(
    id: String,
    period: Period,
    (done, about): (Option<&str>, Option<&str>),
    form: Form<Option<String>>,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &id).await?;
    let members = team::members(&visit.context, &team.id).await?;
    let manages = visit.may(&team.id, Role::Manager);
    let administers = visit.authority()?.is_administrator();
    let invitations = if manages { invitation::list(&visit.context, Some(&team.id)).await? } else { Vec::new() };
    let Form { typed: name, errors, .. } = form;
    let status = errors.status();
    let title = team.name.clone();
    let rename = manages.then(|| {
        let value = name.unwrap_or_else(|| team.name.clone());
        let fields = view! {
            <TextField id="name" label="Name" value required=true error=errors.at("name")/>
            {submit(None, "Save name")}
        };
        panel("rename", "Name of the team", (), post_form(links::rename_team(&team.id), "body", fields))
    });
    let query = Query { team: Some(team.id.clone()), ..Query::default() };
    let found = list::list(&visit.context, visit.authority()?, &query, NAMED).await?;
    let entries = audit::of_target(&visit.context, visit.authority()?, team.id.as_str(), NAMED).await?;
    let has_none = found.credentials.is_empty();
    let remove = (administers && team.id != TeamId::first()).then(|| remove_panel(&team, has_none));
    let invite = manages.then(|| primary_link(links::invite_to_team(&team.id), "Add somebody"));
    let more = receipt_words(&visit, &team, &members, about).await?;
    let servers = servers_panel(&visit, &team).await?;
    let usage = team_usage(&visit, &team.id, period, &links::team(&team.id)).await?;
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        <Receipt on=On::Team done more/>
        {head((links::TEAMS, "Teams"), title.clone(), (), invite)}
        {panel("people", "People", (), people(&visit, &team, members, manages))}
        {(!invitations.is_empty()).then(|| open_invitations(invitations, Vec::new()))}
        {credentials_panel(&visit, &team, found.credentials)}
        {servers}
        {usage}
        {entries_panel(&team, entries)}
        <div class="split">{rename}{remove}</div>
    };
    Ok(Page::new(title, body).answering(status))
}

/// How many credentials and entries the page of a team names.
const NAMED: u16 = 8;

fn remove_panel(team: &Team, has_none: bool) -> AnyView {
    let words = "You can remove a team once it has no credentials, including revoked ones.";
    let blocks = (!has_none).then(|| html! { <a href=links::credentials_of_team(&team.id)>"See its credentials"</a> });
    let button = has_none.then(|| {
        let fields = view! { {hidden("team", team.id.to_string())}{submit(Some("danger"), "Remove team")} };
        let question = format!("Remove {}? Its people stay, without the role in this team.", team.name);
        ask(false, "Remove team", question, post_form(links::REMOVE_TEAM, "", fields))
    });
    panel(
        "remove",
        "Remove the team",
        (),
        view! { <div class="body"><p class="muted">{words}" "{blocks}</p>{button}</div> },
    )
}

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
                status_chip(credential.status(visit.now())),
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
    let query = Query { team: Some(team.id.clone()), owner: Some(person), ..Query::default() };
    let owned = list::list(&visit.context, visit.authority()?, &query, NAMED).await?;
    if owned.credentials.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<_> = owned.credentials.into_iter().map(|credential| credential.name).collect();
    let others = if owned.next.is_some() { " and others" } else { "" };
    Ok(format!(" They still own {}{others}: choose another owner on the pages of these credentials.", names.join(", ")))
}

/// The MCP servers that the team may use, each with the number of the team's credentials that may call it.
async fn servers_panel(visit: &Visit, team: &Team) -> Result<AnyView, ActionError> {
    let mut servers = server::list(&visit.context).await?;
    servers.retain(|server| !server.is_archived());
    let counts = callers::count_by_server(&visit.context, &Authority::Team(team.id.clone()), &servers).await?;
    let count_of = |server: &McpServer| counts.get(&server.id).copied().unwrap_or_default();
    servers.retain(|server| server.access.admits_team(&team.id) || count_of(server) > 0);
    let rows = servers.iter().map(|server| {
        let access = match (&server.access, server.access.admits_team(&team.id)) {
            (ServerAccess::All, _) => html! { "All teams" },
            (ServerAccess::Teams(teams), true) => match teams.len() {
                1 => html! { "This team only" },
                count => html! { "This team and "{counted(count - 1, "other team", "other teams")} },
            },
            (_, false) => chip("Not this team: no tokens", "warn"),
        };
        let credentials = match count_of(server) {
            0 => muted("0"),
            count => html! { <a href=links::credentials_of_team_for(&team.id, &server.id)>{grouped(count)}</a> },
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
    Ok(panel("servers", "MCP servers", (), content))
}

/// The newest entries about the team itself.
fn entries_panel(team: &Team, entries: Vec<AuditEntry>) -> AnyView {
    let all = view! { <a href=links::activity_of(&team.id)>"See all entries"</a> };
    let entries = entries.iter().map(EntryView::of);
    (entries.len() > 0).then(|| panel("entries", "Latest changes", all, entry_list(entries))).into_any()
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
