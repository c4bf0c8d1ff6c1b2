//! Teams: which there are, who is in them and as what.

use domain::authority::{Authority, Role};
use domain::error::FieldError;
use domain::id::{InvitationId, PersonId, TeamId};
use domain::invitation::{self, Grant, Invitation};
use domain::team::{self, Member, Summary, Team, TeamError};
use leptos::prelude::*;

use crate::action::ActionError;
use crate::components::chart::{counted, grouped};
use crate::components::field::{ConfirmPassword, Errors, Select, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::{Done, ErrorSummary};
use crate::components::time::Moment;
use crate::render::{Frame, Page};
use crate::visit::{Visit, signed_in};

/// Takes back an invitation.
#[server(prefix = "/fn", endpoint = "withdraw_invitation")]
pub async fn withdraw_invitation(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = InvitationId::parse(&id).ok_or(ActionError::NotFound)?;
    let withdrawn = invitation::withdraw(&visit.context, &visit.actor()?, &id).await?;
    Ok(match withdrawn.grant {
        Grant::Team(team, _) => format!("/teams/{team}?done=withdrawn"),
        Grant::Administrator => "/people?done=withdrawn".to_owned(),
    })
}

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

/// Removes a team that owns nothing.
#[server(prefix = "/fn", endpoint = "remove_team")]
pub async fn remove_team(team: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = TeamId::parse(&team).ok_or(ActionError::NotFound)?;
    team::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok("/teams?done=removed".to_owned())
}

/// A role as people read it.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Member => "Member",
        Role::Manager => "Manager",
    }
}

/// The roles to choose from, the least first.
pub fn role_options() -> Vec<(String, String)> {
    [
        (Role::Viewer, "Viewer: looks"),
        (Role::Member, "Member: generates, rotates, revokes"),
        (Role::Manager, "Manager: everything in the team"),
    ]
    .map(|(role, words)| (role.as_str().to_owned(), words.to_owned()))
    .into()
}

/// Reads the choice of a role.
pub fn read_role(word: &str) -> Result<Role, FieldError> {
    Role::parse(word).ok_or_else(|| FieldError::new("role", "Choose one of the list."))
}

/// The list.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let summaries = team::summaries(&visit.context, authority).await?;
    let administers = authority.is_administrator();
    let list = if summaries.is_empty() {
        view! {
            <div class="body"><p>"You are in no team yet. Ask an administrator or a manager for an invitation."</p></div>
        }
        .into_any()
    } else {
        table(summaries, authority)
    };
    let body = view! {
        {(done == Some("removed")).then(|| view! { <Done text="Team removed.".to_owned()/> })}
        <div class="head">
            <div><h1>"Teams"</h1><p>"Each credential belongs to one. Who is not in it does not see it."</p></div>
            {administers.then(|| view! { <a class="button" data-kind="primary" href="/teams/new">"New team"</a> })}
        </div>
        <section class="panel" aria-label="Teams">{list}</section>
        <Roles/>
    };
    Ok(Page::new("Teams", body))
}

fn table(summaries: Vec<Summary>, authority: &Authority) -> AnyView {
    let rows = summaries
        .into_iter()
        .map(|Summary { team, people, credentials }| {
            let role = match authority {
                Authority::Everything => "Administrator",
                authority => authority.role_in(&team.id).map_or("None", role_word),
            };
            view! {
                <tr>
                    <th scope="row"><a class="name" href=format!("/teams/{}", team.id)>{team.name}</a></th>
                    <td data-label="You are">{role}</td>
                    <td class="number" data-label="People">{grouped(people)}</td>
                    <td class="number" data-label="Working credentials">
                        <a href=format!("/credentials?team={}", team.id)>{grouped(credentials)}</a>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <table>
            <thead><tr>
                <th scope="col">"Name"</th><th scope="col">"You are"</th><th scope="col" class="number">"People"</th>
                <th scope="col" class="number">"Working credentials"</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// What each role may do.
#[component]
fn Roles() -> AnyView {
    let role = |name: &'static str, may: &'static str| {
        view! { <tr><th scope="row">{name}</th><td data-label="May">{may}</td></tr> }
    };
    view! {
        <section class="panel" aria-labelledby="roles">
            <header><h2 id="roles">"Roles"</h2></header>
            <table>
                <thead><tr><th scope="col">"Role"</th><th scope="col">"May"</th></tr></thead>
                <tbody>
                    {role("Viewer", "Look at the team’s credentials, their use and their history.")}
                    {role("Member", "Also generate, rotate, disable, enable and revoke them.")}
                    {role("Manager", "Also edit what they may do, their keys and identities, and invite people to the team.")}
                    {role("Administrator", "Everything, in every team: people, MCP servers, settings, the emergency stop.")}
                </tbody>
            </table>
        </section>
    }
    .into_any()
}

/// The form that makes a team.
pub async fn new_page(name: String, errors: Vec<FieldError>) -> Result<Page, ActionError> {
    signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/teams">"Back to the list"</a><h1>"New team"</h1></div></div>
        <form method="post" action="/teams/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                <TextField id="name" label="Name" value=name required=true error=of.at("name")/>
            </section>
            <div class="row">
                <button class="button" data-kind="primary">"Create team"</button>
                <a class="button" data-kind="quiet" href="/teams">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New team", body).framed(Frame::Narrow).answering(status))
}

/// The team at this address.
pub(crate) async fn find(visit: &Visit, id: &str) -> Result<Team, ActionError> {
    let id = TeamId::parse(id).ok_or(ActionError::NotFound)?;
    team::find(&visit.context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)
}

/// The page of a team. `name` is what was typed when it was not accepted.
pub async fn one(
    id: String,
    done: Option<&str>,
    name: Option<String>,
    errors: Vec<FieldError>,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let team = find(&visit, &id).await?;
    let members = team::members(&visit.context, &team.id).await?;
    let manages = visit.may(&team.id, Role::Manager);
    let administers = visit.authority()?.is_administrator();
    let invitations = if manages { invitation::list(&visit.context, Some(&team.id)).await? } else { Vec::new() };
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let done = match done {
        Some("created") => Some("Team created. Invite people, or generate its first credential."),
        Some("name") => Some("Name saved."),
        Some("role") => Some("Role saved. It holds from the next click on."),
        Some("removed") => Some("Taken out of the team. What they made stays the team’s."),
        Some("withdrawn") => Some("Invitation withdrawn. Its link does not work any more."),
        Some("joined") => Some("You are in the team."),
        _ => None,
    };
    let title = team.name.clone();
    let rename = manages.then(|| {
        let action = format!("/teams/{}/name", team.id);
        view! {
            <section class="panel" aria-labelledby="rename">
                <header><h2 id="rename">"Name of the team"</h2></header>
                <form method="post" action=action class="body">
                    <FormToken/>
                    <TextField id="name" label="Name" value=name.unwrap_or_else(|| team.name.clone()) required=true
                        error=of.at("name")/>
                    <div class="row"><button class="button">"Save name"</button></div>
                </form>
            </section>
        }
    });
    let remove = (administers && team.id != TeamId::first()).then(|| {
        view! {
            <section class="panel" aria-labelledby="remove">
                <header><h2 id="remove">"Remove the team"</h2></header>
                <form method="post" action="/fn/remove_team" class="body">
                    <FormToken/>
                    <input type="hidden" name="team" value=team.id.to_string()/>
                    <p class="muted">"Only while it owns no credential: revoked ones count too, their history is the team’s."</p>
                    <div class="row"><button class="button">"Remove team"</button></div>
                </form>
            </section>
        }
    });
    let invite = manages.then(|| {
        view! { <a class="button" data-kind="primary" href=format!("/teams/{}/invite", team.id)>"Invite a person"</a> }
    });
    let body = view! {
        <ErrorSummary errors/>
        {done.map(|text| view! { <Done text=text.to_owned()/> })}
        <div class="head">
            <div>
                <a href="/teams">"Back to the teams"</a>
                <h1>{team.name.clone()}</h1>
                <p><a href=format!("/credentials?team={}", team.id)>"See its credentials"</a></p>
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
                let href = format!("/teams/{}/members/{}", team.id, member.person);
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
    view! {
        <table>
            <thead><tr>
                <th scope="col">"Name"</th><th scope="col">"Role"</th>
                <td class="corner"><span class="vh">"Actions"</span></td>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// Invitations that can still be used. `teams` names the teams where it is not clear which one is meant.
pub fn open_invitations(invitations: Vec<Invitation>, teams: Vec<Team>) -> AnyView {
    let rows = invitations
        .into_iter()
        .map(|invitation| {
            let gives = match &invitation.grant {
                Grant::Administrator => "Administrator".to_owned(),
                Grant::Team(id, role) => match teams.iter().find(|team| team.id == *id) {
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

/// Asks for somebody's new role in a team.
pub async fn member_page(
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
    pub fn grant(&self) -> Result<Grant, FieldError> {
        if self.team == ADMINISTRATION {
            return Ok(Grant::Administrator);
        }
        let team = TeamId::parse(&self.team).ok_or_else(|| FieldError::new("team", "Choose one of the list."))?;
        Ok(Grant::Team(team, read_role(&self.role)?))
    }
}

/// Asks whom to invite: into this team, or anywhere.
pub async fn invite_page(
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

/// What somebody is, in short: an administrator, or in how many teams.
pub fn membership_words(authority: &Authority) -> String {
    match authority {
        Authority::Person { roles, .. } => counted(i64::try_from(roles.len()).unwrap_or(i64::MAX), "team", "teams"),
        Authority::Everything | Authority::Team(_) => "Administrator".to_owned(),
    }
}
