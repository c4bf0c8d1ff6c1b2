//! Lists of incidents: open ones first.

use domain::incident::record;
use domain::model::incident::record::{Incident, State};

use crate::prelude::*;

/// Closed incidents on a page.
const LISTED: u16 = 50;

/// The state of an incident, in its colour.
pub(crate) fn state_chip(incident: &Incident) -> AnyView {
    match incident.state() {
        State::Open => chip("Open", "danger"),
        State::Contained => chip("Contained", "warn"),
        State::Closed if incident.dismissed => chip("False alarm", "idle"),
        State::Closed => chip("Closed", "ok"),
    }
}

/// The incidents that are not closed, for the page of leaks.
pub(crate) async fn unclosed(visit: &Visit) -> Result<AnyView, ActionError> {
    let incidents = record::unclosed(&visit.context, visit.authority()?).await?;
    let all = small_link(links::INCIDENTS, "All incidents");
    let is_open = incidents.iter().any(|incident| incident.state() == State::Open);
    if incidents.is_empty() {
        return Ok(panel("incidents", "Incidents", all, empty("No incident is open.")));
    }
    let count = incidents.len();
    let rows = rows(incidents);
    Ok(match is_open {
        true => danger_panel(
            "incidents",
            "Open incidents",
            html! { {rows}<div class="body"><div class="row">{all}</div></div> },
        ),
        false => panel("incidents", format!("Incidents to close: {count}"), all, rows),
    })
}

/// `GET /incidents`: all of them, open ones first.
pub async fn page(before: Option<i64>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let (context, authority) = (&visit.context, visit.authority()?);
    let mut incidents = match before {
        None => record::unclosed(context, authority).await?,
        Some(_) => Vec::new(),
    };
    let closed = record::closed(context, authority, before.unwrap_or(i64::MAX), LISTED).await?;
    let next = closed.last().filter(|_| closed.len() == usize::from(LISTED)).map(|last| last.number);
    incidents.extend(closed);
    let content = match incidents.is_empty() {
        true => empty(html! {
            "No leak is recorded. If you find one where it should not be, "<a href=links::LEAKS>"paste it here"</a>"."
        }),
        false => rows(incidents),
    };
    let find = button_link(links::LEAKS, "Search a text");
    let pages = (before.is_some() || next.is_some()).then(|| {
        let first = before.map(|_| links::INCIDENTS.to_owned());
        crate::components::parts::page_links(first, next.map(links::older_incidents))
    });
    let body = view! {
        {head((links::LEAKS, "Leaks"), "Incidents", "Each leak has a record.", find)}
        <section class="panel" aria-label="Incidents">{content}</section>
        {pages}
    };
    Ok(Page::new("Incidents", body))
}

fn rows(incidents: Vec<Incident>) -> AnyView {
    let rows = incidents.into_iter().map(|incident| {
        let place = incident.found_at.clone();
        cells![
            html! {
                <a class="name" href=links::incident(incident.number)>{format!("#{} {}", incident.number, incident.title())}</a>
                {place.map(sub)}
            },
            state_chip(&incident),
            incident.owner.as_ref().map_or_else(|| muted("Nobody"), |owner| owner.name.clone().into_any()),
            distance(incident.opened_at),
            match (incident.contained_at, incident.dismissed) {
                (None, true) => muted("Nothing leaked"),
                (at, _) => distance_or(at, "Not yet"),
            },
        ]
    });
    let columns = ["Incident", "State", "Handled by", "Found", "Contained"].map(Column::from);
    table(columns, rows)
}
