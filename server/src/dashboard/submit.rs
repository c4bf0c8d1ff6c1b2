//! How a form is answered: who sent it is asked to prove it again where that is due, the operation runs, and the
//! browser is sent on, or gets the form back with what is wrong.

use app::error::ActionError;
use app::form::{Errors, Form, Refused};
use app::page::Page;
use app::pages::message;
use app::visit::Visit;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use domain::context::Context;
use domain::model::actor::Actor;
use domain::model::person::Person;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{confirm_unless_fresh, viewer};
use crate::dashboard::respond::{refuse, respond};
use crate::http::error;
use crate::http::fields::Fields;

/// A form that was sent by a page of ours, and by whom.
pub struct Submission {
    /// Who sent it.
    pub visit: Visit,
    /// Their session.
    pub session: Session,
    /// What it holds.
    pub fields: Fields,
    already: fn(&str) -> Page,
}

impl<S: Sync> FromRequestParts<S> for Submission {
    type Rejection = Response;

    /// The middleware of the dashboard has put the parts there.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let (visit, session, fields) =
            (parts.extensions.remove(), parts.extensions.remove(), parts.extensions.remove());
        match (visit, session, fields) {
            (Some(visit), Some(session), Some(fields)) => {
                Ok(Self { visit, session, fields, already: |_| message::sent_before() })
            }
            _ => Err(error::plain(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }
}

/// What a form led to.
pub enum Answer {
    /// The browser goes to this address.
    Next(String),
    /// A page that shows what is in no other answer.
    Page(Box<dyn FnOnce() -> Result<Page, ActionError> + Send>),
}

impl Answer {
    /// A page, made when it is rendered.
    pub fn page(page: impl FnOnce() -> Page + Send + 'static) -> Self {
        Self::Page(Box::new(|| Ok(page())))
    }
}

impl Submission {
    /// The same form. When it was sent before, `already` makes the page that says so of what the form made then.
    pub fn once(self, already: fn(&str) -> Page) -> Self {
        Self { already, ..self }
    }

    /// What operations take.
    pub fn context(&self) -> &Context {
        &self.visit.context
    }

    /// The first value of a field, or nothing.
    pub fn get(&self, name: &str) -> String {
        self.fields.get(name)
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.fields.all(name)
    }

    /// By what a form is known that may be sent only once.
    pub fn token(&self) -> String {
        self.get("form_token")
    }

    /// Who sent it, as the actor of a change.
    pub fn actor(&self) -> Result<Actor, ActionError> {
        self.visit.actor()
    }

    /// Asks who is there, when the last proof is too old.
    pub async fn confirm(&self) -> Result<(), Refused> {
        confirm_unless_fresh(&self.visit, &self.session, &self.fields).await
    }

    /// The same; the person who is there, as the database knows them.
    pub async fn confirmed(&self) -> Result<(Person, Actor), Refused> {
        self.confirm().await?;
        Ok(viewer(&self.visit).await?)
    }

    /// The answer: where the form led, or the form again with what was `typed` into it.
    pub async fn answer<T, Work>(
        self,
        outcome: Result<Answer, Refused>,
        typed: T,
        form: impl FnOnce(Form<T>) -> Work,
    ) -> Response
    where
        Work: Future<Output = Result<Page, ActionError>>,
    {
        let (errors, confirm) = match outcome {
            Ok(Answer::Next(address)) => return Redirect::to(&address).into_response(),
            Ok(Answer::Page(page)) => return respond(self.visit, async || page()).await,
            Err(Refused::AlreadySubmitted(earlier)) => {
                return respond(self.visit, async || Ok((self.already)(&earlier))).await;
            }
            Err(Refused::Action(error)) => return refuse(self.visit, error).await,
            Err(Refused::Invalid(errors)) => (errors, false),
            Err(Refused::Unconfirmed(errors)) => (errors, true),
        };
        respond(self.visit, || form(Form { typed, errors: Errors(errors), confirm })).await
    }
}
