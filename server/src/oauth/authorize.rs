//! `/mcp/oauth/authorize`: a client sends a person here (RFC 6749 §3.1), who decides and is sent back.
//!
//! Whatever is wrong with the request is answered before anybody signs in, unless another server must be asked about the client:
//! nobody unknown makes us do that. Only then is it a matter between the person and the client.

use app::action::ActionError;
use app::pages::consent;
use app::visit::{Viewer, Visit};
use axum::extract::{Extension, RawQuery};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use domain::interactive::authorization::{self, AuthorizationRequest, RequestError};

use crate::dashboard::enter::sign_in_on_the_way_to;
use crate::dashboard::pages::respond;
use crate::http::envelope::POLICY_OF_LEADING_ON;
use crate::http::fields::Fields;

/// Where it is.
pub const PATH: &str = "/mcp/oauth/authorize";

/// `GET`: asks the person, or sends them to sign in first.
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let request = match authorization::check(&visit.context, query.as_bytes(), visit.actor().ok().as_ref()).await {
        Ok(request) => request,
        Err(RequestError::SignIn) => return sign_in(&query),
        Err(error) => return refuse(visit, error).await,
    };
    let Some(viewer) = visit.viewer.clone() else { return sign_in(&query) };
    match authorization::is_remembered(&visit.context, &viewer.id, &request).await {
        Ok(true) => allow(visit, &viewer, &request).await,
        Ok(false) => ask(visit, request, query).await,
        Err(fault) => respond(visit, async || Err(fault.into())).await,
    }
}

/// `POST`: the person's decision.
pub async fn decide(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let query = fields.get("request");
    let request = match authorization::check(&visit.context, query.as_bytes(), visit.actor().ok().as_ref()).await {
        Ok(request) => request,
        Err(RequestError::SignIn) => return sign_in(&query),
        Err(error) => return refuse(visit, error).await,
    };
    let Some(viewer) = visit.viewer.clone() else { return sign_in(&query) };
    match fields.get("decision").as_str() {
        "allow" => allow(visit, &viewer, &request).await,
        "deny" => deny(visit, &request).await,
        _ => ask(visit, request, query).await,
    }
}

/// Sends somebody to sign in, and back to the request.
pub fn sign_in(query: &str) -> Response {
    Redirect::to(&sign_in_on_the_way_to(&format!("{PATH}?{}", plain(query)))).into_response()
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
        Err(error) => respond(visit, async || Err(error)).await,
    }
}

async fn refuse(visit: Visit, error: RequestError) -> Response {
    match error {
        RequestError::Page(problem) => respond(visit, async || Ok(consent::refused(&problem))).await,
        RequestError::SignIn => respond(visit, async || Err(ActionError::SignedOut)).await,
        RequestError::Redirect(address) => Redirect::to(&address).into_response(),
        RequestError::Fault(fault) => respond(visit, async || Err(fault.into())).await,
    }
}

/// Lets the page's form be answered with a redirect to the client.
fn let_form_lead_on(response: &mut Response) {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY_OF_LEADING_ON);
}

/// The same for the page that signs somebody in on the way to `next`: who has allowed it before is sent on at once.
pub fn let_sign_in_lead_to(next: &str, response: &mut Response) {
    if next.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('?')) {
        let_form_lead_on(response);
    }
}

/// A query as it can be carried in an address of ours: browsers leave some of these characters as they are.
fn plain(query: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    let mut plain = String::with_capacity(query.len());
    for byte in query.bytes() {
        if is_plain(byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(&format!("%{byte:02X}"));
        }
    }
    plain
}
