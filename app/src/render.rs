//! From a page to HTML.

use std::future::Future;

use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;

use crate::action::ActionError;
use crate::components::layout::Document;
use crate::pages::message;
use crate::visit::Visit;

/// A page, ready to be put into the frame.
pub struct Page {
    /// Status code of the answer.
    pub status: u16,
    /// What the browser's tab says.
    pub title: String,
    /// How it is framed.
    pub frame: Frame,
    /// Everything inside `<main>`.
    pub body: AnyView,
    /// Whether the page shows a secret: no referrer may leave it.
    pub secret: bool,
}

/// How a page is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Signed out: the brand and a narrow column.
    Gate,
    /// Signed in: navigation and the full width.
    Wide,
    /// Signed in: navigation and a column that is easy to read.
    Narrow,
    /// Narrow, and warns before leaving while the secret is not stored.
    Guarded,
}

impl Page {
    /// A page of status 200 in the wide frame.
    pub fn new(title: impl Into<String>, body: impl IntoView + 'static) -> Self {
        Self { status: 200, title: title.into(), frame: Frame::Wide, body: body.into_any(), secret: false }
    }

    /// The same page, framed otherwise.
    pub fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// The same page as the answer to a form. What a screen reader reads first is the title: with another status than 200 it
    /// says that something is to be put right.
    pub fn answering(self, status: u16) -> Self {
        let title = if status == 200 { self.title } else { format!("Error: {}", self.title) };
        Self { status, title, ..self }
    }

    /// The same page with another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// A rendered page.
pub struct Rendered {
    /// Status code of the answer.
    pub status: u16,
    /// The document.
    pub html: String,
    /// Whether it shows a secret.
    pub secret: bool,
}

/// Runs `work` with `visit` as its context: how the server calls a server function.
pub async fn scoped<Work: Future>(visit: Visit, work: impl FnOnce() -> Work) -> Work::Output {
    let owner = Owner::new_root(None);
    let fut = owner.with(|| {
        provide_context(visit);
        work()
    });
    ScopedFuture { owner, observer: None, fut }.await
}

/// Renders a page, or the message page that its error calls for.
///
/// The view is complete when it is turned into text, so no renderer of Leptos is needed: those append a script with
/// the page's data.
pub async fn render<Work>(visit: Visit, page: impl FnOnce() -> Work) -> Rendered
where
    Work: Future<Output = Result<Page, ActionError>>,
{
    scoped(visit, || {
        let work = page();
        async move {
            let page = work.await.unwrap_or_else(message::of_error);
            let (status, secret) = (page.status, page.secret);
            Rendered { status, html: document(page), secret }
        }
    })
    .await
}

/// Outside of [`render`], so that it is compiled once and not for every page.
fn document(page: Page) -> String {
    format!("<!DOCTYPE html>{}", view! { <Document page/> }.to_html())
}
