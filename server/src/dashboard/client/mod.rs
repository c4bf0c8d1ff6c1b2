//! Clients that act for people, and personal tokens. [`device`] answers the requests of devices, [`token`] looks tokens
//! up and tests credentials, which calls MCP servers of this program as [`in_process`] does.

pub(crate) mod device;
mod in_process;
pub(crate) mod token;

use app::pages::client::connected_apps::{self, AppsQuery};
use app::pages::client::list::{self, ClientsQuery};
use app::pages::client::new::{self, TypedClient};
use app::pages::client::personal_tokens::{self, TokensQuery, TypedToken};
use app::pages::client::{edit, secret, show, stop};
use app::pages::credential::usage::read_period;
use domain::base::id::AppClientId;
use domain::client::{self, personal_token};
use domain::crypto::secret::without_secrets;
use domain::server;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links, read,
};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::client::{
    edit::form as edit_form, new::form as new_form, secret::form as secret_form, stop::disable_form, stop::enable_form,
};

/// `GET /apps`
pub(crate) async fn connected_apps(fields: Fields) -> PageResult {
    let query = read!(fields => AppsQuery { q, server, after });
    let query = AppsQuery { q: without_secrets(&query.q), ..query };
    connected_apps::page(query, fields.find("done")).await
}

/// `GET /apps/clients`
pub(crate) async fn list(fields: Fields) -> PageResult {
    let query = read!(fields => ClientsQuery { q, kind, status, after, ended });
    let query = ClientsQuery { q: without_secrets(&query.q), ..query };
    list::page(query, fields.find("done")).await
}

/// `GET /apps/clients/{id}`
pub(crate) async fn show(id: String, fields: Fields) -> PageResult {
    show::page(id, &fields.get("after"), read_period(fields.find("period")), fields.find("done")).await
}

/// `POST /apps/clients/new`: adds a client. The answer is the only page that shows the secret of a confidential client.
pub(crate) async fn add(form: Submission) -> Response {
    let typed = typed(&form);
    let form = form.once(secret::already_added);
    form.run(typed, new::form, async |form, typed| {
        let form_token = form.token();
        Refused::if_sent_before(client::made_by_form(form.context(), &form_token).await?)?;
        let (client, secret) =
            client::create(form.context(), &form.actor().await?, &typed.draft(), Some(&form_token)).await?;
        Ok(match secret {
            Some(secret) => Answer::page(move || secret::reveal(&client, &secret)),
            None => Answer::Next(Done::ClientAdded.at(links::client(&client.id))),
        })
    })
    .await
}

/// `POST /apps/clients/{id}/edit`: changes the name, the redirect URIs and the device grant. A redirect URI decides who
/// gets codes.
pub(crate) async fn edit(form: Submission, id: String) -> Response {
    let typed = typed(&form);
    form.run_of(id, typed, edit::form, async |form, id, typed| {
        let client = AppClientId::parse(id).ok_or(ActionError::NotFound)?;
        client::edit(form.context(), &form.actor().await?, &client, &typed.draft()).await?;
        Ok(Answer::Next(Done::ClientEdited.at(links::client(&client))))
    })
    .await
}

/// `POST /apps/clients/{id}/disable`: stops a client until it is enabled again.
pub(crate) async fn disable(form: Submission, id: String) -> Response {
    form.run_of(id, (), stop::disable_form, async |form, id, ()| {
        let client = AppClientId::parse(id).ok_or(ActionError::NotFound)?;
        client::disable::disable(form.context(), &form.actor().await?, &client).await?;
        Ok(Answer::Next(Done::ClientDisabled.at(links::client(&client))))
    })
    .await
}

/// `POST /apps/clients/{id}/enable`: lets a disabled client go on. What people allowed works again.
pub(crate) async fn enable(form: Submission, id: String) -> Response {
    form.run_of(id, (), stop::enable_form, async |form, id, ()| {
        let client = AppClientId::parse(id).ok_or(ActionError::NotFound)?;
        client::disable::enable(form.context(), &form.actor().await?, &client).await?;
        Ok(Answer::Next(Done::ClientEnabled.at(links::client(&client))))
    })
    .await
}

/// `POST /apps/clients/{id}/secret`: replaces the secret, and shows the new one once.
pub(crate) async fn replace_secret(form: Submission, id: String) -> Response {
    let form = form.once(secret::already_added);
    form.run_of(id, (), secret::form, async |form, id, ()| {
        let client = AppClientId::parse(id).ok_or(ActionError::NotFound)?;
        let form_token = form.token();
        Refused::if_sent_before(client::made_by_form(form.context(), &form_token).await?)?;
        let (client, secret) =
            client::replace_secret(form.context(), &form.actor().await?, &client, Some(&form_token)).await?;
        Ok(Answer::page(move || secret::reveal(&client, &secret)))
    })
    .await
}

fn typed(form: &Submission) -> TypedClient {
    read!(form.fields => TypedClient { name, redirect_uris, kind, jwks_uri, device_grant })
}

/// `GET /account/tokens`
pub(crate) async fn tokens(fields: Fields) -> PageResult {
    personal_tokens::page(read!(fields => TokensQuery { after, done }), Form::default()).await
}

/// `POST /account/tokens`: generates a personal token. The answer is the only page that shows it.
pub(crate) async fn generate_token(form: Submission) -> Response {
    let form = form.once(personal_tokens::already_generated);
    let typed = read!(form.fields => TypedToken { name, server, scopes: "scope", expiry });
    form.run(typed, personal_tokens::form, async |form, typed| {
        let (context, form_token) = (form.context(), form.token());
        let was_made = personal_token::was_made_by_form(context, &form_token).await?;
        Refused::if_sent_before(was_made.then_some(""))?;
        let person = &form.visit.viewer()?.id;
        let (token, secret) =
            personal_token::generate(context, &form.actor().await?, person, &typed.draft(), &form_token).await?;
        let server = server::find(context, &token.server_id).await?.ok_or(ActionError::NotFound)?;
        Ok(Answer::page(move || personal_tokens::reveal(token, &secret, &server.resource)))
    })
    .await
}
