//! Pages that are only looked at.

use app::action::ActionError;
use app::components::proof::{TypedIdentity, TypedKeys};
use app::pages::activity::ActivityQuery;
use app::pages::credentials::CredentialsQuery;
use app::pages::{
    account, activity, authenticators, credential, credentials, edit_credential, leaks, message, new_credential,
    overview, rotate, servers, settings, stop_credential,
};
use app::render::{self, Page};
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use domain::keys::TokenAlgorithm;

use crate::http::fields::Fields;

/// Renders a page as an answer.
pub async fn respond<Work>(visit: Visit, page: impl FnOnce() -> Work) -> Response
where
    Work: Future<Output = Result<Page, ActionError>>,
{
    let rendered = render::render(visit, page).await;
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Html(rendered.html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if rendered.secret {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The fields of a query.
pub fn fields_of(query: Option<String>) -> Fields {
    Fields::parse(query.unwrap_or_default().as_bytes())
}

/// `GET /`
pub async fn overview(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, overview::page).await
}

/// `GET /credentials`
pub async fn credentials(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let query = CredentialsQuery {
        q: fields.get("q"),
        status: fields.get("status"),
        team: fields.get("team"),
        sort: fields.get("sort"),
        after: fields.get("after"),
    };
    respond(visit, || credentials::page(query)).await
}

/// `GET /credentials/new`
pub async fn new_credential(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let (from, example) = (fields.find("from"), fields.find("example"));
    respond(visit, async || new_credential::page(from, example).await).await
}

/// `GET /credentials/{client_id}/keys/new`
pub async fn new_key(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || authenticators::new_key(client_id, TypedKeys::default(), Vec::new(), false)).await
}

/// `GET /credentials/{client_id}/identities/new`
pub async fn new_identity(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let typed = TypedIdentity::example(&fields_of(query).get("example"));
    respond(visit, || authenticators::new_identity(client_id, typed, Vec::new(), false)).await
}

/// `GET /servers`
pub async fn servers(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, servers::page).await
}

/// `GET /servers/new`
pub async fn new_server(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || servers::form(servers::Typed::default(), Vec::new())).await
}

/// `GET /servers/{id}`
pub async fn server(Extension(visit): Extension<Visit>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let done = fields_of(query).find("done").is_some();
    respond(visit, || servers::one(id, done)).await
}

/// `GET /credentials/{client_id}`
pub async fn credential(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let done = fields_of(query).find("done").map(str::to_owned);
    respond(visit, || credential::page(client_id, done)).await
}

/// `GET /credentials/{client_id}/edit`
pub async fn edit_credential(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || edit_credential::page(client_id)).await
}

/// `GET /credentials/{client_id}/disable`
pub async fn disable_credential(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || stop_credential::disable_page(client_id)).await
}

/// `GET /credentials/{client_id}/rotate`
pub async fn rotate_credential(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields_of(query);
    let (done, again) = (fields.find("done").is_some(), fields.find("again").is_some());
    respond(visit, || rotate::page(client_id, done, again)).await
}

/// `GET /credentials/{client_id}/enable`
pub async fn enable_credential(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || stop_credential::enable_page(client_id)).await
}

/// `GET /credentials/{client_id}/revoke`
pub async fn revoke_credential(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || stop_credential::revoke_page(vec![client_id])).await
}

/// `GET /credentials/revoke`: those ticked in the list.
pub async fn revoke_credentials(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let client_ids = fields_of(query).all("client_id");
    respond(visit, || stop_credential::revoke_page(client_ids)).await
}

/// `GET /leaks`
pub async fn leaks(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, leaks::page).await
}

/// `GET /activity`
pub async fn activity(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let query = ActivityQuery {
        actor: fields.get("actor"),
        action: fields.get("action"),
        target: fields.get("target"),
        from: fields.get("from"),
        to: fields.get("to"),
        before: fields.get("before"),
    };
    let verify = fields.find("verify").is_some();
    respond(visit, || activity::page(query, verify)).await
}

/// `GET /settings`
pub async fn settings(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let outcome = settings::Outcome {
        done: fields.get("done"),
        count: fields.get("count"),
        apps: fields.get("apps"),
        personal_tokens: fields.get("personal_tokens"),
        clients: fields.get("clients"),
    };
    respond(visit, || settings::page(outcome)).await
}

/// `GET /settings/keys`: asks before a signing key is replaced.
pub async fn rotate_keys(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let algorithm = fields.find("algorithm").unwrap_or(TokenAlgorithm::default().as_str()).to_owned();
    let haste = fields.find("haste").unwrap_or("ordered").to_owned();
    respond(visit, || settings::keys_page(algorithm, haste, Vec::new(), false)).await
}

/// `GET /activity/export`: asks for the form of the export.
pub async fn export(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let query = super::audit_export::query(&fields_of(query));
    respond(visit, || activity::export_page(query, Vec::new(), false)).await
}

/// `GET /settings/stop`
pub async fn stop(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let typed = super::settings::typed(&fields_of(query));
    respond(visit, || settings::stop_page(typed, Vec::new())).await
}

/// `GET /account`
pub async fn account(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let done = fields_of(query).find("done").map(str::to_owned);
    let context = visit.context.clone();
    let mut response = respond(visit, async || account::page(done.as_deref(), None, Vec::new()).await).await;
    super::openid::let_forms_lead_there(&context, &mut response);
    response
}

/// Every address that no route has.
pub async fn not_found(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, async || Ok(message::not_found())).await
}
