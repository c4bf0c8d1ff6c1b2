//! The page that shows a secret once. The answer to the form that made the secret is the only place where it appears.

use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::components::parts::{copy_button, head, notice};
use crate::html::{html, setters};
use crate::page::{Frame, Page};

/// A page that shows a secret. The browser warns before the person leaves the page, and sends no referrer from it.
pub struct Reveal {
    title: &'static str,
    label: Option<&'static str>,
    onward: String,
    above: AnyView,
    lead: AnyView,
    warning: AnyView,
    inside: Vec<AnyView>,
    facts: Option<AnyView>,
    stored: &'static str,
    below: AnyView,
}

/// The sentence that names what the secret is for.
pub(crate) fn shown_once(name: &str) -> AnyView {
    html! { "For "<b>{name.to_owned()}</b>"." }
}

/// A read-only field with an identifier, and the button that copies it. Where a page has several, `of` names the thing.
pub(crate) fn identifier_field(id: impl Into<String>, label: &'static str, of: Option<&str>, value: String) -> AnyView {
    let id: String = id.into();
    let of = of.map(|name| format!(" of {name}"));
    let hidden = || of.clone().map(|of| view! { <span class="vh">{of}</span> });
    let copy = view! { {format!("Copy {}", label.replacen("Client", "client", 1))}{hidden()} };
    html! {
        <div class="field">
            <label for=id.clone()>{label}{hidden()}</label>
            <div class="copy">
                <input id=id.clone() type="text" readonly=true value=value/>
                {copy_button(id, copy)}
            </div>
        </div>
    }
}

/// The page that shows a one-time link for the person with this address. `label` names the link, as in "Password link".
pub(crate) fn one_time_link(
    title: &'static str,
    label: &'static str,
    email: &str,
    link: String,
    warning: (&'static str, impl IntoView + 'static),
    onward: String,
) -> Page {
    let field = view! {
        <div class="field">
            <label for="link">{label}</label>
            <input id="link" type="text" readonly=true data-once="" autocomplete="off" spellcheck="false" value=link/>
            <div class="row">
                <button type="button" class="button needs-script" data-kind="primary" data-copy="link">
                    <Drawing icon=Icon::Copy/><span>{format!("Copy {}", label.to_lowercase())}</span>
                </button>
            </div>
        </div>
    };
    Reveal::new(title, label, onward)
        .lead(shown_once(email))
        .warning(warning.0, warning.1)
        .inside(field)
        .stored("Done")
        .page()
}

/// A field with a secret, and the buttons that copy and show it. The script masks the secret until the person asks to
/// see it, and password managers do not get it.
pub(crate) fn secret_field(
    id: impl Into<String>,
    label: &'static str,
    of: Option<&str>,
    secret: impl ToString,
) -> AnyView {
    let (id, name): (String, String) = (id.into(), label.to_lowercase());
    let of = of.map(|name| format!(" of {name}"));
    let hidden = || of.clone().map(|of| view! { <span class="vh">{of}</span> });
    html! {
        <div class="field">
            <label for=id.clone()>{label}{hidden()}</label>
            <input id=id.clone() type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false"
                value=secret.to_string()/>
            <div class="row">
                <button type="button" class="button needs-script" data-kind="primary" data-copy=id>
                    <Drawing icon=Icon::Copy/><span>{format!("Copy {name}")}{hidden()}</span>
                </button>
                <button type="button" class="button needs-script" data-unmask="">
                    <span>{format!("Show {name}")}</span>{hidden()}
                </button>
            </div>
        </div>
    }
}

/// The warning of every page with a secret.
fn once(sentence: &'static str) -> AnyView {
    notice("warn", html! { <p><b>"Shown once. "</b>{sentence}</p> })
}

impl Reveal {
    /// A page with one panel called `label`. Its button leads to the address `onward`. Without a label the caller adds
    /// panels of its own.
    pub fn new(title: &'static str, label: impl Into<Option<&'static str>>, onward: impl Into<String>) -> Self {
        Self {
            title,
            label: label.into(),
            onward: onward.into(),
            above: ().into_any(),
            lead: ().into_any(),
            warning: once("Store it now: no other page shows it."),
            inside: Vec::new(),
            facts: None,
            stored: "I have stored this secret",
            below: ().into_any(),
        }
    }

    setters! {
        /// Adds content above the heading.
        above(view: impl IntoAny) = view.into_any();
        /// Adds a sentence below the heading.
        lead(lead: impl IntoAny) = lead.into_any();
        /// Adds content beside the button that leads on.
        facts(facts: impl IntoAny) = Some(facts.into_any());
        /// Sets the text of the button that leads on.
        stored(words: &'static str) = words;
        /// Adds content below the panel.
        below(view: impl IntoAny) = view.into_any();
    }

    /// Sets what the page says after "Shown once": what to do when the secret is lost.
    pub(crate) fn if_lost(mut self, sentence: &'static str) -> Self {
        self.warning = once(sentence);
        self
    }

    /// Sets another warning: a word and a sentence.
    pub(crate) fn warning(mut self, word: &'static str, sentence: impl IntoView + 'static) -> Self {
        self.warning = notice("warn", view! { <p><b>{word}</b>{sentence}</p> });
        self
    }

    /// Adds the identifier that the secret belongs to. It can be copied too.
    pub fn identifier(self, id: &'static str, label: &'static str, value: String) -> Self {
        self.inside(identifier_field(id, label, None, value))
    }

    /// Adds the secret.
    pub fn secret(self, id: &'static str, label: &'static str, secret: impl ToString) -> Self {
        self.inside(secret_field(id, label, None, secret))
    }

    /// Adds other content inside the panel.
    pub fn inside(mut self, view: impl IntoAny) -> Self {
        self.inside.push(view.into_any());
        self
    }

    /// The page.
    pub fn page(self) -> Page {
        let spread = self.facts.is_some().then_some("");
        let shown = view! {
            {self.inside}
            <div class="row" data-spread=spread>
                {self.facts}
                <a class="button" data-stored="" href=self.onward><Drawing icon=Icon::Check/>{self.stored}</a>
            </div>
        };
        let shown = match self.label {
            Some(label) => html! { <section class="panel body" aria-label=label>{shown}</section> },
            None => shown.into_any(),
        };
        let body = view! {
            {self.above}
            {head((), self.title, self.lead, ())}
            {self.warning}
            {shown}
            {self.below}
        };
        Page::new(self.title, body).framed(Frame::Guarded).with_secret()
    }
}
