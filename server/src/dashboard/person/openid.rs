//! Signing in with an OpenID provider, and connecting a provider's account to the signed-in person.

use app::components::sessions::EndedNumbers;
use app::pages::person::account::TypedAccount;
use app::pages::person::openid as page;
use app::visit::Visit;
use axum::response::{IntoResponse, Redirect};
use domain::context::Context;
use domain::model::origin::Origin;
use domain::person::openid::attempt::{self, AttemptPurpose, Finished, LIFETIME, Returned, StartedAttempt};
use domain::person::openid::{OpenIdError, link};
use domain::services::relying_party::RelyingParty;

use crate::dashboard::auth::{Cookie, SignedIn, enter_with, let_form_lead_on, safe_return};
use crate::dashboard::person::account;
use crate::dashboard::prelude::{ActionError, Answer, Done, Response, Submission, links, read, respond};
use crate::dashboard::respond;
use crate::http::error;

/// `POST /login/openid`: sends the browser to the provider.
pub(crate) async fn sign_in(form: Submission) -> Response {
    let Some(relying_party) = form.context().openid.clone() else { return no_provider(form.visit).await };
    let return_to = safe_return(&form.get("next"));
    let back = sign_in_again(&return_to);
    lead_there(form, &relying_party, AttemptPurpose::SignIn { return_to }, back).await
}

/// `POST /account/openid`: sends the browser to the provider to connect an account.
pub(crate) async fn connect(form: Submission) -> Response {
    let Some(relying_party) = form.context().openid.clone() else { return no_provider(form.visit).await };
    if let Err(refused) = form.actor().await {
        return account::answer(form, Err(refused), TypedAccount::default()).await;
    }
    let session = match form.visit.viewer() {
        Ok(viewer) => viewer.session.clone(),
        Err(error) => return respond::refuse(form.visit, error).await,
    };
    lead_there(form, &relying_party, AttemptPurpose::Connect { session }, links::ACCOUNT.to_owned()).await
}

/// `POST /account/openid/disconnect`
pub(crate) async fn disconnect(form: Submission) -> Response {
    let Some(relying_party) = form.context().openid.clone() else { return no_provider(form.visit).await };
    let also = account::end_also(&form.fields);
    let disconnected = async {
        let (viewer, actor) = (form.visit.viewer()?, form.actor().await?);
        // To disconnect twice has the same result as once.
        let (person, keep) = (&viewer.id, &viewer.session);
        let ended = link::disconnect(form.context(), &relying_party, &actor, person, keep, also).await?;
        let receipt = Done::AccountDisconnected.at(links::ACCOUNT);
        Ok(Answer::Next(EndedNumbers::add_to(&receipt, &ended.unwrap_or_default())))
    };
    let outcome = disconnected.await;
    account::answer(form, outcome, TypedAccount { name: None, ends: Some(also) }).await
}

/// `GET /login/openid/return`: the provider sends the browser back.
pub(crate) async fn finish(asked: Submission) -> Response {
    let Some(relying_party) = asked.context().openid.clone() else { return no_provider(asked.visit).await };
    let returned = read!(asked.fields => Returned { state, code, error, issuer: "iss" });
    let https = asked.state.is_https();
    let browser = Cookie::OpenId.read(&asked.headers, https);
    let own_session = asked.visit.viewer.as_ref().map(|viewer| viewer.session.clone());
    let origin = Origin::new(asked.visit.address, asked.visit.agent.as_deref());
    let (browser, own_session) = (browser.as_deref(), own_session.as_ref());
    let finished = attempt::finish(asked.context(), &relying_party, &returned, browser, own_session, &origin).await;
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) if own_session.is_some() => {
            return refuse(asked.visit, &relying_party, error, links::ACCOUNT.to_owned()).await;
        }
        Err(error) => return refuse(asked.visit, &relying_party, error, sign_in_again(links::OVERVIEW)).await,
    };
    let back = match &finished.purpose {
        AttemptPurpose::SignIn { return_to } => sign_in_again(return_to),
        AttemptPurpose::Connect { .. } => links::ACCOUNT.to_owned(),
    };
    let mut response = match enter(&asked, &relying_party, finished, &origin).await {
        Ok(response) => response,
        Err(error) => refuse(asked.visit, &relying_party, error, back).await,
    };
    Cookie::OpenId.take(&mut response, https);
    response
}

/// Signs the person in who came back from the provider, or connects the account to the signed-in person.
///
/// A password that was typed a moment ago proves nothing about the person who signs in, so the next sensitive action
/// asks for it. The browser is not remembered, because the person showed no factor of their own here. Also, the browser
/// does not send its device cookie on a request from another site. So a new cookie would replace it by a weaker one.
async fn enter(
    asked: &Submission,
    relying_party: &RelyingParty,
    finished: Finished,
    origin: &Origin,
) -> Result<Response, OpenIdError> {
    let identity = finished.proved?;
    match finished.purpose {
        AttemptPurpose::SignIn { return_to } => {
            let person = link::sign_in(asked.context(), relying_party, &identity, origin).await?;
            Ok(enter_with(asked, &SignedIn::by_provider(&asked.visit, &person), None, &return_to).await)
        }
        AttemptPurpose::Connect { .. } => {
            let (Ok(actor), Ok(viewer)) = (asked.visit.actor(), asked.visit.viewer()) else {
                return Err(OpenIdError::NoAttempt);
            };
            link::connect(asked.context(), relying_party, &actor, &viewer.id, &identity).await?;
            Ok(Redirect::to(&Done::AccountConnected.at(links::ACCOUNT)).into_response())
        }
    }
}

/// Allows the forms of a page to redirect to the provider and further. Browsers apply `form-action` to every redirect
/// after a form.
pub(crate) fn let_forms_lead_there(context: &Context, response: &mut Response) {
    if context.openid.is_some() {
        let_form_lead_on(response);
    }
}

/// The sign-in page. After the sign-in it leads to `next`.
fn sign_in_again(next: &str) -> String {
    if next == links::OVERVIEW { links::SIGN_IN.to_owned() } else { links::sign_in_on_the_way_to(next) }
}

async fn no_provider(visit: Visit) -> Response {
    respond::refuse(visit, ActionError::NotFound).await
}

async fn lead_there(form: Submission, relying_party: &RelyingParty, purpose: AttemptPurpose, back: String) -> Response {
    match attempt::begin(form.context(), relying_party, purpose, form.visit.address).await {
        Ok(StartedAttempt { address, browser }) => {
            let mut response = Redirect::to(&address).into_response();
            Cookie::OpenId.put(&mut response, &browser, Some(LIFETIME.as_secs()), form.state.is_https());
            response
        }
        Err(error) => refuse(form.visit, relying_party, error, back).await,
    }
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
    let mut response = respond(visit, async move { page::problem(&provider, error, back) }).await;
    if let Some(seconds) = wait {
        error::retry_after(&mut response, seconds);
    }
    response
}
