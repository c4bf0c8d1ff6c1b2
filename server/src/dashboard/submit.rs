//! How a form is answered. The sender proves again who they are where that is due. The operation runs. The browser is
//! redirected, or gets the form back with its errors.

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

/// A form that a page of ours sent, and its sender.
pub struct Submission {
    /// The sender.
    pub visit: Visit,
    /// The sender's session.
    pub session: Session,
    /// The fields of the form.
    pub fields: Fields,
    already: fn(&str) -> Page,
}

impl<S: Sync> FromRequestParts<S> for Submission {
    type Rejection = Response;

    /// Takes the parts that the middleware of the dashboard put into the request.
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

/// The result of a form.
pub enum Answer {
    /// The browser is redirected to this address.
    Next(String),
    /// A page whose content is in no other answer.
    Page(Box<dyn FnOnce() -> Result<Page, ActionError> + Send>),
}

impl Answer {
    /// A page. It is built when it is rendered.
    pub fn page(page: impl FnOnce() -> Page + Send + 'static) -> Self {
        Self::Page(Box::new(|| Ok(page())))
    }
}

impl Submission {
    /// Sets the page for a form that was sent before. `already` gets what the form made that time.
    pub fn once(self, already: fn(&str) -> Page) -> Self {
        Self { already, ..self }
    }

    /// The context that operations need.
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

    /// The token that identifies a form that may be sent only once.
    pub fn token(&self) -> String {
        self.get("form_token")
    }

    /// The sender, as the actor of a change.
    pub fn actor(&self) -> Result<Actor, ActionError> {
        self.visit.actor()
    }

    /// Asks the person to prove again who they are, when the last proof is too old.
    pub async fn confirm(&self) -> Result<(), Refused> {
        confirm_unless_fresh(&self.visit, &self.session, &self.fields).await
    }

    /// The same. Returns the person as stored in the database.
    pub async fn confirmed(&self) -> Result<(Person, Actor), Refused> {
        self.confirm().await?;
        Ok(viewer(&self.visit).await?)
    }

    /// The answer: the result of the form, or the form again with the `typed` values and the errors.
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
