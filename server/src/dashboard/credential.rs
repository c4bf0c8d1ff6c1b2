//! Credentials.

use app::components::form::proof::{TypedIdentity, TypedKeys};
use app::pages::credential::authenticators::TypedSecret;
use app::pages::credential::head::ListPlace;
use app::pages::credential::list::{self, CredentialsQuery};
use app::pages::credential::refused::{self, RefusedQuery};
use app::pages::credential::reveal::{NewSecret, Occasion};
use app::pages::credential::rotate::{self, Step};
use app::pages::credential::show::ShowQuery;
use app::pages::credential::{authenticators, edit, fields, new, renew, show, stop};
use app::pages::message;
use domain::base::id::ClientId;
use domain::credential::renew::renew_all;
use domain::credential::{edit as editing, federated, generate, inspect, keys, rotate as rotation, secret};
use domain::error::Fault;
use domain::model::credential::AuthMethod;
use domain::model::field_error::FieldError;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links, read, respond,
};
use crate::http::fields::FromFields;

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::credential::{
    authenticators::new_key, authenticators::new_secret, edit::page as edit_form, stop::disable_page as disable_form,
    stop::enable_page as enable_form,
};

/// `GET /credentials`
pub(crate) async fn list(fields: Fields) -> PageResult {
    list::page(read!(fields => CredentialsQuery { q, status, team, sort, after })).await
}

/// `GET /credentials/{client_id}`
pub(crate) async fn show(client_id: String, fields: Fields) -> PageResult {
    show::page(client_id, read!(fields => ShowQuery { view, done, ended, period, list })).await
}

/// `GET /refusals`
pub(crate) async fn refused(fields: Fields) -> PageResult {
    refused::page(read!(fields => RefusedQuery { from, hours, credential, team })).await
}

/// `GET /credentials/new`
pub(crate) async fn new(fields: Fields) -> PageResult {
    new::page(read!(fields => new::NewQuery { from, purpose: "as", example, server })).await
}

/// `POST /credentials/new`: generates a credential. The answer is the only page that shows the secret.
pub(crate) async fn generate(form: Submission) -> Response {
    let form = form.once(message::already_generated);
    let typed = read!(form.fields => new::Typed {
        from, purpose: "as", team, name, description, notes, owner, tags, servers: "server", scopes: "scope", expiry,
        expires_on, token_lifetime, ip_ranges, method, keys, identity, assertions
    });
    form.run(typed, new::form, async |form, typed| {
        let (draft, mut errors) = typed.draft(&new::offered(&form.visit).await?);
        if !errors.is_empty() {
            add_others(&mut errors, generate::problems(form.context(), &draft).await?);
            return Err(errors.into());
        }
        Refused::if_sent_before(generate::made_by_form(form.context(), &form.token()).await?)?;
        let generated = generate::generate(form.context(), &form.actor().await?, &draft, Some(&form.token())).await?;
        Ok(match NewSecret::of(&form.visit, &generated, Occasion::Generated) {
            Some(secret) => Answer::page(|| secret.page(None)),
            None => Answer::Next(Done::CredentialGenerated.at(links::credential(&generated.credential.client_id))),
        })
    })
    .await
}

/// `POST /credentials/{client_id}/edit`
pub(crate) async fn edit(form: Submission, client_id: String) -> Response {
    let typed = read!(form.fields => edit::Typed {
        team, name, description, notes, owner, tags, servers: "server", scopes: "scope", expiry, expires_on,
        token_lifetime, ip_ranges, hard_end_at, assertions, end_tokens
    });
    form.run_of(client_id, typed, edit::form, async |form, client_id, typed| {
        let (context, id) = (form.context(), read_id(client_id)?);
        let before = inspect::find(context, form.visit.authority()?, &id).await?.ok_or(ActionError::NotFound)?;
        let (change, mut errors) = typed.edit(&before, &edit::offered(&form.visit, &before).await?);
        if !errors.is_empty() {
            add_others(&mut errors, editing::problems(context, &before, &change).await?);
            return Err(errors.into());
        }
        let edited = editing::edit(context, &form.actor().await?, &id, &change).await?;
        let receipt = Done::CredentialSaved.at(links::credential(&id));
        Ok(Answer::Next(match edited.tokens_ended {
            0 => receipt,
            ended => format!("{receipt}&ended={ended}"),
        }))
    })
    .await
}

/// Adds the errors of fields that have none yet, so that a person reads everything at once.
fn add_others(errors: &mut Vec<FieldError>, others: Vec<FieldError>) {
    for other in others {
        if !errors.iter().any(|error| error.field == other.field) {
            errors.push(other);
        }
    }
}

/// `GET /credentials/{client_id}/identities/new`
pub(crate) async fn new_identity(client_id: String, fields: Fields) -> PageResult {
    let example = TypedIdentity::example(&fields.get("example"));
    authenticators::new_identity(client_id, Form::new(example)).await
}

/// `POST /credentials/{client_id}/secrets/new`: shows a second secret once.
pub(crate) async fn add_secret(form: Submission, client_id: String) -> Response {
    let form = form.once(message::already_rotated);
    let typed = read!(form.fields => TypedSecret { expiry, expires_on });
    form.run_of(client_id, typed, authenticators::new_secret, async |form, client_id, typed| {
        let expiry = fields::read_expiry(&typed.expiry, &typed.expires_on)?;
        let (context, form_token, id) = (form.context(), form.token(), read_id(client_id)?);
        Refused::if_sent_before(generate::made_by_form(context, &form_token).await?)?;
        let generated = secret::add(context, &form.actor().await?, &id, expiry, Some(&form_token)).await?;
        let secret = NewSecret::of(&form.visit, &generated, Occasion::Added).ok_or(ActionError::NotFound)?;
        Ok(Answer::page(|| secret.page(None)))
    })
    .await
}

/// `POST /credentials/{client_id}/keys/new`
pub(crate) async fn add_key(form: Submission, client_id: String) -> Response {
    let typed = TypedKeys::read(&form.fields, "keys");
    form.run_of(client_id, typed, authenticators::new_key, async |form, client_id, typed| {
        let id = read_id(client_id)?;
        let expiry = fields::read_expiry(&typed.expiry, &typed.expires_on)?;
        keys::add(form.context(), &form.actor().await?, &id, &authenticators::keys_draft(typed), expiry).await?;
        Ok(Answer::Next(Done::CredentialKeyAdded.at(links::secrets_of(&id))))
    })
    .await
}

/// `POST /credentials/{client_id}/identities/new`
pub(crate) async fn add_identity(form: Submission, client_id: String) -> Response {
    let typed = TypedIdentity::read(&form.fields, "identity");
    form.run_of(client_id, typed, authenticators::new_identity, async |form, client_id, typed| {
        let id = read_id(client_id)?;
        federated::add(form.context(), &form.actor().await?, &id, &authenticators::identity_draft(typed)).await?;
        Ok(Answer::Next(Done::CredentialIdentityAdded.at(links::secrets_of(&id))))
    })
    .await
}

/// `POST /leaks/renew`: new secrets for several credentials at once. It asks for confirmation first. After the
/// confirmation it shows the new secrets. Only this answer shows them.
pub(crate) async fn renew(form: Submission) -> Response {
    let typed = read!(form.fields => renew::Typed { client_ids, how, overlap, overlap_until });
    if form.fields.find("confirmed").is_none() {
        return respond(form.visit, renew::page(Form::new(typed))).await;
    }
    form.run(typed, renew::page, async |form, typed| {
        let renewal = typed.renewal()?;
        let ids = stop::read_ids(typed.client_ids.split_whitespace())?;
        let (actor, authority) = (form.actor().await?, form.visit.authority()?.clone());
        let (context, form_token) = (form.context().clone(), form.token());
        // This runs in a task of its own: a closed browser must not leave only half of the credentials rotated.
        let work =
            tokio::spawn(async move { renew_all(&context, &authority, &actor, &ids, renewal, &form_token).await });
        let renewed = work.await.map_err(|_| Fault::Overloaded("the renewal broke off"))??;
        Ok(Answer::page(|| renew::reveal(renewed)))
    })
    .await
}

/// `GET /credentials/{client_id}/rotate`
pub(crate) async fn rotation(client_id: String, fields: Fields) -> PageResult {
    rotate::page(client_id, fields.find("done"), fields.find("again").is_some()).await
}

/// `POST /credentials/{client_id}/rotate`: shows a new secret once. After new keys it leads back to the credential.
pub(crate) async fn rotate(form: Submission, client_id: String) -> Response {
    let form = form.once(message::already_rotated);
    let typed = read!(form.fields => rotate::Typed { overlap, overlap_until, keys });
    form.run_of(client_id, typed, rotate::form, async |form, client_id, typed| {
        let overlap = rotate::read_overlap(&typed.overlap, &typed.overlap_until)?;
        let (context, form_token) = (form.context(), form.token());
        Refused::if_sent_before(generate::made_by_form(context, &form_token).await?)?;
        let (id, actor) = (read_id(client_id)?, form.actor().await?);
        let credential = inspect::find(context, form.visit.authority()?, &id).await?.ok_or(ActionError::NotFound)?;
        if credential.auth_method == AuthMethod::PrivateKeyJwt {
            let expiry = fields::read_expiry(&typed.keys.expiry, &typed.keys.expires_on)?;
            rotation::key(context, &actor, &id, &authenticators::keys_draft(&typed.keys), overlap, expiry).await?;
            return Ok(Answer::Next(Done::CredentialRotated.at(links::credential(&id))));
        }
        let generated = rotation::secret(context, &actor, &id, overlap, None, Some(&form_token)).await?;
        let occasion = Occasion::Rotated(generated.credential.rotation_ends_at);
        let secret = NewSecret::of(&form.visit, &generated, occasion).ok_or(ActionError::NotFound)?;
        Ok(Answer::page(|| secret.page(None)))
    })
    .await
}

/// `POST /credentials/{client_id}/rotation`: finishes, extends or cancels the rotation. Ending the old secret needs no
/// password, because it must not wait. Actions that keep the old secret alive need it.
pub(crate) async fn change_rotation(form: Submission, client_id: String) -> Response {
    let outcome = rotation_changed(&form, &client_id).await;
    form.answer(outcome, (), |form| rotate::under_way(client_id, None, form.errors)).await
}

async fn rotation_changed(form: &Submission, client_id: &str) -> Result<Answer, Refused> {
    let id = read_id(client_id)?;
    let step = Step::parse(&form.get("step")).ok_or(ActionError::NotFound)?;
    let (context, actor) = (form.context(), form.actor().await?);
    if step != Step::Finish {
        form.confirm().await?;
    }
    Ok(Answer::Next(match step {
        Step::Finish => {
            rotation::finish(context, &actor, &id).await?;
            Done::CredentialRotationFinished.at(links::credential(&id))
        }
        Step::Extend => {
            let overlap = rotate::read_overlap(&form.get("deadline"), &form.get("overlap_until"))?;
            rotation::extend(context, &actor, &id, overlap).await?;
            Done::RotationExtended.at(links::rotate_credential(&id))
        }
        Step::Cancel => {
            rotation::cancel(context, &actor, &id).await?;
            Done::CredentialRotationCancelled.at(links::credential(&id))
        }
    }))
}

/// `GET /credentials/{client_id}/revoke`
pub(crate) async fn revoke_form(client_id: String, _: Fields) -> PageResult {
    stop::revoke_page(vec![client_id]).await
}

/// `GET /credentials/revoke`: for the credentials that were ticked in the list.
pub(crate) async fn revoke_several_form(fields: Fields) -> PageResult {
    stop::revoke_page(fields.all("client_id")).await
}

fn read_id(client_id: &str) -> Result<ClientId, ActionError> {
    ClientId::parse(client_id).ok_or(ActionError::NotFound)
}

impl FromFields for ListPlace {
    /// The field holds the query of the list's address.
    fn read(fields: &Fields, name: &str) -> Self {
        Self::of(Fields::parse(fields.get(name).as_bytes()).without(&[]))
    }
}

impl FromFields for TypedKeys {
    /// The keys have fields of their own in every form that has them.
    fn read(fields: &Fields, _: &str) -> Self {
        read!(fields => Self { public_key, label, expiry, expires_on })
    }
}

impl FromFields for TypedIdentity {
    fn read(fields: &Fields, _: &str) -> Self {
        read!(fields => Self { issuer, subject, audience, claims, jwks })
    }
}
