//! A page before it is rendered, and how it is framed.

use leptos::prelude::*;

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

    /// The same page as the answer to a form. What a screen reader reads first is the title: with another status than
    /// 200 it says that something is to be put right.
    pub fn answering(self, status: u16) -> Self {
        let title = if status == 200 { self.title } else { format!("Error: {}", self.title) };
        Self { status, title, ..self }
    }

    /// The same page, which shows a secret or stands at an address that is one.
    pub fn with_secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same page with another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}
