//! The page of one team: its members and their roles.

use domain::base::id::TeamId;
use domain::model::credential::usage::Period;
use domain::model::person::authority::Role;
use domain::model::person::team::{Member, Team};
use domain::person::invitation;
use domain::person::team;

use crate::pages::credential::usage::team_usage;
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

/// The page of a team. The form holds a name that was not accepted.
pub async fn page(
    id: String,
    period: Period,
    done: Option<&str>,
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
    let remove = (administers && team.id != TeamId::first()).then(|| {
        let fields = view! {
            {hidden("team", team.id.to_string())}
            <p class="muted">"Only while it owns no credential: revoked ones count too, their history is the team’s."</p>
            {submit(None, "Remove team")}
        };
        panel("remove", "Remove the team", (), post_form(links::REMOVE_TEAM, "body", fields))
    });
    let invite = manages.then(|| primary_link(links::invite_to_team(&team.id), "Invite a person"));
    let credentials = html! { <a href=links::credentials_of_team(&team.id)>"See its credentials"</a> };
    let usage = team_usage(&visit, &team.id, period, &links::team(&team.id)).await?;
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        <Receipt on=On::Team done/>
        {head((links::TEAMS, "Back to the teams"), title.clone(), credentials, invite)}
        {panel("people", "People", (), people(&visit, &team, members, manages))}
        {(!invitations.is_empty()).then(|| open_invitations(invitations, Vec::new()))}
        {usage}
        <div class="split">{rename}{remove}</div>
    };
    Ok(Page::new(title, body).answering(status))
}

fn people(visit: &Visit, team: &Team, members: Vec<Member>, manages: bool) -> AnyView {
    if members.is_empty() {
        return empty("Nobody is in this team yet. Administrators see its credentials all the same.");
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
