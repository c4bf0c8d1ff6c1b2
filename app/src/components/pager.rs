//! Lists in pages: the rows of one, and the links to the first page and the next.

use domain::base::cursor::Cursor;
use leptos::prelude::*;

use crate::components::parts::page_links;
use crate::links::query_string;

/// Maximum number of rows (consents, clients) on one page of a list.
pub const PAGE_SIZE: u16 = 200;

/// Cuts `rows` to one page and returns the cursor of the next page. The caller asks for one row more than a page holds:
/// that row shows that there is a next page.
pub(crate) fn page_of<Row>(mut rows: Vec<Row>, place: impl Fn(&Row) -> Cursor) -> (Vec<Row>, Option<String>) {
    let more = rows.len() > usize::from(PAGE_SIZE);
    rows.truncate(usize::from(PAGE_SIZE));
    let next = rows.last().filter(|_| more).map(|row| place(row).to_text());
    (rows, next)
}

/// Links to the first page and to the next page. Nothing when there is only one page. `parameters` are the query of the
/// next page.
pub(crate) fn pager(path: &'static str, parameters: &[(&str, Option<String>)], is_later: bool) -> AnyView {
    let given: Vec<_> = parameters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let has_next = parameters.last().is_some_and(|(_, next)| next.is_some());
    let next = has_next.then(|| format!("{path}?{}", query_string(&given)));
    let first = is_later.then(|| {
        let rest = given.get(..parameters.len() - 1).unwrap_or_default();
        format!("{path}?{}", query_string(rest))
    });
    let is_needed = next.is_some() || first.is_some();
    is_needed.then(|| view! { <div class="pager">{page_links(first, next)}</div> }).into_any()
}
