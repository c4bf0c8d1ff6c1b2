//! Adding people to a team: directly when they have an account, otherwise by an invitation; and the open invitations.

use domain::base::id::{InvitationId, TeamId};
use domain::model::field_error::FieldError;
use domain::model::person::team::{Invitation, InvitedRole, Team};
use domain::person::invitation;
use domain::person::team;

use crate::pages::audit::receipt::recorded;
use crate::pages::team::find;
use crate::pages::team::role::{read_role, role_choice, role_word};
use crate::prelude::*;

/// Withdraws an invitation.
#[server(prefix = "/fn", endpoint = "withdraw_invitation")]
pub(crate) async fn withdraw_invitation(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = InvitationId::parse(&id).ok_or(ActionError::NotFound)?;
    let withdrawn = invitation::withdraw(&visit.context, &visit.actor()?, &id).await?;
    Ok(match withdrawn.role {
        InvitedRole::Team(team, _) => recorded(&visit, Done::TeamWithdrawn.at(links::team(&team)), &team).await,
        // The entry is about no team and no person: its target has no identifier.
        InvitedRole::Administrator => recorded(&visit, Done::PeopleWithdrawn.at(links::PEOPLE), "").await,
    })
}

/// Invitations that can still be used. `teams` gives the names of the teams, for a list of several teams.
pub(crate) fn open_invitations(invitations: Vec<Invitation>, teams: Vec<Team>) -> AnyView {
    let rows = invitations.into_iter().map(|invitation| {
        let gives = match &invitation.role {
            InvitedRole::Administrator => "Administrator".to_owned(),
            InvitedRole::Team(id, role) => match teams.iter().find(|team| team.id == *id) {
                Some(team) => format!("{} of {}", role_word(*role), team.name),
                None => role_word(*role).to_owned(),
            },
        };
        let of = format!(" the invitation of {}", invitation.email);
        let fields = [("id", invitation.id.to_string())];
        let words = one_of_many("Withdraw invitation", format!(" of {}", invitation.email));
        let withdraw = post_button(links::WITHDRAW_INVITATION, fields, Some("danger"), true, words);
        cells![
            html! { {invitation.email.clone()}{sub(format!("by {}", invitation.invited_by))} },
            gives,
            moment(invitation.expires_at),
            html! {
                <div class="row">
                    {small_link(again(&invitation), one_of_many("New link", format!(" for {}", invitation.email)))}
                    {ask(true, one_of_many("Withdraw", of), "The link stops working.", withdraw)}
                </div>
            },
        ]
    });
    panel("invited", "Open invitations", (), table(["Email", "Role", "Link works until", ""], rows))
}

/// The form that invites the same person again. The new link ends the present one.
fn again(invitation: &Invitation) -> String {
    let email = ("email", invitation.email.as_str());
    match &invitation.role {
        InvitedRole::Administrator => links::with_query(links::INVITE, &[email, ("team", ADMINISTRATION)]),
        InvitedRole::Team(team, role) => {
            links::with_query(&links::invite_to_team(team), &[email, ("role", role.as_str())])
        }
    }
}

/// The fields of an invitation, as typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Email address of the invited person.
    pub email: String,
    /// Identifier of the team, or [`ADMINISTRATION`].
    pub team: String,
    /// A word of [`Role`].
    pub role: String,
}

/// The value for "administration" in the choice of a team.
pub(crate) const ADMINISTRATION: &str = "administration";

impl Typed {
    /// Converts the fields to the input of the domain rules.
    pub fn invited_role(&self) -> Result<InvitedRole, FieldError> {
        if self.team == ADMINISTRATION {
            return Ok(InvitedRole::Administrator);
        }
        let team = TeamId::parse(&self.team).ok_or_else(|| FieldError::new("team", "Choose one from the list."))?;
        Ok(InvitedRole::Team(team, read_role(&self.role)?))
    }
}

/// The form that invites a person: into this team, or into any team.
pub async fn page(into: Option<String>, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let (page, team) = match into {
        Some(id) => {
            let team = find(&visit, &id).await?;
            let title = format!("Add somebody to {}", team.name);
            let page = FormPage::new(title, links::invite_to_team(&team.id), "Add to team");
            (page.back(links::team(&team.id), team.name.clone()), None)
        }
        None => {
            let teams = team::list(&visit.context, visit.authority()?).await?;
            let teams = teams.into_iter().map(|team| (team.id.to_string(), team.name));
            let everything = (ADMINISTRATION.to_owned(), "All teams, as administrator".to_owned());
            let options = options_after("Choose a team", teams.chain([everything]));
            let select = view! {
                <Select id="team" label="Team" options chosen=typed.team error=errors.at("team")/>
            };
            let page = FormPage::new("Invite a person", links::INVITE, "Create invitation");
            (page.back(links::PEOPLE, "People"), Some(select))
        }
    };
    let fields = view! {
        <TextField id="email" label="Email" kind="email" value=typed.email required=true error=errors.at("email")/>
        {team}
        // An administrator has no role in a team.
        <div class="for-team">{role_choice(typed.role, &errors)}</div>
    };
    let lead = "A person with an account is in the team at once. Everybody else needs an invitation: you get a link to \
                hand over. The link creates an account with this email address for the first person who opens it. It works once, for \
                seven days.";
    Ok(page.lead(lead).panel("Person", fields).confirm(visit.must_confirm()).page(errors))
}
