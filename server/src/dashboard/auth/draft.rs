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
use domain::crypto::secret::without_secrets;
use domain::person::sign_in::device_is_known;
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
/// the word of a hand-over, and `url` can be the address of a webhook.
const SECRET_FIELDS: [&str; 7] =
    ["assertion", "header_value", "text", "url", "word", "passkey_state", "passkey_answer"];

/// The endings of the names of fields that hold a secret.
const SECRET_ENDINGS: [&str; 3] = ["password", "token", "code"];

#[derive(Serialize, Deserialize)]
struct Draft {
    until: i64,
    page: String,
    path: String,
    /// The token of the browser, which tells whose form it is.
    device: String,
    fields: Vec<(String, String)>,
}

/// The mark of an answer that shows a form of another session again, with what was typed.
#[derive(Clone, Copy)]
pub(crate) struct ShownAgain;

/// The token of the browser in a form that is sent again.
#[derive(Clone)]
struct SentBy(String);

/// Keeps the form of a request for the time after the sign-in, when the browser opens `page`.
///
/// Three kinds are not kept: a form that is longer than a cookie, one that shows a secret, because it means nothing
/// without the secret, and one of a browser in which nobody has shown a password.
pub(crate) fn keep(visit: &Visit, head: &Parts, page: &str, fields: Fields, response: &mut Response) {
    let context = &visit.context;
    let https = context.settings.public_url.starts_with("https://");
    let fields = fields.without(&SECRET_FIELDS);
    let Some(device) = Cookie::Device.read(&head.headers, https) else { return };
    if fields.iter().any(|(name, _)| name.ends_with("secret")) {
        return;
    }
    let is_kept = |(name, value): &(String, String)| {
        let is_secret = SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending));
        !is_secret && !value.is_empty() && without_secrets(value) == *value
    };
    let (path, fields) = (head.uri.path().to_owned(), fields.into_iter().filter(is_kept).collect());
    let until = visit.now().plus(std::time::Duration::from_secs(LIFETIME_SECONDS)).millis();
    let draft = Draft { until, page: page.to_owned(), path, device, fields };
    let sealed = serde_json::to_vec(&draft).ok().and_then(|draft| context.keys.seal_draft(&draft, &*context.random));
    if let Some(sealed) = sealed.filter(|sealed| !draft.fields.is_empty() && sealed.len() <= Cookie::Draft.longest()) {
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
    if request.method() != Method::GET || !is_opened || headers.contains_key("sec-purpose") {
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
    form.extensions.insert(SentBy(draft.device.clone()));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&draft.fields).finish();
    Some(Request::from_parts(form, Body::from(body)))
}

/// Whether the request sends a form again that somebody else than the visitor typed in this browser.
pub(crate) fn is_of_another_person(visit: &Visit, head: &Parts) -> bool {
    let is_theirs = |SentBy(device): &SentBy| {
        visit.viewer.as_ref().is_some_and(|viewer| device_is_known(&visit.context, &viewer.id, device))
    };
    head.extensions.get::<SentBy>().is_some_and(|sent| !is_theirs(sent))
}
