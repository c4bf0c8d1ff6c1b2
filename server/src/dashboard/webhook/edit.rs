//! The forms of webhooks that validate or show a signing secret.

use app::error::ActionError;
use app::pages::message;
use app::pages::webhook::edit as page;
use app::pages::webhook::edit::Typed;
use app::pages::webhook::show::read_id;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::WebhookId;
use domain::model::field_error::FieldError;
use domain::model::webhook::Webhook;
use domain::webhook::secret::SigningSecret;
use domain::webhook::{self, WebhookError};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{self, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /settings/webhooks/new`
pub async fn new(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::new(Typed::default(), Vec::new(), false)).await
}

/// `GET /settings/webhooks/{id}/edit`
pub async fn edit_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::edit(id, None, Vec::new(), false)).await
}

/// `GET /settings/webhooks/{id}/secret`: asks before it is replaced.
pub async fn secret_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::secret(id, Vec::new(), false)).await
}

fn typed(fields: &Fields) -> Typed {
    Typed { name: fields.get("name"), url: fields.get("url"), events: fields.all("event") }
}

/// Why nothing was done.
enum Refused {
    Fields { errors: Vec<FieldError>, ask_password: bool },
    AlreadySubmitted(WebhookId),
    Error(ActionError),
}

impl From<WebhookError> for Refused {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            WebhookError::AlreadySubmitted(id) => Self::AlreadySubmitted(id),
            error => Self::Error(error.into()),
        }
    }
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Error(error)
    }
}

impl From<confirm::Refused> for Refused {
    fn from(refused: confirm::Refused) -> Self {
        match refused {
            confirm::Refused::Fields { errors, ask_password } => Self::Fields { errors, ask_password },
            confirm::Refused::Action(error) => Self::Error(error),
        }
    }
}

/// What stands before a signing secret is shown: the form was not sent before, and the password was proved lately.
async fn may_show(visit: &Visit, session: &Session, fields: &Fields) -> Result<String, Refused> {
    let form_token = fields.get("form_token");
    let earlier = webhook::made_by_form(&visit.context, &form_token).await.map_err(ActionError::from)?;
    if let Some(earlier) = earlier {
        return Err(Refused::AlreadySubmitted(earlier));
    }
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(form_token)
}

/// The answer when there is no form to show again.
async fn other(visit: Visit, refused: Refused) -> Response {
    match refused {
        Refused::AlreadySubmitted(id) => respond(visit, async || Ok(message::already_signed(id.as_str()))).await,
        Refused::Error(error) => respond(visit, async || Err(error)).await,
        Refused::Fields { .. } => respond(visit, async || Err(ActionError::NotFound)).await,
    }
}

/// `POST /settings/webhooks/new`: adds, and answers with the one page that shows the signing secret.
pub async fn add(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed(&fields);
    match try_add(&visit, &session, &fields, &typed).await {
        Ok((webhook, secret)) => respond(visit, async || Ok(page::reveal(&webhook, &secret))).await,
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::new(typed, errors, ask_password)).await
        }
        Err(refused) => other(visit, refused).await,
    }
}

async fn try_add(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &Typed,
) -> Result<(Webhook, SigningSecret), Refused> {
    let form_token = may_show(visit, session, fields).await?;
    Ok(webhook::add(&visit.context, &visit.actor()?, &typed.draft(), Some(&form_token)).await?)
}

/// `POST /settings/webhooks/{id}/secret`: replaces the signing secret, and shows the new one once.
pub async fn replace_secret(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let replaced = async {
        let id = read_id(&id)?;
        let form_token = may_show(&visit, &session, &fields).await?;
        Ok(webhook::replace_secret(&visit.context, &visit.actor()?, &id, Some(&form_token)).await?)
    };
    match replaced.await {
        Ok((webhook, secret)) => respond(visit, async || Ok(page::reveal(&webhook, &secret))).await,
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::secret(id, errors, ask_password)).await
        }
        Err(refused) => other(visit, refused).await,
    }
}

/// `POST /settings/webhooks/{id}/edit`. Another address asks for the password when that is due: what happens here would be
/// told to somebody else.
pub async fn edit(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed(&fields);
    let edited: Result<(), Refused> = async {
        let id = read_id(&id)?;
        let moves = webhook::address(&visit.context, &id).await? != typed.url.trim();
        if moves {
            confirm_unless_fresh(&visit, &session, &fields).await?;
        }
        Ok(webhook::edit(&visit.context, &visit.actor()?, &id, &typed.draft()).await?)
    }
    .await;
    match edited {
        Ok(()) => Redirect::to(&format!("/settings/webhooks/{id}?done=saved")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::edit(id, Some(typed), errors, ask_password)).await
        }
        Err(refused) => other(visit, refused).await,
    }
}
