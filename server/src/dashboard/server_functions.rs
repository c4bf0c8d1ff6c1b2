//! Server functions as HTTP: called by the script with JSON, by plain forms with a redirect.
//!
//! A form's function returns the path to go to next. The default handling of Leptos would redirect to the Referer,
//! which the sender controls, and would put errors into the address. So this handler first replaces the `Accept` header
//! and removes the `Referer` header.

use app::error::ActionError;
use app::form::{Errors, Refused};
use app::pages::message;
use app::render;
use app::visit::Visit;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::BodyExt;
use server_fn::axum::get_server_fn_service;
use server_fn::error::FromServerFnError;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::confirm_unless_fresh;
use crate::dashboard::respond::{refuse, respond};
use crate::http::fields::Fields;
use crate::http::{error, text};

/// The fields that a page which asks for a proof does not send back: the proof, and the form token.
const PROOFS: [&str; 5] = ["form_token", "your_password", "your_code", "passkey_state", "passkey_answer"];

/// `GET` or `POST /fn/{name}`
pub(crate) async fn call(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    mut request: Request,
) -> Response {
    let from_form = request.method() == Method::POST
        && text(request.headers(), header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().remove(header::REFERER);
    let Some(mut function) = get_server_fn_service(request.uri().path(), request.method().clone()) else {
        return error::plain(StatusCode::NOT_FOUND);
    };
    if visit.asks_again {
        let fields = request.extensions_mut().remove::<Fields>().unwrap_or_default();
        match confirm_unless_fresh(&visit, &session, &fields).await {
            Ok(()) => {}
            Err(Refused::Unconfirmed(errors)) if from_form => {
                let (action, kept) = (request.uri().path().to_owned(), fields.without(&PROOFS));
                return respond(visit, async { Ok(message::confirm(action, kept, Errors(errors))) }).await;
            }
            Err(refused) => return refuse(visit, ActionError::from(refused)).await,
        }
    }
    let response = render::scoped(visit.clone(), || function.run(request)).await;
    let failed = !response.status().is_success();
    let Ok(body) = response.into_body().collect().await else {
        return error::plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let body = body.to_bytes();
    match (failed, from_form) {
        (true, true) => {
            let error = ActionError::de(body);
            respond(visit, async { Ok(message::of_error(error)) }).await
        }
        (true, false) => {
            let status = StatusCode::from_u16(ActionError::de(body.clone()).status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
        }
        (false, true) => match serde_json::from_slice::<String>(&body) {
            Ok(path) if path.starts_with('/') && !path.starts_with("//") => Redirect::to(&path).into_response(),
            _ => Redirect::to("/").into_response(),
        },
        (false, false) => ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response(),
    }
}
