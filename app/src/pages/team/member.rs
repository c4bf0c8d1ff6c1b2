//! Somebody’s role in a team.

use domain::base::id::{PersonId, TeamId};
use domain::model::field_error::FieldError;
use domain::person::team::{self, TeamError};
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, Select};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::team::find;
use crate::pages::team::role::role_options;
use crate::visit::signed_in;

/// Takes somebody out of a team.
#[server(prefix = "/fn", endpoint = "remove_member")]
pub async fn remove_member(team: String, person: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let (Some(id), Some(person)) = (TeamId::parse(&team), PersonId::parse(&person)) else {
        return Err(ActionError::NotFound);
    };
    team::set_role(&visit.context, &visit.actor()?, &id, &person, None).await?;
    // Whoever takes themselves out sees the team no more.
    let is_self = visit.viewer()?.id == person && !visit.authority()?.is_administrator();
    Ok(if is_self { "/teams".to_owned() } else { format!("/teams/{id}?done=removed") })
}

/// Asks for somebody's new role in a team.
pub async fn page(
    team: String,
    person: String,
    role: Option<String>,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &team).await?;
    let person = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    let members = team::members(&visit.context, &team.id).await?;
    let member = members.into_iter().find(|member| member.person == person).ok_or(TeamError::NotFound)?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let back = format!("/teams/{}", team.id);
    let action = format!("{back}/members/{person}");
    let chosen = role.unwrap_or_else(|| member.role.as_str().to_owned());
    let title = format!("{} in {}", member.name, team.name);
    let body = view! {
        <ErrorSummary errors/>
        <div class="head">
            <div><a href=back.clone()>{format!("Back to {}", team.name)}</a><h1>{title.clone()}</h1><p>{member.email}</p></div>
        </div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Role">
                <Select id="role" label="Role" options=role_options() chosen error=of.at("role")/>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Save role"</button>
                <a class="button" data-kind="quiet" href=back>"Cancel"</a>
            </div>
        </form>
        <section class="panel" data-tone="danger" aria-labelledby="out">
            <header><h2 id="out">"Take out of the team"</h2></header>
            <form method="post" action="/fn/remove_member" class="body">
                <FormToken/>
                <input type="hidden" name="team" value=team.id.to_string()/>
                <input type="hidden" name="person" value=person.to_string()/>
                <p class="muted">"They see nothing of it any more. The credentials they made stay the team’s and go on."</p>
                <div class="row"><button class="button" data-kind="danger">"Take out of the team"</button></div>
            </form>
        </section>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}
