//! One's own personal tokens.

use app::error::ActionError;
use app::pages::client::personal_tokens as page;
use app::pages::client::personal_tokens::TypedToken;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::client::personal_token::{self, PersonalTokenError};
use domain::crypto::secret::PlainSecret;
use domain::model::field_error::FieldError;
use domain::model::personal_token::PersonalToken;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{self, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /account/tokens`
pub async fn list(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(TypedToken::default(), Vec::new(), false)).await
}

/// `POST /account/tokens`: generates, and answers with the one page that shows the token.
pub async fn generate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = TypedToken {
        name: fields.get("name"),
        server: fields.get("server"),
        scopes: fields.all("scope"),
        expiry: fields.get("expiry"),
    };
    match try_generate(&visit, &session, &fields, &typed).await {
        Ok((token, secret)) => respond(visit, || page::reveal(token, secret.expose().to_owned())).await,
        Err(Refused::Password(errors)) => respond(visit, || page::page(typed, errors, true)).await,
        Err(Refused::Token(PersonalTokenError::Invalid(errors))) => {
            respond(visit, || page::page(typed, errors, false)).await
        }
        Err(Refused::Token(PersonalTokenError::AlreadySubmitted)) => {
            respond(visit, async || Ok(page::already_generated())).await
        }
        Err(Refused::Token(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// Why no token was generated.
enum Refused {
    Password(Vec<FieldError>),
    Token(PersonalTokenError),
    Action(ActionError),
}

impl From<PersonalTokenError> for Refused {
    fn from(error: PersonalTokenError) -> Self {
        Self::Token(error)
    }
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<confirm::Refused> for Refused {
    fn from(refused: confirm::Refused) -> Self {
        match refused {
            confirm::Refused::Fields { errors, .. } => Self::Password(errors),
            confirm::Refused::Action(error) => Self::Action(error),
        }
    }
}

async fn try_generate(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &TypedToken,
) -> Result<(PersonalToken, PlainSecret), Refused> {
    let form_token = fields.get("form_token");
    // Before the password is asked for: a form that was sent again needs none.
    if personal_token::was_made_by_form(&visit.context, &form_token).await.map_err(PersonalTokenError::from)? {
        return Err(PersonalTokenError::AlreadySubmitted.into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    let person = visit.viewer()?.id.clone();
    Ok(personal_token::generate(&visit.context, &visit.actor()?, &person, &typed.draft(), &form_token).await?)
}
