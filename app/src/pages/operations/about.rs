//! About this instance: its version, its database, and the settings in force.

use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::operations::facts::{self, ClockDifference};
use domain::store::Engine;
use domain::webhook::mail::Health;

use crate::components::parts::address;
use crate::pages::operations::settings::settings_views;
use crate::prelude::*;

/// A setting in force. It holds no secret.
#[derive(Debug, Clone)]
pub struct ShownSetting {
    /// The name.
    pub name: String,
    /// The value; empty: not set.
    pub value: String,
    /// Where the value comes from.
    pub source: &'static str,
}

/// What the server says about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The version of the program.
    pub version: &'static str,
    /// When the server started.
    pub started_at: Timestamp,
    /// The settings in force.
    pub settings: Vec<ShownSetting>,
}

/// The page.
pub async fn page(about: About) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let facts = facts::read(&visit.context).await?;
    let engine = match facts.engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    let rows = about.settings.into_iter().map(|ShownSetting { name, value, source }| {
        let value = if value.is_empty() { muted("Not set") } else { address(&value) };
        cells![html! { <code>{name}</code> }, value, source]
    });
    let keys = facts.keys.into_iter().map(|(algorithm, at)| view! { <div>{algorithm}", created "{distance(at)}</div> });
    let keys = keys.collect_view();
    let settings = table(["Setting", "Value", "From"], rows);
    let body = view! {
        {head((), "Settings", "This instance and the settings it runs with.", ())}
        {settings_views(links::ABOUT)}
        <dl class="panel facts">
            <div><dt>"Version"</dt><dd>{about.version}</dd></div>
            <div><dt>"Running since"</dt><dd>{moment(about.started_at)}</dd></div>
            <div><dt>"Address"</dt><dd>{address(&visit.context.settings.public_url)}</dd></div>
            <div><dt>"Database"</dt><dd>{engine}", "{size(facts.bytes)}", schema "{facts.schema}</dd></div>
            <div><dt>"Clock"</dt><dd>{clock(facts.clock)}</dd></div>
            <div><dt>"Last proved backup"</dt><dd>{distance_or(facts.backup_at, "None")}</dd></div>
            <div><dt>"Entries in the audit log"</dt><dd>{grouped(facts.entries)}</dd></div>
            <div><dt>"Signing keys"</dt><dd>{keys}</dd></div>
            <div><dt>"Webhooks"</dt><dd><a href=links::WEBHOOKS>{webhooks(facts.webhooks, facts.failing)}</a></dd></div>
            <div><dt>"Emails"</dt><dd>{mails(facts.mail)}</dd></div>
        </dl>
        {panel("settings", "Settings in force", muted("A change needs a restart"), settings)}
    };
    Ok(Page::new("About", body))
}

/// How the clock of this machine differs from that of the database.
fn clock(difference: Option<ClockDifference>) -> String {
    let words = |difference: Duration| format!("{} ms", grouped(difference.as_millis()));
    match difference {
        None => "That of this machine".to_owned(),
        Some(ClockDifference::Ahead(difference)) => format!("{} ahead of the database", words(difference)),
        Some(ClockDifference::Behind(difference)) => format!("{} behind the database", words(difference)),
    }
}

/// How many webhooks there are, and which do not reach their receiver.
fn webhooks(count: usize, failing: Vec<(String, Timestamp)>) -> AnyView {
    if failing.is_empty() {
        return if count == 0 { "None".into_any() } else { format!("{count}, all work").into_any() };
    }
    let failing = failing.into_iter().map(|(name, since)| html! { <div>{name}" fails since "{moment(since)}</div> });
    html! { {count}{failing.collect_view()} }
}

/// How e-mails are going.
fn mails(health: Option<Health>) -> AnyView {
    let Some(Health { sent_at, waiting, problem }) = health else { return muted("None: smtp_url is not set") };
    let waiting = (waiting > 0).then(|| view! { <div>{counted(waiting, "email waits", "emails wait")}</div> });
    let problem = problem.map(|problem| view! { <div class="lines">"Last failure: "{problem}</div> });
    html! { "Last sent: "{distance_or(sent_at, "Never")}{waiting}{problem} }
}

/// "12.3 MB".
fn size(bytes: i64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let (unit, size) = units.into_iter().find(|(_, size)| bytes >= *size).unwrap_or(("kB", 1000));
    let tenths = bytes / (size / 10);
    format!("{}.{} {unit}", grouped(tenths / 10), tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        let sizes = [(900, "0.9 kB"), (12_345, "12.3 kB"), (5_678_901, "5.6 MB"), (1_234_567_890_123, "1,234.5 GB")];
        for (bytes, words) in sizes {
            assert_eq!(size(bytes), words);
        }
    }
}
