//! People: who has an account, in which teams, and how an administrator can change it.

use domain::base::id::{PersonId, SessionId};
use domain::model::person::Person;
use domain::model::person::authority::Authority;
use domain::model::person::session::Session;
use domain::model::person::team::Team;
use domain::person::access::{self, Access, EndAlso};
use domain::person::manage::{self, Listed};
use domain::person::openid::link;
use domain::person::session;
use domain::person::{invitation, team};

use crate::components::sessions::{EndedNumbers, end_also, end_tokens_also, session_table};
use crate::pages::person::owned::{self, GivenNumbers};
use crate::pages::team::invite::open_invitations;
use crate::pages::team::role::{role_choice, role_word};
use crate::prelude::*;

/// Ends sessions of a person: the session that is named, or all of them.
#[server(prefix = "/fn", endpoint = "end_sessions_of")]
pub(crate) async fn end_sessions_of(
    person: String,
    #[server(default)] session: String,
    #[server(default)] end_personal_tokens: String,
    #[server(default)] end_apps: String,
) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    let receipt = Done::PersonSessionsEnded.at(links::person(&id));
    if !session.is_empty() {
        let session = SessionId::parse(&session).ok_or(ActionError::NotFound)?;
        manage::end_sessions(&visit.context, &visit.actor()?, &id, Some(&session)).await?;
        return Ok(receipt);
    }
    let (personal_tokens, apps) = (!end_personal_tokens.is_empty(), !end_apps.is_empty());
    let also = EndAlso { personal_tokens, apps, passkeys: false };
    let ended = manage::end_access(&visit.context, &visit.actor()?, &id, also).await?;
    Ok(EndedNumbers::add_to(&receipt, &ended))
}

fn state(listed: &Listed) -> AnyView {
    match listed.person.disabled_at {
        Some(_) => chip("Disabled", "warn"),
        None => chip("Active", "ok"),
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
    let rows = people.into_iter().map(|listed| {
        let href = links::person(&listed.person.id);
        cells![
            html! { <a class="name" href=href>{listed.person.name.clone()}</a>{sub(listed.person.email.clone())} },
            access(&listed),
            distance_or(listed.seen_at, "Not lately"),
            state(&listed),
        ]
    });
    let rows = table(["Name", "Access", "Last seen", "State"], rows);
    let lead = "Who signs in here. Credentials belong to teams and outlive the people who made them.";
    let body = view! {
        <Receipt on=On::People done/>
        {head((), "People", lead, primary_link(links::INVITE, "Invite a person"))}
        <section class="panel" aria-label="People">{rows}</section>
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
pub async fn one(
    id: String,
    done: Option<&str>,
    (ended, given): (EndedNumbers, GivenNumbers),
    form: Form<Typed>,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let person = &listed.person;
    let sessions = session::list(&visit.context, &person.id).await?;
    let held = access::count(&visit.context, &person.id).await?;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let is_self = visit.viewer()?.id == person.id;
    let openid = openid_of(&visit, &person.id).await?;
    let owned = owned::panel_of(&visit, person, &form.errors).await?;
    let leaves = (person.disabled_at.is_some() && owned.is_some()).then(|| {
        let words = view! { "This person is disabled and still owns credentials. "<a href="#owned">"Give them to somebody else"</a>"." };
        notice("warn", view! { <p>{words}</p> })
    });
    let actions = (!is_self).then(|| actions(person, openid.is_some()));
    let revoke = links::with_query(links::EMERGENCY, &[("made_by", &id), ("means", "revoke")]);
    let made = view! {
        <div class="body">
            <p class="muted">
                "Credentials they generated, and those whose present secret, key or identity they made and so have seen; "
                "clients that they added; their connected apps and personal tokens. Disabling the person ends only the last "
                "two: credentials are the team’s."
            </p>
            <div class="row">{button_link(revoke, "Count what it ends")}</div>
        </div>
    };
    let errors = form.errors.clone();
    let status = errors.status();
    let body = view! {
        <ErrorSummary errors/>
        <Receipt on=On::Person done more=ended.words() + &given.words()/>
        <div class="head">
            <div>
                <a href=links::PEOPLE>"Back to the people"</a>
                <div class="title"><h1>{person.name.clone()}</h1>{state(&listed)}</div>
                <p>{person.email.clone()}</p>
            </div>
            {actions}
        </div>
        {leaves}
        <dl class="panel facts">
            <div><dt>"Access"</dt><dd>{access(&listed)}</dd></div>
            <div><dt>"Last seen"</dt><dd>{distance_or(listed.seen_at, "Not lately")}</dd></div>
            <div><dt>"Second factor"</dt><dd>{if person.factors.any() { "On" } else { "Off" }}</dd></div>
            {openid}
            {person.disabled_at.map(|at| view! { <div><dt>"Disabled"</dt><dd>{distance(at)}</dd></div> })}
        </dl>
        {owned}
        {panel("teams", "Teams", (), view! { {memberships(&listed)}{add_to_team(&visit, &listed, teams, form)} })}
        {(!sessions.is_empty() || held.personal_tokens > 0 || held.apps > 0)
            .then(|| sessions_of(&id, sessions, held))}
        {danger_panel("made", "Revoke everything this person made", made)}
    };
    Ok(Page::new(person.name.clone(), body).answering(status))
}

/// The actions of an administrator on another person.
fn actions(person: &Person, has_openid: bool) -> AnyView {
    let change = |to: Change, words: &'static str, kind: Option<&'static str>| {
        let href = format!("{}?to={}", links::change_person(&person.id), to.as_str());
        html! { <a class="button" data-kind=kind href=href>{words}</a> }
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
    html! { <div class="row">{disconnect}{reset}{administration}{shut}</div> }
}

/// The teams of a person.
fn memberships(listed: &Listed) -> AnyView {
    let rows = listed.teams.iter().map(|own| {
        let change = links::team_member(&own.team.id, &listed.person.id);
        cells![
            html! { <a class="name" href=links::team(&own.team.id)>{own.team.name.clone()}</a> },
            role_word(own.role),
            small_link(change, one_of_many("Change", format!(" in {}", own.team.name))),
        ]
    });
    (!listed.teams.is_empty()).then(|| table(["Team", "Role", ""], rows)).into_any()
}

/// The form that adds a person to another team. Nothing when there is no other team or the person is shut out.
fn add_to_team(visit: &Visit, listed: &Listed, teams: Vec<Team>, form: Form<Typed>) -> AnyView {
    let Form { typed, errors, .. } = form;
    let others = teams.into_iter().filter(|team| !listed.teams.iter().any(|own| own.team.id == team.id));
    let others = options_after("Choose a team", others.map(|team| (team.id.to_string(), team.name)));
    let form = (others.len() > 1 && listed.person.disabled_at.is_none()).then(|| {
        let fields = view! {
            <Select id="team" label="Team" options=others chosen=typed.team error=errors.at("team")/>
            {role_choice(typed.role, &errors)}
            {visit.must_confirm().then(|| view! { <ConfirmPassword errors=errors.clone()/> })}
            {submit(None, "Add to the team")}
        };
        post_form(links::person_teams(&listed.person.id), "body", fields)
    });
    form.into_any()
}

/// The part of the page about the person's account at the OpenID provider, if they have one.
async fn openid_of(visit: &Visit, person: &PersonId) -> Result<Option<AnyView>, ActionError> {
    let Some(relying_party) = &visit.context.openid else { return Ok(None) };
    let link = link::of(&visit.context, relying_party, person).await?;
    let name = relying_party.provider().name.clone();
    Ok(link.map(|link| {
        let account = if link.account.is_empty() { "An account".to_owned() } else { link.account };
        let since = distance(link.connected_at);
        html! { <div><dt>{format!("Sign in with {name}")}</dt><dd>{account}", connected "{since}</dd></div> }
    }))
}

fn sessions_of(person: &str, sessions: Vec<Session>, access: Access) -> AnyView {
    let sessions = session_table(sessions, |session, browser| {
        let fields = [("person", person.to_owned()), ("session", session.id.to_string())];
        let words = one_of_many("End session", format!(" on {browser}"));
        post_button(links::END_SESSIONS_OF, fields, None, true, words)
    });
    let all = view! {
        {hidden("person", person)}
        {end_tokens_also("sessions-ends", access)}
        {submit(None, "End all sessions")}
    };
    panel("sessions", "Sessions", (), view! { {sessions}{post_form(links::END_SESSIONS_OF, "body", all)} })
}

/// What was chosen to add a person to a team.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the team.
    pub team: String,
    /// A word of [`Role`].
    pub role: String,
}

macro_rules! changes {
    ($($(#[$doc:meta])* $change:ident = $word:literal, $done:ident, $verb:literal, $takes:literal: $title:literal $words:literal;)*) => {
        /// A change that an administrator makes to a person.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Change {
            $($(#[$doc])* $change,)*
        }

        impl Change {
            /// The value in forms and addresses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$change => $word,)* }
            }

            /// The receipt of the change.
            pub fn done(self) -> Done {
                match self { $(Self::$change => Done::$done,)* }
            }

            /// Reads a value of a form or address.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$change),)*
                    _ => None,
                }
            }

            /// The question before it: title, text, button, and whether it takes something away from the person.
            fn question(self, name: &str) -> (String, &'static str, &'static str, bool) {
                match self { $(Self::$change => (format!($title, name = name), $words, $verb, $takes),)* }
            }
        }
    };
}

// The word, the receipt, the button, whether it takes something away; then the title and the text of its question.
changes! {
    /// Shut the person out.
    Disabled = "disabled", PersonDisabled, "Disable person", true: "Disable {name}?"
        "Their sessions, the apps they connected and their personal tokens end now and do not come back. Signing in is \
         refused, and the invitations they sent are withdrawn. The credentials they made are their team’s and go on: to \
         end those too, use “Revoke everything this person made”.";
    /// Let the person in again.
    Enabled = "enabled", PersonEnabled, "Enable person", false: "Enable {name}?"
        "They can sign in again, with the roles they have.";
    /// Make the person an administrator.
    Administrator = "administrator", PersonAdministrator, "Make an administrator", false:
        "Make {name} an administrator?"
        "They see and do everything, in every team: people, settings, the emergency stop.";
    /// Take the role of administrator from the person.
    Person = "person", PersonNoAdministrator, "Take the administration", true: "Take the administration from {name}?"
        "They keep their roles in teams. The invitations they sent are withdrawn.";
    /// Remove the second factor that the person lost.
    SecondFactorRemoved = "second-factor-removed", PersonSecondFactorRemoved, "Remove second factor", true:
        "Remove the second factor of {name}?"
        "For somebody who lost it, once you are sure that it is they who ask. Their authenticator app, passkeys and recovery \
         codes stop working, their sessions end now, and their password alone signs them in until they set up another one.";
    /// Disconnect the account at the OpenID provider that the person signed in with.
    OpenIdDisconnected = "openid-disconnected", PersonDisconnected, "Disconnect OpenID account", true:
        "Disconnect the OpenID account of {name}?"
        "Their account at the provider signs them in here no more, and their sessions end now. Their password stays, and they \
         may connect an account again.";
}

/// The page that asks before a person is changed. Without a value it asks about shutting the person out, or about
/// letting them in again.
pub async fn change_page(id: String, form: Form<TypedChange>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let usual = if listed.person.disabled_at.is_some() { Change::Enabled } else { Change::Disabled };
    let Form { typed, errors, .. } = form;
    let to = typed.to.unwrap_or(usual);
    let name = listed.person.name.clone();
    let (title, words, verb, is_danger) = to.question(&name);
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
    if to == Change::OpenIdDisconnected {
        let access = access::count(&visit.context, &listed.person.id).await?;
        page = page.panel("What else ends", end_also("ends", access, typed.ends));
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
    /// What else ends.
    pub ends: Option<EndAlso>,
}
