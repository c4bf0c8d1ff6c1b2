//! People: who has an account, in which teams, and how an administrator can change it.

use domain::base::id::{PersonId, SessionId};
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::Session;
use domain::model::person::team::Team;
use domain::person::manage::{self, Listed};
use domain::person::openid::link;
use domain::person::session;
use domain::person::{invitation, team};
use leptos::prelude::*;

use crate::components::form::field::{ConfirmPassword, Select, TextField};
use crate::components::form::form_page::FormPage;
use crate::components::form::post_button::{one_of_many, post_button};
use crate::components::layout::FormToken;
use crate::components::notice::{ErrorSummary, Receipt};
use crate::components::sessions::session_table;
use crate::components::table::table;
use crate::components::time::{Moment, MomentOr};
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::links::query_string;
use crate::page::Page;
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::{role_options, role_word};
use crate::visit::{Visit, signed_in};

/// Ends sessions of a person: the session that is named, or all of them.
#[server(prefix = "/fn", endpoint = "end_sessions_of")]
pub async fn end_sessions_of(person: String, #[server(default)] session: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    let session = match session.as_str() {
        "" => None,
        one => Some(SessionId::parse(one).ok_or(ActionError::NotFound)?),
    };
    manage::end_sessions(&visit.context, &visit.actor()?, &id, session.as_ref()).await?;
    Ok(Done::PersonSessionsEnded.at(links::person(&id)))
}

fn state(listed: &Listed) -> AnyView {
    match listed.person.disabled_at {
        Some(_) => view! { <span class="chip" data-tone="warn">"Disabled"</span> }.into_any(),
        None => view! { <span class="chip" data-tone="ok">"Active"</span> }.into_any(),
    }
}

/// The role of a person on the instance, in words.
fn access(listed: &Listed) -> String {
    if listed.person.administrator_since.is_some() {
        return "Administrator".to_owned();
    }
    let teams: Vec<String> =
        listed.teams.iter().map(|own| format!("{} of {}", role_word(own.role), own.team.name)).collect();
    if teams.is_empty() { "In no team".to_owned() } else { teams.join(", ") }
}

/// The list.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let people = manage::list(&visit.context).await?;
    let invitations = invitation::list(&visit.context, None).await?;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let rows = people
        .into_iter()
        .map(|listed| {
            let href = links::person(&listed.person.id);
            view! {
                <tr>
                    <th scope="row"><a class="name" href=href>{listed.person.name.clone()}</a>
                        <div class="sub">{listed.person.email.clone()}</div></th>
                    <td data-label="Access">{access(&listed)}</td>
                    <td data-label="Last seen"><MomentOr at=listed.seen_at otherwise="Not lately"/></td>
                    <td data-label="State">{state(&listed)}</td>
                </tr>
            }
        })
        .collect_view();
    let body = view! {
        <Receipt on=On::People done/>
        <div class="head">
            <div><h1>"People"</h1><p>"Who signs in here. Credentials belong to teams and outlive the people who made them."</p></div>
            <a class="button" data-kind="primary" href=links::INVITE>"Invite a person"</a>
        </div>
        <section class="panel" aria-label="People">
            {table(["Name", "Access", "Last seen", "State"], rows)}
        </section>
        {(!invitations.is_empty()).then(|| open_invitations(invitations, teams))}
    };
    Ok(Page::new("People", body))
}

async fn find(visit: &Visit, id: &str) -> Result<Listed, ActionError> {
    let id = PersonId::parse(id).ok_or(ActionError::NotFound)?;
    let people = manage::list(&visit.context).await?;
    people.into_iter().find(|listed| listed.person.id == id).ok_or(ActionError::NotFound)
}

/// The page of a person. Its form adds them to a team.
pub async fn one(id: String, done: Option<&str>, form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let person = &listed.person;
    let sessions = session::list(&visit.context, &person.id).await?;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let is_self = visit.viewer()?.id == person.id;
    let openid = openid_of(&visit, &person.id).await?;
    let actions = (!is_self).then(|| actions(person, openid.is_some()));
    let revoke = format!("{}?{}", links::STOP, query_string(&[("made_by", &id), ("means", "revoke")]));
    let errors = form.errors.clone();
    let status = errors.status();
    let body = view! {
        <ErrorSummary errors/>
        <Receipt on=On::Person done/>
        <div class="head">
            <div>
                <a href=links::PEOPLE>"Back to the people"</a>
                <div class="title"><h1>{person.name.clone()}</h1>{state(&listed)}</div>
                <p>{person.email.clone()}</p>
            </div>
            {actions}
        </div>
        <dl class="panel facts">
            <div><dt>"Access"</dt><dd>{access(&listed)}</dd></div>
            <div><dt>"Last seen"</dt><dd><MomentOr at=listed.seen_at otherwise="Not lately"/></dd></div>
            <div><dt>"Second factor"</dt><dd>{if person.factors.any() { "On" } else { "Off" }}</dd></div>
            {openid}
            {person.disabled_at.map(|at| view! { <div><dt>"Disabled"</dt><dd><Moment at/></dd></div> })}
        </dl>
        <section class="panel" aria-labelledby="teams">
            <header><h2 id="teams">"Teams"</h2></header>
            {memberships(&listed)}
            {add_to_team(&visit, &listed, teams, form)}
        </section>
        {(!sessions.is_empty()).then(|| sessions_of(&id, sessions))}
        <section class="panel" data-tone="danger" aria-labelledby="made">
            <header><h2 id="made">"Revoke everything this person made"</h2></header>
            <div class="body">
                <p class="muted">
                    "Credentials they generated, and those whose present secret, key or identity they made and so have seen; "
                    "clients that they added; their connected apps and personal tokens. Disabling the person ends only the last "
                    "two: credentials are the team’s."
                </p>
                <div class="row"><a class="button" href=revoke>"Count what it ends"</a></div>
            </div>
        </section>
    };
    Ok(Page::new(person.name.clone(), body).answering(status))
}

/// The actions of an administrator on another person.
fn actions(person: &Person, has_openid: bool) -> AnyView {
    let change = |to: Change, words: &'static str, kind: Option<&'static str>| {
        let href = format!("{}?to={}", links::change_person(&person.id), to.as_str());
        view! { <a class="button" data-kind=kind href=href>{words}</a> }.into_any()
    };
    let (disabled, administers) = (person.disabled_at.is_some(), person.administrator_since.is_some());
    let administration = match (disabled, administers) {
        (true, _) => None,
        (false, true) => Some(change(Change::Person, "Take the administration", None)),
        (false, false) => Some(change(Change::Administrator, "Make an administrator", None)),
    };
    let shut = if disabled {
        change(Change::Enabled, "Enable", Some("primary"))
    } else {
        change(Change::Disabled, "Disable", Some("danger"))
    };
    let reset = person.factors.any().then(|| change(Change::SecondFactorRemoved, "Remove second factor", None));
    let disconnect = has_openid.then(|| change(Change::OpenIdDisconnected, "Disconnect OpenID account", None));
    view! { <div class="row">{disconnect}{reset}{administration}{shut}</div> }.into_any()
}

/// The teams of a person.
fn memberships(listed: &Listed) -> AnyView {
    let rows = listed
        .teams
        .iter()
        .map(|own| {
            let change = links::team_member(&own.team.id, &listed.person.id);
            view! {
                <tr>
                    <th scope="row"><a class="name" href=links::team(&own.team.id)>{own.team.name.clone()}</a></th>
                    <td data-label="Role">{role_word(own.role)}</td>
                    <td class="corner"><a class="button" data-size="small" href=change>
                        "Change"<span class="vh">{format!(" in {}", own.team.name)}</span></a></td>
                </tr>
            }
        })
        .collect_view();
    (!listed.teams.is_empty()).then(|| table(["Team", "Role", ""], rows)).into_any()
}

/// The form that adds a person to another team. Nothing when there is no other team or the person is shut out.
fn add_to_team(visit: &Visit, listed: &Listed, teams: Vec<Team>, form: Form<Typed>) -> AnyView {
    let Form { typed, errors, .. } = form;
    let others = teams.into_iter().filter(|team| !listed.teams.iter().any(|own| own.team.id == team.id));
    let others: Vec<_> = [(String::new(), "Choose a team".to_owned())]
        .into_iter()
        .chain(others.map(|team| (team.id.to_string(), team.name)))
        .collect();
    let role = if typed.role.is_empty() { Role::Member.as_str().to_owned() } else { typed.role };
    (others.len() > 1 && listed.person.disabled_at.is_none())
        .then(|| {
            view! {
                <form method="post" action=links::person_teams(&listed.person.id) class="body">
                    <FormToken/>
                    <Select id="team" label="Team" options=others chosen=typed.team error=errors.at("team")/>
                    <Select id="role" label="Role" options=role_options() chosen=role error=errors.at("role")/>
                    {visit.must_confirm().then(|| view! { <ConfirmPassword errors=errors.clone()/> })}
                    <div class="row"><button class="button">"Add to the team"</button></div>
                </form>
            }
        })
        .into_any()
}

/// The part of the page about the person's account at the OpenID provider, if they have one.
async fn openid_of(visit: &Visit, person: &PersonId) -> Result<Option<AnyView>, ActionError> {
    let Some(relying_party) = &visit.context.openid else { return Ok(None) };
    let link = link::of(&visit.context, relying_party, person).await?;
    let name = relying_party.provider().name.clone();
    Ok(link.map(|link| {
        let account = if link.account.is_empty() { "An account".to_owned() } else { link.account };
        view! {
            <div><dt>{format!("Sign in with {name}")}</dt>
                <dd>{account}", connected "<Moment at=link.connected_at/></dd></div>
        }
        .into_any()
    }))
}

fn sessions_of(person: &str, sessions: Vec<Session>) -> AnyView {
    let end = |session: String, words: AnyView| {
        post_button(links::END_SESSIONS_OF, [("person", person.to_owned()), ("session", session)], None, true, words)
    };
    let table = session_table(sessions, |session, browser| {
        let words = one_of_many("End session", format!(" on {browser}"));
        end(session.id.to_string(), words)
    });
    view! {
        <section class="panel" aria-labelledby="sessions">
            <header><h2 id="sessions">"Sessions"</h2>{end(String::new(), "End all sessions".into_any())}</header>
            {table}
        </section>
    }
    .into_any()
}

/// What was chosen to add a person to a team.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the team.
    pub team: String,
    /// A word of [`Role`].
    pub role: String,
}

/// A change that an administrator makes to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Shut the person out.
    Disabled,
    /// Let the person in again.
    Enabled,
    /// Make the person an administrator.
    Administrator,
    /// Take the role of administrator from the person.
    Person,
    /// Remove the second factor that the person lost.
    SecondFactorRemoved,
    /// Disconnect the account at the OpenID provider that the person signed in with.
    OpenIdDisconnected,
}

impl Change {
    /// The value in forms and addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Administrator => "administrator",
            Self::Person => "person",
            Self::SecondFactorRemoved => "second-factor-removed",
            Self::OpenIdDisconnected => "openid-disconnected",
        }
    }

    /// The receipt of the change.
    pub fn done(self) -> Done {
        match self {
            Self::Disabled => Done::PersonDisabled,
            Self::Enabled => Done::PersonEnabled,
            Self::Administrator => Done::PersonAdministrator,
            Self::Person => Done::PersonNoAdministrator,
            Self::SecondFactorRemoved => Done::PersonSecondFactorRemoved,
            Self::OpenIdDisconnected => Done::PersonDisconnected,
        }
    }

    /// Reads a value of a form or address.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Disabled,
            Self::Enabled,
            Self::Administrator,
            Self::Person,
            Self::SecondFactorRemoved,
            Self::OpenIdDisconnected,
        ]
        .into_iter()
        .find(|change| change.as_str() == word)
    }
}

/// The page that asks before a person is changed. Without a value it asks about shutting the person out, or about
/// letting them in again.
pub async fn change_page(id: String, form: Form<TypedChange>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let usual = if listed.person.disabled_at.is_some() { Change::Enabled } else { Change::Disabled };
    let Form { typed, errors, .. } = form;
    let to = typed.to.unwrap_or(usual);
    let name = listed.person.name;
    let (title, words, verb, is_danger) = change_words(to, &name);
    let words = view! {
        <section class="panel body" id="person" tabindex="-1" aria-label="What happens"><p>{words}</p></section>
    };
    let mut page = FormPage::new(title, links::change_person(&id), verb)
        .back(links::person(&id), format!("Back to {name}"))
        .hidden("to", to.as_str())
        .fields(words);
    if to == Change::SecondFactorRemoved {
        let (value, error) = (typed.reason, errors.at("reason"));
        let hint = "Optional. It stands in the audit log.";
        page = page.panel("Why", view! { <TextField id="reason" label="Reason" value hint error/> });
    }
    if is_danger {
        page = page.danger();
    }
    // To shut a person out needs no password: in an incident that must not wait.
    Ok(page.confirm(to != Change::Disabled && visit.must_confirm()).page(errors))
}

/// What was chosen and typed to change a person.
#[derive(Debug, Clone, Default)]
pub struct TypedChange {
    /// The change.
    pub to: Option<Change>,
    /// The reason.
    pub reason: String,
}

/// The question before a change: title, text, button, and whether the change takes something away.
fn change_words(to: Change, name: &str) -> (String, &'static str, &'static str, bool) {
    match to {
        Change::Disabled => (
            format!("Disable {name}?"),
            "Their sessions, the apps they connected and their personal tokens end now and do not come back. Signing in is \
             refused, and the invitations they sent are withdrawn. The credentials they made are their team’s and go on: to \
             end those too, use “Revoke everything this person made”.",
            "Disable person",
            true,
        ),
        Change::Enabled => {
            (format!("Enable {name}?"), "They can sign in again, with the roles they have.", "Enable person", false)
        }
        Change::Administrator => (
            format!("Make {name} an administrator?"),
            "They see and do everything, in every team: people, settings, the emergency stop.",
            "Make an administrator",
            false,
        ),
        Change::Person => (
            format!("Take the administration from {name}?"),
            "They keep their roles in teams. The invitations they sent are withdrawn.",
            "Take the administration",
            true,
        ),
        Change::SecondFactorRemoved => (
            format!("Remove the second factor of {name}?"),
            "For somebody who lost it, once you are sure that it is they who ask. Their authenticator app, passkeys and recovery \
             codes stop working, their sessions end now, and their password alone signs them in until they set up another one.",
            "Remove second factor",
            true,
        ),
        Change::OpenIdDisconnected => (
            format!("Disconnect the OpenID account of {name}?"),
            "Their account at the provider signs them in here no more, and their sessions end now. Their password stays, and they \
             may connect an account again.",
            "Disconnect OpenID account",
            true,
        ),
    }
}
