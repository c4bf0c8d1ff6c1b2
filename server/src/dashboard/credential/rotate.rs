//! The forms of a rotation.

use app::error::ActionError;
use app::pages::credential::reveal::{self, Occasion};
use app::pages::credential::rotate::Step;
use app::pages::credential::{authenticators, fields, rotate as page};
use app::pages::message;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::ClientId;
use domain::credential::generate::{self, Generated};
use domain::credential::rotate::Overlap;
use domain::credential::{CredentialError, inspect, rotate as rotation};
use domain::model::credential::AuthMethod;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::credential::authenticators::typed_keys;
use crate::dashboard::credential::reveal::{NotShown, revealed};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /credentials/{client_id}/rotate`
pub async fn form(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields_of(query);
    let (done, again) = (fields.find("done").is_some(), fields.find("again").is_some());
    respond(visit, || page::page(client_id, done, again)).await
}

/// `POST /credentials/{client_id}/rotate`: a new secret is shown, once; new keys lead back to the credential.
pub async fn rotate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = page::Typed {
        overlap: fields.get("overlap"),
        overlap_until: fields.get("overlap_until"),
        keys: typed_keys(&fields),
    };
    match try_rotate(&visit, &session, &fields, &client_id, &typed).await {
        Ok(Some(generated)) => {
            let occasion = Occasion::Rotated(generated.credential.rotation_ends_at);
            let reveal = revealed(&visit, &generated, occasion).ok_or(ActionError::NotFound);
            respond(visit, async || reveal.map(reveal::page)).await
        }
        Ok(None) => Redirect::to(&format!("/credentials/{client_id}?done=rotated")).into_response(),
        Err(NotShown::Refused(Refused::Fields { errors, ask_password })) => {
            respond(visit, || page::form(client_id, typed, errors, ask_password)).await
        }
        Err(NotShown::AlreadySubmitted(client_id)) => {
            respond(visit, async || Ok(message::already_rotated(client_id.as_str()))).await
        }
        Err(NotShown::Refused(Refused::Action(error))) => respond(visit, async || Err(error)).await,
    }
}

/// `POST /credentials/{client_id}/rotation`: finishes, extends or cancels it. Ending the old secret must not wait for a
/// password; what keeps it alive does.
pub async fn change_rotation(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    match try_change_rotation(&visit, &session, &fields, &client_id).await {
        Ok(Step::Finish) => Redirect::to(&format!("/credentials/{client_id}?done=rotation_finished")).into_response(),
        Ok(Step::Extend) => Redirect::to(&format!("/credentials/{client_id}/rotate?done=extended")).into_response(),
        Ok(Step::Cancel) => Redirect::to(&format!("/credentials/{client_id}?done=rotation_cancelled")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::under_way(client_id, false, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_change_rotation(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    client_id: &str,
) -> Result<Step, Refused> {
    let id = ClientId::parse(client_id).ok_or(CredentialError::NotFound)?;
    let step = Step::parse(&fields.get("step")).ok_or(CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    if step != Step::Finish {
        confirm_unless_fresh(visit, session, fields).await?;
    }
    match step {
        Step::Finish => rotation::finish(&visit.context, &actor, &id).await?,
        Step::Extend => {
            let overlap = page::read_overlap(&fields.get("deadline"), &fields.get("overlap_until"))
                .map_err(|error| CredentialError::Invalid(vec![error]))?;
            rotation::extend(&visit.context, &actor, &id, overlap).await?
        }
        Step::Cancel => rotation::cancel(&visit.context, &actor, &id).await?,
    };
    Ok(step)
}

async fn try_rotate(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    client_id: &str,
    typed: &page::Typed,
) -> Result<Option<Generated>, NotShown> {
    let invalid = |error| CredentialError::Invalid(vec![error]);
    let overlap: Overlap = page::read_overlap(&typed.overlap, &typed.overlap_until).map_err(invalid)?;
    let form_token = fields.get("form_token");
    if let Some(earlier) = generate::made_by_form(&visit.context, &form_token).await? {
        return Err(CredentialError::AlreadySubmitted(earlier).into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    let id = ClientId::parse(client_id).ok_or(CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let authority = visit.authority().map_err(|_| CredentialError::NotFound)?;
    let credential = inspect::find(&visit.context, authority, &id).await.map_err(CredentialError::Fault)?;
    if credential.ok_or(CredentialError::NotFound)?.auth_method == AuthMethod::PrivateKeyJwt {
        let expiry = fields::read_expiry(&typed.keys.expiry, &typed.keys.expires_on).map_err(invalid)?;
        let draft = authenticators::keys_draft(&typed.keys);
        rotation::key(&visit.context, &actor, &id, &draft, overlap, expiry).await?;
        return Ok(None);
    }
    Ok(Some(rotation::secret(&visit.context, &actor, &id, overlap, None, Some(&form_token)).await?))
}
