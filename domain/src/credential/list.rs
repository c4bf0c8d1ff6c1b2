//! The list of credentials: search, filter, sort, and pages by key rather than by number, so that a page costs the
//! same however far down it is and nothing is shown twice when rows are added.

use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::{Credential, EXPIRING_WITHIN, IDLE_AFTER};
use crate::error::Fault;
use crate::id::TeamId;
use crate::store;

/// Which credentials to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// All of them.
    #[default]
    All,
    /// Working, exchanged at least once.
    InUse,
    /// Working, never exchanged.
    Unverified,
    /// Working, and ending within [`EXPIRING_WITHIN`].
    Expiring,
    /// Working, with a secret or key that is being replaced.
    Rotating,
    /// Working, without an end.
    NeverExpires,
    /// Working, and never used or not for [`IDLE_AFTER`].
    Idle,
    /// Stopped.
    Disabled,
    /// Ended by time.
    Expired,
    /// Ended by revocation.
    Revoked,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Newest first.
    #[default]
    Created,
    /// By name, A to Z.
    Name,
    /// Last used first; those never used last.
    LastUsed,
    /// Next to end first; those without an end last.
    Ends,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Name => "name",
            Self::LastUsed => "last_used",
            Self::Ends => "ends",
        }
    }
}

/// A place in the list: after the row with this key. Handed out and taken back as an authenticated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) key: String,
    pub(crate) client_id: String,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Part of the name or the client ID.
    pub search: Option<String>,
    /// Those of one team.
    pub team: Option<TeamId>,
    /// Which.
    pub show: Show,
    /// In which order.
    pub sort: Sort,
    /// Where to go on, as a page's `next` said.
    pub cursor: Option<String>,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not one that we handed out for this order.
    #[error("the page link is not valid")]
    BadCursor,
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The moments that filters compare with.
pub(crate) struct Moments {
    pub now: Timestamp,
    pub soon: Timestamp,
    pub idle_since: Timestamp,
}

impl Moments {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { now, soon: now.plus(EXPIRING_WITHIN), idle_since: now.minus(IDLE_AFTER) }
    }
}

/// One page of at most `limit` credentials that `authority` sees.
pub async fn list(context: &Context, authority: &Authority, query: &Query, limit: u16) -> Result<Page, ListError> {
    let cursor = query.cursor.as_deref().map(|text| read_cursor(context, query.sort, text)).transpose()?;
    let search = query.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    let limit = usize::from(limit);
    let moments = Moments::at(context.now());
    let selected = store::credential_list::Selected {
        key: authority.key(),
        team: query.team.as_ref(),
        search,
        show: query.show,
        sort: query.sort,
        after: cursor.as_ref(),
    };
    context.filing.settle().await;
    let mut rows = store::credential_list::list(&context.store, &selected, &moments, limit as i64 + 1)
        .await
        .map_err(Fault::from)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| write_cursor(context, query.sort, row));
    Ok(Page { credentials: rows, next })
}

fn sort_key(sort: Sort, credential: &Credential) -> String {
    match sort {
        Sort::Created => credential.created_at.millis().to_string(),
        Sort::Name => store::credentials::search_text(credential),
        Sort::LastUsed => credential.last_used_at.map_or(0, Timestamp::millis).to_string(),
        Sort::Ends => credential.ends_at.map_or(i64::MAX, Timestamp::millis).to_string(),
    }
}

fn write_cursor(context: &Context, sort: Sort, last: &Credential) -> String {
    use base64::Engine;
    let key = sort_key(sort, last);
    let mac = context.keys.forms.mac_parts(&["cursor", sort.word(), &key, last.client_id.as_str()]);
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key);
    format!("{}.{key}.{mac}", last.client_id)
}

fn read_cursor(context: &Context, sort: Sort, text: &str) -> Result<Cursor, ListError> {
    use base64::Engine;
    // From the end: an imported client ID may hold dots.
    let mut parts = text.rsplitn(3, '.');
    let (Some(mac), Some(key), Some(client_id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ListError::BadCursor);
    };
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key).map_err(|_| ListError::BadCursor)?;
    let key = String::from_utf8(key).map_err(|_| ListError::BadCursor)?;
    if !context.keys.forms.verify_parts(&["cursor", sort.word(), &key, client_id], mac) {
        return Err(ListError::BadCursor);
    }
    Ok(Cursor { key, client_id: client_id.to_owned() })
}

/// How many working credentials there are, and how many of them deserve a look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Every credential, ended ones too.
    pub all: i64,
    /// Those that work.
    pub working: i64,
    /// See [`Show::Expiring`].
    pub expiring: i64,
    /// See [`Show::Idle`].
    pub idle: i64,
    /// See [`Show::NeverExpires`].
    pub never_expires: i64,
    /// See [`Show::Unverified`].
    pub unverified: i64,
    /// See [`Show::Rotating`].
    pub rotating: i64,
}

/// Counts of what `authority` sees, for the overview. Those of a large instance may be some seconds old.
pub async fn counts(context: &Context, authority: &Authority) -> Result<Counts, Fault> {
    let (store, key, now) = (context.store.clone(), authority.key().map(str::to_owned), context.now());
    let name = key.clone().unwrap_or_default();
    let count = async move { Ok(store::credential_list::counts(&store, key.as_deref(), &Moments::at(now)).await?) };
    context.filing.settle().await;
    if store::credential_list::are_many(&context.store).await? {
        context.counts.get(&name, now, count).await
    } else {
        count.await
    }
}
