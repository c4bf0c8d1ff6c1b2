//! The forms of credentials that validate or reveal. Each calls the operation of the domain and renders the page beside
//! whose route it stands: with the result, or with what was typed and what is wrong with it.

use app::action::ActionError;
use app::components::proof::{TypedIdentity, TypedKeys};
use app::pages::credential::connection;
use app::pages::reveal::{self, Occasion, Reveal};
use app::pages::rotate::Step;
use app::pages::{authenticators, edit_credential, message, new_credential, rotate as rotate_page};
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::actor::Actor;
use domain::credential::generate::{self, Generated};
use domain::credential::rotate::Overlap;
use domain::credential::{AuthMethod, CredentialError, edit, federated, inspect, keys, rotate as rotation};
use domain::id::ClientId;
use tower_sessions::Session;

use super::confirm::{Refused, confirm_unless_fresh};
use super::pages::respond;
use crate::http::fields::Fields;

/// `POST /credentials/new`: generates, and answers with the one page that shows the secret.
pub async fn generate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = new_credential::Typed {
        team: fields.get("team"),
        name: fields.get("name"),
        description: fields.get("description"),
        servers: fields.all("server"),
        scopes: fields.all("scope"),
        expiry: fields.get("expiry"),
        expires_on: fields.get("expires_on"),
        token_lifetime: fields.get("token_lifetime"),
        ip_ranges: fields.get("ip_ranges"),
        method: fields.get("method"),
        keys: typed_keys(&fields),
        identity: typed_identity(&fields),
        assertions: fields.all("assertions"),
    };
    match try_generate(&visit, &session, &fields, &typed).await {
        Ok(generated) => match revealed(&visit, &generated, Occasion::Generated) {
            Some(reveal) => respond(visit, async || Ok(reveal::page(reveal))).await,
            None => {
                let address = format!("/credentials/{}?done=generated", generated.credential.client_id);
                Redirect::to(&address).into_response()
            }
        },
        Err(NotShown::Refused(Refused::Fields { errors, ask_password })) => {
            respond(visit, || new_credential::form(typed, errors, ask_password)).await
        }
        Err(NotShown::AlreadySubmitted(client_id)) => {
            respond(visit, async || Ok(message::already_generated(client_id.as_str()))).await
        }
        Err(NotShown::Refused(Refused::Action(error))) => respond(visit, async || Err(error)).await,
    }
}

/// Why no secret is shown.
enum NotShown {
    /// The form was sent before, and made this credential or its secret.
    AlreadySubmitted(ClientId),
    Refused(Refused),
}

impl From<CredentialError> for NotShown {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::AlreadySubmitted(client_id) => Self::AlreadySubmitted(client_id),
            error => Self::Refused(error.into()),
        }
    }
}

impl From<Refused> for NotShown {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

async fn try_generate(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &new_credential::Typed,
) -> Result<Generated, NotShown> {
    let draft = typed.draft().map_err(CredentialError::Invalid)?;
    let form_token = fields.get("form_token");
    // Before anything else is asked: whoever reloads the page of the secret must hear that it was shown.
    if let Some(earlier) = generate::made_by_form(&visit.context, &form_token).await? {
        return Err(CredentialError::AlreadySubmitted(earlier).into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    Ok(generate::generate(&visit.context, &actor, &draft, Some(&form_token)).await?)
}

fn revealed(visit: &Visit, generated: &Generated, occasion: Occasion) -> Option<Reveal> {
    let secret = generated.secret.as_ref()?;
    let mut connection = connection(visit, &generated.credential, Some(&generated.server));
    connection.secret = Some(secret.expose().to_owned());
    Some(Reveal { connection, expires_at: generated.expires_at, occasion })
}

fn typed_keys(fields: &Fields) -> TypedKeys {
    TypedKeys {
        public_key: fields.get("public_key"),
        label: fields.get("label"),
        expiry: fields.get("expiry"),
        expires_on: fields.get("expires_on"),
    }
}

fn typed_identity(fields: &Fields) -> TypedIdentity {
    TypedIdentity {
        issuer: fields.get("issuer"),
        subject: fields.get("subject"),
        audience: fields.get("audience"),
        claims: fields.get("claims"),
        jwks: fields.get("jwks"),
    }
}

/// `POST /credentials/{client_id}/rotate`: a new secret is shown, once; new keys lead back to the credential.
pub async fn rotate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = rotate_page::Typed {
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
            respond(visit, || rotate_page::form(client_id, typed, errors, ask_password)).await
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
            respond(visit, || rotate_page::under_way(client_id, false, errors, ask_password)).await
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
            let overlap = rotate_page::read_overlap(&fields.get("deadline"), &fields.get("overlap_until"))
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
    typed: &rotate_page::Typed,
) -> Result<Option<Generated>, NotShown> {
    let invalid = |error| CredentialError::Invalid(vec![error]);
    let overlap: Overlap = rotate_page::read_overlap(&typed.overlap, &typed.overlap_until).map_err(invalid)?;
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
        let expiry = new_credential::read_expiry(&typed.keys.expiry, &typed.keys.expires_on).map_err(invalid)?;
        let draft = authenticators::keys_draft(&typed.keys);
        rotation::key(&visit.context, &actor, &id, &draft, overlap, expiry).await?;
        return Ok(None);
    }
    Ok(Some(rotation::secret(&visit.context, &actor, &id, overlap, None, Some(&form_token)).await?))
}

/// `POST /credentials/{client_id}/keys/new`
pub async fn add_key(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed_keys(&fields);
    let result = added(&visit, &session, &fields, &client_id, async |actor, id| {
        let expiry = new_credential::read_expiry(&typed.expiry, &typed.expires_on)
            .map_err(|error| CredentialError::Invalid(vec![error]))?;
        keys::add(&visit.context, &actor, &id, &authenticators::keys_draft(&typed), expiry).await.map(drop)
    });
    match result.await {
        Ok(()) => Redirect::to(&format!("/credentials/{client_id}?done=added")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || authenticators::new_key(client_id, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// `POST /credentials/{client_id}/identities/new`
pub async fn add_identity(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed_identity(&fields);
    let result = added(&visit, &session, &fields, &client_id, async |actor, id| {
        federated::add(&visit.context, &actor, &id, &authenticators::identity_draft(&typed)).await.map(drop)
    });
    match result.await {
        Ok(()) => Redirect::to(&format!("/credentials/{client_id}?done=added")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || authenticators::new_identity(client_id, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// Adds what proves a credential, after asking again who it is when that is due.
async fn added<Work: Future<Output = Result<(), CredentialError>>>(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    client_id: &str,
    work: impl FnOnce(Actor, ClientId) -> Work,
) -> Result<(), Refused> {
    confirm_unless_fresh(visit, session, fields).await?;
    let id = ClientId::parse(client_id).ok_or(CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    Ok(work(actor, id).await?)
}

/// `POST /credentials/{client_id}/edit`
pub async fn edit(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = edit_credential::Typed {
        team: fields.get("team"),
        name: fields.get("name"),
        description: fields.get("description"),
        scopes: fields.all("scope"),
        token_lifetime: fields.get("token_lifetime"),
        ip_ranges: fields.get("ip_ranges"),
        hard_end_at: fields.get("hard_end_at"),
        assertions: fields.all("assertions"),
    };
    let result = async {
        let change = typed.edit().map_err(CredentialError::Invalid)?;
        let id = ClientId::parse(&client_id).ok_or(CredentialError::NotFound)?;
        let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
        edit::edit(&visit.context, &actor, &id, &change).await
    };
    match result.await {
        Ok(_) => Redirect::to(&format!("/credentials/{client_id}?done=saved")).into_response(),
        Err(CredentialError::Invalid(errors)) => {
            respond(visit, || edit_credential::form(client_id, typed, errors)).await
        }
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}
