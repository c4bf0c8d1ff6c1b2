//! Credentials.

mod request;

use app::components::form::proof::{TypedIdentity, TypedKeys};
use app::form::Errors;
use app::pages::credential::authenticators::TypedSecret;
use app::pages::credential::head::ListPlace;
use app::pages::credential::list::receipt::{self, ReceiptQuery};
use app::pages::credential::list::ticked::Typed as Ticked;
use app::pages::credential::list::{self, CredentialsQuery, export, several};
use app::pages::credential::refused::{self, RefusedQuery};
use app::pages::credential::reveal::{NewSecret, Occasion, handover as handover_page};
use app::pages::credential::rotate::{self, Step};
use app::pages::credential::show::ShowQuery;
use app::pages::credential::{authenticators, edit, fields, new, read_ids, renew, show};
use app::pages::message;
use axum::http::{HeaderValue, header};
use domain::base::id::{ClientId, KeyId, SecretId};
use domain::credential::handover::{self, Unopened};
use domain::credential::several::apply as apply_to_several;
use domain::credential::several::renew::renew_all;
use domain::credential::{CredentialError, edit as editing, federated, generate, inspect, keys, rotate as rotation};
use domain::crypto::secret::without_secrets;
use domain::error::Fault;
use domain::model::actor::Actor;
use domain::model::credential::AuthMethod;
use domain::model::field_error::FieldError;

use crate::credential_export;
use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links, read, respond,
};
use crate::http::fields::FromFields;

pub(crate) use self::request::{
    confirm_needed, decide_request, generate_requested, request_page, requests, reviews, withdraw_request,
};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::credential::{
    authenticators::new_key, authenticators::new_secret, edit::page as edit_form, stop::disable_page as disable_form,
    stop::enable_page as enable_form, stop::revoke_page as revoke_form,
};

/// How long a browser remembers the columns of the list, in seconds.
const COLUMNS_KEPT: u64 = 365 * 24 * 3600;

/// `GET /credentials`. The browser remembers columns that were chosen.
pub(crate) async fn list(form: Submission) -> Response {
    let query = list_query(&form.fields);
    let (chosen, https) = (list::remembered(&query.column), form.state.is_https());
    let mut response = list_page(form, query, Errors::default()).await;
    if let Some(chosen) = chosen {
        Cookie::Columns.put(&mut response, &chosen, Some(COLUMNS_KEPT), https);
    }
    response
}

/// The query of the list. A whole secret in it is found by its end, and does not stand in links of the page.
fn list_query(fields: &Fields) -> CredentialsQuery {
    let query =
        read!(fields => CredentialsQuery { q, status, team, server, method, owner, tag, sort, after, before, column });
    CredentialsQuery { q: without_secrets(&query.q), ..query }
}

async fn list_page(form: Submission, query: CredentialsQuery, errors: Errors) -> Response {
    let remembered = columns_of(&form);
    respond(form.visit, list::page(query, remembered, errors)).await
}

/// The columns that the browser remembers.
fn columns_of(form: &Submission) -> String {
    Cookie::Columns.read(&form.headers, form.state.is_https()).unwrap_or_default()
}

fn several_of(fields: &Fields) -> Ticked {
    read!(fields => Ticked { action: "do", client_ids: "client_id", list, reason, team, owner, server, instead, entries, add, remove, which, overlap, overlap_until, done })
}

/// `GET /credentials/several`: asks before one action on what is ticked. If the action does not fit, the list is shown
/// again and says why.
pub(crate) async fn several_form(form: Submission) -> Response {
    let typed = several_of(&form.fields);
    let query = list_query(&Fields::parse(typed.list.as_bytes()));
    if typed.client_ids.is_empty() {
        return list_page(form, query, several::nothing_ticked()).await;
    }
    if typed.action == "export" {
        return respond(form.visit, export::page(Form::new(export_of(&form.fields)))).await;
    }
    let remembered = columns_of(&form);
    let page = async {
        match several::page(Form::new(typed)).await {
            Err(ActionError::Invalid(message)) => list::page(query, remembered, several::refused(message)).await,
            page => page,
        }
    };
    respond(form.visit, page).await
}

/// `POST /credentials/several`: leads to the receipt.
pub(crate) async fn several(form: Submission) -> Response {
    let typed = several_of(&form.fields);
    form.run(typed, several::page, async |form, typed| {
        let (ids, step) = (typed.ids()?, typed.step()?);
        if typed.needs_proof() {
            form.confirm().await?;
        }
        let receipt = apply_to_several(form.context(), &form.actor().await?, &ids, &step).await?;
        Ok(Answer::Next(receipt::address(&step, &receipt, &typed.list)))
    })
    .await
}

/// `GET /credentials/receipt`
pub(crate) async fn receipt(fields: Fields) -> PageResult {
    receipt::page(read!(fields => ReceiptQuery { action: "do", entries, kept, more_kept, list })).await
}

fn export_of(fields: &Fields) -> export::Typed {
    let query = list_query(&Fields::parse(fields.get("list").as_bytes()));
    export::Typed { query, client_ids: fields.all("client_id") }
}

/// `POST /credentials/{client_id}/handover`: makes a link that opens the secret once. The answer is the only page that
/// shows it. A form of another session gets the secret back only from its own request, and nothing is made.
pub(crate) async fn hand_over(form: Submission, client_id: String) -> Response {
    let typed = read!(form.fields => handover_page::Typed { secret: "client_secret", within, word, made_for });
    form.run_of(client_id, typed, handover_page::page, async |form, client_id, typed| {
        let id = ClientId::parse(client_id).ok_or(ActionError::NotFound)?;
        let within = handover_page::within(&typed.within);
        let within = within.ok_or_else(|| FieldError::new("within", "Choose one of the times."))?;
        let wanted = handover::Wanted { secret: &typed.secret, within, word: &typed.word, made_for: &typed.made_for };
        let (made, token) = handover::create(form.context(), &form.actor().await?, &id, &wanted).await?;
        Ok(Answer::page(move || handover_page::link_page(id.as_str(), &made, &token)))
    })
    .await
}

/// `GET /handover?token=…`
pub(crate) async fn handover_form(asked: Submission) -> Response {
    let done = asked.fields.find("done").is_some();
    show_handover(asked, done, Errors::default()).await
}

async fn show_handover(asked: Submission, done: bool, errors: Errors) -> Response {
    let (token, context) = (asked.get("token"), asked.context().clone());
    let response = respond(asked.visit, async move {
        match handover::look(&context, &token).await? {
            Some(found) => Ok(handover_page::closed(&found, token, errors)),
            None => Ok(handover_page::gone(done)),
        }
    });
    without_referrer(response.await)
}

/// `POST /handover`: opens the secret, once. Anybody with the link may, so a session that ended hinders nobody.
pub(crate) async fn open_handover(form: Submission) -> Response {
    let actor = Actor::system().at(form.visit.address, form.visit.agent.as_deref());
    match handover::open(form.context(), &actor, &form.get("token"), &form.get("word")).await {
        Ok(opened) => {
            let server = handover::server_of(form.context(), &opened.credential).await;
            // Without the server its snippets name none. The secret must be shown in any case: it opens only once.
            let server = server.ok().flatten();
            without_referrer(
                respond(form.visit, async move { Ok(handover_page::opened(&opened, server.as_ref())) }).await,
            )
        }
        Err(Unopened::WrongWord(left)) => {
            let tries = if left == 1 { "1 try is left.".to_owned() } else { format!("{left} tries are left.") };
            let words = format!("This is not the word. {tries} Then the secret ends.");
            show_handover(form, false, Errors(vec![FieldError::new("word", words)])).await
        }
        Err(Unopened::Gone) => respond(form.visit, async { Ok(handover_page::gone(false)) }).await,
        Err(Unopened::Fault(fault)) => respond(form.visit, async { Err(fault.into()) }).await,
    }
}

/// The address of the page holds the token of the link.
fn without_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /credentials/export`
pub(crate) async fn export_form(fields: Fields) -> PageResult {
    export::page(Form::new(export_of(&fields))).await
}

/// `POST /credentials/export`: the file. The audit log has who took it.
pub(crate) async fn export(form: Submission) -> Response {
    let typed = export_of(&form.fields);
    let Some(format) = credential_export::Format::parse(&form.get("format")) else {
        let error = FieldError::new("format", "Choose a format.");
        return form.answer(Err(error.into()), typed, export::page).await;
    };
    let begun = async {
        let (ids, query) = (read_ids(typed.client_ids.iter().map(String::as_str))?, typed.query.selection()?);
        let actor = form.actor().await?;
        let ticked = (!ids.is_empty()).then_some(ids.len());
        domain::credential::list::record_export(
            form.context(),
            &actor,
            format.as_str(),
            &typed.query.to_text(),
            ticked,
        )
        .await?;
        Ok::<_, Refused>((ids, query, actor))
    };
    match begun.await {
        Ok((ids, query, actor)) => credential_export::file(form.context().clone(), actor, ids, query, format),
        Err(refused) => form.answer(Err(refused), typed, export::page).await,
    }
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
    new::page(read!(fields => new::NewQuery { from, purpose: "as", example, server, document, request })).await
}

/// `POST /credentials/new`: generates a credential. The answer is the only page that shows the secret.
pub(crate) async fn generate(form: Submission) -> Response {
    let form = form.once(message::already_generated);
    let typed = read!(form.fields => new::Typed {
        from, purpose: "as", team, name, description, notes, owner, tags, servers: "server", scopes: "scope", expiry,
        expires_on, token_lifetime, ip_ranges, method, keys, identity, assertions, why
    });
    form.run(typed, new::form, async |form, typed| {
        let (draft, mut errors) = typed.draft(&new::offered(&form.visit).await?);
        if !errors.is_empty() {
            add_others(&mut errors, generate::problems(form.context(), &draft).await?);
            return Err(errors.into());
        }
        Refused::if_sent_before(generate::made_by_form(form.context(), &form.token()).await?)?;
        let (actor, token) = (form.actor().await?, form.token());
        let generated = match generate::generate(form.context(), &actor, &draft, Some(&token)).await {
            Err(CredentialError::NeedsApproval) => {
                let asked = generate::request::ask(form.context(), &actor, &draft, &typed.why, Some(&token)).await?;
                return Ok(Answer::Next(Done::RequestSent.at(links::request(asked))));
            }
            generated => generated?,
        };
        Ok(match NewSecret::of(&form.visit, &generated, Occasion::Generated) {
            Some(secret) => Answer::page(|| secret.page(None)),
            None => Answer::Next(Done::CredentialGenerated.at(links::connect(&generated.credential.client_id))),
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
        let generated = rotation::second::add(context, &form.actor().await?, &id, expiry, Some(&form_token)).await?;
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

/// `POST /leaks/renew` and `POST /credentials/renew`: new secrets for several credentials at once. It asks for
/// confirmation first. After the confirmation it shows the new secrets. Only this answer shows them.
pub(crate) async fn renew(form: Submission) -> Response {
    let typed = read!(form.fields => renew::Typed { client_ids, how, overlap, overlap_until, list });
    if form.fields.find("confirmed").is_none() {
        return respond(form.visit, renew::page(Form::new(typed))).await;
    }
    form.run(typed, renew::page, async |form, typed| {
        let renewal = typed.renewal()?;
        let ids = read_ids(typed.client_ids.split_whitespace())?;
        let (actor, authority) = (form.actor().await?, form.visit.authority()?.clone());
        let (context, form_token) = (form.context().clone(), form.token());
        // This runs in a task of its own: a closed browser must not leave only half of the credentials rotated.
        let work =
            tokio::spawn(async move { renew_all(&context, &authority, &actor, &ids, renewal, &form_token).await });
        let renewed = work.await.map_err(|_| Fault::Overloaded("the renewal broke off"))??;
        let typed = typed.clone();
        Ok(Answer::page(move || renew::reveal(&typed, renewed)))
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
    let typed = read!(form.fields => rotate::Typed { overlap, overlap_until, replaced, keys });
    form.run_of(client_id, typed, rotate::form, async |form, client_id, typed| {
        let overlap = rotate::read_overlap(&typed.overlap, &typed.overlap_until)?;
        let (context, form_token) = (form.context(), form.token());
        Refused::if_sent_before(generate::made_by_form(context, &form_token).await?)?;
        let (id, actor) = (read_id(client_id)?, form.actor().await?);
        let credential = inspect::find(context, form.visit.authority()?, &id).await?.ok_or(ActionError::NotFound)?;
        if typed.replaced.is_empty() && rotate::needs_choice(&form.visit, &credential).await? {
            return Err(FieldError::new("replaced", "Choose what the new one replaces.").into());
        }
        let unknown = || FieldError::new("replaced", "Choose one of the list.");
        let one = Some(typed.replaced.as_str()).filter(|word| !["", rotate::ALL_OF_THEM].contains(word));
        if credential.auth_method == AuthMethod::PrivateKeyJwt {
            let expiry = fields::read_expiry(&typed.keys.expiry, &typed.keys.expires_on)?;
            let one = one.map(|id| KeyId::parse(id).ok_or_else(unknown)).transpose()?;
            let draft = authenticators::keys_draft(&typed.keys);
            rotation::key(context, &actor, &id, &draft, one.as_ref(), overlap, expiry).await?;
            return Ok(Answer::Next(Done::CredentialRotated.at(links::credential(&id))));
        }
        let one = one.map(|id| SecretId::parse(id).ok_or_else(unknown)).transpose()?;
        let token = Some(form_token.as_str());
        let generated = rotation::secret_instead_of(context, &actor, &id, one.as_ref(), overlap, None, token).await?;
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
        read!(fields => Self { public_key, jwks_uri, document, label, expiry, expires_on })
    }
}

impl FromFields for TypedIdentity {
    fn read(fields: &Fields, _: &str) -> Self {
        read!(fields => Self { issuer, subject, audience, claims, jwks })
    }
}
