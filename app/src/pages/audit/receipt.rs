//! Receipts that name what was changed. They lead to the entry of the audit log, which knows the name also when the
//! thing is gone.

use std::fmt::Display;

use domain::audit;
use domain::model::audit::Filter;

use crate::pages::audit::entry::EntryView;
use crate::prelude::*;

/// The parameter of an address with the number of the entry.
const ENTRY: &str = "of";

/// The address `next` with the number of the newest entry about `target`: the entry of what the visitor just did.
/// Without such an entry it is `next`.
pub async fn recorded(visit: &Visit, next: String, target: impl Display) -> String {
    let Ok(authority) = visit.authority() else { return next };
    // The change is done. A fault here must not look as if it were not.
    let found = audit::of_target(&visit.context, authority, &target.to_string(), 1).await.unwrap_or_default();
    found.first().map_or_else(|| next.clone(), |entry| format!("{next}&{ENTRY}={}", entry.seq))
}

/// The receipt of what was done. If the address names an entry of the visitor's own, the receipt says whom or what the
/// entry is about, and leads to it. Otherwise the receipt leads to the entries about `thing`, which the page shows.
pub(crate) async fn receipt(
    visit: &Visit,
    on: On,
    done: Option<&str>,
    more: String,
    thing: Option<String>,
) -> Result<AnyView, ActionError> {
    let Some(done) = Done::read(on, done) else { return Ok(().into_any()) };
    let text = format!("{}{more}", done.receipt());
    Ok(match (entry_of(visit).await?, thing) {
        (Some(entry), _) => {
            let link = view! { <a href=links::entry(entry.seq)>"See the entry"</a> };
            // Only the entry of an invitation to administer has no name, and it says whom it invites.
            let about = entry.target(visit.authority()?.is_administrator());
            done_notice(view! { <p>{text}" "{about}". "{link}"."</p> })
        }
        (None, Some(thing)) => {
            let link = view! { <a href=links::activity_of(thing)>"See it in the activity log"</a> };
            done_notice(view! { <p>{text}" "{link}"."</p> })
        }
        (None, None) => html! { <DoneNotice text/> },
    })
}

/// The entry that the address names, if the visitor made it.
async fn entry_of(visit: &Visit) -> Result<Option<EntryView>, ActionError> {
    let (_, query) = visit.path.split_once('?').unwrap_or_default();
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(ENTRY)?.strip_prefix('='));
    let Some(seq) = values.next_back().and_then(|value| value.parse::<i64>().ok()) else { return Ok(None) };
    let just_above = Filter { before: Some(seq.saturating_add(1)), ..Filter::default() };
    let found = audit::list(&visit.context, visit.authority()?, &just_above, 1).await?;
    let own = visit.viewer()?.id.as_str();
    Ok(found.iter().find(|entry| entry.seq == seq && entry.actor_id == own).map(EntryView::of))
}
