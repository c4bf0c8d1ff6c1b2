//! Signing in with an OpenID provider, and connecting a provider's account to the signed-in person.

use app::done::Done;
use app::error::ActionError;
use app::links;
use app::pages::person::openid as page;
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::context::Context;
use domain::model::origin::Origin;
use domain::model::person::Person;
use domain::person::openid::attempt::{self, AttemptPurpose, Finished, LIFETIME, Returned, StartedAttempt};
use domain::person::openid::{OpenIdError, link};
use domain::services::relying_party::RelyingParty;
use tower_sessions::Session;

use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::auth::return_address::safe_return;
use crate::dashboard::auth::signed_in::SignedIn;
use crate::dashboard::auth::start_session::enter_with;
use crate::dashboard::person::account;
use crate::dashboard::respond::{self, Query, respond};
use crate::dashboard::submit::{Answer, Submission};
use crate::http::fields::Fields;
use crate::http::middleware::POLICY_OF_LEADING_ON;
use crate::state::AppState;

/// `POST /login/openid`: sends the browser to the provider.
pub async fn sign_in(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let Some(relying_party) = visit.context.openid.clone() else { return no_provider(visit).await };
    let return_to = safe_return(&fields.get("next"));
    let back = sign_in_again(&return_to);
    lead_there(&state, visit, &relying_party, AttemptPurpose::SignIn { return_to }, back).await
}

/// `POST /account/openid`: sends the browser to the provider to connect an account.
pub async fn connect(State(state): State<AppState>, form: Submission) -> Response {
    let Some(relying_party) = form.context().openid.clone() else { return no_provider(form.visit).await };
    if let Err(refused) = form.confirm().await {
        return account::answer(form, Err(refused), None).await;
    }
    let session = match form.visit.viewer() {
        Ok(viewer) => viewer.session.clone(),
        Err(error) => return respond::refuse(form.visit, error).await,
    };
    lead_there(&state, form.visit, &relying_party, AttemptPurpose::Connect { session }, links::ACCOUNT.to_owned()).await
}

/// `POST /account/openid/disconnect`
pub async fn disconnect(form: Submission) -> Response {
    let Some(relying_party) = form.context().openid.clone() else { return no_provider(form.visit).await };
    let disconnected = async {
        form.confirm().await?;
        let viewer = form.visit.viewer()?;
        // To disconnect twice has the same result as once.
        link::disconnect(form.context(), &relying_party, &form.actor()?, &viewer.id, &viewer.session).await?;
        Ok(Answer::Next(Done::AccountDisconnected.at(links::ACCOUNT)))
    };
    let outcome = disconnected.await;
    account::answer(form, outcome, None).await
}

/// `GET /login/openid/return`: the provider sends the browser back.
pub async fn finish(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Query(fields): Query,
) -> Response {
    let Some(relying_party) = visit.context.openid.clone() else { return no_provider(visit).await };
    let returned = Returned {
        state: fields.get("state"),
        code: fields.find("code").map(str::to_owned),
        error: fields.find("error").map(str::to_owned),
        issuer: fields.find("iss").map(str::to_owned),
    };
    let browser = Cookie::OpenId.read(&headers, state.is_https());
    let own_session = visit.viewer.as_ref().map(|viewer| viewer.session.clone());
    let origin = Origin::new(visit.address, visit.agent.as_deref());
    let finished =
        attempt::finish(&visit.context, &relying_party, &returned, browser.as_deref(), own_session.as_ref(), &origin);
    let Finished { purpose, proved } = match finished.await {
        Ok(finished) => finished,
        Err(error) => {
            let back = if visit.viewer.is_some() { links::ACCOUNT.to_owned() } else { sign_in_again(links::OVERVIEW) };
            return refuse(visit, &relying_party, error, back).await;
        }
    };
    let mut response = match (purpose, proved) {
        (AttemptPurpose::SignIn { return_to }, Ok(identity)) => {
            match link::sign_in(&visit.context, &relying_party, &identity, &origin).await {
                Ok(person) => enter(&state, &visit, &session, &person, &return_to).await,
                Err(error) => refuse(visit, &relying_party, error, sign_in_again(&return_to)).await,
            }
        }
        (AttemptPurpose::SignIn { return_to }, Err(error)) => {
            refuse(visit, &relying_party, error, sign_in_again(&return_to)).await
        }
        (AttemptPurpose::Connect { .. }, Ok(identity)) => {
            let (Ok(actor), Ok(viewer)) = (visit.actor(), visit.viewer().cloned()) else {
                return refuse(visit, &relying_party, OpenIdError::NoAttempt, sign_in_again(links::OVERVIEW)).await;
            };
            match link::connect(&visit.context, &relying_party, &actor, &viewer.id, &identity).await {
                Ok(()) => Redirect::to(&Done::AccountConnected.at(links::ACCOUNT)).into_response(),
                Err(error) => refuse(visit, &relying_party, error, links::ACCOUNT.to_owned()).await,
            }
        }
        (AttemptPurpose::Connect { .. }, Err(error)) => {
            refuse(visit, &relying_party, error, links::ACCOUNT.to_owned()).await
        }
    };
    Cookie::OpenId.take(&mut response, state.is_https());
    response
}

/// Allows the forms of a page to redirect to the provider and further. Browsers apply `form-action` to every redirect
/// after a form.
pub fn let_forms_lead_there(context: &Context, response: &mut Response) {
    if context.openid.is_some() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY_OF_LEADING_ON);
    }
}

/// The sign-in page. After the sign-in it leads to `next`.
fn sign_in_again(next: &str) -> String {
    if next == links::OVERVIEW { links::SIGN_IN.to_owned() } else { links::sign_in_on_the_way_to(next) }
}

async fn no_provider(visit: Visit) -> Response {
    respond::refuse(visit, ActionError::NotFound).await
}

async fn lead_there(
    state: &AppState,
    visit: Visit,
    relying_party: &RelyingParty,
    purpose: AttemptPurpose,
    back: String,
) -> Response {
    match attempt::begin(&visit.context, relying_party, purpose, visit.address).await {
        Ok(StartedAttempt { address, browser }) => {
            let mut response = Redirect::to(&address).into_response();
            Cookie::OpenId.put(&mut response, &browser, Some(LIFETIME.as_secs()), state.is_https());
            response
        }
        Err(error) => refuse(visit, relying_party, error, back).await,
    }
}

/// Signs the person in who came back from the provider. A password that was typed a moment ago proves nothing about
/// this person, so the next sensitive action asks for it. The browser is not remembered, because the person showed no
/// factor of their own here. Also, the browser does not send its device cookie on a request from another site. So a new
/// cookie would replace it by a weaker one.
async fn enter(state: &AppState, visit: &Visit, session: &Session, person: &Person, next: &str) -> Response {
    let signed_in = SignedIn::without_password(&visit.context, person, visit.address, visit.agent.clone());
    enter_with(state, session, &signed_in, None, next).await
}

async fn refuse(visit: Visit, relying_party: &RelyingParty, error: OpenIdError, back: String) -> Response {
    match &error {
        OpenIdError::Unavailable(problem) => tracing::warn!(%problem, "the OpenID provider is not available"),
        OpenIdError::NotProved(problem) => tracing::warn!(%problem, "an answer of the OpenID provider is not accepted"),
        OpenIdError::Refused(code) => tracing::warn!(code, "the OpenID provider refused a request"),
        _ => {}
    }
    let wait = match &error {
        OpenIdError::Throttled { retry_after } => Some(retry_after.as_secs()),
        _ => None,
    };
    let provider = relying_party.provider().clone();
    let mut response = respond(visit, async move || page::problem(&provider, error, back)).await;
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
