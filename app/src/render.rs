//! From a page to HTML.

use std::future::Future;

use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;

use crate::components::layout;
use crate::error::ActionError;
use crate::page::{Alerts, Page};
use crate::pages::incident::alerts;
use crate::pages::message;
use crate::visit::Visit;

/// A rendered page.
pub struct Rendered {
    /// Status code of the answer.
    pub status: u16,
    /// The document.
    pub html: String,
    /// Whether it shows a secret.
    pub secret: bool,
}

/// Runs `work` with `visit` as its context. The server calls server functions through this.
pub async fn scoped<Work: Future>(visit: Visit, work: impl FnOnce() -> Work) -> Work::Output {
    let owner = Owner::new_root(None);
    let fut = owner.with(|| {
        provide_context(visit);
        work()
    });
    ScopedFuture { owner, observer: None, fut }.await
}

/// Renders a page, or the message page of its error.
///
/// The view is complete before it becomes text, so no renderer of Leptos is needed. Those renderers append a script
/// with the page's data.
pub async fn render<Work>(visit: Visit, page: impl FnOnce() -> Work) -> Rendered
where
    Work: Future<Output = Result<Page, ActionError>>,
{
    scoped(visit.clone(), || {
        let work = page();
        async move {
            let page = work.await.unwrap_or_else(message::of_error);
            let (status, secret) = (page.status, page.secret);
            let alerts = alerts::read(&visit).await;
            Rendered { status, html: document(page, alerts), secret }
        }
    })
    .await
}

/// This is outside [`render`], so that it is compiled once and not for every page.
fn document(page: Page, alerts: Alerts) -> String {
    format!("<!DOCTYPE html>{}", without_markers(&layout::document(page, alerts).to_html()))
}

/// The same document without comments. Leptos writes them for scripts that take over a page. No page has such a script,
/// and the comments are a seventh of a list's bytes.
///
/// Texts contain no `<`, so each `<` begins a tag or a comment. The value of an attribute may contain anything but its
/// quotation mark.
fn without_markers(html: &str) -> String {
    let mut shorter = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        shorter.push_str(text);
        if let Some(comment) = tag.strip_prefix("<!") {
            let end = if comment.starts_with("--") { "-->" } else { ">" };
            rest = comment.split_once(end).map_or("", |(_, rest)| rest);
            continue;
        }
        let mut is_quoted = false;
        let end = tag.find(|character| {
            is_quoted ^= character == '"';
            character == '>' && !is_quoted
        });
        let (tag, after) = tag.split_at(end.map_or(tag.len(), |end| end + 1));
        shorter.push_str(tag);
        rest = after;
    }
    shorter.push_str(rest);
    shorter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_are_left_out() {
        let html = r#"<p title="<!> a > b <!-- c -->">a<!> &lt;!&gt; <!--<() />--><br>b</p><!>"#;
        assert_eq!(without_markers(html), r#"<p title="<!> a > b <!-- c -->">a &lt;!&gt; <br>b</p>"#);
    }
}
