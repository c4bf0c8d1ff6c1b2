//! The page that shows a secret once: in the answer to the form that made it, and nowhere else.

use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::page::{Frame, Page};

/// A page that shows a secret. It warns before it is left, and no referrer leaves it.
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

/// For whom or what the secret is, and that it is not shown again.
pub fn shown_once(name: &str) -> AnyView {
    view! { "For "<b>{name.to_owned()}</b>". This is the only time it is shown." }.into_any()
}

impl Reveal {
    /// A page whose panel is called `label`, and which leads on to the address `onward`. Without a label it has panels
    /// of its own.
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

    /// What stands above the heading.
    pub fn above(mut self, view: impl IntoAny) -> Self {
        self.above = view.into_any();
        self
    }

    /// A sentence below the heading.
    pub fn lead(mut self, lead: impl IntoAny) -> Self {
        self.lead = lead.into_any();
        self
    }

    /// What to mind, in a word and a sentence.
    pub fn warning(mut self, word: &'static str, sentence: impl IntoView + 'static) -> Self {
        self.warning = view! {
            <div class="notice" data-tone="warn">
                <Drawing icon=Icon::Warning/>
                <div><p><b>{word}</b>{sentence}</p></div>
            </div>
        }
        .into_any();
        self
    }

    /// What the secret belongs to, to copy as well.
    pub fn identifier(self, id: &'static str, label: &'static str, value: String) -> Self {
        self.inside(view! {
            <div class="field">
                <label for=id>{label}</label>
                <div class="copy">
                    <input id=id type="text" readonly=true value=value/>
                    <button type="button" class="button needs-script" data-copy=id>
                        <Drawing icon=Icon::Copy/><span>{format!("Copy {}", label.replacen("Client", "client", 1))}</span>
                    </button>
                </div>
            </div>
        })
    }

    /// What assistive technology calls the button that unmasks the secret, where its words are no name.
    pub fn unmask(mut self, label: &'static str) -> Self {
        self.unmask = Some(label);
        self
    }

    /// The secret: masked until it is asked for, and never sent to a password manager.
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

    /// Something else inside the panel.
    pub fn inside(mut self, view: impl IntoAny) -> Self {
        self.inside.push(view.into_any());
        self
    }

    /// What stands beside the button that leads on.
    pub fn facts(mut self, facts: impl IntoAny) -> Self {
        self.facts = Some(facts.into_any());
        self
    }

    /// What the button that leads on says.
    pub fn stored(mut self, words: &'static str) -> Self {
        self.stored = words;
        self
    }

    /// What stands below the panel.
    pub fn below(mut self, view: impl IntoAny) -> Self {
        self.below = view.into_any();
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
            Some(label) => view! { <section class="panel body" aria-label=label>{shown}</section> }.into_any(),
            None => shown.into_any(),
        };
        let body = view! {
            {self.above}
            <div class="head"><div><h1>{self.title}</h1><p>{self.lead}</p></div></div>
            {self.warning}
            {shown}
            {self.below}
        };
        Page::new(self.title, body).framed(Frame::Guarded).with_secret()
    }
}
