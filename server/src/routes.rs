//! The route table: one row a route, with its requirements. The program and the tests both use [`Service`].

use std::convert::Infallible;
use std::task::{self, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use domain::model::person::authority::Role;
use domain::person::openid::RETURN_PATH;
use futures::future::BoxFuture;
use tower::{ServiceBuilder, ServiceExt};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::dashboard::auth::enter::{Permission, enter};
use crate::dashboard::auth::session_store::Sessions;
use crate::dashboard::{
    assets, audit, client, credential, incident, operations, person, respond, server, server_functions, team, webhook,
};
use crate::http::client_address::ClientAddress;
use crate::http::{error, middleware};
use crate::incident::leak_reports;
use crate::oauth::{self, authorize, introspect, jwks, metadata, register, revoke, status, token};
use crate::state::AppState;
use crate::{health, mcp};

/// Who may use a route, and which checks come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A page, form or server function: checks session, origin and form token.
    Dashboard(Permission),
    /// An OAuth endpoint: uses no cookie, allows any origin.
    OAuth,
    /// The MCP server: checks an access token of ours.
    Mcp,
    /// A file or a health check: no checks.
    Open,
}

/// One route.
pub struct Route {
    /// The path, in the router's syntax.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    handler: MethodRouter<AppState>,
}

/// Every route of the server.
pub fn table(state: &AppState) -> Vec<Route> {
    let row = |path, access, handler| Route { path, access, handler };
    let anybody = Access::Dashboard(Permission::Anybody);
    let person = Access::Dashboard(Permission::Person);
    let [viewer, member, manager] = Role::ALL.map(|role| Access::Dashboard(Permission::Role(role)));
    let administrator = Access::Dashboard(Permission::Administrator);
    vec![
        // `Service` answers this route itself. It is in the table so that the table is complete.
        row(token::PATH, Access::OAuth, MethodRouter::new()),
        row("/mcp/oauth/introspect", Access::OAuth, any(introspect::endpoint)),
        row("/mcp/oauth/revoke", Access::OAuth, any(revoke::endpoint)),
        row("/mcp/oauth/status/{number}", Access::OAuth, get(status::endpoint)),
        row("/mcp/oauth/jwks", Access::OAuth, get(jwks::endpoint)),
        row(register::PATH, Access::OAuth, any(register::endpoint)),
        // People come here from a client, and may still have to sign in. Pages of other origins never call it.
        row(oauth::AUTHORIZE_PATH, anybody, get(authorize::form).post(authorize::decide)),
        row("/.well-known/oauth-authorization-server", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/oauth-protected-resource", Access::OAuth, get(metadata::protected_resource)),
        row("/.well-known/oauth-protected-resource/mcp", Access::OAuth, get(metadata::protected_resource)),
        row("/.well-known/{*rest}", Access::OAuth, any(metadata::unknown)),
        row("/mcp", Access::Mcp, mcp::service(&state.context)),
        row("/leaks/report", Access::OAuth, post(leak_reports::report)),
        row("/leaks/github", Access::OAuth, post(leak_reports::github)),
        row("/healthz", Access::Open, get(health::healthz)),
        row("/readyz", Access::Open, get(health::readyz)),
        row("/assets/{name}", Access::Open, get(assets::asset)),
        row("/favicon.ico", Access::Open, get(assets::favicon)),
        row("/setup", anybody, get(person::setup::form).post(person::setup::setup)),
        row("/login", anybody, get(person::sign_in::form).post(person::sign_in::sign_in)),
        row("/login/openid", anybody, post(person::openid::sign_in)),
        row(RETURN_PATH, anybody, get(person::openid::finish)),
        row("/login/second-factor", anybody, get(person::second_step::form).post(person::second_step::finish)),
        row("/login/passkey", anybody, get(person::passkeys::sign_in_challenge).post(person::passkeys::sign_in)),
        row("/logout", anybody, post(person::sign_in::sign_out)),
        row("/invitation", anybody, get(person::invitation::form).post(person::invitation::accept)),
        row("/", person, get(operations::overview::page)),
        row("/credentials", person, get(credential::list::page)),
        row("/credentials/new", member, get(credential::new::form).post(credential::new::generate)),
        row("/credentials/revoke", member, get(credential::stop::revoke_several_form)),
        row("/credentials/{client_id}", viewer, get(credential::show::page)),
        row("/credentials/{client_id}/edit", manager, get(credential::edit::form).post(credential::edit::edit)),
        row("/credentials/{client_id}/rotate", member, get(credential::rotate::form).post(credential::rotate::rotate)),
        row("/credentials/{client_id}/rotation", member, post(credential::rotate::change_rotation)),
        row("/credentials/{client_id}/disable", member, get(credential::stop::disable_form)),
        row("/credentials/{client_id}/enable", member, get(credential::stop::enable_form)),
        row("/credentials/{client_id}/revoke", member, get(credential::stop::revoke_form)),
        row(
            "/credentials/{client_id}/keys/new",
            manager,
            get(credential::authenticators::key_form).post(credential::authenticators::add_key),
        ),
        row(
            "/credentials/{client_id}/identities/new",
            manager,
            get(credential::authenticators::identity_form).post(credential::authenticators::add_identity),
        ),
        row("/servers", person, get(server::list::page)),
        row("/servers/new", administrator, get(server::new::form).post(server::new::add)),
        row("/servers/{id}", person, get(server::show::page)),
        row("/leaks", person, get(incident::leaks::page).post(incident::leaks::find)),
        row("/leaks/renew", member, post(credential::renew::renew)),
        row("/activity", person, get(audit::activity::page)),
        row("/activity/export", person, get(audit::export::form).post(audit::export::export)),
        row("/teams", person, get(team::list::page)),
        row("/teams/new", administrator, get(team::new::form).post(team::new::create)),
        row("/teams/{team_id}", viewer, get(team::show::page)),
        row("/teams/{team_id}/name", manager, post(team::show::rename)),
        row("/teams/{team_id}/invite", manager, get(team::invite::form).post(team::invite::invite)),
        row("/teams/{team_id}/members/{person_id}", manager, get(team::member::form).post(team::member::set_role)),
        row("/people", administrator, get(person::people::list)),
        row("/people/invite", administrator, get(team::invite::anywhere_form).post(team::invite::invite_anywhere)),
        row("/people/{person_id}", administrator, get(person::people::one)),
        row("/people/{person_id}/change", administrator, get(person::people::change_form).post(person::people::change)),
        row("/people/{person_id}/teams", administrator, post(team::member::add_to_team)),
        row("/settings", administrator, get(operations::settings::page)),
        row(
            "/settings/keys",
            administrator,
            get(operations::signing_keys::form).post(operations::signing_keys::rotate),
        ),
        row("/settings/stop", administrator, get(incident::emergency_stop::form).post(incident::emergency_stop::stop)),
        row("/settings/webhooks", administrator, get(webhook::list::page)),
        row("/settings/webhooks/new", administrator, get(webhook::edit::new).post(webhook::edit::add)),
        row("/settings/webhooks/{id}", administrator, get(webhook::show::page)),
        row("/settings/webhooks/{id}/edit", administrator, get(webhook::edit::edit_form).post(webhook::edit::edit)),
        row(
            "/settings/webhooks/{id}/secret",
            administrator,
            get(webhook::edit::secret_form).post(webhook::edit::replace_secret),
        ),
        row("/settings/webhooks/{id}/remove", administrator, get(webhook::show::remove_form)),
        row("/apps", person, get(client::connected_apps::page)),
        row("/apps/clients", administrator, get(client::list::page)),
        row("/apps/clients/new", administrator, get(client::new::form).post(client::new::add)),
        row("/apps/clients/{id}", administrator, get(client::show::page)),
        row("/apps/clients/{id}/edit", administrator, get(client::edit::form).post(client::edit::edit)),
        row("/apps/clients/{id}/secret", administrator, get(client::secret::form).post(client::secret::replace)),
        row("/account", person, get(person::account::page)),
        row("/account/name", person, post(person::account::rename)),
        row("/account/tokens", person, get(client::personal_tokens::list).post(client::personal_tokens::generate)),
        row("/account/password", person, post(person::account::change_password)),
        row("/account/openid", person, post(person::openid::connect)),
        row("/account/openid/disconnect", person, post(person::openid::disconnect)),
        row(
            "/account/authenticator",
            person,
            get(person::second_factor::begin_form).post(person::second_factor::begin_app),
        ),
        row("/account/authenticator/confirm", person, post(person::second_factor::confirm_app)),
        row(
            "/account/authenticator/remove",
            person,
            get(person::second_factor::remove_app_form).post(person::second_factor::remove_app),
        ),
        row(
            "/account/recovery-codes",
            person,
            get(person::second_factor::new_codes_form).post(person::second_factor::new_codes),
        ),
        row("/account/passkeys/challenge", person, get(person::passkeys::challenge)),
        row("/account/passkeys/new", person, get(person::passkeys::new_form).post(person::passkeys::add)),
        row("/account/passkeys/{id}/remove", person, get(person::passkeys::remove_form).post(person::passkeys::remove)),
        row("/fn/overview", person, get(server_functions::call)),
        row("/fn/credentials", person, get(server_functions::call)),
        row("/fn/activity", person, get(server_functions::call)),
        row("/fn/first_exchange", person, get(server_functions::call)),
        // The forms of these routes name the team. So the operation checks the role in that team.
        row("/fn/enable_credential", member, post(server_functions::call)),
        row("/fn/disable_credential", member, post(server_functions::call)),
        row("/fn/revoke_credentials", member, post(server_functions::call)),
        row("/fn/remove_key", manager, post(server_functions::call)),
        row("/fn/remove_identity", manager, post(server_functions::call)),
        row("/fn/withdraw_invitation", manager, post(server_functions::call)),
        row("/fn/remove_member", manager, post(server_functions::call)),
        row("/fn/remove_team", administrator, post(server_functions::call)),
        row("/fn/end_sessions_of", administrator, post(server_functions::call)),
        row("/fn/undo_emergency_stop", administrator, post(server_functions::call)),
        row("/fn/test_webhook", administrator, post(server_functions::call)),
        row("/fn/pause_webhook", administrator, post(server_functions::call)),
        row("/fn/resume_webhook", administrator, post(server_functions::call)),
        row("/fn/remove_webhook", administrator, post(server_functions::call)),
        row("/fn/send_delivery_again", administrator, post(server_functions::call)),
        row("/fn/remove_client", administrator, post(server_functions::call)),
        row("/fn/end_session", person, post(server_functions::call)),
        row("/fn/end_grant", person, post(server_functions::call)),
        row("/fn/revoke_personal_token", person, post(server_functions::call)),
    ]
}

/// The whole server: the layers around every request, and the router.
///
/// This is not a layer of the router. For every request, a layer copies everything inside it and boxes its future.
/// Three such layers cost a twelfth of an exchange. So this service calls the token endpoint directly, with the same
/// layers around it.
#[derive(Clone)]
pub struct Service {
    state: AppState,
    routes: Router,
}

impl Service {
    /// The server with this state.
    pub fn new(state: AppState) -> Self {
        let routes = routes(&state);
        Self { state, routes }
    }
}

impl tower::Service<Request> for Service {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { state, routes } = self.clone();
        Box::pin(async move {
            Ok(middleware::wrap(&state, request, |request, address| answer(&state, routes, address, request)).await)
        })
    }
}

async fn answer(state: &AppState, routes: Router, address: ClientAddress, request: Request) -> Response {
    if request.uri().path() == token::PATH {
        return oauth::surround(request, |request| token::endpoint(state, address, request)).await;
    }
    routes.oneshot(request).await.into_response()
}

fn routes(state: &AppState) -> Router {
    let mut open = Router::new();
    let mut oauth = Router::new();
    let mut protected = Router::new();
    let mut dashboard = Router::new();
    for Route { path, access, handler } in table(state) {
        match access {
            Access::Open => open = open.route(path, handler),
            // The CORS layer answers OPTIONS. The router calls the layer only if a method is there.
            Access::OAuth => oauth = oauth.route(path, handler.options(async || StatusCode::NO_CONTENT)),
            Access::Mcp => protected = protected.route(path, handler),
            Access::Dashboard(permission) => dashboard = dashboard.route(path, with_auth(handler, state, permission)),
        }
    }
    dashboard
        .fallback_service(with_auth(any(respond::not_found), state, Permission::Anybody).with_state(state.clone()))
        .merge(open)
        .merge(oauth.layer(from_fn(async |request: Request, next: Next| {
            oauth::surround(request, |request| next.run(request)).await
        })))
        .merge(protected.layer(from_fn_with_state(state.clone(), mcp::guard)))
        .method_not_allowed_fallback(async || error::plain(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(state.clone())
}

/// Adds the checks of session, origin, permission and form token in front of a handler of the dashboard.
fn with_auth(handler: MethodRouter<AppState>, state: &AppState, permission: Permission) -> MethodRouter<AppState> {
    let https = state.is_https();
    let sessions = SessionManagerLayer::new(Sessions::new(state.context.clone()))
        .with_name(if https { "__Host-countersign_session" } else { "countersign_session" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnSessionEnd);
    let auth = from_fn_with_state((state.clone(), permission), enter);
    handler.layer(ServiceBuilder::new().layer(sessions).layer(auth))
}
