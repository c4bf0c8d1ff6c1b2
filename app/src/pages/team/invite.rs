//! Inviting people, and the invitations that are open.

use domain::base::id::{InvitationId, TeamId};
use domain::model::authority::Role;
use domain::model::field_error::FieldError;
use domain::model::team::{Invitation, InvitedRole, Team};
use domain::person::invitation;
use domain::person::team;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, Select, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::time::Moment;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::team::find;
use crate::pages::team::role::{read_role, role_options, role_word};
use crate::visit::signed_in;

/// Takes back an invitation.
#[server(prefix = "/fn", endpoint = "withdraw_invitation")]
pub async fn withdraw_invitation(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = InvitationId::parse(&id).ok_or(ActionError::NotFound)?;
    let withdrawn = invitation::withdraw(&visit.context, &visit.actor()?, &id).await?;
    Ok(match withdrawn.grant {
        InvitedRole::Team(team, _) => format!("/teams/{team}?done=withdrawn"),
        InvitedRole::Administrator => "/people?done=withdrawn".to_owned(),
    })
}

/// Invitations that can still be used. `teams` names the teams where it is not clear which one is meant.
pub fn open_invitations(invitations: Vec<Invitation>, teams: Vec<Team>) -> AnyView {
    let rows = invitations
        .into_iter()
        .map(|invitation| {
            let gives = match &invitation.grant {
                InvitedRole::Administrator => "Administrator".to_owned(),
                InvitedRole::Team(id, role) => match teams.iter().find(|team| team.id == *id) {
                    Some(team) => format!("{} of {}", role_word(*role), team.name),
                    None => role_word(*role).to_owned(),
                },
            };
            view! {
                <tr>
                    <th scope="row">{invitation.email.clone()}<div class="sub">{format!("by {}", invitation.invited_by)}</div></th>
                    <td data-label="Gives">{gives}</td>
                    <td data-label="Link works until"><Moment at=invitation.expires_at/></td>
                    <td class="corner">
                        <form method="post" action="/fn/withdraw_invitation">
                            <FormToken/>
                            <input type="hidden" name="id" value=invitation.id.to_string()/>
                            <button class="button" data-size="small">
                                "Withdraw"<span class="vh">{format!(" the invitation of {}", invitation.email)}</span>
                            </button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel" aria-labelledby="invited">
            <header><h2 id="invited">"Open invitations"</h2></header>
            <table>
                <thead><tr>
                    <th scope="col">"For"</th><th scope="col">"Gives"</th><th scope="col">"Link works until"</th>
                    <td class="corner"><span class="vh">"Actions"</span></td>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .into_any()
}

/// What was typed to invite somebody.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Whom.
    pub email: String,
    /// Identifier of the team, or [`ADMINISTRATION`].
    pub team: String,
    /// A word of [`Role`].
    pub role: String,
}

/// Stands for the administration where a team is chosen.
pub const ADMINISTRATION: &str = "administration";

impl Typed {
    /// What the rules understand.
    pub fn grant(&self) -> Result<InvitedRole, FieldError> {
        if self.team == ADMINISTRATION {
            return Ok(InvitedRole::Administrator);
        }
        let team = TeamId::parse(&self.team).ok_or_else(|| FieldError::new("team", "Choose one of the list."))?;
        Ok(InvitedRole::Team(team, read_role(&self.role)?))
    }
}

/// Asks whom to invite: into this team, or anywhere.
pub async fn page(
    into: Option<String>,
    typed: Typed,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let chosen = if typed.role.is_empty() { Role::Member.as_str().to_owned() } else { typed.role };
    let (back, back_words, title, team) = match into {
        Some(id) => {
            let team = find(&visit, &id).await?;
            let back = format!("/teams/{}", team.id);
            (back, format!("Back to {}", team.name), format!("Invite to {}", team.name), ().into_any())
        }
        None => {
            let teams = team::list(&visit.context, visit.authority()?).await?;
            let mut options = vec![(String::new(), "Choose a team".to_owned())];
            options.extend(teams.into_iter().map(|team| (team.id.to_string(), team.name)));
            options.push((ADMINISTRATION.to_owned(), "Everything: an administrator".to_owned()));
            let select = view! {
                <Select id="team" label="Team" options chosen=typed.team error=of.at("team")
                    hint="For an administrator the role below means nothing."/>
            };
            let words = ("/people".to_owned(), "Back to the people".to_owned(), "Invite a person".to_owned());
            (words.0, words.1, words.2, select.into_any())
        }
    };
    let action = if back == "/people" { "/people/invite".to_owned() } else { format!("{back}/invite") };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head">
            <div>
                <a href=back.clone()>{back_words}</a><h1>{title.clone()}</h1>
                <p>"You get a link to hand over. It works once, for seven days, for this address only."</p>
            </div>
        </div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Invitation">
                <TextField id="email" label="Email" kind="email" value=typed.email required=true error=of.at("email")/>
                {team}
                <Select id="role" label="Role" options=role_options() chosen error=of.at("role")/>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Create invitation"</button>
                <a class="button" data-kind="quiet" href=back>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}
