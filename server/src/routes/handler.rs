//! Turns the functions of the rooms into handlers of the router. They read what they need from the request, so that a
//! function gets only the fields, the parameters of the path, and the sender.
//!
//! All handlers have one type. The router's code for a handler, and the code that reads a request, are compiled once.

use std::sync::Arc;

use app::form::Form;
use axum::RequestExt;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use crate::dashboard::respond::{PageResult, respond};
use crate::dashboard::submit::Submission;
use crate::http::error;
use crate::http::fields::Fields;
use crate::state::AppState;

/// A handler of the dashboard.
#[derive(Clone)]
pub(super) struct Handler(Arc<dyn Fn(Request, AppState) -> BoxFuture<'static, Response> + Send + Sync>);

impl axum::handler::Handler<(), AppState> for Handler {
    type Future = BoxFuture<'static, Response>;

    fn call(self, request: Request, state: AppState) -> Self::Future {
        (self.0)(request, state)
    }
}

/// What a handler does with the request and with the parameters of its path.
type Work<P> = dyn Fn(Submission, P) -> BoxFuture<'static, Response> + Send + Sync;

fn handler<P: DeserializeOwned + Send + 'static>(work: Arc<Work<P>>) -> Handler {
    Handler(Arc::new(move |mut request, state| {
        let work = Arc::clone(&work);
        Box::pin(async move {
            let parameters = match request.extract_parts::<Path<P>>().await {
                Ok(Path(parameters)) => parameters,
                Err(rejection) => return rejection.into_response(),
            };
            match Submission::of(request, state) {
                Some(submission) => work(submission, parameters).await,
                None => error::plain(StatusCode::INTERNAL_SERVER_ERROR),
            }
        })
    }))
}

/// The handler of a form, or of a page that reads more than its address.
pub(super) fn form<W: Future<Output = Response> + Send + 'static>(work: fn(Submission) -> W) -> Handler {
    handler::<()>(Arc::new(move |form, ()| Box::pin(work(form))))
}

/// The same with the parameters of the path.
pub(super) fn form_of<P, W>(work: fn(Submission, P) -> W) -> Handler
where
    P: DeserializeOwned + Send + 'static,
    W: Future<Output = Response> + Send + 'static,
{
    handler(Arc::new(move |form, parameters| Box::pin(work(form, parameters))))
}

/// A page, from the fields of its address.
pub(super) fn page<W: Future<Output = PageResult> + Send + 'static>(page: fn(Fields) -> W) -> MethodRouter<AppState> {
    get(handler::<()>(Arc::new(move |asked, ()| respond(asked.visit, page(asked.fields)))))
}

/// The same with the parameters of the path.
pub(super) fn page_of<P, W>(page: fn(P, Fields) -> W) -> MethodRouter<AppState>
where
    P: DeserializeOwned + Send + 'static,
    W: Future<Output = PageResult> + Send + 'static,
{
    get(handler(Arc::new(move |asked, parameters| respond(asked.visit, page(parameters, asked.fields)))))
}

/// A page with a form that was not sent yet.
pub(super) fn fresh<T, W>(page: fn(Form<T>) -> W) -> MethodRouter<AppState>
where
    T: Default + 'static,
    W: Future<Output = PageResult> + Send + 'static,
{
    get(handler::<()>(Arc::new(move |asked, ()| respond(asked.visit, page(Form::default())))))
}

/// The same with the parameter of the path.
pub(super) fn fresh_of<T, W>(page: fn(String, Form<T>) -> W) -> MethodRouter<AppState>
where
    T: Default + 'static,
    W: Future<Output = PageResult> + Send + 'static,
{
    get(handler::<String>(Arc::new(move |asked, id| respond(asked.visit, page(id, Form::default())))))
}
