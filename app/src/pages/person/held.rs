//! The view “Access” of a person: their sessions, connected apps and personal tokens, and how to end each.

use domain::base::id::{PersonId, SessionId};
use domain::client::{consent, personal_token};
use domain::model::person::Person;
use domain::model::person::session::Session;
use domain::person::access::Access;
use domain::person::manage;
use domain::server;

use crate::components::sessions::session_table;
use crate::pages::client::connected_apps::{ConsentTable, consent_table};
use crate::pages::client::personal_tokens::{TokenTable, token_table};
use crate::pages::person::change::Change;
use crate::prelude::*;

/// Ends one session of a person.
#[server(prefix = "/fn", endpoint = "end_sessions_of")]
pub(crate) async fn end_sessions_of(person: String, session: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    let session = SessionId::parse(&session).ok_or(ActionError::NotFound)?;
    manage::end_sessions(&visit.context, &visit.actor()?, &id, Some(&session)).await?;
    Ok(Done::PersonSessionsEnded.at(links::person_view(&id, &[("view", "access")])))
}

/// How many apps and tokens the view names.
const NAMED: u16 = 50;

/// The view.
pub(super) async fn access_view(
    visit: &Visit,
    person: &Person,
    sessions: Vec<Session>,
    held: Access,
) -> Result<AnyView, ActionError> {
    let authority = visit.authority()?;
    let apps = consent::list_of_person(&visit.context, authority, &person.id, NAMED).await?;
    let tokens = personal_token::list_of_person(&visit.context, authority, &person.id, NAMED).await?;
    let servers = server::list(&visit.context).await?;
    let has_any = !sessions.is_empty() || held.apps > 0 || held.personal_tokens > 0;
    let end = has_any.then(|| {
        let href = links::with_query(&links::change_person(&person.id), &[("to", Change::AccessEnded.as_str())]);
        small_link(href, "End all access")
    });
    let apps = match apps.is_empty() {
        true => empty("This person has connected no app."),
        false => consent_table(apps, &servers, authority, ConsentTable::OfPerson),
    };
    let tokens = token_table(tokens, &servers, authority, TokenTable::OfPerson);
    let all_apps = (held.apps > u64::from(NAMED)).then(|| view! { <a href=links::APPS>"See all apps"</a> });
    let all_tokens = (held.personal_tokens > u64::from(NAMED))
        .then(|| view! { <a href=links::PERSONAL_TOKENS>"See all tokens"</a> });
    Ok(html! {
        {panel("sessions", "Sessions", end, session_rows(person, sessions))}
        {panel("apps", "Connected apps", all_apps, apps)}
        {panel("tokens", "Personal tokens", all_tokens, tokens)}
    })
}

fn session_rows(person: &Person, sessions: Vec<Session>) -> AnyView {
    if sessions.is_empty() {
        return empty("This person is not signed in anywhere.");
    }
    session_table(sessions, |session, browser| {
        let fields = [("person", person.id.to_string()), ("session", session.id.to_string())];
        let words = ("End session", format!(" on {browser}"));
        asking_button(links::END_SESSIONS_OF, fields, true, words, "This browser is signed out.")
    })
}
