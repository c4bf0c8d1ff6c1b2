//! A person’s role in a team.

use domain::base::id::{PersonId, TeamId};
use domain::credential::inspect;
use domain::credential::several::MOST_GIVEN;
use domain::model::credential::Credential;
use domain::model::person::team::Team;
use domain::person::manage;
use domain::person::team::{self, TeamError};

use crate::pages::credential::MOST_AT_ONCE;
use crate::pages::team::role::role_options;
use crate::pages::team::{find, only_manager_of};
use crate::prelude::*;

/// Removes a person from a team.
#[server(prefix = "/fn", endpoint = "remove_member")]
pub(crate) async fn remove_member(team: String, person: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = TeamId::parse(&team).ok_or(ActionError::NotFound)?;
    let person = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    team::set_role(&visit.context, &visit.actor()?, &id, &person, None).await?;
    // A person who leaves a team can no longer see its page.
    let is_self = visit.viewer()?.id == person && !visit.authority()?.is_administrator();
    let receipt = || format!("{}&person={person}", Done::TeamMemberRemoved.at(links::team(&id)));
    Ok(if is_self { links::TEAMS.to_owned() } else { receipt() })
}

/// The form for a person's new role in a team.
pub async fn page(team: String, person: String, form: Form<Option<String>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &team).await?;
    let person = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    let members = team::members(&visit.context, &team.id).await?;
    let member = members.into_iter().find(|member| member.person == person).ok_or(TeamError::NotFound)?;
    let Form { typed: role, errors, .. } = form;
    let chosen = role.unwrap_or_else(|| member.role.as_str().to_owned());
    let remove = view! {
        {hidden("team", team.id.to_string())}{hidden("person", person.to_string())}
        {submit(Some("danger"), "Remove from team")}
    };
    let question = format!("Remove {} from {}?", member.name, team.name);
    let facts = removal_facts(&visit, &team, &person).await?;
    let remove = view! {
        <div class="body">
            {facts}
            <div class="row">{ask(false, "Remove from team", question, post_form(links::REMOVE_MEMBER, "", remove))}</div>
        </div>
    };
    let remove = danger_panel("remove-member", "Remove from team", remove);
    let title = format!("{} in {}", member.name, team.name);
    let page = FormPage::new(title, links::team_member(&team.id, &person), "Save role")
        .back(links::team(&team.id), team.name.clone())
        .lead(member.email)
        .panel("Role", view! { <Select id="role" label="Role" options=role_options() chosen error=errors.at("role")/> })
        .below(remove);
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// What the person loses, and what they leave behind.
async fn removal_facts(visit: &Visit, team: &Team, person: &PersonId) -> Result<AnyView, ActionError> {
    let (owned, _) = inspect::owned_by(&visit.context, person, MOST_GIVEN).await?;
    let owned = of_team(team, owned);
    let owns = (!owned.is_empty()).then(|| {
        let href = links::with_query(links::CREDENTIALS, &[("team", team.id.as_str()), ("owner", person.as_str())]);
        let words = counted(owned.len(), "credential", "credentials");
        let give = links::several("owner", &first(&owned));
        view! { <li>"They own "<a href=href>{words}</a>" of this team. "<a href=give>"Give them another owner"</a>"."</li> }
    });
    let known = of_team(team, manage::known_to(&visit.context, person, MOST_GIVEN).await?);
    let knows = (!known.is_empty()).then(|| {
        let words = counted(known.len(), "secret", "secrets");
        let rotate = links::several("rotate", &first(&known));
        view! { <li>{format!("They know {words} of this team that work. ")}<a href=rotate>"Rotate them"</a>"."</li> }
    });
    let alone = !only_manager_of(visit, person, std::slice::from_ref(team)).await?.is_empty();
    Ok(html! {
        <ul class="what">
            <li>"They can no longer see the team. Sessions, apps and personal tokens stay."</li>
            {alone.then(|| view! { <li>"The team has no other manager: then only administrators can edit its credentials."</li> })}
            <li>"Credentials that they generated stay with the team and work."</li>
            {owns}
            {knows}
        </ul>
    })
}

/// The client IDs of those of the credentials that belong to the team.
fn of_team(team: &Team, credentials: Vec<Credential>) -> Vec<String> {
    let own = credentials.into_iter().filter(|credential| credential.team == team.id);
    own.map(|credential| credential.client_id.to_string()).collect()
}

/// As many as one page acts on.
fn first(ids: &[String]) -> Vec<String> {
    ids.iter().take(MOST_AT_ONCE).cloned().collect()
}
