//! The table of a person's sessions, and what ends together with them.

use domain::model::person::session::Session;
use domain::person::access::{Access, EndAlso, EndedAccess};
use leptos::prelude::*;

use crate::components::form::field::{choice, choices};
use crate::number::counted;

use crate::components::table::{cells, table};
use crate::components::time::distance;

/// The sessions, each with its actions. `action` gets the session and the name of its browser.
pub(crate) fn session_table(sessions: Vec<Session>, action: impl Fn(&Session, &str) -> AnyView) -> AnyView {
    let rows = sessions.into_iter().map(|session| {
        let browser = browser_name(session.agent.as_deref());
        let action = action(&session, &browser);
        let address = session.address.map_or_else(|| "Unknown".to_owned(), |address| address.to_string());
        cells![browser, address, distance(session.created_at), distance(session.seen_at), action]
    });
    table(["Browser", "Address", "Signed in", "Last active", ""], rows)
}

/// The boxes of a form that ends sessions: what else ends with them. All are ticked until the person chose otherwise.
/// `id` must differ between the forms of a page.
pub(crate) fn end_also(id: &'static str, access: Access, chosen: Option<EndAlso>) -> AnyView {
    let chosen = chosen.unwrap_or(EndAlso::ALL);
    let words = counted(access.passkeys, "passkey", "passkeys");
    let passkeys = (access.passkeys > 0).then(|| choice("checkbox", "end_passkeys", "yes", chosen.passkeys, words));
    boxes(id, access, chosen, "Untick the tokens, apps and passkeys to keep.", passkeys)
}

/// The same for a link that sets a password. Passkeys can end only where another second factor stays.
pub(crate) fn end_with_password(id: &'static str, access: Access, chosen: Option<EndAlso>, passkeys: bool) -> AnyView {
    if passkeys || access.passkeys == 0 {
        return end_also(id, access, chosen);
    }
    let hint = "Your passkeys stay: they are your second factor.";
    let shown = boxes(id, access, chosen.unwrap_or(EndAlso::ALL), hint, None);
    let is_empty = access.personal_tokens + access.apps == 0;
    if is_empty { view! { <p class="muted">{hint}</p> }.into_any() } else { shown }
}

/// The same without passkeys: a person without them signs in with the password alone, so removing them asks again for
/// the administrator's password elsewhere.
pub(crate) fn end_tokens_also(id: &'static str, access: Access, chosen: Option<EndAlso>) -> AnyView {
    let hint = "Passkeys stay. “Remove second factor” removes them.";
    boxes(id, access, chosen.unwrap_or(EndAlso::ALL), hint, None)
}

/// The boxes of what there is. Nothing when nothing else can end.
fn boxes(id: &'static str, access: Access, chosen: EndAlso, hint: &'static str, more: Option<AnyView>) -> AnyView {
    let Access { personal_tokens, apps, .. } = access;
    let words = counted(personal_tokens, "personal token", "personal tokens");
    let tokens = choice("checkbox", "end_personal_tokens", "yes", chosen.personal_tokens, words);
    let app_words = counted(apps, "connected app", "connected apps");
    let app_box = choice("checkbox", "end_apps", "yes", chosen.apps, app_words);
    let there = [(personal_tokens > 0).then_some(tokens), (apps > 0).then_some(app_box), more];
    let there: Vec<AnyView> = there.into_iter().flatten().collect();
    (!there.is_empty()).then(|| choices(id, "Also end", Some(hint), there, None)).into_any()
}

/// The numbers of what ended, as the address of the page with the receipt has them.
#[derive(Debug, Clone, Default)]
pub struct EndedNumbers {
    /// Sessions.
    pub sessions: String,
    /// Personal tokens.
    pub personal_tokens: String,
    /// Connected apps.
    pub apps: String,
    /// Passkeys.
    pub passkeys: String,
}

impl EndedNumbers {
    /// Adds the numbers to the address of a receipt.
    pub fn add_to(receipt: &str, ended: &EndedAccess) -> String {
        let EndedAccess { sessions, also: Access { personal_tokens, apps, passkeys }, .. } = ended;
        format!("{receipt}&sessions={sessions}&personal_tokens={personal_tokens}&apps={apps}&passkeys={passkeys}")
    }

    /// The end of the receipt. Empty when the address has no numbers.
    pub(crate) fn words(&self) -> String {
        let parts = [
            (&self.sessions, "session", "sessions"),
            (&self.personal_tokens, "personal token", "personal tokens"),
            (&self.apps, "connected app", "connected apps"),
            (&self.passkeys, "passkey", "passkeys"),
        ];
        let parts = parts.into_iter().filter_map(|(text, one, many)| {
            let number: i64 = text.parse().ok().filter(|number| *number >= 0)?;
            Some(counted(number, one, many))
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { String::new() } else { format!(" Ended: {}.", parts.join(", ")) }
    }
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
