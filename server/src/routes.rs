//! The route table: one row a route, with its requirements. The program and the tests both use [`Service`].

mod handler;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{self, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use domain::model::person::authority::Role;
use domain::person::openid::RETURN_PATH;
use tower::{ServiceBuilder, ServiceExt};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::dashboard::auth::draft;
pub use crate::dashboard::auth::enter::Permission;
use crate::dashboard::auth::enter::enter;
use crate::dashboard::auth::session_store::Sessions;
use crate::dashboard::client::{device, token as tokens};
use crate::dashboard::person::{passkeys, password_link, people, second_factor, second_step};
use crate::dashboard::{
    assets, audit, client, credential, incident, operations, person, respond, server, server_functions, team, webhook,
};
use crate::http::accept::{Answered, Answers};
use crate::http::client_address::ClientAddress;
use crate::http::{error, media_type, middleware, not_found};
use crate::oauth::{self, authorize, device_authorization, introspect, metadata, register, revoke, token};
use crate::state::AppState;
use crate::{gateway, health, mcp};

use handler::{form, page};

/// Who may use a route, and which checks come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A page, form or server function: checks session, origin and form token.
    Dashboard(Permission),
    /// An OAuth endpoint: uses no cookie, allows any origin.
    OAuth,
    /// The built-in MCP server: checks an access token of ours.
    Mcp,
    /// An MCP server behind the gateway: checks an access token of ours.
    Gateway,
    /// A file or a health check: no checks.
    Open,
}

/// Whether a form asks the person again who they are, when their last proof is too old. Forms that narrow rights or
/// stop something never ask: in an incident they must not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// It never asks, or it proves the person in its own way.
    Never,
    /// It always asks: [`Submission::actor`](crate::dashboard::submit::Submission::actor) does.
    Again,
    /// Some of what can be sent widens rights. The handler asks for that.
    Sometimes,
}

/// One route.
pub struct Route {
    /// The path, in the router's syntax.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether its form asks again who the person is.
    pub asks: Asks,
    handler: MethodRouter<AppState>,
}

/// Every route of the server.
pub fn table(state: &AppState) -> Vec<Route> {
    let row = |path, access, handler| Route { path, access, asks: Asks::Never, handler };
    let again = |path, access, handler| Route { asks: Asks::Again, ..row(path, access, handler) };
    let sometimes = |path, access, handler| Route { asks: Asks::Sometimes, ..row(path, access, handler) };
    let anybody = Access::Dashboard(Permission::Anybody);
    let person = Access::Dashboard(Permission::Person);
    let [viewer, member, manager] = Role::ALL.map(|role| Access::Dashboard(Permission::Role(role)));
    let admin = Access::Dashboard(Permission::Administrator);
    vec![
        // `Service` answers this route itself. It is in the table so that the table is complete.
        row(token::PATH, Access::OAuth, MethodRouter::new()),
        row(introspect::PATH, Access::OAuth, any(introspect::endpoint)),
        row(revoke::PATH, Access::OAuth, any(revoke::endpoint)),
        row("/mcp/oauth/status/{number}", Access::OAuth, get(metadata::status_list)),
        row(metadata::JWKS_PATH, Access::OAuth, get(metadata::jwks)),
        row(register::PATH, Access::OAuth, any(register::endpoint)),
        row(register::MANAGED_PATH, Access::OAuth, any(register::manage)),
        row(device_authorization::PATH, Access::OAuth, any(device_authorization::endpoint)),
        // People come here from a client, and may still have to sign in. Pages of other origins never call it.
        row(oauth::AUTHORIZE_PATH, anybody, get(form(authorize::form)).post(form(authorize::decide))),
        row("/.well-known/oauth-authorization-server", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/oauth-authorization-server/mcp", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/openid-configuration", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/openid-configuration/mcp", Access::OAuth, get(metadata::authorization_server)),
        row("/mcp/.well-known/openid-configuration", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/oauth-protected-resource", Access::OAuth, get(metadata::protected_resource)),
        row("/.well-known/oauth-protected-resource/mcp", Access::OAuth, get(metadata::protected_resource)),
        row(
            "/.well-known/oauth-authorization-server/gateway/{slug}",
            Access::OAuth,
            get(metadata::authorization_server),
        ),
        row("/.well-known/openid-configuration/gateway/{slug}", Access::OAuth, get(metadata::authorization_server)),
        row("/gateway/{slug}/.well-known/openid-configuration", Access::OAuth, get(metadata::authorization_server)),
        row("/.well-known/oauth-protected-resource/gateway/{slug}", Access::OAuth, get(gateway::metadata)),
        row("/.well-known/{*rest}", Access::OAuth, any(metadata::unknown)),
        row("/mcp", Access::Mcp, mcp::service(&state.context)),
        row(gateway::ROUTE, Access::Gateway, any(gateway::endpoint)),
        row("/leaks/report", Access::OAuth, post(crate::incident::report)),
        row("/leaks/report", anybody, page(incident::report_form)),
        row("/leaks/reported", anybody, post(form(incident::report))),
        row("/leaks/github", Access::OAuth, post(crate::incident::github)),
        row("/healthz", Access::Open, get(health::healthz)),
        row("/readyz", Access::Open, get(health::readyz)),
        row("/assets/{name}", Access::Open, get(assets::asset)),
        row("/favicon.ico", Access::Open, get(assets::favicon)),
        row("/setup", anybody, get(form(person::setup::form)).post(form(person::setup::setup))),
        row("/login", anybody, get(form(person::sign_in::form)).post(form(person::sign_in::sign_in))),
        row("/login/openid", anybody, post(form(person::openid::sign_in))),
        row(RETURN_PATH, anybody, get(form(person::openid::finish))),
        row("/login/second-factor", anybody, get(form(second_step::form)).post(form(second_step::finish))),
        row("/login/passkey", anybody, get(form(passkeys::sign_in_challenge)).post(form(passkeys::sign_in))),
        row("/logout", anybody, post(form(person::sign_in::sign_out))),
        row("/invitation", anybody, get(form(person::invitation::form)).post(form(person::invitation::accept))),
        row("/password", anybody, get(form(password_link::form)).post(form(password_link::set))),
        row("/handover", anybody, get(form(credential::handover_form)).post(form(credential::open_handover))),
        row("/password/forgot", anybody, page(password_link::forgotten).post(form(password_link::ask))),
        row("/", person, page(operations::overview)),
        row("/search", person, page(operations::search)),
        row("/docs", person, page(operations::help)),
        row("/docs/{slug}", person, page(operations::document)),
        row("/credentials", person, get(form(credential::list))),
        again("/credentials/new", member, page(credential::new).post(form(credential::generate))),
        sometimes("/credentials/several", member, get(form(credential::several_form)).post(form(credential::several))),
        row("/credentials/receipt", person, page(credential::receipt)),
        again("/credentials/export", person, page(credential::export_form).post(form(credential::export))),
        row("/credentials/{client_id}", viewer, page(credential::show)),
        again("/credentials/{client_id}/edit", manager, page(credential::edit_form).post(form(credential::edit))),
        again("/credentials/{client_id}/rotate", member, page(credential::rotation).post(form(credential::rotate))),
        sometimes("/credentials/{client_id}/rotation", member, post(form(credential::change_rotation))),
        row("/credentials/{client_id}/disable", member, page(credential::disable_form)),
        again("/credentials/{client_id}/enable", member, page(credential::enable_form)),
        row("/credentials/{client_id}/revoke", member, page(credential::revoke_form)),
        row("/credentials/{client_id}/handover", member, post(form(credential::hand_over))),
        row("/credentials/{client_id}/test", member, page(tokens::test_form).post(form(tokens::test))),
        again(
            "/credentials/{client_id}/secrets/new",
            member,
            page(credential::new_secret).post(form(credential::add_secret)),
        ),
        again("/credentials/{client_id}/keys/new", manager, page(credential::new_key).post(form(credential::add_key))),
        again(
            "/credentials/{client_id}/identities/new",
            manager,
            page(credential::new_identity).post(form(credential::add_identity)),
        ),
        row("/refusals", person, page(credential::refused)),
        row("/reviews", person, page(credential::reviews).post(form(credential::confirm_needed))),
        row("/requests", person, page(credential::requests)),
        row("/requests/{request_id}", person, page(credential::request_page)),
        again("/requests/{request_id}/decide", person, post(form(credential::decide_request))),
        row("/requests/{request_id}/withdraw", person, post(form(credential::withdraw_request))),
        again("/requests/{request_id}/generate", person, post(form(credential::generate_requested))),
        row("/servers", person, page(server::list)),
        again("/servers/new", admin, page(server::new_form).post(form(server::add))),
        row("/servers/{id}", person, page(server::show)),
        sometimes("/servers/{id}/access", admin, page(server::access_form).post(form(server::set_access))),
        sometimes("/servers/{id}/edit", admin, page(server::edit_form).post(form(server::edit))),
        row("/servers/{id}/archive", admin, page(server::archive_form).post(form(server::archive))),
        again("/servers/{id}/unarchive", admin, page(server::unarchive_form).post(form(server::unarchive))),
        row("/servers/{id}/remove", admin, page(server::remove_form).post(form(server::remove))),
        again("/servers/{id}/gateway", admin, page(server::gateway_form).post(form(server::edit_gateway))),
        sometimes("/servers/{id}/tools", admin, page(server::rules_form).post(form(server::set_rules))),
        row("/servers/{id}/tools/look", admin, page(server::look_form).post(form(server::look_at_tools))),
        again("/servers/{id}/tools/accept", admin, page(server::look_form).post(form(server::accept_tools))),
        again("/servers/{id}/tools/scope", admin, page(server::look_form).post(form(server::add_ready_scope))),
        row("/servers/{id}/check", admin, page(server::check_form).post(form(server::check))),
        row("/leaks", person, page(incident::leaks).post(form(incident::find_leaks))),
        row("/incidents", person, page(incident::incidents)),
        row("/incidents/{number}", person, page(incident::incident).post(form(incident::edit_incident))),
        row("/incidents/{number}/note", person, post(form(incident::note_incident))),
        row("/incidents/{number}/state", person, post(form(incident::change_incident))),
        row("/incidents/{number}/record.json", person, get(form(incident::incident_json))),
        row("/incidents/{number}/record.md", person, get(form(incident::incident_markdown))),
        row("/emergency", admin, page(incident::emergency).post(form(incident::stop))),
        again("/credentials/renew", member, post(form(credential::renew))),
        again("/leaks/renew", member, post(form(credential::renew))),
        row("/activity", person, page(audit::activity)),
        again("/activity/export", person, page(audit::export_form).post(form(audit::export))),
        row("/teams", person, page(team::list)),
        again("/teams/new", admin, page(team::new_form).post(form(team::create))),
        row("/teams/{team_id}", viewer, page(team::show)),
        row("/teams/{team_id}/name", manager, page(team::rename_form).post(form(team::rename))),
        row("/teams/{team_id}/remove", admin, page(team::remove_form)),
        again("/teams/{team_id}/invite", manager, page(team::invite_to_team).post(form(team::invite))),
        again("/teams/{team_id}/members/{person_id}", manager, page(team::member).post(form(team::set_role))),
        row("/people", admin, page(people::list)),
        again("/people/invite", admin, page(team::invite_form).post(form(team::invite))),
        row("/people/{person_id}", admin, page(people::one)),
        sometimes("/people/{person_id}/change", admin, page(people::change_form).post(form(people::change))),
        row("/people/{person_id}/name", admin, page(people::rename_form).post(form(people::rename))),
        again(
            "/people/{person_id}/password-link",
            admin,
            page(password_link::question).post(form(password_link::make)),
        ),
        row("/people/{person_id}/owned", admin, page(people::owned_form).post(form(people::give_credentials))),
        again("/people/{person_id}/teams", admin, page(people::join_form).post(form(team::add_to_team))),
        row("/settings", admin, page(operations::settings)),
        again("/settings/keys", admin, page(operations::signing_keys).post(form(operations::rotate_key))),
        row("/settings/stop", admin, page(incident::stop_form).post(form(incident::stop))),
        row("/settings/policies", admin, page(operations::policies)),
        again("/settings/policies/{policy}", admin, page(operations::policy_form).post(form(operations::set_policy))),
        row("/settings/about", admin, get(form(operations::about))),
        row("/settings/webhooks", admin, page(webhook::list)),
        again("/settings/webhooks/new", admin, page(webhook::new_form).post(form(webhook::add))),
        row("/settings/webhooks/{id}", admin, page(webhook::show)),
        sometimes("/settings/webhooks/{id}/edit", admin, page(webhook::edit_form).post(form(webhook::edit))),
        again("/settings/webhooks/{id}/secret", admin, page(webhook::secret_form).post(form(webhook::replace_secret))),
        row("/settings/webhooks/{id}/remove", admin, page(webhook::remove_form)),
        row("/device", person, get(form(device::form)).post(form(device::answer))),
        row("/apps", person, page(client::connected_apps)),
        row("/apps/clients", admin, page(client::list)),
        again("/apps/clients/new", admin, page(client::new_form).post(form(client::add))),
        row("/apps/clients/{id}", admin, page(client::show)),
        again("/apps/clients/{id}/edit", admin, page(client::edit_form).post(form(client::edit))),
        row("/apps/clients/{id}/disable", admin, page(client::disable_form).post(form(client::disable))),
        again("/apps/clients/{id}/enable", admin, page(client::enable_form).post(form(client::enable))),
        again("/apps/clients/{id}/secret", admin, page(client::secret_form).post(form(client::replace_secret))),
        row("/tokens", person, page(tokens::form).post(form(tokens::look_up))),
        row("/account", person, get(form(person::account::page))),
        row("/account/mail", person, post(form(person::account::choose_mail))),
        row("/account/name", person, post(form(person::account::rename))),
        again("/account/tokens", person, page(client::tokens).post(form(client::generate_token))),
        row("/account/password", person, post(form(person::account::change_password))),
        again("/account/openid", person, post(form(person::openid::connect))),
        again("/account/openid/disconnect", person, post(form(person::openid::disconnect))),
        again("/account/authenticator", person, page(second_factor::begin).post(form(second_factor::begin_app))),
        row("/account/authenticator/confirm", person, post(form(second_factor::confirm_app))),
        again(
            "/account/authenticator/remove",
            person,
            page(second_factor::remove_form).post(form(second_factor::remove_app)),
        ),
        again("/account/recovery-codes", person, page(second_factor::codes_form).post(form(second_factor::new_codes))),
        row("/account/passkeys/challenge", person, get(form(passkeys::challenge))),
        sometimes("/account/passkeys/new", person, page(passkeys::new).post(form(passkeys::add))),
        again("/account/passkeys/{id}/remove", person, page(passkeys::remove_form).post(form(passkeys::remove))),
        row("/fn/overview", person, get(server_functions::call)),
        row("/fn/credentials", person, get(server_functions::call)),
        row("/fn/activity", person, get(server_functions::call)),
        row("/fn/first_exchange", person, get(server_functions::call)),
        // The forms of these routes name the credential or the team. So the operation checks the role in that team.
        again("/fn/enable_credential", member, post(server_functions::call)),
        row("/fn/disable_credential", member, post(server_functions::call)),
        row("/fn/revoke_credentials", member, post(server_functions::call)),
        row("/fn/remove_secret", member, post(server_functions::call)),
        row("/fn/remove_key", manager, post(server_functions::call)),
        row("/fn/remove_identity", manager, post(server_functions::call)),
        row("/fn/withdraw_invitation", manager, post(server_functions::call)),
        row("/fn/remove_member", manager, post(server_functions::call)),
        row("/fn/remove_team", admin, post(server_functions::call)),
        row("/fn/end_sessions_of", admin, post(server_functions::call)),
        row("/fn/withdraw_password_link", admin, post(server_functions::call)),
        again("/fn/undo_emergency_stop", admin, post(server_functions::call)),
        row("/fn/test_webhook", admin, post(server_functions::call)),
        row("/fn/pause_webhook", admin, post(server_functions::call)),
        row("/fn/resume_webhook", admin, post(server_functions::call)),
        row("/fn/change_checklist", admin, post(server_functions::call)),
        row("/fn/remove_webhook", admin, post(server_functions::call)),
        row("/fn/send_delivery_again", admin, post(server_functions::call)),
        row("/fn/remove_client", admin, post(server_functions::call)),
        row("/fn/end_session", person, post(server_functions::call)),
        row("/fn/revoke_token", person, post(server_functions::call)),
        row("/fn/end_grant", person, post(server_functions::call)),
        row("/fn/end_device", person, post(server_functions::call)),
        row("/fn/revoke_personal_token", person, post(server_functions::call)),
    ]
}

/// The whole server: the layers around every request, and the router.
///
/// This is not a layer of the router. For every request, a layer copies everything inside it and allocates memory
/// for its future.
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

    fn answer(&self, request: Request) -> Answered {
        let Self { state, routes } = self.clone();
        Box::pin(async move {
            Ok(middleware::wrap(&state, request, |request, address| answer(&state, routes, address, request)).await)
        })
    }
}

impl From<Service> for Answers {
    fn from(service: Service) -> Self {
        Self(Arc::new(move |request| service.answer(request)))
    }
}

impl tower::Service<Request> for Service {
    type Response = Response;
    type Error = Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.answer(request)
    }
}

async fn answer(state: &AppState, routes: Router, address: ClientAddress, mut request: Request) -> Response {
    ignore_slash(&mut request);
    if request.uri().path() == token::PATH {
        return oauth::surround(request, |request| token::endpoint(state, address, request)).await;
    }
    if not_found::is_call_of_root(&request) {
        return not_found::answer(state, request).await;
    }
    draft::answer(state, routes, request).await
}

/// Takes one slash from the end of the path: people type it, and no client follows the redirect of a POST.
fn ignore_slash(request: &mut Request) {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return };
    let target = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = target.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

fn routes(state: &AppState) -> Router {
    let mut open = Router::new();
    let mut oauth = Router::new();
    let mut protected = Router::new();
    let mut dashboard = Router::new();
    for Route { path, access, asks, handler } in table(state) {
        match access {
            // The gateway makes its checks itself: they depend on the server behind it.
            Access::Open | Access::Gateway => open = open.route(path, handler),
            // The CORS layer answers OPTIONS. The router calls the layer only if a method is there.
            Access::OAuth => oauth = oauth.route(path, handler.options(async || StatusCode::NO_CONTENT)),
            Access::Mcp => protected = protected.route(path, handler),
            Access::Dashboard(permission) => {
                dashboard = dashboard.route(path, with_auth(handler, state, permission, asks))
            }
        }
    }
    let pages = with_auth(any(respond::form_only), state, Permission::Anybody, Asks::Never).with_state(state.clone());
    dashboard
        .fallback_service(nothing_here(state).with_state(state.clone()))
        .merge(open)
        .merge(oauth.layer(from_fn(async |request: Request, next: Next| {
            oauth::surround(request, |request| next.run(request)).await
        })))
        .merge(protected.layer(from_fn_with_state(state.clone(), mcp::guard)))
        .method_not_allowed_fallback(move |request: Request| other_method(pages, request))
        .with_state(state.clone())
}

/// The answer for a method that a route does not have. A person who opens the address of a form (a reload from the
/// address bar after an error does that) gets a page that leads to the form.
async fn other_method(pages: MethodRouter, request: Request) -> Response {
    let is_browser = *request.method() == Method::GET && media_type::names(request.headers(), "text/html");
    match is_browser {
        true => pages.oneshot(request).await.into_response(),
        false => error::plain(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The answer for every address without a route.
fn nothing_here(state: &AppState) -> MethodRouter<AppState> {
    let page = with_auth(any(respond::not_found), state, Permission::Anybody, Asks::Never);
    page.layer(from_fn_with_state(state.clone(), not_found::fallback))
}

/// Adds the checks of session, origin, permission and form token in front of a handler of the dashboard.
fn with_auth(
    handler: MethodRouter<AppState>,
    state: &AppState,
    permission: Permission,
    asks: Asks,
) -> MethodRouter<AppState> {
    let https = state.is_https();
    let sessions = SessionManagerLayer::new(Sessions::new(state.context.clone()))
        .with_name(if https { "__Host-countersign_session" } else { "countersign_session" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnSessionEnd);
    let auth = from_fn_with_state((state.clone(), permission, asks == Asks::Again), enter);
    handler.layer(ServiceBuilder::new().layer(sessions).layer(auth))
}
