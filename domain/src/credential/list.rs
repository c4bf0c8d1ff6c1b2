//! The list of credentials: search, filter, sort. A page begins at a key, not at a page number. So every page costs the
//! same, and no row is shown twice when rows are added.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::base::id::PersonId;
use crate::crypto::secret::without_secrets;
use crate::model::credential::Credential;
use crate::model::credential::query::{Counts, CredentialCursor, Moments, Query, Section, Show, Sort, Total};
use crate::model::person::authority::Authority;
use crate::prelude::{Action, Actor, Context, Event, Fault, Timestamp, operation_error};
use crate::store;
use crate::store::credential::list::{MANY, Selected, Slice};

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The number of the first credential in the list, from 1.
    pub first: i64,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
    /// The cursor of the page before; `None` on the first one.
    pub previous: Option<String>,
}

operation_error! {
    /// Why there is no page.
    pub enum ListError {
        /// The cursor is not one that we made for this sort order.
        #[error("the page link is not valid")]
        BadCursor,
    }
}

/// A credential of a page, with the section in which it stands.
type Row = (Section, Credential);

/// One page of at most `limit` credentials that `authority` sees.
pub async fn list(context: &Context, authority: &Authority, query: &Query, limit: u16) -> Result<Page, ListError> {
    let cursor = query.cursor.as_deref().map(|text| read_cursor(context, query, text)).transpose()?;
    let limit = usize::from(limit);
    context.rollup.flush().await;
    let in_default_order = query.sort == Sort::Created && !query.reversed;
    let has_leaked = in_default_order && leaked(context, authority).await? > 0;
    let sections: &[Section] = if has_leaked { &[Section::Leaked, Section::Others] } else { &[] };
    let part = Part { context, query, selected: selected(context, authority, query), sections, limit: limit + 1 };
    let mut rows = part.read(cursor.as_ref(), query.backward).await?;
    let more = rows.len() > limit;
    let (first, has_previous, has_next) = match &cursor {
        // A page before which too little is left is the first page.
        Some(_) if query.backward && !more => {
            rows = part.read(None, false).await?;
            (1, false, rows.len() > limit)
        }
        Some(cursor) if query.backward => {
            rows.remove(0);
            (cursor.position - limit as i64, true, true)
        }
        Some(cursor) => (cursor.position + 1, true, more),
        None => (1, false, more),
    };
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_next);
    let next = next.map(|row| write_cursor(context, query, row, first + rows.len() as i64 - 1));
    let previous = rows.first().filter(|_| has_previous).map(|row| write_cursor(context, query, row, first));
    Ok(Page { credentials: rows.into_iter().map(|(_, credential)| credential).collect(), first, next, previous })
}

/// How a part of the list is read.
struct Part<'query> {
    context: &'query Context,
    query: &'query Query,
    selected: Selected<'query>,
    /// The sections of the list; none when it has no leaked credential.
    sections: &'query [Section],
    limit: usize,
}

impl Part<'_> {
    /// The rows beside the cursor, in the order of the list, through as many sections as are needed.
    async fn read(&self, cursor: Option<&CredentialCursor>, backward: bool) -> Result<Vec<Row>, Fault> {
        let mut sections: Vec<Option<Section>> = self.sections.iter().copied().map(Some).collect();
        if sections.is_empty() {
            sections.push(None);
        }
        if backward {
            sections.reverse();
        }
        let begins = |section: &Option<Section>| {
            section.is_none() || cursor.is_none_or(|cursor| *section == Some(cursor.section))
        };
        let mut rows = Vec::new();
        for section in sections.into_iter().skip_while(|section| !begins(section)) {
            let beside = cursor.filter(|_| begins(&section));
            let limit = (self.limit - rows.len()) as i64;
            let Query { sort, reversed, .. } = *self.query;
            let slice = Slice { sort, reversed, beside, backward, limit };
            let selected = Selected { section, ..self.selected };
            let found = store::credential::list::list(&self.context.store, &selected, &slice).await?;
            let found = found.into_iter().map(|credential| (section.unwrap_or(Section::Others), credential));
            match backward {
                true => drop(rows.splice(0..0, found)),
                false => rows.extend(found),
            }
            if rows.len() >= self.limit {
                break;
            }
        }
        Ok(rows)
    }
}

fn selected<'query>(context: &Context, authority: &'query Authority, query: &'query Query) -> Selected<'query> {
    let given = |text: &'query Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    // One team has indexes in the order of the list, and several teams together have none.
    let only = query.team.as_ref().or_else(|| authority.only_team()).filter(|team| authority.role_in(team).is_some());
    let (key, team) = match only {
        Some(team) => (None, Some(team)),
        None => (authority.key(), query.team.as_ref()),
    };
    Selected {
        key,
        search: given(&query.search),
        team,
        server: query.server.as_ref(),
        method: query.method,
        owner: query.owner.as_ref(),
        tag: given(&query.tag),
        show: query.show,
        section: None,
        moments: Moments::at(context.now()),
    }
}

/// How many credentials the list has on all of its pages.
pub async fn total(context: &Context, authority: &Authority, query: &Query) -> Result<Total, Fault> {
    context.rollup.flush().await;
    let selected = selected(context, authority, query);
    if query.has_only_show() && store::credential::list::are_many(&context.store).await? {
        if let Some(counts) = counts_soon(context, authority) {
            return Ok(Total::Exactly(counts.of(query.show)));
        }
        if query.show == Show::All && authority.key().is_none() {
            return Ok(Total::MoreThan(MANY));
        }
    }
    Ok(store::credential::list::total(&context.store, &selected).await?)
}

fn sort_key(sort: Sort, credential: &Credential) -> String {
    match sort {
        Sort::Created => credential.created_at.millis().to_string(),
        Sort::Name => store::credential::search_text(credential),
        Sort::LastUsed => credential.last_used_at.map_or(0, Timestamp::millis).to_string(),
        Sort::Ends => credential.ends_at.map_or(i64::MAX, Timestamp::millis).to_string(),
    }
}

/// What a cursor says besides the client ID: the position, the section and the key.
fn place_of(position: i64, section: Section, key: &str) -> String {
    let section = if section == Section::Leaked { "leaked" } else { "others" };
    format!("{position} {section} {key}")
}

/// What a cursor is authenticated with.
fn cursor_parts<'part>(query: &Query, place: &'part str, client_id: &'part str) -> [&'part str; 5] {
    let order = if query.reversed { "reversed" } else { "" };
    ["cursor", query.sort.as_str(), order, place, client_id]
}

fn write_cursor(context: &Context, query: &Query, (section, row): &Row, position: i64) -> String {
    let place = place_of(position, *section, &sort_key(query.sort, row));
    let mac = context.keys.forms.mac_parts(&cursor_parts(query, &place, row.client_id.as_str()));
    format!("{}.{}.{mac}", row.client_id, URL_SAFE_NO_PAD.encode(place))
}

fn read_cursor(context: &Context, query: &Query, text: &str) -> Result<CredentialCursor, ListError> {
    // Split from the end, because an imported client ID may hold dots.
    let mut parts = text.rsplitn(3, '.');
    let (Some(mac), Some(place), Some(client_id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ListError::BadCursor);
    };
    let place = URL_SAFE_NO_PAD.decode(place).map_err(|_| ListError::BadCursor)?;
    let place = String::from_utf8(place).map_err(|_| ListError::BadCursor)?;
    if !context.keys.forms.verify_parts(&cursor_parts(query, &place, client_id), mac) {
        return Err(ListError::BadCursor);
    }
    let mut parts = place.splitn(3, ' ');
    let (Some(position), Some(section), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ListError::BadCursor);
    };
    Ok(CredentialCursor {
        section: if section == "leaked" { Section::Leaked } else { Section::Others },
        key: key.to_owned(),
        client_id: client_id.to_owned(),
        position: position.parse().map_err(|_| ListError::BadCursor)?,
    })
}

/// Counts of what `authority` sees, for the overview. On a large instance the counts may be some seconds old.
pub async fn counts(context: &Context, authority: &Authority) -> Result<Counts, Fault> {
    context.rollup.flush().await;
    let count = counting(context, authority, Query::default());
    if store::credential::list::are_many(&context.store).await? {
        context.counts.get(authority.key().unwrap_or_default(), context.now(), count).await
    } else {
        count.await
    }
}

/// How many credentials each filter would show, together with what else restricts the list. On a large instance only
/// a list without other restrictions has them, and not at once.
pub async fn counts_of(context: &Context, authority: &Authority, query: &Query) -> Result<Option<Counts>, Fault> {
    context.rollup.flush().await;
    if store::credential::list::are_many(&context.store).await? {
        return Ok(counts_soon(context, authority).filter(|_| query.has_only_show()));
    }
    counting(context, authority, Query { show: Show::All, ..query.clone() }).await.map(Some)
}

fn counts_soon(context: &Context, authority: &Authority) -> Option<Counts> {
    let count = counting(context, authority, Query::default());
    context.counts.soon(authority.key().unwrap_or_default(), context.now(), count)
}

fn counting(
    context: &Context,
    authority: &Authority,
    query: Query,
) -> impl Future<Output = Result<Counts, Fault>> + Send + 'static {
    let (context, authority) = (context.clone(), authority.clone());
    async move {
        let selected = selected(&context, &authority, &query);
        Ok(store::credential::list::counts(&context.store, &selected).await?)
    }
}

/// How many credentials that `authority` sees work although a secret or token of them was reported as leaked. It is
/// counted for every page of the dashboard: the statement reads an index of the leaked ones alone.
pub async fn leaked(context: &Context, authority: &Authority) -> Result<i64, Fault> {
    let query = Query::default();
    Ok(store::credential::list::leaked(&context.store, &selected(context, authority, &query)).await?)
}

/// Most tags, and most owners, that a filter offers.
const MOST_OFFERED: i64 = 200;

/// The tags of the credentials that `authority` sees.
pub async fn tags(context: &Context, authority: &Authority) -> Result<Vec<String>, Fault> {
    Ok(store::credential::list::tags(&context.store, authority.key(), MOST_OFFERED).await?)
}

/// The owners of the credentials that `authority` sees, with their names.
pub async fn owners(context: &Context, authority: &Authority) -> Result<Vec<(PersonId, String)>, Fault> {
    Ok(store::credential::list::owners(&context.store, authority.key(), MOST_OFFERED).await?)
}

/// Records that the actor takes the list as a file. `filter` says which credentials the file has, as the address of the
/// list does; `credentials` is their number, when they were chosen one by one. A secret that somebody searched for is
/// not recorded.
pub async fn record_export(
    context: &Context,
    actor: &Actor,
    format: &str,
    filter: &str,
    credentials: Option<usize>,
) -> Result<(), Fault> {
    let details = match credentials {
        Some(count) => json!({ "format": format, "credentials": count }),
        None => json!({ "format": format, "filter": without_secrets(filter) }),
    };
    let change = context.begin_change().await?;
    change.commit(actor, &Event::of_instance(Action::CredentialsExported).with(details)).await
}
