//! The page of refused exchanges: which credentials, for which cause, from where. A bar of a chart leads here.

use domain::base::clock::Timestamp;
use domain::base::id::TeamId;
use domain::credential::usage;
use domain::model::credential::usage::{RefusedCredential, Whose};

use crate::components::chart::range;
use crate::pages::credential::find;
use crate::pages::credential::usage::cause_words;
use crate::prelude::*;

/// The most rows of the page.
const MOST: u16 = 200;
/// The longest time that the page shows.
const LONGEST: u16 = 24;

/// What the address asks for. Without a beginning: the last 24 hours.
#[derive(Debug, Clone, Default)]
pub struct RefusedQuery {
    /// The hour at which it begins, such as `2026-12-05T20`.
    pub from: String,
    /// How many hours follow, at most 24.
    pub hours: String,
    /// Only this credential.
    pub credential: String,
    /// Only the credentials of this team.
    pub team: String,
}

impl RefusedQuery {
    /// The first hour, and how many hours follow.
    fn range(&self, now: Timestamp) -> Result<(Timestamp, u16), ActionError> {
        if self.from.is_empty() {
            return Ok((Timestamp::from_millis((now.hour() - i64::from(LONGEST) + 1) * 3_600_000), LONGEST));
        }
        let from = Timestamp::parse_rfc3339(&format!("{}:00:00Z", self.from));
        let hours = self.hours.parse().ok().filter(|hours| (1..=LONGEST).contains(hours));
        from.zip(hours).ok_or_else(|| {
            ActionError::Invalid("This link is not valid. Open the page from a bar of a chart.".to_owned())
        })
    }
}

/// The page.
pub async fn page(query: RefusedQuery) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (from, hours) = query.range(visit.now())?;
    let credential = match query.credential.as_str() {
        "" => None,
        id => Some(find(&visit, id).await?),
    };
    let team = match query.team.as_str() {
        "" => None,
        id => {
            let id = TeamId::parse(id).ok_or(ActionError::NotFound)?;
            let team = domain::person::team::find(&visit.context, visit.authority()?, &id).await?;
            Some(team.ok_or(ActionError::NotFound)?)
        }
    };
    let (whose, crumb, of) = match (&credential, &team) {
        (Some(credential), _) => {
            let id = &credential.client_id;
            let words = format!("Only {}.", credential.name);
            (Whose::Credential(id), (links::credential(id), credential.name.clone()), words)
        }
        (None, Some(team)) => {
            let words = format!("Only credentials of {}.", team.name);
            (Whose::Team(&team.id), (links::team(&team.id), team.name.clone()), words)
        }
        (None, None) => {
            (Whose::All(visit.authority()?), (links::OVERVIEW.to_owned(), "Overview".to_owned()), String::new())
        }
    };
    let rows = usage::refused_within(&visit.context, whose, from, hours, MOST).await?;
    let full = rows.len() == usize::from(MOST);
    let total: i64 = rows.iter().map(|row| row.count).sum();
    let more = if full { format!(" The {MOST} most frequent are listed.") } else { String::new() };
    let lead =
        format!("{} UTC. {} {of}{more}", range(from.hour(), i64::from(hours)), counted(total, "refusal.", "refusals."));
    let body = view! {
        {head(crumb, "Refused exchanges", lead, step_links(&query, from, hours, visit.now()))}
        <section class="panel" aria-label="Refused exchanges">{list(rows)}</section>
    };
    Ok(Page::new("Refused exchanges", body))
}

fn list(rows: Vec<RefusedCredential>) -> AnyView {
    if rows.is_empty() {
        return empty("No exchange was refused in this time.");
    }
    let rows = rows.into_iter().map(|row| {
        cells![
            html! { <a class="name" href=links::credential(&row.client_id)>{row.name}</a> },
            html! { {cause_words(row.cause)}{row.last_detail.map(sub)} },
            grouped(row.count),
            moment(row.last_at),
            html! { {row.last_address.unwrap_or_else(|| "Unknown".to_owned())}{row.last_agent.map(sub)} },
        ]
    });
    let columns = ["Credential".into(), "Cause".into(), Column::number("Times"), "Latest".into(), "From".into()];
    table(columns, rows)
}

/// Links to the time before and, unless it lies in the future, to the time after.
fn step_links(query: &RefusedQuery, from: Timestamp, hours: u16, now: Timestamp) -> AnyView {
    let (hour, hours) = (from.hour(), i64::from(hours));
    let whose: Vec<(&str, String)> = [("credential", &query.credential), ("team", &query.team)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.clone()))
        .collect();
    let later =
        (hour + hours <= now.hour()).then(|| button_link(links::refused_within(hour + hours, hours, &whose), "Later"));
    html! {
        <nav class="row" aria-label="Time">
            {button_link(links::refused_within(hour - hours, hours, &whose), "Earlier")}{later}
        </nav>
    }
}
