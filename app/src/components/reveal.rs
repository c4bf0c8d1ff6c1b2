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
    unmask: Option<&'static str>,
    inside: Vec<AnyView>,
    facts: Option<AnyView>,
    stored: &'static str,
    below: AnyView,
}

/// A sentence that names what the secret is for, and says that it is not shown again.
pub(crate) fn shown_once(name: &str) -> AnyView {
    html! { "For "<b>{name.to_owned()}</b>". This is the only time it is shown." }
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
            warning: ().into_any(),
            unmask: None,
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
        /// Sets the accessible name of the button that unmasks the secret, for when the label of the secret is not
        /// clear enough.
        unmask(label: &'static str) = Some(label);
        /// Adds content beside the button that leads on.
        facts(facts: impl IntoAny) = Some(facts.into_any());
        /// Sets the text of the button that leads on.
        stored(words: &'static str) = words;
        /// Adds content below the panel.
        below(view: impl IntoAny) = view.into_any();
    }

    /// Adds a warning: a word and a sentence.
    pub(crate) fn warning(mut self, word: &'static str, sentence: impl IntoView + 'static) -> Self {
        self.warning = notice("warn", view! { <p><b>{word}</b>{sentence}</p> });
        self
    }

    /// Adds the identifier that the secret belongs to. It can be copied too.
    pub fn identifier(self, id: &'static str, label: &'static str, value: String) -> Self {
        self.inside(view! {
            <div class="field">
                <label for=id>{label}</label>
                <div class="copy">
                    <input id=id type="text" readonly=true value=value/>
                    {copy_button(id, format!("Copy {}", label.replacen("Client", "client", 1)))}
                </div>
            </div>
        })
    }

    /// Adds the secret. It is masked until the person asks to see it, and password managers do not get it.
    pub fn secret(self, id: &'static str, label: &'static str, secret: impl ToString) -> Self {
        let name = label.to_lowercase();
        let unmask = self.unmask.map_or_else(|| format!("Show {name}"), |_| "Show or hide".to_owned());
        let unmask_label = self.unmask;
        self.inside(view! {
            <div class="field">
                <label for=id>{label}</label>
                <input id=id type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false"
                    value=secret.to_string()/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy=id>
                        <Drawing icon=Icon::Copy/><span>{format!("Copy {name}")}</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask="" aria-label=unmask_label>
                        <span>{unmask}</span>
                    </button>
                </div>
            </div>
        })
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
