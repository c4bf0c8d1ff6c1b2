//! People: who has an account, in which teams, and how an administrator can change it.

use domain::audit;
use domain::base::clock::Timestamp;
use domain::base::id::{PersonId, SessionId};
use domain::credential::inspect;
use domain::model::credential::Credential;
use domain::model::person::Person;
use domain::model::person::authority::Authority;
use domain::model::person::session::Session;
use domain::model::person::team::Team;
use domain::person::access::{self, Access, EndAlso};
use domain::person::manage::{self, Listed, MOST_COUNTED};
use domain::person::openid::link;
use domain::person::session;
use domain::person::{invitation, team};

use crate::components::parts::key_figures;
use crate::components::sessions::{EndedNumbers, end_also, end_tokens_also, session_table};
use crate::pages::audit::entry::{EntryView, entry_list};
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
    if teams.is_empty() { "No team".to_owned() } else { teams.join(", ") }
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
            if listed.person.factors.any() {
                chip("On", "ok")
            } else {
                html! { <span class="chip">"Off"</span> }
            },
            distance_or(listed.seen_at, "Not recently"),
            state(&listed),
        ]
    });
    let rows = table(["Name", "Roles", "Second factor", "Last active", "State"], rows);
    let lead = "People who can sign in. Credentials belong to teams and stay when a person leaves.";
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
    let revoke_all = view! {
        <div class="body">
            <p class="muted">
                "Revokes the credentials this person generated, those whose current secret, key or identity they created, and "
                "the clients they added. Ends their connected apps and personal tokens. Disabling the person ends only the "
                "last two: credentials belong to the team."
            </p>
            <div class="row">{button_link(revoke, "Preview")}</div>
        </div>
    };
    let (generated, count) = manage::generated_by(&visit.context, &person.id, NAMED).await?;
    let entries: Vec<_> =
        audit::of_person(&visit.context, &person.id, NAMED).await?.iter().map(EntryView::of).collect();
    let figures = figures(count, held, sessions.len());
    let errors = form.errors.clone();
    let status = errors.status();
    let body = view! {
        <ErrorSummary errors/>
        <Receipt on=On::Person done more=ended.words() + &given.words()/>
        <div class="head">
            <div>
                <nav class="crumb" aria-label="Breadcrumb"><a href=links::PEOPLE>"People"</a></nav>
                <div class="title"><h1>{person.name.clone()}</h1>{state(&listed)}</div>
                <p>{person.email.clone()}</p>
            </div>
            {actions}
        </div>
        {figures}
        {leaves}
        <dl class="panel facts">
            <div><dt>"Roles"</dt><dd>{access(&listed)}</dd></div>
            <div><dt>"Last active"</dt><dd>{distance_or(listed.seen_at, "Not recently")}</dd></div>
            <div><dt>"Second factor"</dt><dd>{if person.factors.any() { "On" } else { "Off" }}</dd></div>
            {openid}
            {person.disabled_at.map(|at| view! { <div><dt>"Disabled"</dt><dd>{distance(at)}</dd></div> })}
        </dl>
        {owned}
        {panel("teams", "Teams", (), view! { {memberships(&listed)}{add_to_team(&visit, &listed, teams, form)} })}
        {(!sessions.is_empty() || held.personal_tokens > 0 || held.apps > 0)
            .then(|| sessions_of(&id, sessions, held))}
        {generated_panel(generated, count, visit.now())}
        {entries_panel(&id, entries)}
        {danger_panel("revoke-all", "Revoke everything from this person", revoke_all)}
    };
    Ok(Page::new(person.name.clone(), body).answering(status))
}

/// How many credentials and entries the page of a person names.
const NAMED: u16 = 5;

/// A number of credentials that are counted only so far.
fn count_words(count: i64) -> String {
    if count > MOST_COUNTED { format!("over {}", grouped(MOST_COUNTED)) } else { grouped(count) }
}

fn figures(generated: i64, held: Access, sessions: usize) -> AnyView {
    let none = || ().into_any();
    let apps = html! { <a href=links::APPS>"Open apps"</a> };
    key_figures([
        ("Credentials generated", count_words(generated).into_any(), none()),
        ("Connected apps", grouped(held.apps).into_any(), if held.apps > 0 { apps } else { none() }),
        ("Personal tokens", grouped(held.personal_tokens).into_any(), none()),
        ("Sessions", grouped(sessions as i64).into_any(), none()),
    ])
}

/// The newest credentials that the person generated. Nothing when there is none.
fn generated_panel(credentials: Vec<Credential>, count: i64, now: Timestamp) -> AnyView {
    let rest = count - credentials.len() as i64;
    let rows = credentials.into_iter().map(|credential| {
        let href = links::credential(&credential.client_id);
        cells![
            html! { <a class="name" href=href>{credential.name.clone()}</a> },
            status_chip(credential.status(now)),
            distance(credential.created_at),
            distance_or(credential.last_used_at, "Never"),
        ]
    });
    let rows = table(["Name", "Status", "Generated", "Last used"], rows);
    let words = match rest {
        0 => "All of them".to_owned(),
        _ => format!("The newest {NAMED} of {}", count_words(count)),
    };
    (count > 0).then(|| panel("generated", "Credentials generated", muted(words), rows)).into_any()
}

/// What the person did last, and what happened to them.
fn entries_panel(person: &str, entries: Vec<EntryView>) -> AnyView {
    let all = view! { <a href=links::with_query(links::ACTIVITY, &[("actor", person)])>"See all entries"</a> };
    (!entries.is_empty()).then(|| panel("entries", "Latest entries", all, entry_list(entries))).into_any()
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
        (false, true) => Some(change(Change::Person, "Remove as administrator", None)),
        (false, false) => Some(change(Change::Administrator, "Make administrator", None)),
    };
    let shut = if disabled {
        change(Change::Enabled, "Enable", Some("primary"))
    } else {
        change(Change::Disabled, "Disable", None)
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
    if listed.teams.is_empty() { empty("In no team yet.") } else { table(["Team", "Role", ""], rows) }
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
            {submit(None, "Add to team")}
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
    if sessions.is_empty() {
        let form = view! {
            {hidden("person", person)}
            {end_tokens_also("sessions-ends", access)}
            {submit(Some("danger"), "End tokens and apps")}
        };
        let form = post_form(links::END_SESSIONS_OF, "stack", form);
        let question = "Their programs lose access. This person stays able to sign in.";
        let end = ask(false, "End tokens and apps", question, form);
        let words = "This person is not signed in anywhere. Their personal tokens and connected apps still work.";
        return panel("sessions", "Sessions", (), view! { <div class="body"><p>{words}</p>{end}</div> });
    }
    let sessions = session_table(sessions, |session, browser| {
        let fields = [("person", person.to_owned()), ("session", session.id.to_string())];
        let of = format!(" on {browser}");
        let end =
            post_button(links::END_SESSIONS_OF, fields, Some("danger"), true, one_of_many("End session", of.clone()));
        ask(true, one_of_many("End", of), "This browser is signed out.", end)
    });
    let all = view! {
        {hidden("person", person)}
        {end_tokens_also("sessions-ends", access)}
        {submit(Some("danger"), "End all sessions")}
    };
    let all = post_form(links::END_SESSIONS_OF, "stack", all);
    let all = ask(false, "End all sessions", "Every browser of this person is signed out.", all);
    panel("sessions", "Sessions", (), view! { {sessions}<div class="body">{all}</div> })
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
        "Their sessions, connected apps and personal tokens end now. They cannot sign in, and the invitations they sent are \
         withdrawn. The credentials they generated belong to their team and stay: to end them too, use “Revoke everything \
         from this person”.";
    /// Let the person in again.
    Enabled = "enabled", PersonEnabled, "Enable person", false: "Enable {name}?"
        "They can sign in again, with the roles they have.";
    /// Make the person an administrator.
    Administrator = "administrator", PersonAdministrator, "Make administrator", false:
        "Make {name} an administrator?"
        "They see and do everything, in every team: people, settings, the emergency stop.";
    /// Take the role of administrator from the person.
    Person = "person", PersonNoAdministrator, "Remove as administrator", true: "Remove {name} as administrator?"
        "Their roles in teams stay. The invitations they sent are withdrawn.";
    /// Remove the second factor that the person lost.
    SecondFactorRemoved = "second-factor-removed", PersonSecondFactorRemoved, "Remove second factor", true:
        "Remove the second factor of {name}?"
        "For a person who lost it, after you have checked who is asking. Their authenticator app, passkeys and recovery codes \
         stop working and their sessions end now. Until they set up a new factor, their password alone signs them in.";
    /// Disconnect the account at the OpenID provider that the person signed in with.
    OpenIdDisconnected = "openid-disconnected", PersonDisconnected, "Disconnect OpenID account", true:
        "Disconnect the OpenID account of {name}?"
        "They can no longer sign in with their account at the provider, and their sessions end now. Their password stays, and \
         they can connect an account again.";
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
    let facts = if to == Change::Disabled { Some(shut_out(&visit, &listed.person).await?) } else { None };
    let words = view! {
        <section class="panel body" id="person" tabindex="-1" aria-label="What happens"><p>{words}</p>{facts}</section>
    };
    let mut page = FormPage::new(title, links::change_person(&id), verb)
        .back(links::person(&id), name.clone())
        .hidden("to", to.as_str())
        .fields(words);
    if to == Change::SecondFactorRemoved {
        let (value, error) = (typed.reason, errors.at("reason"));
        let hint = "Optional. Shown in the audit log.";
        page = page.panel("Why", view! { <TextField id="reason" label="Reason" value hint error/> });
    }
    if to == Change::OpenIdDisconnected {
        let access = access::count(&visit.context, &listed.person.id).await?;
        page = page.panel("What else ends", end_also("ends", access, typed.ends));
    }
    if to == Change::Disabled {
        page = page.quiet();
    } else if is_danger {
        page = page.danger();
    }
    // To shut a person out needs no password: in an incident that must not wait.
    Ok(page.confirm(to != Change::Disabled && visit.must_confirm()).page(errors))
}

/// What ends when the person is disabled, and what then needs another owner.
async fn shut_out(visit: &Visit, person: &Person) -> Result<AnyView, ActionError> {
    let held = access::count(&visit.context, &person.id).await?;
    let sessions = session::list(&visit.context, &person.id).await?.len();
    let (_, owned) = inspect::owned_by(&visit.context, &person.id, 1).await?;
    let ends = [
        counted(sessions, "session", "sessions"),
        counted(held.apps, "connected app", "connected apps"),
        counted(held.personal_tokens, "personal token", "personal tokens"),
    ];
    let owned = (owned > 0).then(|| {
        let words = counted(owned, "credential", "credentials");
        view! { <p>{format!("{} owns {words}. Give them to somebody else on the next page.", person.name)}</p> }
    });
    Ok(html! { <p>{format!("Ends now: {}.", ends.join(", "))}</p>{owned} })
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
