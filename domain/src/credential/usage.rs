//! How often a credential is used and refused, by the hour. The number of rows stays small even with very many
//! requests.

use crate::base::id::ClientId;
use crate::model::credential::usage::{Hour, RefusalHour, RefusalSummary, Whose};
use crate::prelude::{Context, Fault};
use crate::store;

pub use crate::store::token::ledger::RecentExchange;

/// The last `hours` hours, oldest first. Hours without use are in the list too. On a large instance, the numbers of the
/// whole instance may be some seconds old.
pub async fn hours(context: &Context, whose: Whose<'_>, hours: u16) -> Result<Vec<Hour>, Fault> {
    let last = context.now().hour();
    let first = last - i64::from(hours) + 1;
    context.rollup.flush().await;
    let counted = match whose {
        Whose::All(authority) if store::credential::list::are_many(&context.store).await? => {
            let (store, authority) = (context.store.clone(), authority.clone());
            let name = format!("{} {hours}", authority.key().unwrap_or_default());
            let count =
                async move { Ok::<_, Fault>(store::token::usage::hours(&store, Whose::All(&authority), first).await?) };
            context.hours.get(&name, context.now(), count).await?
        }
        whose => store::token::usage::hours(&context.store, whose, first).await?,
    };
    let of_hour = |hour| counted.iter().find(|counted| counted.hour == hour).copied();
    Ok((first..=last).map(|hour| of_hour(hour).unwrap_or(Hour { hour, ..Hour::default() })).collect())
}

/// The refusals of a credential in the last 30 days, by cause, latest first.
pub async fn refusals(context: &Context, client_id: &ClientId) -> Result<Vec<RefusalSummary>, Fault> {
    let since = context.now().hour() - 30 * 24;
    Ok(store::token::usage::refusals(&context.store, client_id, since).await?)
}

/// The newest exchanges of a credential.
pub async fn recent_exchanges(context: &Context, client_id: &ClientId) -> Result<Vec<RecentExchange>, Fault> {
    Ok(store::token::ledger::recent(&context.store, client_id, 10).await?)
}

/// The refusals of a credential in the last `hours` hours, by hour and cause, latest first.
pub async fn refusals_by_hour(context: &Context, client_id: &ClientId, hours: u16) -> Result<Vec<RefusalHour>, Fault> {
    let first = context.now().hour() - i64::from(hours) + 1;
    Ok(store::token::usage::refusals_by_hour(&context.store, client_id, first).await?)
}
