//! The table of a person's sessions.

use domain::model::person::session::Session;
use leptos::prelude::*;

use crate::components::table::table;
use crate::components::time::Moment;

/// The sessions, each with its actions. `action` gets the session and the name of its browser.
pub fn session_table(sessions: Vec<Session>, action: impl Fn(&Session, &str) -> AnyView) -> AnyView {
    let rows = sessions
        .into_iter()
        .map(|session| {
            let browser = browser_name(session.agent.as_deref());
            let action = action(&session, &browser);
            view! {
                <tr>
                    <th scope="row">{browser}</th>
                    <td data-label="Address">{session.address.map(|address| address.to_string())}</td>
                    <td data-label="Signed in"><Moment at=session.created_at/></td>
                    <td data-label="Last seen"><Moment at=session.seen_at/></td>
                    <td class="corner">{action}</td>
                </tr>
            }
        })
        .collect_view();
    table(["Browser", "Address", "Signed in", "Last seen", ""], rows)
}

/// Guesses the browser's name from its user agent. It only helps a person to recognise a session.
fn browser_name(agent: Option<&str>) -> String {
    let agent = agent.unwrap_or_default();
    let browser =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
            .into_iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| name);
    let system = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]
    .into_iter()
    .find(|(mark, _)| agent.contains(mark))
    .map(|(_, name)| name);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}
