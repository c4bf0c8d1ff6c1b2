//! How a form is answered. The sender proves again who they are where that is due. The operation runs. The browser is
//! redirected, or gets the form back with its errors.

use std::future::ready;

use app::error::ActionError;
use app::form::{Errors, Form, Refused};
use app::page::Page;
use app::pages::message;
use app::visit::Visit;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use domain::context::Context;
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::person::Person;
use futures::future::BoxFuture;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{confirm_unless_fresh, viewer};
use crate::dashboard::auth::draft::ShownAgain;
use crate::dashboard::respond::{PageResult, refuse, respond};
use crate::http::fields::Fields;
use crate::state::AppState;

/// What the form says that is shown again because it was opened in another session.
pub(crate) const STALE: &str =
    "You have signed in or out since you opened this form, so nothing was changed. Check it and send it again.";

/// A form that a page of ours sent, or the request for a page, and its sender.
pub(crate) struct Submission {
    /// The state of the server.
    pub state: AppState,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The sender.
    pub visit: Visit,
    /// The sender's session.
    pub session: Session,
    /// The fields of the form; without a form, the fields of the address.
    pub fields: Fields,
    already: fn(&str) -> Page,
}

/// The result of a form.
pub(crate) enum Answer {
    /// The browser is redirected to this address.
    Next(String),
    /// A page whose content is in no other answer.
    Page(Box<dyn FnOnce() -> PageResult + Send>),
}

impl Answer {
    /// A page. It is built when it is rendered.
    pub(crate) fn page(page: impl FnOnce() -> Page + Send + 'static) -> Self {
        Self::Page(Box::new(|| Ok(page())))
    }
}

impl Submission {
    /// Takes the parts that the middleware of the dashboard put into the request. None when it did not run.
    pub(crate) fn of(request: Request, state: AppState) -> Option<Self> {
        let (mut head, _) = request.into_parts();
        let (visit, session) = (head.extensions.remove()?, head.extensions.remove()?);
        let in_address = || Fields::parse(head.uri.query().unwrap_or_default().as_bytes());
        let fields = head.extensions.remove().unwrap_or_else(in_address);
        Some(Self { state, headers: head.headers, visit, session, fields, already: |_| message::sent_before() })
    }

    /// Sets the page for a form that was sent before. `already` gets what the form made that time.
    pub(crate) fn once(self, already: fn(&str) -> Page) -> Self {
        Self { already, ..self }
    }

    /// The context that operations need.
    pub(crate) fn context(&self) -> &Context {
        &self.visit.context
    }

    /// The first value of a field, or nothing.
    pub(crate) fn get(&self, name: &str) -> String {
        self.fields.get(name)
    }

    /// The token that identifies a form that may be sent only once.
    pub(crate) fn token(&self) -> String {
        self.get("form_token")
    }

    /// The sender, as the actor of a change. Where the route table says so and the last proof is too old, this first
    /// asks the person to prove again who they are. Checks of what was typed come before it.
    pub(crate) async fn actor(&self) -> Result<Actor, Refused> {
        if self.visit.asks_again {
            self.confirm().await?;
        }
        Ok(self.visit.actor()?)
    }

    /// The same, with the person as stored in the database.
    pub(crate) async fn sender(&self) -> Result<(Person, Actor), Refused> {
        let actor = self.actor().await?;
        let (person, _) = viewer(&self.visit).await?;
        Ok((person, actor))
    }

    /// Asks the person to prove again who they are, when the last proof is too old. This is for routes that ask
    /// sometimes; for the others see [`Self::actor`].
    pub(crate) async fn confirm(&self) -> Result<(), Refused> {
        confirm_unless_fresh(&self.visit, &self.session, &self.fields).await
    }

    /// The common way of a form: `operation` gets the form and the `typed` values. The answer is its result, or `page`
    /// with the typed values and the errors.
    pub(crate) async fn run<T, Shown: From<T>, Work>(
        self,
        typed: T,
        page: impl FnOnce(Form<Shown>) -> Work,
        operation: impl AsyncFnOnce(&Self, &T) -> Result<Answer, Refused>,
    ) -> Response
    where
        Work: Future<Output = PageResult> + Send + 'static,
    {
        let outcome = operation(&self, &typed).await;
        self.answer(outcome, typed.into(), page).await
    }

    /// The same for a form about one thing, whose identifier is in the path.
    pub(crate) async fn run_of<T, Shown: From<T>, Work>(
        self,
        id: String,
        typed: T,
        page: impl FnOnce(String, Form<Shown>) -> Work,
        operation: impl AsyncFnOnce(&Self, &str, &T) -> Result<Answer, Refused>,
    ) -> Response
    where
        Work: Future<Output = PageResult> + Send + 'static,
    {
        let outcome = operation(&self, &id, &typed).await;
        self.answer(outcome, typed.into(), |form| page(id, form)).await
    }

    /// The answer: the result of the form, or the form again with the `typed` values and the errors.
    pub(crate) fn answer<T, Work>(
        self,
        outcome: Result<Answer, Refused>,
        typed: T,
        page: impl FnOnce(Form<T>) -> Work,
    ) -> BoxFuture<'static, Response>
    where
        Work: Future<Output = PageResult> + Send + 'static,
    {
        match outcome {
            Err(Refused::Invalid(errors)) => {
                shown_again(respond(self.visit, page(Form { typed, errors: Errors(errors), confirm: false })))
            }
            Err(Refused::Unconfirmed(errors)) => {
                respond(self.visit, page(Form { typed, errors: Errors(errors), confirm: true }))
            }
            Err(Refused::AlreadySubmitted(earlier)) => respond(self.visit, async move { Ok((self.already)(&earlier)) }),
            Err(Refused::Action(ActionError::StaleForm)) => {
                let errors = Errors(vec![FieldError::new("main", STALE)]);
                shown_again(respond(self.visit, page(Form { typed, errors, confirm: false })))
            }
            Err(Refused::Action(error)) => refuse(self.visit, error),
            Ok(Answer::Next(address)) => Box::pin(ready(Redirect::to(&address).into_response())),
            Ok(Answer::Page(page)) => respond(self.visit, async { page() }),
        }
    }
}

/// Marks an answer that shows the form with what was typed.
fn shown_again(shown: BoxFuture<'static, Response>) -> BoxFuture<'static, Response> {
    Box::pin(async {
        let mut response = shown.await;
        response.extensions_mut().insert(ShownAgain);
        response
    })
}
