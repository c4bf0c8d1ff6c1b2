//! How often credentials are used and refused, by the hour. The number of rows stays small even with very many
//! requests.

use crate::base::id::{ClientId, McpServerId};
use crate::model::credential::usage::{
    AuthenticatorBar, Bar, Leaders, Period, RefusalSummary, RefusedCredential, Whose,
};
use crate::model::person::authority::Authority;
use crate::model::server::LONGEST_TOKEN_LIFETIME;
use crate::model::token::Refusal;
use crate::prelude::{Context, Fault, Timestamp};
use crate::store;
use crate::store::token::usage::Selection;

pub use crate::store::token::ledger::{LiveCount, RecentExchange};

/// The most hours of the lists of credentials. The lists read a row for each credential and hour.
const LIST_HOURS: i64 = 7 * 24;

/// The bars of a chart, oldest first. Bars without use are in the list too. On a large instance, the numbers of many
/// credentials may be some seconds old.
pub async fn bars(context: &Context, whose: Whose<'_>, period: Period) -> Result<Vec<Bar>, Fault> {
    let now = context.now();
    let (first, length) = (period.first_hour(now), period.hours_of_bar());
    let selection = Selection::from(whose);
    context.rollup.flush().await;
    let counted = if selection.is_wide() && store::credential::list::are_many(&context.store).await? {
        let (name, store) = (format!("{} {}", period.as_str(), selection.name()), context.store.clone());
        let count = async move { Ok::<_, Fault>(store::token::usage::bars(&store, &selection, first, length).await?) };
        context.bars.get(&name, now, count).await?
    } else {
        store::token::usage::bars(&context.store, &selection, first, length).await?
    };
    Ok(period.filled(&counted, now))
}

/// The refused exchanges of a period by cause, the most frequent first.
pub async fn causes(context: &Context, whose: Whose<'_>, period: Period) -> Result<Vec<(Refusal, i64)>, Fault> {
    let first = period.first_hour(context.now());
    Ok(store::token::usage::causes(&context.store, &whose.into(), first).await?)
}

/// The exchanges of a period by MCP server, the most frequent first.
pub async fn servers(
    context: &Context,
    authority: &Authority,
    period: Period,
) -> Result<Vec<(McpServerId, i64)>, Fault> {
    let first = period.first_hour(context.now());
    Ok(store::token::usage::servers(&context.store, &Whose::All(authority).into(), first).await?)
}

/// The credentials with the most exchanges and refused exchanges of a period, or of the last seven days if the period
/// is longer. With very much use the lists may be some seconds old.
pub async fn leaders(context: &Context, whose: Whose<'_>, period: Period) -> Result<Leaders, Fault> {
    const MOST: i64 = 5;
    let end = context.now().hour() + 1;
    let first = period.first_hour(context.now()).max(end - LIST_HOURS);
    let selection = Selection::from(whose);
    let by_server = matches!(whose, Whose::Server(..));
    let name = format!("{} {}", period.as_str(), selection.name());
    let store = context.store.clone();
    let read = async move {
        let used = store::token::usage::most_used(&store, &selection, first, MOST).await?;
        let refused = match by_server {
            true => Vec::new(),
            false => store::token::usage::most_refused(&store, &selection, (first, end), MOST).await?,
        };
        Ok::<_, Fault>(Leaders { used, refused })
    };
    context.rollup.flush().await;
    if store::token::usage::are_many(&context.store, first).await? {
        context.leaders.get(&name, context.now(), read).await
    } else {
        read.await
    }
}

/// The refused exchanges of each credential and cause in the `hours` from `from` on, the most frequent first, at most
/// `limit`.
pub async fn refused_within(
    context: &Context,
    whose: Whose<'_>,
    from: Timestamp,
    hours: u16,
    limit: u16,
) -> Result<Vec<RefusedCredential>, Fault> {
    let range = (from.hour(), from.hour() + i64::from(hours));
    Ok(store::token::usage::most_refused(&context.store, &whose.into(), range, i64::from(limit)).await?)
}

/// The exchanges of a credential since `since`, by hour and by secret, key or identity, oldest first.
pub async fn by_authenticator(
    context: &Context,
    client_id: &ClientId,
    since: Timestamp,
) -> Result<Vec<AuthenticatorBar>, Fault> {
    context.rollup.flush().await;
    Ok(store::token::usage::by_authenticator(&context.store, client_id, since.hour()).await?)
}

/// The live tokens of the credentials that `authority` sees.
pub async fn live_tokens(context: &Context, authority: &Authority) -> Result<LiveCount, Fault> {
    let now = context.now();
    Ok(store::token::ledger::count_live(&context.store, authority.key(), now, now.minus(LONGEST_TOKEN_LIFETIME))
        .await?)
}

/// The refusals of a credential in the last 30 days by cause, latest first.
pub async fn refusals(context: &Context, client_id: &ClientId) -> Result<Vec<RefusalSummary>, Fault> {
    let since = context.now().hour() - 30 * 24;
    Ok(store::token::usage::refusals(&context.store, client_id, since).await?)
}

/// The newest exchanges of a credential.
pub async fn recent_exchanges(context: &Context, client_id: &ClientId) -> Result<Vec<RecentExchange>, Fault> {
    Ok(store::token::ledger::recent(&context.store, client_id, 10).await?)
}
