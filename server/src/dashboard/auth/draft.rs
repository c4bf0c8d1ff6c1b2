//! A form that outlived its session. The browser keeps what was typed while the person signs in. Then the page with the
//! form shows it.
//!
//! A cookie holds the form for 15 minutes, sealed with the master key. Passwords, codes and secrets are left out. A
//! row in the database is the rejected alternative: everybody could fill the table without signing in.

use app::visit::Visit;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use domain::base::clock::Timestamp;
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use url::form_urlencoded;

use crate::dashboard::auth::cookies::Cookie;
use crate::http::fields::Fields;
use crate::http::text;
use crate::state::AppState;

/// How long a form waits for the sign-in.
const LIFETIME_SECONDS: u64 = 15 * 60;

/// Fields that can hold a secret, besides those with an ending of [`SECRET_ENDINGS`]. `text` is a leaked text, `word`
/// the word of a hand-over.
const SECRET_FIELDS: [&str; 6] = ["assertion", "header_value", "text", "word", "passkey_state", "passkey_answer"];

/// The endings of the names of fields that hold a secret.
const SECRET_ENDINGS: [&str; 4] = ["password", "secret", "token", "code"];

#[derive(Serialize, Deserialize)]
struct Draft {
    until: i64,
    page: String,
    path: String,
    fields: Vec<(String, String)>,
}

/// The mark of an answer that shows a form of another session again, with what was typed.
#[derive(Clone, Copy)]
pub(crate) struct ShownAgain;

/// Keeps a form that was sent to `path` for the time after the sign-in, when the browser opens `page`. A form that is
/// longer than a cookie is not kept.
pub(crate) fn keep(visit: &Visit, page: &str, path: &str, fields: Fields, response: &mut Response) {
    let context = &visit.context;
    let fields = fields
        .without(&SECRET_FIELDS)
        .into_iter()
        .filter(|(name, value)| !has_secret_ending(name) && !value.is_empty())
        .collect();
    let until = visit.now().plus(std::time::Duration::from_secs(LIFETIME_SECONDS)).millis();
    let draft = Draft { until, page: page.to_owned(), path: path.to_owned(), fields };
    let sealed = serde_json::to_vec(&draft).ok().and_then(|draft| context.keys.seal_draft(&draft, &*context.random));
    if let Some(sealed) = sealed.filter(|sealed| !draft.fields.is_empty() && sealed.len() <= Cookie::Draft.longest()) {
        let https = context.settings.public_url.starts_with("https://");
        Cookie::Draft.put(response, &sealed, Some(LIFETIME_SECONDS), https);
    }
}

/// Answers a request. When the browser opens the page of a form that it keeps, the answer is that form with what was
/// typed.
///
/// The form is sent again without a valid token. So its handler can change nothing, and shows the form.
pub(crate) async fn answer(state: &AppState, routes: Router, request: Request) -> Response {
    let Some(draft) = kept(state, &request) else { return routes.oneshot(request).await.into_response() };
    let (head, body) = request.into_parts();
    let mut response = match sent_again(&head, &draft) {
        Some(form) => routes.clone().oneshot(form).await.into_response(),
        None => return routes.oneshot(Request::from_parts(head, body)).await.into_response(),
    };
    // The handler shows no form, or nobody is signed in yet.
    if response.extensions().get::<ShownAgain>().is_none() {
        response = routes.oneshot(Request::from_parts(head, body)).await.into_response();
    }
    if !response.status().is_redirection() {
        Cookie::Draft.take(&mut response, state.is_https());
    }
    response
}

/// The form that the browser keeps for this page.
fn kept(state: &AppState, request: &Request) -> Option<Draft> {
    let headers = request.headers();
    let is_opened = text(headers, header::HeaderName::from_static("sec-fetch-dest")).is_none_or(|to| to == "document");
    if request.method() != Method::GET || !is_opened {
        return None;
    }
    let sealed = Cookie::Draft.read(headers, state.is_https())?;
    let draft: Draft = serde_json::from_slice(&state.context.keys.open_draft(&sealed)?).ok()?;
    let page = request.uri().path_and_query()?.as_str();
    let is_in_time = Timestamp::from_millis(draft.until) > state.context.clock.now();
    (is_in_time && draft.page == page).then_some(draft)
}

/// The request that sends the form, from the request for its page.
fn sent_again(page: &Parts, draft: &Draft) -> Option<Request> {
    let mut form = page.clone();
    form.method = Method::POST;
    form.uri = draft.path.parse::<Uri>().ok()?;
    form.headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&draft.fields).finish();
    Some(Request::from_parts(form, Body::from(body)))
}

fn has_secret_ending(name: &str) -> bool {
    SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}
