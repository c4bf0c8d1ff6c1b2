//! How many access tokens a client got, over time, and why it got none. Tokens are counted in `consent_tokens` when a
//! page asks. So an exchange writes no count.

use crate::base::id::AppClientId;
use crate::model::client::refusal::AppRefusalSummary;
use crate::model::credential::usage::{Bar, Period};
use crate::prelude::{Context, Result};
use crate::store;

/// The bars of a chart, oldest first. Bars without use are in the list too.
pub async fn bars(context: &Context, id: &AppClientId, period: Period) -> Result<Vec<Bar>> {
    let now = context.now();
    let (first, length) = (period.first_hour(now), period.hours_of_bar());
    let counted = store::client::consent::bars(&context.store, id, first, length).await?;
    Ok(period.filled(&counted, now))
}

/// The refused requests of a client in the last 30 days by cause, latest first.
pub async fn refusals(context: &Context, id: &AppClientId) -> Result<Vec<AppRefusalSummary>> {
    let since = context.now().hour() - 30 * 24;
    Ok(store::client::refusal::list(&context.store, id, since).await?)
}
