//! Turns the functions of the rooms into handlers of the router. The types of a function's parameters say what it takes
//! of the request.
//!
//! All handlers have one type. So the router's code for a handler, and the code that reads a request, are compiled
//! once.

use std::sync::Arc;
use std::{mem, vec};

use app::form::Form;
use axum::RequestExt;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures::future::BoxFuture;

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

/// The parts of a request that no parameter has taken yet.
pub(super) struct Parts {
    submission: Option<Submission>,
    path: vec::IntoIter<String>,
}

/// A type of parameters. None when the request has no such part.
pub(super) trait Parameter: Sized {
    fn take(parts: &mut Parts) -> Option<Self>;
}

/// The next parameter of the path.
impl Parameter for String {
    fn take(parts: &mut Parts) -> Option<Self> {
        parts.path.next()
    }
}

/// The same for routes of which some have no parameter.
impl Parameter for Option<String> {
    fn take(parts: &mut Parts) -> Option<Self> {
        Some(parts.path.next())
    }
}

/// The fields of the address.
impl Parameter for Fields {
    fn take(parts: &mut Parts) -> Option<Self> {
        Some(mem::take(&mut parts.submission.as_mut()?.fields))
    }
}

/// A form that was not sent yet.
impl<T: Default> Parameter for Form<T> {
    fn take(_: &mut Parts) -> Option<Self> {
        Some(Self::default())
    }
}

/// Everything except the parameters of the path.
impl Parameter for Submission {
    fn take(parts: &mut Parts) -> Option<Self> {
        parts.submission.take()
    }
}

/// A function whose parameters can be taken from a request.
pub(super) trait Function<Parameters>: Send + Sync + 'static {
    type Output;

    fn call(&self, parts: &mut Parts) -> Option<BoxFuture<'static, Self::Output>>;
}

macro_rules! functions {
    ($(($($parameter:ident)*))*) => {
        $(impl<F, Work, $($parameter: Parameter),*> Function<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Work + Send + Sync + 'static,
            Work: Future + Send + 'static,
        {
            type Output = Work::Output;

            fn call(&self, _parts: &mut Parts) -> Option<BoxFuture<'static, Work::Output>> {
                Some(Box::pin(self($($parameter::take(_parts)?),*)))
            }
        })*
    };
}
functions! { () (A) (A B) (A B C) }

type Call = dyn Fn(&mut Parts) -> Option<BoxFuture<'static, Response>> + Send + Sync;

fn handler(call: Arc<Call>) -> Handler {
    Handler(Arc::new(move |mut request, state| {
        let call = Arc::clone(&call);
        Box::pin(async move {
            let path = match request.extract_parts::<Path<Vec<String>>>().await {
                Ok(Path(path)) => path.into_iter(),
                Err(rejection) => return rejection.into_response(),
            };
            match call(&mut Parts { submission: Submission::of(request, state), path }) {
                Some(work) => work.await,
                None => error::plain(StatusCode::INTERNAL_SERVER_ERROR),
            }
        })
    }))
}

/// The handler of a form, or of a page that reads more than its address.
pub(super) fn form<Parameters>(work: impl Function<Parameters, Output = Response>) -> Handler {
    handler(Arc::new(move |parts: &mut Parts| work.call(parts)))
}

/// A page.
pub(super) fn page<Parameters>(page: impl Function<Parameters, Output = PageResult>) -> MethodRouter<AppState> {
    get(handler(Arc::new(move |parts: &mut Parts| {
        let visit = parts.submission.as_ref()?.visit.clone();
        Some(respond(visit, page.call(parts)?))
    })))
}
