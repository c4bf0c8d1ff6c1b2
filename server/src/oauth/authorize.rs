//! `/mcp/oauth/authorize`: a client sends a person here (RFC 6749 §3.1). The person decides and is sent back.
//!
//! Errors of the request are answered before the person signs in. There is one exception: a check that must fetch a
//! document about the client from another server waits for the sign-in, because strangers must not make this server
//! send requests. After these checks only the person's decision is open.

use app::error::ActionError;
use app::pages::client::consent;
use app::visit::{Viewer, Visit};
use axum::response::{IntoResponse, Redirect, Response};
use domain::client::authorization::{self, AuthorizationRequest, ConsentRefused, RequestError};

use crate::dashboard::auth::return_address::{let_form_lead_on, sign_in_for_request};
use crate::dashboard::respond::{self, respond};
use crate::dashboard::submit::Submission;

/// `GET`: asks the person, or sends them to sign in first.
pub(crate) async fn form(asked: Submission) -> Response {
    let query = asked.visit.path.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned());
    let (visit, viewer, request) = match checked(asked.visit, &query).await {
        Ok(checked) => checked,
        Err(response) => return response,
    };
    match authorization::is_remembered(&visit.context, &viewer.id, &request).await {
        Ok(true) => allow(visit, &viewer, request, query).await,
        Ok(false) => ask(visit, request, query, Why::First).await,
        Err(fault) => respond::refuse(visit, fault).await,
    }
}

/// `POST`: the person's decision.
pub(crate) async fn decide(form: Submission) -> Response {
    let query = form.get("request");
    let (decision, server) = (form.get("decision"), form.fields.find("server").map(str::to_owned));
    let shown = form.fields.all("shown");
    let (visit, viewer, request) = match checked(form.visit, &query).await {
        Ok(checked) => checked,
        Err(response) => return response,
    };
    match decision.as_str() {
        "allow" => match server {
            None => allow(visit, &viewer, request, query).await,
            // The server that the page showed or the person chose may have been closed since, or its scopes may imply
            // more. Then the page asks again.
            Some(server) => match request.for_server(&server) {
                Some(chosen) if chosen.was_shown(&shown) => allow(visit, &viewer, chosen, query).await,
                Some(_) => ask(visit, request, query, Why::Changed).await,
                None => ask(visit, request, query, Why::First).await,
            },
        },
        "deny" => deny(visit, &request).await,
        _ => ask(visit, request, query, Why::First).await,
    }
}

/// Why the page is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The person has not answered, or the page that they answered no longer holds.
    First,
    /// The person did not choose one of the servers.
    NotChosen,
    /// What the app would get is not what the page showed.
    Changed,
}

/// The signed-in person and the request, or the answer when nobody is signed in or the request is wrong.
async fn checked(visit: Visit, query: &str) -> Result<(Visit, Viewer, AuthorizationRequest), Response> {
    match authorization::check(&visit.context, query.as_bytes(), visit.actor().ok().as_ref()).await {
        Ok(request) => match visit.viewer.clone() {
            Some(viewer) => Ok((visit, viewer, request)),
            None => Err(sign_in_for_request(query)),
        },
        Err(error) => Err(refused(visit, query, error).await),
    }
}

async fn refused(visit: Visit, query: &str, error: RequestError) -> Response {
    match error {
        RequestError::SignIn => sign_in_for_request(query),
        RequestError::Page(problem) => respond(visit, async { Ok(consent::refused(&problem)) }).await,
        RequestError::Link { problem, host, address } => {
            respond(visit, async move { Ok(consent::refused_with_link(&problem, &host, address)) }).await
        }
        RequestError::Redirect(address) => Redirect::to(&address).into_response(),
        RequestError::Fault(fault) => respond::refuse(visit, fault).await,
    }
}

/// Asks the person.
async fn ask(visit: Visit, request: AuthorizationRequest, query: String, why: Why) -> Response {
    let page = consent::page(request, query, why == Why::NotChosen, why == Why::Changed);
    let mut response = respond(visit, page).await;
    let_form_lead_on(&mut response);
    response
}

async fn allow(visit: Visit, viewer: &Viewer, request: AuthorizationRequest, query: String) -> Response {
    let actor = match visit.actor() {
        Ok(actor) => actor,
        Err(error) => return respond::refuse(visit, error).await,
    };
    match authorization::allow(&visit.context, &actor, &viewer.id, &request).await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(ConsentRefused::NotOpen) => ask(visit, request, query, Why::First).await,
        Err(ConsentRefused::NotChosen) => ask(visit, request, query, Why::NotChosen).await,
        Err(ConsentRefused::Gone(problem)) => respond(visit, async move { Ok(consent::refused(problem)) }).await,
        Err(ConsentRefused::Fault(fault)) => respond::refuse(visit, fault).await,
    }
}

async fn deny(visit: Visit, request: &AuthorizationRequest) -> Response {
    let denied = async { Ok(authorization::deny(&visit.context, &visit.actor()?, request).await?) };
    let address: Result<String, ActionError> = denied.await;
    match address {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => respond::refuse(visit, error).await,
    }
}
