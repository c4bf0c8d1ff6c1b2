//! The page of one team: its members and their roles.

use domain::base::id::TeamId;
use domain::model::person::authority::Role;
use domain::model::person::team::{Member, Team};
use domain::person::invitation;
use domain::person::team;
use leptos::prelude::*;

use crate::components::form::field::TextField;
use crate::components::layout::FormToken;
use crate::components::notice::{ErrorSummary, Receipt};
use crate::components::table::table;
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::pages::team::find;
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::role_word;
use crate::visit::{Visit, signed_in};

/// Removes a team. The team must own nothing.
#[server(prefix = "/fn", endpoint = "remove_team")]
pub async fn remove_team(team: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = TeamId::parse(&team).ok_or(ActionError::NotFound)?;
    team::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::TeamsRemoved.at(links::TEAMS))
}

/// The page of a team. The form holds a name that was not accepted.
pub async fn page(id: String, done: Option<&str>, form: Form<Option<String>>) -> Result<Page, ActionError> {
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
        let action = links::rename_team(&team.id);
        view! {
            <section class="panel" aria-labelledby="rename">
                <header><h2 id="rename">"Name of the team"</h2></header>
                <form method="post" action=action class="body">
                    <FormToken/>
                    <TextField id="name" label="Name" value=name.unwrap_or_else(|| team.name.clone()) required=true
                        error=errors.at("name")/>
                    <div class="row"><button class="button">"Save name"</button></div>
                </form>
            </section>
        }
    });
    let remove = (administers && team.id != TeamId::first()).then(|| {
        view! {
            <section class="panel" aria-labelledby="remove">
                <header><h2 id="remove">"Remove the team"</h2></header>
                <form method="post" action=links::REMOVE_TEAM class="body">
                    <FormToken/>
                    <input type="hidden" name="team" value=team.id.to_string()/>
                    <p class="muted">"Only while it owns no credential: revoked ones count too, their history is the team’s."</p>
                    <div class="row"><button class="button">"Remove team"</button></div>
                </form>
            </section>
        }
    });
    let invite = manages.then(|| {
        view! { <a class="button" data-kind="primary" href=links::invite_to_team(&team.id)>"Invite a person"</a> }
    });
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        <Receipt on=On::Team done/>
        <div class="head">
            <div>
                <a href=links::TEAMS>"Back to the teams"</a>
                <h1>{team.name.clone()}</h1>
                <p><a href=links::credentials_of_team(&team.id)>"See its credentials"</a></p>
            </div>
            {invite}
        </div>
        <section class="panel" aria-labelledby="people">
            <header><h2 id="people">"People"</h2></header>
            {people(&visit, &team, members, manages)}
        </section>
        {(!invitations.is_empty()).then(|| open_invitations(invitations, Vec::new()))}
        <div class="split">{rename}{remove}</div>
    };
    Ok(Page::new(title, body).answering(status))
}

fn people(visit: &Visit, team: &Team, members: Vec<Member>, manages: bool) -> AnyView {
    if members.is_empty() {
        return view! {
            <div class="body"><p>"Nobody is in this team yet. Administrators see its credentials all the same."</p></div>
        }
        .into_any();
    }
    let own = visit.viewer.as_ref().map(|viewer| viewer.id.clone());
    let rows = members
        .into_iter()
        .map(|member| {
            let change = manages.then(|| {
                let href = links::team_member(&team.id, &member.person);
                view! { <a class="button" data-size="small" href=href>"Change"<span class="vh">{format!(" {}", member.name)}</span></a> }
            });
            let you = (own.as_ref() == Some(&member.person)).then_some(" (you)");
            let disabled = member.disabled.then(|| view! { " "<span class="chip" data-tone="warn">"Disabled"</span> });
            view! {
                <tr>
                    <th scope="row">{member.name}{you}<div class="sub">{member.email}</div></th>
                    <td data-label="Role">{role_word(member.role)}{disabled}</td>
                    <td class="corner">{change}</td>
                </tr>
            }
        })
        .collect_view();
    table(["Name", "Role", ""], rows)
}
