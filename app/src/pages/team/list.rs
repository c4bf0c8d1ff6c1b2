//! The list of teams, and what each role may do.

use domain::model::person::authority::Authority;
use domain::model::person::team::Summary;
use domain::person::team;

use crate::pages::audit::receipt::receipt;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// The list.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let summaries = team::summaries(&visit.context, authority).await?;
    let administers = authority.is_administrator();
    let list = if summaries.is_empty() {
        empty("You are in no team yet. Ask an administrator or the manager of a team for an invitation.")
    } else {
        team_table(summaries, authority)
    };
    let lead = "Every credential belongs to a team. Only its people can see it.";
    let body = view! {
        {receipt(&visit, On::Teams, done, String::new(), None).await?}
        {head((), "Teams", lead, administers.then(|| primary_link(links::NEW_TEAM, "New team")))}
        <section class="panel" aria-label="Teams">{list}</section>
        {panel("roles", "Roles", (), table(["Role", "Can"], ROLES.map(|(role, may)| cells![role, may])))}
    };
    Ok(Page::new("Teams", body))
}

fn team_table(summaries: Vec<Summary>, authority: &Authority) -> AnyView {
    let rows = summaries.into_iter().map(|Summary { team, people, credentials }| {
        let role = match authority {
            Authority::Everything => "Administrator",
            authority => authority.role_in(&team.id).map_or("None", role_word),
        };
        cells![
            html! { <a class="name" href=links::team(&team.id)>{team.name}</a> },
            role,
            grouped(people),
            html! { <a href=links::credentials_of_team(&team.id)>{grouped(credentials)}</a> },
        ]
    });
    let numbers = [Column::number("People"), Column::number("Working credentials")];
    table(["Name", "Your role"].map(Column::from).into_iter().chain(numbers), rows)
}

/// What each role may do.
const ROLES: [(&str, &str); 4] = [
    ("Viewer", "See the team’s credentials, their use and their history."),
    ("Member", "Also generate, rotate, disable, enable and revoke them."),
    ("Manager", "Also edit credentials, their keys and identities, and invite people to the team."),
    ("Administrator", "Everything, in every team: people, MCP servers, settings, the emergency stop."),
];
