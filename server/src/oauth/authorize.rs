//! `/mcp/oauth/authorize`: a client sends a person here (RFC 6749 §3.1). The person decides and is sent back.
//!
//! Errors of the request are answered before the person signs in. There is one exception: a check that must fetch a
//! document about the client from another server waits for the sign-in, because strangers must not make this server
//! send requests. After these checks only the person's decision is open.

use app::error::ActionError;
use app::pages::client::consent;
use app::visit::{Viewer, Visit};
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::client::authorization::{self, AuthorizationRequest, RequestError};

use crate::dashboard::auth::return_address::{let_form_lead_on, sign_in_for_request};
use crate::dashboard::respond::{self, respond};
use crate::http::fields::Fields;

/// `GET`: asks the person, or sends them to sign in first.
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let request = match authorization::check(&visit.context, query.as_bytes(), visit.actor().ok().as_ref()).await {
        Ok(request) => request,
        Err(RequestError::SignIn) => return sign_in_for_request(&query),
        Err(error) => return refuse(visit, error).await,
    };
    let Some(viewer) = visit.viewer.clone() else { return sign_in_for_request(&query) };
    match authorization::is_remembered(&visit.context, &viewer.id, &request).await {
        Ok(true) => allow(visit, &viewer, &request).await,
        Ok(false) => ask(visit, request, query).await,
        Err(fault) => respond::refuse(visit, fault).await,
    }
}

/// `POST`: the person's decision.
pub async fn decide(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let query = fields.get("request");
    let request = match authorization::check(&visit.context, query.as_bytes(), visit.actor().ok().as_ref()).await {
        Ok(request) => request,
        Err(RequestError::SignIn) => return sign_in_for_request(&query),
        Err(error) => return refuse(visit, error).await,
    };
    let Some(viewer) = visit.viewer.clone() else { return sign_in_for_request(&query) };
    match fields.get("decision").as_str() {
        "allow" => allow(visit, &viewer, &request).await,
        "deny" => deny(visit, &request).await,
        _ => ask(visit, request, query).await,
    }
}

async fn ask(visit: Visit, request: AuthorizationRequest, query: String) -> Response {
    let mut response = respond(visit, || consent::page(request, query)).await;
    let_form_lead_on(&mut response);
    response
}

async fn allow(visit: Visit, viewer: &Viewer, request: &AuthorizationRequest) -> Response {
    let address = match visit.actor() {
        Ok(actor) => authorization::allow(&visit.context, &actor, &viewer.id, request).await.map_err(ActionError::from),
        Err(error) => Err(error),
    };
    lead_back(visit, address).await
}

async fn deny(visit: Visit, request: &AuthorizationRequest) -> Response {
    let address = match visit.actor() {
        Ok(actor) => authorization::deny(&visit.context, &actor, request).await.map_err(ActionError::from),
        Err(error) => Err(error),
    };
    lead_back(visit, address).await
}

async fn lead_back(visit: Visit, address: Result<String, ActionError>) -> Response {
    match address {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => respond::refuse(visit, error).await,
    }
}

async fn refuse(visit: Visit, error: RequestError) -> Response {
    match error {
        RequestError::Page(problem) => respond(visit, async || Ok(consent::refused(&problem))).await,
        RequestError::SignIn => respond::refuse(visit, ActionError::SignedOut).await,
        RequestError::Redirect(address) => Redirect::to(&address).into_response(),
        RequestError::Fault(fault) => respond::refuse(visit, fault).await,
    }
}
