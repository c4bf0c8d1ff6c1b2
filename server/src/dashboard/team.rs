//! Teams, their members, and invitations.

use app::pages::credential::usage::read_period;
use app::pages::person::{invitation as invitation_page, join};
use app::pages::team::role::read_role;
use app::pages::team::{invite, list, member, new, rename, show};
use domain::base::id::{PersonId, TeamId};
use domain::model::field_error::FieldError;
use domain::model::person::team::InvitedRole;
use domain::person::{invitation, team};
use domain::webhook::mail;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links, read,
};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::team::{member::page as member, new::page as new_form, remove::page as remove_form};

/// `GET /teams`
pub(crate) async fn list(fields: Fields) -> PageResult {
    list::page(fields.find("done")).await
}

/// `GET /teams/{team_id}`
pub(crate) async fn show(team_id: String, fields: Fields) -> PageResult {
    let receipt = (fields.find("done"), fields.find("person"));
    show::page(team_id, &fields.get("view"), read_period(fields.find("period")), receipt).await
}

/// `POST /teams/new`
pub(crate) async fn create(form: Submission) -> Response {
    let name = form.get("name");
    form.run(name, new::page, async |form, name| {
        let team = team::create(form.context(), &form.actor().await?, name).await?;
        Ok(Answer::Next(Done::TeamCreated.at(links::team(&team.id))))
    })
    .await
}

/// `GET /teams/{team_id}/name`
pub(crate) async fn rename_form(team_id: String) -> PageResult {
    rename::page(team_id, Form::default()).await
}

/// `POST /teams/{team_id}/name`
pub(crate) async fn rename(form: Submission, team_id: String) -> Response {
    let name = form.get("name");
    form.run_of(team_id, name, rename::page, async |form, team_id, name| {
        let id = TeamId::parse(team_id).ok_or(ActionError::NotFound)?;
        team::rename(form.context(), &form.actor().await?, &id, name).await?;
        Ok(Answer::Next(Done::TeamName.at(links::team(&id))))
    })
    .await
}

/// `GET /people/invite`. A link to it may fill the form.
pub(crate) async fn invite_form(fields: Fields) -> PageResult {
    invite::page(None, Form::new(read!(fields => invite::Typed { email, team, role }))).await
}

/// `GET /teams/{team_id}/invite`
pub(crate) async fn invite_to_team(team_id: String, fields: Fields) -> PageResult {
    invite::page(Some(team_id), Form::new(read!(fields => invite::Typed { email, team, role }))).await
}

/// `POST /teams/{team_id}/invite` and `POST /people/invite`: adds a person who has an account to the team, and invites
/// everybody else. The answer to an invitation is the only page that shows the link. A reload makes another link, and
/// the link before it stops working. So no invitation exists twice.
pub(crate) async fn invite(form: Submission, into: Option<String>) -> Response {
    let mut typed = read!(form.fields => invite::Typed { email, team, role });
    let is_in_team = into.is_some();
    typed.team = into.clone().unwrap_or(typed.team);
    let page = |form| invite::page(into, form);
    form.run(typed, page, async |form, typed| {
        let role = typed.invited_role()?;
        let actor = form.actor().await?;
        if let InvitedRole::Team(id, role) = &role
            && let Some(person) = team::add(form.context(), &actor, id, &typed.email, *role).await?
        {
            let receipt = Done::TeamMemberAdded.at(links::team(id));
            return Ok(Answer::Next(format!("{receipt}&person={}", person.id)));
        }
        let (invitation, token) = invitation::invite(form.context(), &actor, &typed.email, role).await?;
        let onward = match &invitation.role {
            InvitedRole::Team(team, _) if is_in_team => links::team(team),
            _ => links::PEOPLE.to_owned(),
        };
        let link = invitation_page::address(&form.context().settings.public_url, &token);
        let (to, by, until) = (&invitation.email, actor.name(), invitation.expires_at);
        let mailed = mail::send_invitation(form.context(), to, by, &link, until).await;
        Ok(Answer::page(move || invitation_page::link_page(&invitation, link, onward, &mailed)))
    })
    .await
}

/// `POST /teams/{team_id}/members/{person_id}`: changes the role.
pub(crate) async fn set_role(form: Submission, team_id: String, person_id: String) -> Response {
    let outcome = role_set(&form, &team_id, &person_id).await;
    let (outcome, role) = (outcome.map(|()| Done::TeamRole.at(links::team(&team_id))), form.get("role"));
    form.answer(outcome.map(Answer::Next), Some(role), |form| member::page(team_id, person_id, form)).await
}

/// `POST /people/{person_id}/teams`: adds a person to a team.
pub(crate) async fn add_to_team(form: Submission, person_id: String) -> Response {
    let typed = read!(form.fields => join::Typed { team, role });
    form.run_of(person_id, typed, join::page, async |form, person_id, typed| {
        role_set(form, &typed.team, person_id).await?;
        Ok(Answer::Next(Done::PersonRole.at(links::person(person_id))))
    })
    .await
}

async fn role_set(form: &Submission, team_id: &str, person_id: &str) -> Result<(), Refused> {
    if team_id.is_empty() {
        return Err(FieldError::new("team", "Choose a team.").into());
    }
    let (Some(team), Some(person)) = (TeamId::parse(team_id), PersonId::parse(person_id)) else {
        return Err(ActionError::NotFound.into());
    };
    let role = read_role(&form.get("role"))?;
    let actor = form.actor().await?;
    Ok(team::set_role(form.context(), &actor, &team, &person, Some(role)).await?)
}
