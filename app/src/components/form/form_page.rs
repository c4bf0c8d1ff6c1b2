//! The page around a form: link back, errors, fields, password confirmation, button.

use leptos::prelude::*;

use crate::components::form::field::ConfirmPassword;
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::parts::{Back, Part, head, hidden};
use crate::form::Errors;
use crate::html::setters;
use crate::page::{Frame, Page};
use crate::visit::Visit;

/// A page that consists of one form.
pub struct FormPage {
    title: String,
    heading: String,
    lead: Part,
    back: Back,
    above: AnyView,
    action: String,
    fields: Vec<AnyView>,
    confirm: bool,
    kind: Option<&'static str>,
    verb: Option<String>,
    cancel: Option<String>,
    below: AnyView,
}

impl FormPage {
    /// A form that is sent to `action`. Its button says `verb`.
    pub fn new(title: impl Into<String>, action: impl Into<String>, verb: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            heading: title.clone(),
            title,
            lead: Part::default(),
            back: Back::default(),
            above: ().into_any(),
            action: action.into(),
            fields: Vec::new(),
            confirm: false,
            kind: Some("primary"),
            verb: Some(verb.into()),
            cancel: None,
            below: ().into_any(),
        }
    }

    setters! {
        /// Sets a heading that differs from the title in the browser's tab.
        heading(heading: impl Into<String>) = heading.into();
        /// Adds a sentence below the heading.
        lead(lead: impl Into<Part>) = lead.into();
        /// Sets where "Cancel" leads.
        cancel(address: impl Into<String>) = Some(address.into());
        /// Adds content between the heading and the form.
        above(view: impl IntoAny) = view.into_any();
        /// Adds content below the form.
        below(view: impl IntoAny) = view.into_any();
        /// Sets whether the form asks the person to prove again who they are. A form of a route that always asks does
        /// so without this.
        confirm(asked: bool) = asked;
    }

    /// Adds a link back above the heading. "Cancel" leads to the same address.
    pub fn back(mut self, address: impl Into<String>, words: impl Into<String>) -> Self {
        let address = address.into();
        self.back = (address.clone(), words).into();
        self.cancel(address)
    }

    /// Removes "Cancel".
    pub(crate) fn without_cancel(mut self) -> Self {
        self.cancel = None;
        self
    }

    /// Removes the page's button, because the form has a button of its own.
    pub(crate) fn without_button(mut self) -> Self {
        self.verb = None;
        self
    }

    /// Adds a hidden field.
    pub fn hidden(self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields(hidden(name, value))
    }

    /// Adds a panel to the form, with its title.
    pub(crate) fn panel(self, label: &'static str, fields: impl IntoView + 'static) -> Self {
        self.fields(view! { <section class="panel body" aria-label=label>{fields}</section> })
    }

    /// Adds a panel that holds text and no fields.
    pub(crate) fn question(self, words: impl Into<String>) -> Self {
        let words: String = words.into();
        self.panel("What happens", view! { <p>{words}</p> })
    }

    /// Adds content to the form without a panel around it.
    pub fn fields(mut self, fields: impl IntoAny) -> Self {
        self.fields.push(fields.into_any());
        self
    }

    /// Marks the button as one whose action cannot be undone.
    pub(crate) fn danger(mut self) -> Self {
        self.kind = Some("danger");
        self
    }

    /// Marks the button as one whose action takes something away and can be undone.
    pub(crate) fn quiet(mut self) -> Self {
        self.kind = None;
        self
    }

    /// Builds the page, with the errors.
    pub fn page(self, errors: Errors) -> Page {
        let status = errors.status();
        let confirm =
            (self.confirm || Visit::current().asks_now()).then(|| view! { <ConfirmPassword errors=errors.clone()/> });
        let cancel = self.cancel.map(|href| view! { <a class="button" data-kind="quiet" href=href>"Cancel"</a> });
        let buttons = self.verb.map(|verb| {
            view! { <div class="row"><button class="button" data-kind=self.kind>{verb}</button>{cancel}</div> }
        });
        let body = view! {
            <ErrorSummary errors/>
            {head(self.back, self.heading, self.lead, ())}
            {self.above}
            <form method="post" action=self.action class="stack">
                <FormToken/>
                {self.fields}
                {confirm}
                {buttons}
            </form>
            {self.below}
        };
        Page::new(self.title, body).framed(Frame::Narrow).answering(status)
    }
}
