//! Tokens: looking one up, and testing a credential with its secret.

use std::time::Duration;

use app::form::Errors;
use app::pages::token::look_up as page;
use app::pages::token::trial::{self as trial_page, TypedTrial};
use domain::base::id::ClientId;
use domain::credential::inspect;
use domain::model::field_error::FieldError;
use domain::model::origin::Origin;
use domain::model::token::oauth_error::OAuthErrorCode;
use domain::server;
use domain::token::look_up;
use domain::token::trial::{self, Trial};

use crate::dashboard::client::in_process::InProcess;
use crate::dashboard::prelude::{ActionError, Form, Refused, Response, Submission, read, respond};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::token::{look_up::form, trial::form as test_form};

/// `POST /tokens`: says what is known about a token. The token is neither stored nor sent back.
pub(crate) async fn look_up(form: Submission) -> Response {
    let token = form.get("token");
    if token.trim().is_empty() {
        let errors = Errors(vec![FieldError::new("token", "Paste a token.")]);
        return respond(form.visit, page::page(Form { errors, ..Form::default() }, None)).await;
    }
    let found = match form.visit.authority() {
        Ok(authority) => look_up::look_up(form.context(), authority, &token).await.map_err(ActionError::from),
        Err(error) => Err(error),
    };
    respond(form.visit, async { page::page(Form::default(), Some(found?)).await }).await
}

/// `POST /credentials/{client_id}/test`: exchanges the secret and calls the MCP server. A page that shows a secret
/// sends this form too. Then each answer shows the secret again, whatever goes wrong.
pub(crate) async fn test(form: Submission, client_id: String) -> Response {
    let typed = read!(form.fields => TypedTrial { secret: "client_secret", assertion, server, occasion });
    let tested = tested(&form, &client_id, &typed).await;
    match tested {
        Ok(trial) => respond(form.visit, trial_page::page(client_id, Form::new(typed), Some(trial))).await,
        Err(Refused::Action(ActionError::StaleForm)) if !typed.occasion.is_empty() => {
            let problem =
                "You signed in again since this page was opened. The secret was not tested: test it once more.";
            let errors = Errors(vec![FieldError::new("main", problem)]);
            respond(form.visit, trial_page::page(client_id, Form { typed, errors, confirm: false }, None)).await
        }
        Err(Refused::Action(ActionError::Unavailable)) if !typed.occasion.is_empty() => {
            respond(form.visit, trial_page::page(client_id, Form::new(typed), None)).await
        }
        Err(refused) => form.answer(Err(refused), typed, |form| trial_page::page(client_id, form, None)).await,
    }
}

async fn tested(form: &Submission, client_id: &str, typed: &TypedTrial) -> Result<Trial, Refused> {
    let (visit, state, context) = (&form.visit, &form.state, form.context());
    // No form of another session gets here.
    visit.actor()?;
    let id = ClientId::parse(client_id).ok_or(ActionError::NotFound)?;
    let credential = inspect::find(context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)?;
    let proof = typed.proof(&credential)?;
    let servers = server::list(context).await?;
    let server = typed.server(&credential, &servers);
    let resource = server.map_or_else(|| context.settings.built_in_resource(), |server| server.resource.clone());
    let too_many = |wait: Duration| {
        let seconds = wait.as_secs().max(1);
        FieldError::new("main", format!("There were too many tests. Wait {seconds} seconds, then test again."))
    };
    if let Some(wait) = state.trials.count(visit.address, context.now()) {
        return Err(too_many(wait).into());
    }
    // The page of the credential names the program of the last exchange.
    let origin = Origin::new(visit.address, Some(&format!("Test now, by {}", visit.viewer()?.name)));
    let servers = InProcess { state: state.clone(), address: visit.address };
    let trial = trial::run(context, &servers, visit.authority()?, &id, &resource, &proof, &origin).await;
    // Failed authentications count like those at the token endpoint.
    let failed = trial.exchange.as_ref().err().is_some_and(|error| {
        matches!(
            error.code,
            OAuthErrorCode::InvalidClient | OAuthErrorCode::IssuerUnavailable | OAuthErrorCode::TooManyGuesses { .. }
        )
    });
    match failed.then(|| state.failures.count(visit.address, context.now())).flatten() {
        Some(wait) => Err(too_many(wait).into()),
        None => Ok(trial),
    }
}
