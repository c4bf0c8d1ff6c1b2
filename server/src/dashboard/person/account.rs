//! The forms of one's own account.

use app::error::ActionError;
use app::pages::person::account as page;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::crypto::password::Password;
use domain::model::person::Person;
use domain::person::sign_in::ConfirmationProof;
use domain::person::{self, PersonError};
use tower_sessions::Session;

use crate::dashboard::auth::passkey_answer;
use crate::dashboard::auth::signed_in::SignedIn;
use crate::dashboard::person::openid;
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /account`
pub async fn page(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let done = fields_of(query).find("done").map(str::to_owned);
    let context = visit.context.clone();
    let mut response = respond(visit, async || page::page(done.as_deref(), None, Vec::new()).await).await;
    openid::let_forms_lead_there(&context, &mut response);
    response
}

/// `POST /account/name`
pub async fn rename(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let name = fields.get("name");
    let result =
        change(&visit, async |person, actor| person::rename(&visit.context, &actor, &person, &name).await).await;
    answer(visit.clone(), result, "/account?done=name", Some(name)).await
}

/// `POST /account/password`
pub async fn change_password(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let present = passkey_answer::read(&fields).map_or_else(
        || ConfirmationProof::Password {
            password: Password::new(fields.get("current_password")),
            code: fields.get("code"),
        },
        ConfirmationProof::Passkey,
    );
    let new = Password::new(fields.get("new_password"));
    let Some(keep) = visit.viewer.as_ref().map(|viewer| viewer.session.clone()) else {
        return respond(visit, async || Err(ActionError::SignedOut)).await;
    };
    let result = change(&visit, async |person, actor| {
        person::change_password(&visit.context, &actor, &person, &keep, present, new).await
    })
    .await;
    if result.is_ok() {
        SignedIn::renew(&session, visit.now()).await;
    }
    answer(visit.clone(), result, "/account?done=password", None).await
}

/// Runs a change of the signed-in person.
async fn change<Work>(
    visit: &Visit,
    work: impl FnOnce(Person, domain::model::actor::Actor) -> Work,
) -> Result<(), Problem>
where
    Work: Future<Output = Result<(), PersonError>>,
{
    let actor = visit.actor()?;
    let found = person::find(&visit.context, &visit.viewer()?.id).await.map_err(ActionError::from)?;
    Ok(work(found.ok_or(ActionError::NotFound)?, actor).await?)
}

enum Problem {
    Person(PersonError),
    Action(ActionError),
}

impl From<PersonError> for Problem {
    fn from(error: PersonError) -> Self {
        Self::Person(error)
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

async fn answer(visit: Visit, result: Result<(), Problem>, done: &str, name: Option<String>) -> Response {
    let errors = match result {
        Ok(()) => return Redirect::to(done).into_response(),
        Err(Problem::Person(PersonError::Invalid(errors))) => errors,
        Err(Problem::Person(error)) => return respond(visit, async || Err(ActionError::from(error))).await,
        Err(Problem::Action(error)) => return respond(visit, async || Err(error)).await,
    };
    let context = visit.context.clone();
    let mut response = respond(visit, || page::page(None, name, errors)).await;
    openid::let_forms_lead_there(&context, &mut response);
    response
}
