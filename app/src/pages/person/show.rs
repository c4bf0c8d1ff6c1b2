//! The page of one person, in views: teams and latest entries, credentials, access, activity.

use std::collections::HashMap;

use domain::audit;
use domain::base::clock::Timestamp;
use domain::base::id::ClientId;
use domain::credential::inspect;
use domain::model::credential::{Credential, Status};
use domain::model::person::Person;
use domain::model::person::authority::Authority;
use domain::model::person::team::Team;
use domain::person::access::{self, Access};
use domain::person::manage::{self, Listed, MOST_COUNTED};
use domain::person::openid::link;
use domain::person::{session, team};

use crate::components::parts::{View, key_figures, pill, view_links};
use crate::components::sessions::EndedNumbers;
use crate::pages::audit::entry::{EntryView, entry_list};
use crate::pages::audit::receipt::receipt;
use crate::pages::credential::MOST_AT_ONCE;
use crate::pages::person::change::actions;
use crate::pages::person::held::access_view;
use crate::pages::person::people::{access, find, state};
use crate::pages::person::sign_in::password_link::open_link;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// What the address asks for.
#[derive(Debug, Clone, Default)]
pub struct PersonQuery {
    /// The view: `credentials`, `access`, `activity`, or the overview.
    pub view: String,
    /// `generated`: the credentials that the person generated, instead of what they own; `known`: of which they know a
    /// secret that works.
    pub kind: String,
}

/// How many entries the overview names.
const NEWEST: u16 = 5;
/// How many credentials a view names. They are rotated together.
const NAMED: u16 = MOST_AT_ONCE as u16;
/// How many entries the view “Activity” names.
const ENTRIES: u16 = 20;

/// What the page counts.
struct Numbers {
    owned: i64,
    generated: i64,
    /// The credentials of which the person knows a secret that works.
    known: usize,
    held: Access,
    sessions: usize,
}

/// The page of a person.
pub async fn page(
    id: String,
    query: PersonQuery,
    done: Option<&str>,
    ended: EndedNumbers,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let listed = find(&visit, &id).await?;
    let person = &listed.person;
    let (owned, owned_count) = inspect::owned_by(&visit.context, &person.id, NAMED).await?;
    let (generated, generated_count) = manage::generated_by(&visit.context, &person.id, NAMED).await?;
    let sessions = session::list(&visit.context, &person.id).await?;
    let numbers = Numbers {
        owned: owned_count,
        generated: generated_count,
        known: manage::secrets_known_to(&visit.context, &person.id).await?.len(),
        held: access::count(&visit.context, &person.id).await?,
        sessions: sessions.len(),
    };
    let is_self = visit.viewer()?.id == person.id;
    let openid = openid_of(&visit, person).await?;
    let leaves = person.disabled_at.map(|_| what_is_left(person, &numbers));
    let actions = (!is_self).then(|| actions(person, openid.is_some()));
    let content = match query.view.as_str() {
        "credentials" => {
            let kind = Kind::of(&query.kind);
            let credentials = match kind {
                Kind::Owned => owned,
                Kind::Generated => generated,
                Kind::Known => manage::known_to(&visit.context, &person.id, NAMED).await?,
            };
            credentials_view(&visit, person, &numbers, credentials, kind).await?
        }
        "access" => access_view(&visit, person, sessions, numbers.held).await?,
        "activity" => entries_panel(&visit, person, ENTRIES).await?,
        _ => overview(&visit, &listed, openid).await?,
    };
    let title = html! { <span class="named">{person.name.clone()}{state(&listed)}</span> };
    let body = view! {
        {receipt(&visit, On::Person, done, ended.words(), Some(person.id.to_string())).await?}
        {head((links::PEOPLE, "People"), title, person.email.clone(), actions)}
        {leaves}
        {open_link(&visit, person).await?}
        {figures(person, &numbers)}
        {view_links("Views of the person", views(person, &numbers, &query.view))}
        {content}
    };
    Ok(Page::new(person.name.clone(), body))
}

/// What is left of a person who is disabled, or that nothing is.
fn what_is_left(person: &Person, numbers: &Numbers) -> AnyView {
    let owns = (numbers.owned > 0).then(|| {
        let give = links::owned_by(&person.id);
        view! { <p>"This person is disabled and still owns credentials. "<a href=give>"Give them to somebody else"</a>"."</p> }
    });
    let knows = (numbers.known > 0).then(|| {
        let see = links::person_view(&person.id, &[("view", "credentials"), ("kind", "known")]);
        let words = counted(numbers.known, "secret that works", "secrets that work");
        view! { <p>{format!("This person still knows {words}. ")}<a href=see>"See which, and rotate them"</a>"."</p> }
    });
    if owns.is_none() && knows.is_none() {
        let words = "This person is disabled. They own no credential, know no secret that works, and have no access.";
        return notice("ok", view! { <p>{words}</p> });
    }
    notice("warn", view! { {owns}{knows} })
}

/// A number of credentials that are counted only so far.
fn count_words(count: i64) -> String {
    if count > MOST_COUNTED { format!("over {}", grouped(MOST_COUNTED)) } else { grouped(count) }
}

fn figures(person: &Person, numbers: &Numbers) -> AnyView {
    let linked = |words: String, parameters: &[(&str, &str)]| {
        if words == "0" {
            return words.into_any();
        }
        html! { <a href=links::person_view(&person.id, parameters)>{words}</a> }
    };
    let none = || ().into_any();
    let access = [("view", "access")];
    let generated = [("view", "credentials"), ("kind", "generated")];
    key_figures([
        ("Owns", linked(grouped(numbers.owned), &[("view", "credentials")]), html! { "credentials" }),
        ("Generated", linked(count_words(numbers.generated), &generated), html! { "credentials" }),
        (
            "Knows",
            linked(grouped(numbers.known as i64), &[("view", "credentials"), ("kind", "known")]),
            html! { {if numbers.known == 1 { "secret" } else { "secrets" }} },
        ),
        ("Sessions", linked(grouped(numbers.sessions as i64), &access), none()),
        ("Connected apps", linked(grouped(numbers.held.apps), &access), none()),
        ("Personal tokens", linked(grouped(numbers.held.personal_tokens), &access), none()),
    ])
}

fn views(person: &Person, numbers: &Numbers, shown: &str) -> Vec<View> {
    let held = numbers.sessions as u64 + numbers.held.apps + numbers.held.personal_tokens;
    let views = [
        ("", "Overview", None),
        ("credentials", "Credentials", Some(numbers.owned)),
        ("access", "Access", Some(held.cast_signed())),
        ("activity", "Activity", None),
    ];
    let is_known = views.iter().any(|(word, ..)| *word == shown);
    let view = |(word, name, count): (&str, &'static str, Option<i64>)| View {
        href: links::person_view(&person.id, &[("view", word)]),
        name,
        count,
        is_current: word == shown || (word.is_empty() && !is_known),
    };
    views.into_iter().map(view).collect()
}

/// Facts, teams, the latest entries, and the way to end everything.
async fn overview(visit: &Visit, listed: &Listed, openid: Option<AnyView>) -> Result<AnyView, ActionError> {
    let person = &listed.person;
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let revoke = links::with_query(links::EMERGENCY, &[("made_by", person.id.as_str()), ("means", "revoke")]);
    let revoke_all = view! {
        <div class="body">
            <p class="muted">
                "Revokes the credentials this person generated, those whose current secret, key or identity they created, and "
                "the clients they added. Ends their connected apps and personal tokens. Disabling the person ends only apps and "
                "personal tokens: credentials belong to the team."
            </p>
            <div class="row">{button_link(revoke, "Preview")}</div>
        </div>
    };
    Ok(html! {
        <dl class="panel facts">
            <div><dt>"Roles"</dt><dd>{access(listed)}</dd></div>
            <div><dt>"Last active"</dt><dd>{distance_or(listed.seen_at, "Not recently")}</dd></div>
            <div><dt>"Second factor"</dt><dd>{if person.factors.any() { "On" } else { "Off" }}</dd></div>
            {openid}
            {person.disabled_at.map(|at| view! { <div><dt>"Disabled"</dt><dd>{distance(at)}</dd></div> })}
        </dl>
        {memberships(listed, &teams)}
        {entries_panel(visit, person, NEWEST).await?}
        {danger_panel("revoke-all", "Revoke everything from this person", revoke_all)}
    })
}

/// The teams of a person.
fn memberships(listed: &Listed, teams: &[Team]) -> AnyView {
    let rows = listed.teams.iter().map(|own| {
        let change = links::team_member(&own.team.id, &listed.person.id);
        cells![
            html! { <a class="name" href=links::team(&own.team.id)>{own.team.name.clone()}</a> },
            role_word(own.role),
            small_link(change, one_of_many("Change", format!(" in {}", own.team.name))),
        ]
    });
    let rows = if listed.teams.is_empty() { empty("In no team yet.") } else { table(["Team", "Role", ""], rows) };
    let others = teams.iter().any(|team| !listed.teams.iter().any(|own| own.team.id == team.id));
    let add = (others && listed.person.disabled_at.is_none())
        .then(|| small_link(links::person_teams(&listed.person.id), "Add to a team"));
    panel("teams", "Teams", add, rows)
}

/// Which credentials the view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Owned,
    Generated,
    Known,
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "generated" => Self::Generated,
            "known" => Self::Known,
            _ => Self::Owned,
        }
    }

    fn nothing(self, person: &Person) -> String {
        match self {
            Self::Owned => format!("{} owns no credential.", person.name),
            Self::Generated => format!("{} generated no credential.", person.name),
            Self::Known => format!("{} knows no secret that works.", person.name),
        }
    }
}

/// The newest credentials that the person owns or generated, or of which they know a secret.
async fn credentials_view(
    visit: &Visit,
    person: &Person,
    numbers: &Numbers,
    credentials: Vec<Credential>,
    kind: Kind,
) -> Result<AnyView, ActionError> {
    let teams = team::list(&visit.context, &Authority::Everything).await?;
    let now = visit.now();
    let known = manage::secrets_known_to(&visit.context, &person.id).await?;
    let rotations = (kind == Kind::Known).then(|| known_actions(&credentials, &known, now));
    let works = |credential: &Credential| !matches!(credential.status(now), Status::Revoked | Status::Expired);
    let knows = |credential: &Credential| match known.get(&credential.client_id).filter(|_| works(credential)) {
        None => muted("No"),
        Some(None) if credential.is_rotating(now) => "Yes, the new one".into_any(),
        Some(None) => "Yes".into_any(),
        Some(Some(until)) => html! { "until "{moment(*until)} },
    };
    let rows = credentials.into_iter().map(|credential| {
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        cells![
            html! { <a class="name" href=links::credential(&credential.client_id)>{credential.name.clone()}</a> },
            credential_status(&credential, now),
            team,
            knows(&credential),
            distance(credential.created_at),
            distance_or(credential.last_used_at, "Never"),
        ]
    });
    let shown = rows.len() as i64;
    let of_kind = |kind| links::person_view(&person.id, &[("view", "credentials"), ("kind", kind)]);
    let own = pill(of_kind(""), "Owns", Some(numbers.owned), kind == Kind::Owned);
    let generated = html! { "Generated " <b>{count_words(numbers.generated)}</b> };
    let made = pill(of_kind("generated"), generated, None, kind == Kind::Generated);
    let seen = pill(of_kind("known"), "Knows the secret", Some(numbers.known as i64), kind == Kind::Known);
    let give = (numbers.owned > 0 && kind == Kind::Owned)
        .then(|| button_link(links::owned_by(&person.id), "Give all to somebody else"));
    let total = match kind {
        Kind::Owned => numbers.owned,
        Kind::Generated => numbers.generated,
        Kind::Known => numbers.known as i64,
    };
    let all = (kind == Kind::Owned).then(|| {
        let all = links::with_query(links::CREDENTIALS, &[("owner", person.id.as_str())]);
        view! { " "<a href=all>"See all"</a> }
    });
    let rest = (total > shown).then(|| {
        let words = format!("The newest {shown} of {}.", count_words(total));
        view! { <div class="body"><p>{muted(words)}{all}</p></div> }
    });
    let rows = match shown {
        0 => empty(kind.nothing(person)),
        _ => table(["Name", "Status", "Team", "Knows its secret", "Generated", "Last used"], rows),
    };
    Ok(html! {
        <section class="panel" aria-label="Credentials">
            <div class="bar">{own}{made}{seen}{give}</div>
            {rotations}
            {rows}{rest}
        </section>
    })
}

/// What can be done about the secrets that a person knows: rotate them, and finish the rotations that replace them.
/// Whoever began a rotation knows the new secret too: that rotation must be finished before the next one.
fn known_actions(
    credentials: &[Credential],
    known: &HashMap<ClientId, Option<Timestamp>>,
    now: Timestamp,
) -> Option<AnyView> {
    let chosen = |is_chosen: &dyn Fn(&Credential, Option<Timestamp>) -> bool| -> Vec<String> {
        let all = credentials
            .iter()
            .filter(|credential| known.get(&credential.client_id).is_some_and(|until| is_chosen(credential, *until)));
        all.map(|credential| credential.client_id.to_string()).collect()
    };
    let unchanged = chosen(&|credential, until| until.is_none() && !credential.is_rotating(now));
    let replaced = chosen(&|_, until| until.is_some());
    let begun = chosen(&|credential, until| until.is_none() && credential.is_rotating(now));
    let rotate = (!unchanged.is_empty()).then(|| {
        let words = format!("Rotate the {} they know", counted(unchanged.len(), "secret", "secrets"));
        button_link(links::several("rotate", &unchanged), words)
    });
    let finish = |ids: &[String]| {
        let words = format!("Finish {}", counted(ids.len(), "rotation", "rotations"));
        button_link(links::several("finish", ids), words)
    };
    let finish_replaced = (!replaced.is_empty()).then(|| {
        view! { <p>"Being replaced: the secret that they know works until the rotation ends."</p><div class="row">{finish(&replaced)}</div> }
    });
    let finish_begun = (!begun.is_empty()).then(|| {
        view! { <p>"They began these rotations, so they know the new secret. Finish them first, then rotate again."</p><div class="row">{finish(&begun)}</div> }
    });
    let is_empty = rotate.is_none() && finish_replaced.is_none() && finish_begun.is_none();
    (!is_empty).then(|| html! { <div class="body">{rotate.map(|rotate| view! { <div class="row">{rotate}</div> })}{finish_replaced}{finish_begun}</div> })
}

/// What the person did last, and what happened to them.
async fn entries_panel(visit: &Visit, person: &Person, most: u16) -> Result<AnyView, ActionError> {
    let entries = audit::of_person(&visit.context, &person.id, most).await?;
    let all = links::with_query(links::ACTIVITY, &[("actor", person.id.as_str())]);
    let all = view! { <a href=all>"See all entries"</a> };
    let list = match entries.is_empty() {
        true => empty("Nothing yet."),
        false => entry_list(entries.iter().map(EntryView::of)),
    };
    Ok(panel("entries", "Latest entries", all, list))
}

/// The part of the page about the person's account at the OpenID provider, if they have one.
async fn openid_of(visit: &Visit, person: &Person) -> Result<Option<AnyView>, ActionError> {
    let Some(relying_party) = &visit.context.openid else { return Ok(None) };
    let link = link::of(&visit.context, relying_party, &person.id).await?;
    let name = relying_party.provider().name.clone();
    Ok(link.map(|link| {
        let account = if link.account.is_empty() { "An account".to_owned() } else { link.account };
        let since = distance(link.connected_at);
        html! { <div><dt>{format!("Sign in with {name}")}</dt><dd>{account}", connected "{since}</dd></div> }
    }))
}
