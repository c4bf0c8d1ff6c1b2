//! A page before it is rendered, and its frame.

use leptos::prelude::*;

/// A page, ready to be put into its frame.
pub struct Page {
    /// Status code of the answer.
    pub status: u16,
    /// The title in the browser's tab.
    pub title: String,
    /// The frame.
    pub frame: Frame,
    /// Everything inside `<main>`.
    pub body: AnyView,
    /// Whether the page shows a secret. If so, the browser must send no referrer from it.
    pub secret: bool,
}

/// What stands around every page of a signed-in person.
#[derive(Default)]
pub(crate) struct Alerts {
    /// How many incidents are not closed.
    pub incidents: i64,
    /// The lines above the page.
    pub lines: Option<AnyView>,
}

/// The frame of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Signed out: the brand, and a narrow column.
    Gate,
    /// Signed in: navigation, and the full width.
    Wide,
    /// Signed in: navigation, and a column of readable width.
    Narrow,
    /// Narrow column. The page warns before the person leaves it while the secret is not stored.
    Guarded,
}

impl Page {
    /// A page of status 200 in the wide frame.
    pub fn new(title: impl Into<String>, body: impl IntoView + 'static) -> Self {
        Self { status: 200, title: title.into(), frame: Frame::Wide, body: body.into_any(), secret: false }
    }

    /// The same page in another frame.
    pub(crate) fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// The same page as the answer to a form. Screen readers read the title first. So with a status other than 200 the
    /// title says that the form has errors.
    pub(crate) fn answering(self, status: u16) -> Self {
        let title = if status == 200 { self.title } else { format!("Error: {}", self.title) };
        Self { status, title, ..self }
    }

    /// Marks a page that shows a secret, or whose address is a secret.
    pub(crate) fn with_secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same page with another status.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}
