//! The lines above every page: leaked secrets that still work, and emergency stops in force.

use domain::credential::list::{leaked, list};
use domain::model::credential::query::{Query, Show};

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
    let leak = if leaked > 0 { Some(leak_line(visit, leaked).await) } else { None };
    let stop = stops_in_force(visit).await;
    let lines = (leak.is_some() || stop.is_some()).then(|| html! { {leak}{stop} });
    Alerts { leaked, lines }
}

/// Names the credential if there is one, and links to the place where it is stopped.
async fn leak_line(visit: &Visit, leaked: i64) -> AnyView {
    let query = Query { show: Show::Leaked, ..Query::default() };
    let first = match visit.authority() {
        Ok(authority) if leaked == 1 => list(&visit.context, authority, &query, 1).await.ok(),
        _ => None,
    };
    let one = first.and_then(|page| page.credentials.into_iter().next());
    let (name, href) = match one {
        Some(credential) => (Some(credential.name.clone()), links::credential(&credential.client_id)),
        None => (None, links::credentials_with_status("leaked")),
    };
    let count = counted(leaked, "leaked credential still works.", "leaked credentials still work.");
    html! {
        <div class="notice alarm" data-tone="danger">
            <Drawing icon=Icon::Warning/>
            <p><b>{count}</b>{name.map(|name| format!(" {name}"))}</p>
            <a class="button" data-kind="danger" href=href>"Respond now"</a>
        </div>
    }
}
