//! The table of a person's sessions.

use domain::model::person::session::Session;
use leptos::prelude::*;

use crate::components::table::{cells, table};
use crate::components::time::moment;

/// The sessions, each with its actions. `action` gets the session and the name of its browser.
pub(crate) fn session_table(sessions: Vec<Session>, action: impl Fn(&Session, &str) -> AnyView) -> AnyView {
    let rows = sessions.into_iter().map(|session| {
        let browser = browser_name(session.agent.as_deref());
        let action = action(&session, &browser);
        let address = session.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        cells![browser, address, moment(session.created_at), moment(session.seen_at), action]
    });
    table(["Browser", "Address", "Signed in", "Last seen", ""], rows)
}

const BROWSERS: &[(&str, &str)] =
    &[("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// Guesses the browser's name from its user agent. It only helps a person to recognise a session.
fn browser_name(agent: Option<&str>) -> String {
    let agent = agent.unwrap_or_default();
    let named =
        |marks: &[(&str, &'static str)]| marks.iter().find(|(mark, _)| agent.contains(mark)).map(|found| found.1);
    match (named(BROWSERS), named(SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}
