//! The list of credentials: search, filter, sort. A page begins at a key, not at a page number. So every page costs the
//! same, and no row is shown twice when rows are added.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::credential::Credential;
use crate::model::credential::query::{Counts, CredentialCursor, Moments, Query, Sort};
use crate::model::person::authority::Authority;
use crate::prelude::{Context, Fault, Timestamp, operation_error};
use crate::store;

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

operation_error! {
    /// Why there is no page.
    pub enum ListError {
        /// The cursor is not one that we made for this sort order.
        #[error("the page link is not valid")]
        BadCursor,
    }
}

/// One page of at most `limit` credentials that `authority` sees.
pub async fn list(context: &Context, authority: &Authority, query: &Query, limit: u16) -> Result<Page, ListError> {
    let cursor = query.cursor.as_deref().map(|text| read_cursor(context, query.sort, text)).transpose()?;
    let search = query.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    let limit = usize::from(limit);
    let moments = Moments::at(context.now());
    let selected = store::credential::list::Selected {
        key: authority.key(),
        team: query.team.as_ref(),
        search,
        show: query.show,
        sort: query.sort,
        after: cursor.as_ref(),
    };
    context.rollup.flush().await;
    let mut rows = store::credential::list::list(&context.store, &selected, &moments, limit as i64 + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| write_cursor(context, query.sort, row));
    Ok(Page { credentials: rows, next })
}

fn sort_key(sort: Sort, credential: &Credential) -> String {
    match sort {
        Sort::Created => credential.created_at.millis().to_string(),
        Sort::Name => store::credential::search_text(credential),
        Sort::LastUsed => credential.last_used_at.map_or(0, Timestamp::millis).to_string(),
        Sort::Ends => credential.ends_at.map_or(i64::MAX, Timestamp::millis).to_string(),
    }
}

fn write_cursor(context: &Context, sort: Sort, last: &Credential) -> String {
    let key = sort_key(sort, last);
    let mac = context.keys.forms.mac_parts(&["cursor", sort.as_str(), &key, last.client_id.as_str()]);
    let key = URL_SAFE_NO_PAD.encode(key);
    format!("{}.{key}.{mac}", last.client_id)
}

fn read_cursor(context: &Context, sort: Sort, text: &str) -> Result<CredentialCursor, ListError> {
    // Split from the end, because an imported client ID may hold dots.
    let mut parts = text.rsplitn(3, '.');
    let (Some(mac), Some(key), Some(client_id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ListError::BadCursor);
    };
    let key = URL_SAFE_NO_PAD.decode(key).map_err(|_| ListError::BadCursor)?;
    let key = String::from_utf8(key).map_err(|_| ListError::BadCursor)?;
    if !context.keys.forms.verify_parts(&["cursor", sort.as_str(), &key, client_id], mac) {
        return Err(ListError::BadCursor);
    }
    Ok(CredentialCursor { key, client_id: client_id.to_owned() })
}

/// Counts of what `authority` sees, for the overview. On a large instance the counts may be some seconds old.
pub async fn counts(context: &Context, authority: &Authority) -> Result<Counts, Fault> {
    let (store, key, now) = (context.store.clone(), authority.key().map(str::to_owned), context.now());
    let name = key.clone().unwrap_or_default();
    let count = async move { Ok(store::credential::list::counts(&store, key.as_deref(), &Moments::at(now)).await?) };
    context.rollup.flush().await;
    if store::credential::list::are_many(&context.store).await? {
        context.counts.get(&name, now, count).await
    } else {
        count.await
    }
}
