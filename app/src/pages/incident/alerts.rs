//! The lines above every page: leaked secrets that still work, and emergency stops in force.

use domain::credential::list::{leaked, list};
use domain::incident::record;
use domain::model::audit::Target;
use domain::model::credential::query::{Query, Show};
use domain::model::incident::record::Item;

use crate::page::Alerts;
use crate::pages::incident::emergency_stop::stops_in_force;
use crate::prelude::*;

/// Reads the alerts. A fault is logged and hides them: the page itself says what does not work.
pub(crate) async fn read(visit: &Visit) -> Alerts {
    let Ok(authority) = visit.authority() else { return Alerts::default() };
    let leaked = leaked(&visit.context, authority).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "the leaked credentials could not be counted");
        0
    });
    let incidents = record::count(&visit.context, authority).await.map_or_else(
        |fault| {
            tracing::warn!(%fault, "the incidents could not be counted");
            0
        },
        |(open, contained)| open + contained,
    );
    let leak = if leaked > 0 { leak_line(visit, leaked).await } else { None };
    let stop = stops_in_force(visit).await;
    let lines = (leak.is_some() || stop.is_some()).then(|| html! { {leak}{stop} });
    Alerts { incidents, lines }
}

/// Names the credential if there is one, and links to the page of leaks. Nothing on that page, and on the record of an
/// incident that says it itself.
async fn leak_line(visit: &Visit, leaked: i64) -> Option<AnyView> {
    let path = visit.path.split('?').next().unwrap_or_default();
    if path == links::LEAKS || working_in_record(visit, path).await == Some(leaked) {
        return None;
    }
    let query = Query { show: Show::Leaked, ..Query::default() };
    let first = match visit.authority() {
        Ok(authority) if leaked == 1 => list(&visit.context, authority, &query, 1).await.ok(),
        _ => None,
    };
    let one = first.and_then(|page| page.credentials.into_iter().next());
    let name = one.map(|credential| format!(" {}", credential.name));
    let count = counted(leaked, "leaked credential still works.", "leaked credentials still work.");
    Some(html! {
        <div class="notice alarm" data-tone="danger">
            <Drawing icon=Icon::Warning/>
            <p><b>{count}</b>{name}</p>
            <a class="button" data-kind="danger" href=links::LEAKS>"Respond now"</a>
        </div>
    })
}

/// How many credentials still work in the record of an incident that has this address.
async fn working_in_record(visit: &Visit, path: &str) -> Option<i64> {
    let number = path.strip_prefix(links::INCIDENTS)?.strip_prefix('/')?.parse().ok()?;
    let incident = record::find(&visit.context, visit.authority().ok()?, number).await.ok()??;
    let works = |item: &&Item| item.works && item.kind == Target::Credential;
    Some(incident.items.iter().filter(works).count() as i64)
}
