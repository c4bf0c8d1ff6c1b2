//! About this instance: its version, its database, and the settings in force.

use domain::base::clock::Timestamp;
use domain::operations::facts;
use domain::store::Engine;

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
    let settings = table(["Setting", "Value", "From"], rows);
    let body = view! {
        {head((), "Settings", "This instance and the settings it runs with.", ())}
        {settings_views(links::ABOUT)}
        <dl class="panel facts">
            <div><dt>"Version"</dt><dd>{about.version}</dd></div>
            <div><dt>"Running since"</dt><dd>{moment(about.started_at)}</dd></div>
            <div><dt>"Address"</dt><dd>{address(&visit.context.settings.public_url)}</dd></div>
            <div><dt>"Database"</dt><dd>{engine}", "{size(facts.bytes)}</dd></div>
            <div><dt>"Entries in the audit log"</dt><dd>{grouped(facts.entries)}</dd></div>
            <div><dt>"Newest signing key"</dt><dd>{distance_or(facts.newest_key_at, "None")}</dd></div>
        </dl>
        {panel("settings", "Settings in force", muted("A change needs a restart"), settings)}
    };
    Ok(Page::new("About", body))
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
