//! The middleware of the dashboard. It finds out who the visitor is, whether they may use the route, and whether the
//! form's token is valid. It puts a [`Visit`] and, for POST, the form's [`Fields`] into the request's extensions.

use app::error::ActionError;
use app::links;
use app::pages::message;
use app::pages::person::sign_in::Problem;
use app::visit::{Viewer, Visit};
use axum::RequestPartsExt;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::{ClientId, TeamId};
use domain::credential::inspect;
use domain::crypto::secret::without_secrets;
use domain::model::person::authority::{Denied, Role};
use tower_sessions::Session;

use crate::dashboard::auth::draft;
use crate::dashboard::auth::form_token::{Binding, Sender};
use crate::dashboard::auth::return_address::{page_of_form, safe_return, sign_in_for_request};
use crate::dashboard::auth::signed_in::SignedIn;
use crate::dashboard::person::sign_in;
use crate::dashboard::respond::{refuse, respond};
use crate::http::body::{self, BodyError, LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error::{self, unavailable};
use crate::http::fields::Fields;
use crate::http::text;
use crate::oauth::AUTHORIZE_PATH;
use crate::state::AppState;

/// The permission that a route of the dashboard needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// No permission: signing in, setting up.
    Anybody,
    /// A signed-in person. The person's roles decide what they see.
    Person,
    /// This role in the team of the credential, or in the team, that the path names. When the path names none: in any
    /// team.
    Role(Role),
    /// The role of administrator of the instance.
    Administrator,
}

/// The middleware of one route of the dashboard. The route table names the permission, and whether the route asks again
/// who the person is.
///
/// The body is read before the session. A session can end while the body arrives, and then nothing of the request may
/// happen.
pub(crate) async fn enter(
    State((state, permission, asks_again)): State<(AppState, Permission, bool)>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let sender = Sender::of(&head.headers, &state.context.settings.public_url);
    let form = match head.method {
        Method::GET | Method::HEAD => None,
        // The body is not needed: the form is refused.
        _ if sender == Sender::AnotherSite => Some(Ok(Bytes::new())),
        _ => Some(body::read(body, LIMIT).await),
    };
    let viewer = match SignedIn::viewer(&state.context, &session).await {
        Ok(viewer) => viewer,
        Err(error) => return unavailable!(%error, "a session could not be read"),
    };
    let (binding, is_new) = Binding::of(&state.context, viewer.as_ref(), &head.headers, state.is_https());
    let mut visit = Visit { asks_again, ..visit(&state, viewer, &binding, &head) };
    let mut response = match check(&mut visit, permission, &binding, sender, head, form).await {
        Ok(mut request) => {
            request.extensions_mut().insert(visit);
            request.extensions_mut().insert(session);
            next.run(request).await
        }
        Err(response) => response,
    };
    if is_new {
        binding.remember(&mut response, state.is_https());
    }
    response
}

fn visit(state: &AppState, viewer: Option<Viewer>, binding: &Binding, head: &Parts) -> Visit {
    Visit {
        context: state.context.clone(),
        viewer,
        form_token: binding.token(&state.context),
        path: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        address: ClientAddress::found(&head.extensions).0,
        agent: text(&head.headers, header::USER_AGENT).map(str::to_owned),
        asks_again: false,
        is_stale: false,
    }
}

/// Lets the request through with its form, or answers it. `form` is the body of a request that may change something.
async fn check(
    visit: &mut Visit,
    permission: Permission,
    binding: &Binding,
    sender: Sender,
    mut head: Parts,
    form: Option<Result<Bytes, BodyError>>,
) -> Result<Request, Response> {
    if form.is_some() {
        match sender {
            Sender::Ours => {}
            Sender::Unknown if visit.viewer.is_none() => {}
            Sender::Unknown => return Err(respond(visit.clone(), async { Ok(message::sender_unknown()) }).await),
            Sender::AnotherSite => return Err(respond(visit.clone(), async { Ok(message::form_refused()) }).await),
        }
    }
    if permission != Permission::Anybody && visit.viewer.is_none() {
        return Err(to_sign_in(visit, sender, &head, form));
    }
    if visit.viewer.as_ref().is_some_and(|viewer| viewer.owes_factor) && !leads_to_factor(permission, head.uri.path()) {
        return Err(to_second_factor(visit, &head).await);
    }
    if draft::is_of_another_person(visit, &head) {
        return Err(StatusCode::FORBIDDEN.into_response());
    }
    if let Err(error) = permitted(visit, permission, &mut head).await {
        return Err(refuse(visit.clone(), error).await);
    }
    let body = match form {
        None => return Ok(Request::from_parts(head, Body::empty())),
        Some(Ok(body)) => body,
        Some(Err(BodyError::TooLarge)) => {
            return Err(respond(visit.clone(), async { Ok(message::too_large()) }).await);
        }
        Some(Err(error)) => return Err(error.into()),
    };
    let fields = Fields::parse(&body);
    if !binding.accepts(&visit.context, &fields.get("form_token")) {
        return stale(visit, permission, sender, &mut head, fields)
            .await
            .map(|()| Request::from_parts(head, body.into()));
    }
    head.extensions.insert(fields);
    Ok(Request::from_parts(head, Body::from(body)))
}

/// What happens to a form whose token is not of this session. Nothing that it asks for is done.
///
/// A page of ours may have sent it: the person signed in again, or elsewhere in this browser, after they opened the
/// form. Then they are led on, or the handler shows the form again with what was typed: [`Visit::actor`] refuses any
/// change.
async fn stale(
    visit: &mut Visit,
    permission: Permission,
    sender: Sender,
    head: &mut Parts,
    fields: Fields,
) -> Result<(), Response> {
    let (path, is_signed_in) = (head.uri.path(), visit.viewer.is_some());
    match permission {
        _ if sender != Sender::Ours => {}
        // The sign-in leads back to the request, which asks again.
        Permission::Anybody if path == AUTHORIZE_PATH => return Err(sign_in_for_request(&fields.get("request"))),
        Permission::Anybody if is_signed_in && signs_in(path) => {
            return Err(Redirect::to(&safe_return(&fields.get("next"))).into_response());
        }
        Permission::Anybody if path == links::SIGN_IN => {
            let (next, email) = (safe_return(&fields.get("next")), fields.get("email"));
            return Err(sign_in::show(visit.clone(), next, email, Some(Problem::Stale)).await);
        }
        Permission::Anybody if signs_in(path) && path != links::SECOND_STEP => {
            let next = safe_return(&fields.get("next"));
            return Err(sign_in::show(visit.clone(), next, String::new(), Some(Problem::Stale)).await);
        }
        // Whoever signs out means the session that is there now. A report of a leak and the link of a secret need none:
        // whoever has the secret may stop it, and whoever has the link may open it. The browser says that a page of
        // ours asks.
        Permission::Anybody if [links::SIGN_OUT, links::REPORTED, links::HANDOVER].contains(&path) => {
            head.extensions.insert(fields);
            return Ok(());
        }
        // Their handlers show the form again.
        Permission::Anybody if STALE_AGAIN.contains(&path) => {
            visit.is_stale = true;
            head.extensions.insert(fields);
            return Ok(());
        }
        Permission::Anybody => {}
        Permission::Person | Permission::Role(_) | Permission::Administrator => {
            visit.is_stale = true;
            head.extensions.insert(fields);
            return Ok(());
        }
    }
    Err(respond(visit.clone(), async { Ok(message::form_refused()) }).await)
}

/// Forms for anybody that are shown again when their token is not of this session.
const STALE_AGAIN: [&str; 5] =
    [links::SETUP, links::INVITATION, links::SET_PASSWORD, links::FORGOT_PASSWORD, links::SECOND_STEP];

/// Whether the form at this address signs in, and nothing else.
fn signs_in(path: &str) -> bool {
    [links::SIGN_IN, links::SECOND_STEP, links::SIGN_IN_WITH_OPENID, links::SIGN_IN_WITH_PASSKEY].contains(&path)
}

/// Whether the signed-in person may use the route. Things that they may not see answer "not found". The operation
/// decides again in its own transaction; this check avoids showing pages of actions that would be refused.
async fn permitted(visit: &Visit, permission: Permission, head: &mut Parts) -> Result<(), ActionError> {
    let needed = match permission {
        Permission::Anybody | Permission::Person => return Ok(()),
        Permission::Administrator if visit.authority()?.is_administrator() => return Ok(()),
        Permission::Administrator => return Err(ActionError::NotFound),
        Permission::Role(role) => role,
    };
    let authority = visit.authority()?;
    let parameters = head.extract::<RawPathParams>().await.map_err(|_| ActionError::NotFound)?;
    let named = |wanted: &str| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let team = if let Some(id) = named("client_id") {
        let id = ClientId::parse(id).ok_or(ActionError::NotFound)?;
        Some(inspect::find(&visit.context, authority, &id).await?.ok_or(ActionError::NotFound)?.team)
    } else if let Some(id) = named("team_id") {
        Some(TeamId::parse(id).ok_or(ActionError::NotFound)?)
    } else {
        None
    };
    match team.map(|team| authority.require(&team, needed)) {
        Some(Ok(())) => Ok(()),
        None if authority.has_anywhere(needed) => Ok(()),
        Some(Err(Denied::Unseen)) => Err(ActionError::NotFound),
        Some(Err(Denied::TooLittle)) | None => Err(ActionError::Forbidden),
    }
}

/// What a person ends of their own access: in an incident this must not wait.
const ENDS_OWN_ACCESS: [&str; 3] = [links::END_SESSION, links::REVOKE_PERSONAL_TOKEN, links::END_ACCESS];

/// Whether a person may open this address who must add a second factor first: their account, help, and what anybody
/// may do. Personal tokens and the consent of apps give access, so they wait.
fn leads_to_factor(permission: Permission, path: &str) -> bool {
    let is_below = |page: &str| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match permission {
        Permission::Anybody => path != AUTHORIZE_PATH,
        _ if is_below(links::PERSONAL_TOKENS) => false,
        _ => is_below(links::ACCOUNT) || is_below(links::HELP) || ENDS_OWN_ACCESS.contains(&path),
    }
}

/// Sends a person to their account, which says that they must add a second factor.
async fn to_second_factor(visit: &Visit, head: &Parts) -> Response {
    if asks_for_json(head) {
        return error::plain(StatusCode::FORBIDDEN);
    }
    // Whoever comes from an app must begin there once more.
    if head.method == Method::GET && head.uri.path() != AUTHORIZE_PATH {
        return Redirect::to(links::ACCOUNT).into_response();
    }
    respond(visit.clone(), async { Ok(message::second_factor_first()) }).await
}

fn asks_for_json(head: &Parts) -> bool {
    text(&head.headers, header::ACCEPT).is_some_and(|accepts| accepts.starts_with("application/json"))
}

/// Sends people to the sign-in, which leads back: after a form to its page, and says that nothing was saved. The
/// browser keeps what was typed. Programs get the status.
fn to_sign_in(visit: &Visit, sender: Sender, head: &Parts, form: Option<Result<Bytes, BodyError>>) -> Response {
    let Parts { method, headers, uri, .. } = head;
    if asks_for_json(head) {
        return error::plain(StatusCode::UNAUTHORIZED);
    }
    // A secret that somebody searched for is not carried through the sign-in.
    let back = without_secrets(uri.path_and_query().map_or(links::OVERVIEW, |target| target.as_str()));
    if *method == Method::POST {
        let referrer = text(headers, header::REFERER);
        let sent_from = referrer.and_then(|address| address.strip_prefix(&visit.context.settings.public_url));
        let page = without_secrets(&page_of_form(sent_from, uri.path()));
        let mut response = Redirect::to(&links::sign_in_after_form(&page)).into_response();
        if let Some(Ok(body)) = form
            && sender == Sender::Ours
        {
            draft::keep(visit, head, &page, Fields::parse(&body), &mut response);
        }
        return response;
    }
    if *method == Method::GET && back != links::OVERVIEW {
        return Redirect::to(&links::sign_in_on_the_way_to(&back)).into_response();
    }
    Redirect::to(links::SIGN_IN).into_response()
}
