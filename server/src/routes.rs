//! The route table: one row a route, with what it needs. [`Front`] is what the program and the tests both use.

use std::convert::Infallible;
use std::task::{self, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use domain::authority::Role;
use domain::openid::RETURN_PATH;
use futures::future::BoxFuture;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::dashboard::enter::{Permission, enter};
use crate::dashboard::session_store::Sessions;
use crate::dashboard::{
    account, apps, assets, audit_export, credentials, invitation, leaks, openid, pages, passkeys, people,
    personal_tokens, second_factor, second_step, server_functions, servers, settings, sign_in, teams, webhooks,
};
use crate::http::client_address::ClientAddress;
use crate::http::envelope::envelope;
use crate::http::error;
use crate::oauth::{self, authorize, introspect, jwks, metadata, register, revoke, status, token};
use crate::state::AppState;
use crate::{health, leak_reports, mcp};

/// Who may use a route, and what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A page, form or server function: session, origin check, form token.
    Dashboard(Permission),
    /// An endpoint of OAuth: no cookie, any origin.
    OAuth,
    /// The MCP server: a token of ours.
    Mcp,
    /// A file or a health check: nothing.
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

/// Every route there is.
pub fn table(state: &AppState) -> Vec<Route> {
    let row = |path, access, handler| Route { path, access, handler };
    let anybody = Access::Dashboard(Permission::Anybody);
    let person = Access::Dashboard(Permission::Person);
    let [viewer, member, manager] = Role::ALL.map(|role| Access::Dashboard(Permission::Role(role)));
    let administrator = Access::Dashboard(Permission::Administrator);
    vec![
        // Answered by `Front`; here so that nothing is missing.
        row(token::PATH, Access::OAuth, MethodRouter::new()),
        row("/mcp/oauth/introspect", Access::OAuth, any(introspect::endpoint)),
        row("/mcp/oauth/revoke", Access::OAuth, any(revoke::endpoint)),
        row("/mcp/oauth/status/{number}", Access::OAuth, get(status::endpoint)),
        row("/mcp/oauth/jwks", Access::OAuth, get(jwks::endpoint)),
        row(register::PATH, Access::OAuth, any(register::endpoint)),
        // Reached by people, who may still have to sign in, never by pages of other origins.
        row(authorize::PATH, anybody, get(authorize::form).post(authorize::decide)),
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
        row("/setup", anybody, get(sign_in::setup_form).post(sign_in::setup)),
        row("/login", anybody, get(sign_in::sign_in_form).post(sign_in::sign_in)),
        row("/login/openid", anybody, post(openid::sign_in)),
        row(RETURN_PATH, anybody, get(openid::finish)),
        row(second_step::PATH, anybody, get(second_step::form).post(second_step::finish)),
        row("/login/passkey", anybody, get(passkeys::sign_in_challenge).post(passkeys::sign_in)),
        row("/logout", anybody, post(sign_in::sign_out)),
        row("/invitation", anybody, get(invitation::form).post(invitation::accept)),
        row("/", person, get(pages::overview)),
        row("/credentials", person, get(pages::credentials)),
        row("/credentials/new", member, get(pages::new_credential).post(credentials::generate)),
        row("/credentials/revoke", member, get(pages::revoke_credentials)),
        row("/credentials/{client_id}", viewer, get(pages::credential)),
        row("/credentials/{client_id}/edit", manager, get(pages::edit_credential).post(credentials::edit)),
        row("/credentials/{client_id}/rotate", member, get(pages::rotate_credential).post(credentials::rotate)),
        row("/credentials/{client_id}/rotation", member, post(credentials::change_rotation)),
        row("/credentials/{client_id}/disable", member, get(pages::disable_credential)),
        row("/credentials/{client_id}/enable", member, get(pages::enable_credential)),
        row("/credentials/{client_id}/revoke", member, get(pages::revoke_credential)),
        row("/credentials/{client_id}/keys/new", manager, get(pages::new_key).post(credentials::add_key)),
        row(
            "/credentials/{client_id}/identities/new",
            manager,
            get(pages::new_identity).post(credentials::add_identity),
        ),
        row("/servers", person, get(pages::servers)),
        row("/servers/new", administrator, get(pages::new_server).post(servers::add)),
        row("/servers/{id}", person, get(pages::server)),
        row("/leaks", person, get(pages::leaks).post(leaks::find)),
        row("/leaks/renew", member, post(leaks::renew)),
        row("/activity", person, get(pages::activity)),
        row("/activity/export", person, get(pages::export).post(audit_export::export)),
        row("/teams", person, get(teams::list)),
        row("/teams/new", administrator, get(teams::new_form).post(teams::create)),
        row("/teams/{team_id}", viewer, get(teams::one)),
        row("/teams/{team_id}/name", manager, post(teams::rename)),
        row("/teams/{team_id}/invite", manager, get(teams::invite_form).post(teams::invite)),
        row("/teams/{team_id}/members/{person_id}", manager, get(teams::member).post(teams::set_role)),
        row("/people", administrator, get(people::list)),
        row("/people/invite", administrator, get(teams::invite_anywhere_form).post(teams::invite_anywhere)),
        row("/people/{person_id}", administrator, get(people::one)),
        row("/people/{person_id}/change", administrator, get(people::change_form).post(people::change)),
        row("/people/{person_id}/teams", administrator, post(teams::add_to_team)),
        row("/settings", administrator, get(pages::settings)),
        row("/settings/keys", administrator, get(pages::rotate_keys).post(settings::rotate_keys)),
        row("/settings/stop", administrator, get(pages::stop).post(settings::stop)),
        row("/settings/webhooks", administrator, get(webhooks::list)),
        row("/settings/webhooks/new", administrator, get(webhooks::new).post(webhooks::add)),
        row("/settings/webhooks/{id}", administrator, get(webhooks::one)),
        row("/settings/webhooks/{id}/edit", administrator, get(webhooks::edit_form).post(webhooks::edit)),
        row("/settings/webhooks/{id}/secret", administrator, get(webhooks::secret_form).post(webhooks::replace_secret)),
        row("/settings/webhooks/{id}/remove", administrator, get(webhooks::remove_form)),
        row("/apps", person, get(apps::list)),
        row("/apps/clients", administrator, get(apps::clients)),
        row("/apps/clients/new", administrator, get(apps::client_form).post(apps::add_client)),
        row("/apps/clients/{id}", administrator, get(apps::client)),
        row("/apps/clients/{id}/edit", administrator, get(apps::edit_form).post(apps::edit)),
        row("/apps/clients/{id}/secret", administrator, get(apps::secret_form).post(apps::replace_secret)),
        row("/account", person, get(pages::account)),
        row("/account/name", person, post(account::rename)),
        row("/account/tokens", person, get(personal_tokens::list).post(personal_tokens::generate)),
        row("/account/password", person, post(account::change_password)),
        row("/account/openid", person, post(openid::connect)),
        row("/account/openid/disconnect", person, post(openid::disconnect)),
        row("/account/authenticator", person, get(second_factor::begin_form).post(second_factor::begin_app)),
        row("/account/authenticator/confirm", person, post(second_factor::confirm_app)),
        row(
            "/account/authenticator/remove",
            person,
            get(second_factor::remove_app_form).post(second_factor::remove_app),
        ),
        row("/account/recovery-codes", person, get(second_factor::new_codes_form).post(second_factor::new_codes)),
        row("/account/passkeys/challenge", person, get(passkeys::challenge)),
        row("/account/passkeys/new", person, get(passkeys::new_form).post(passkeys::add)),
        row("/account/passkeys/{id}/remove", person, get(passkeys::remove_form).post(passkeys::remove)),
        row("/fn/overview", person, get(server_functions::call)),
        row("/fn/credentials", person, get(server_functions::call)),
        row("/fn/activity", person, get(server_functions::call)),
        row("/fn/first_exchange", person, get(server_functions::call)),
        // What these are about is in their forms: the operation asks for the role in its team.
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

/// The whole server: what every request passes, and its route.
///
/// Not a layer of the router: for every request a layer copies all that is inside it and puts its future into a box. Three of
/// them were a twelfth of the work of an exchange, so the token endpoint is reached from here, with the same around it.
#[derive(Clone)]
pub struct Front {
    state: AppState,
    routes: Router,
}

impl Front {
    /// The server with this state.
    pub fn new(state: AppState) -> Self {
        let routes = routes(&state);
        Self { state, routes }
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { state, routes } = self.clone();
        Box::pin(async move {
            Ok(envelope(&state, request, |request, address| answer(&state, routes, address, request)).await)
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
            // The layer answers OPTIONS; a method must be there for it to be asked.
            Access::OAuth => oauth = oauth.route(path, handler.options(async || StatusCode::NO_CONTENT)),
            Access::Mcp => protected = protected.route(path, handler),
            Access::Dashboard(permission) => dashboard = dashboard.route(path, with_door(handler, state, permission)),
        }
    }
    dashboard
        .fallback_service(with_door(any(pages::not_found), state, Permission::Anybody).with_state(state.clone()))
        .merge(open)
        .merge(oauth.layer(from_fn(async |request: Request, next: Next| {
            oauth::surround(request, |request| next.run(request)).await
        })))
        .merge(protected.layer(from_fn_with_state(state.clone(), mcp::guard)))
        .method_not_allowed_fallback(async || error::plain(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(state.clone())
}

/// Puts session, origin check, permission and form token before a handler of the dashboard.
fn with_door(handler: MethodRouter<AppState>, state: &AppState, permission: Permission) -> MethodRouter<AppState> {
    let https = state.is_https();
    let sessions = SessionManagerLayer::new(Sessions::new(state.context.clone()))
        .with_name(if https { "__Host-countersign_session" } else { "countersign_session" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnSessionEnd);
    let door = from_fn_with_state((state.clone(), permission), enter);
    handler.layer(ServiceBuilder::new().layer(sessions).layer(door))
}
