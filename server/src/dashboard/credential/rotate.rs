//! The forms of a rotation.

use app::done::Done;
use app::error::ActionError;
use app::form::Refused;
use app::links;
use app::pages::credential::reveal::{NewSecret, Occasion};
use app::pages::credential::rotate::Step;
use app::pages::credential::{authenticators, fields, rotate as page};
use app::pages::message;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::ClientId;
use domain::credential::{generate, inspect, rotate as rotation};
use domain::model::credential::AuthMethod;

use crate::dashboard::credential::authenticators::typed_keys;
use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /credentials/{client_id}/rotate`
pub async fn form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::page(client_id, fields.find("done"), fields.find("again").is_some())).await
}

/// `POST /credentials/{client_id}/rotate`: shows a new secret once. After new keys it leads back to the credential.
pub async fn rotate(form: Submission, Path(client_id): Path<String>) -> Response {
    let form = form.once(message::already_rotated);
    let typed =
        page::Typed { overlap: form.get("overlap"), overlap_until: form.get("overlap_until"), keys: typed_keys(&form) };
    let outcome = rotated(&form, &client_id, &typed).await;
    form.answer(outcome, typed, |form| page::form(client_id, form)).await
}

async fn rotated(form: &Submission, client_id: &str, typed: &page::Typed) -> Result<Answer, Refused> {
    let overlap = page::read_overlap(&typed.overlap, &typed.overlap_until)?;
    let (context, form_token) = (form.context(), form.token());
    Refused::if_sent_before(generate::made_by_form(context, &form_token).await?)?;
    form.confirm().await?;
    let id = ClientId::parse(client_id).ok_or(ActionError::NotFound)?;
    let actor = form.actor()?;
    let credential = inspect::find(context, form.visit.authority()?, &id).await?.ok_or(ActionError::NotFound)?;
    if credential.auth_method == AuthMethod::PrivateKeyJwt {
        let expiry = fields::read_expiry(&typed.keys.expiry, &typed.keys.expires_on)?;
        rotation::key(context, &actor, &id, &authenticators::keys_draft(&typed.keys), overlap, expiry).await?;
        return Ok(Answer::Next(Done::CredentialRotated.at(links::credential(&id))));
    }
    let generated = rotation::secret(context, &actor, &id, overlap, None, Some(&form_token)).await?;
    let occasion = Occasion::Rotated(generated.credential.rotation_ends_at);
    let secret = NewSecret::of(&form.visit, &generated, occasion).ok_or(ActionError::NotFound)?;
    Ok(Answer::page(|| secret.page()))
}

/// `POST /credentials/{client_id}/rotation`: finishes, extends or cancels the rotation. Ending the old secret needs no
/// password, because it must not wait. Actions that keep the old secret alive need it.
pub async fn change_rotation(form: Submission, Path(client_id): Path<String>) -> Response {
    let outcome = changed(&form, &client_id).await;
    form.answer(outcome, (), |form| page::under_way(client_id, None, form.errors)).await
}

async fn changed(form: &Submission, client_id: &str) -> Result<Answer, Refused> {
    let id = ClientId::parse(client_id).ok_or(ActionError::NotFound)?;
    let step = Step::parse(&form.get("step")).ok_or(ActionError::NotFound)?;
    let (context, actor) = (form.context(), form.actor()?);
    if step != Step::Finish {
        form.confirm().await?;
    }
    Ok(Answer::Next(match step {
        Step::Finish => {
            rotation::finish(context, &actor, &id).await?;
            Done::CredentialRotationFinished.at(links::credential(&id))
        }
        Step::Extend => {
            let overlap = page::read_overlap(&form.get("deadline"), &form.get("overlap_until"))?;
            rotation::extend(context, &actor, &id, overlap).await?;
            Done::RotationExtended.at(links::rotate_credential(&id))
        }
        Step::Cancel => {
            rotation::cancel(context, &actor, &id).await?;
            Done::CredentialRotationCancelled.at(links::credential(&id))
        }
    }))
}
