//! The page around a form: where it leads back to, what is wrong, the fields, who is asked to confirm it, the button.

use leptos::prelude::*;

use crate::components::form::field::ConfirmPassword;
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::form::Errors;
use crate::page::{Frame, Page};

/// A page that is one form.
pub struct FormPage {
    title: String,
    heading: String,
    lead: Option<String>,
    back: Option<(String, String)>,
    above: AnyView,
    action: String,
    fields: Vec<AnyView>,
    confirm: bool,
    kind: &'static str,
    verb: Option<String>,
    cancel: Option<String>,
    below: AnyView,
}

impl FormPage {
    /// A form that is sent to `action` with a button that says `verb`.
    pub fn new(title: impl Into<String>, action: impl Into<String>, verb: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            heading: title.clone(),
            title,
            lead: None,
            back: None,
            above: ().into_any(),
            action: action.into(),
            fields: Vec::new(),
            confirm: false,
            kind: "primary",
            verb: Some(verb.into()),
            cancel: None,
            below: ().into_any(),
        }
    }

    /// Another heading than the title that the browser's tab shows.
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// A sentence below the heading.
    pub fn lead(mut self, lead: impl Into<String>) -> Self {
        self.lead = Some(lead.into());
        self
    }

    /// A link back, above the heading; it is also where "Cancel" leads.
    pub fn back(mut self, address: impl Into<String>, words: impl Into<String>) -> Self {
        let address = address.into();
        self.back = Some((address.clone(), words.into()));
        self.cancel(address)
    }

    /// Where "Cancel" leads.
    pub fn cancel(mut self, address: impl Into<String>) -> Self {
        self.cancel = Some(address.into());
        self
    }

    /// Without "Cancel".
    pub fn without_cancel(mut self) -> Self {
        self.cancel = None;
        self
    }

    /// Without its button: the form has one of its own.
    pub fn without_button(mut self) -> Self {
        self.verb = None;
        self
    }

    /// What stands between the heading and the form.
    pub fn above(mut self, view: impl IntoAny) -> Self {
        self.above = view.into_any();
        self
    }

    /// What stands below the form.
    pub fn below(mut self, view: impl IntoAny) -> Self {
        self.below = view.into_any();
        self
    }

    /// A field that nobody sees.
    pub fn hidden(self, name: &'static str, value: impl Into<String>) -> Self {
        let value: String = value.into();
        self.fields(view! { <input type="hidden" name=name value=value/> })
    }

    /// A panel of the form, and what it is called.
    pub fn panel(self, label: &'static str, fields: impl IntoView + 'static) -> Self {
        self.fields(view! { <section class="panel body" aria-label=label>{fields}</section> })
    }

    /// A panel with words and nothing to fill in.
    pub fn question(self, words: impl Into<String>) -> Self {
        let words: String = words.into();
        self.panel("What happens", view! { <p>{words}</p> })
    }

    /// A part of the form as it is.
    pub fn fields(mut self, fields: impl IntoAny) -> Self {
        self.fields.push(fields.into_any());
        self
    }

    /// Whether the form asks who is there.
    pub fn confirm(mut self, asked: bool) -> Self {
        self.confirm = asked;
        self
    }

    /// The button does what cannot be taken back.
    pub fn danger(mut self) -> Self {
        self.kind = "danger";
        self
    }

    /// The page, with what is wrong.
    pub fn page(self, errors: Errors) -> Page {
        let status = errors.status();
        let confirm = self.confirm.then(|| view! { <ConfirmPassword errors=errors.clone()/> });
        let cancel = self.cancel.map(|href| view! { <a class="button" data-kind="quiet" href=href>"Cancel"</a> });
        let buttons = self.verb.map(|verb| {
            view! { <div class="row"><button class="button" data-kind=self.kind>{verb}</button>{cancel}</div> }
        });
        let body = view! {
            <ErrorSummary errors/>
            <div class="head">
                <div>
                    {self.back.map(|(href, words)| view! { <a href=href>{words}</a> })}
                    <h1>{self.heading}</h1>
                    {self.lead.map(|lead| view! { <p>{lead}</p> })}
                </div>
            </div>
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
