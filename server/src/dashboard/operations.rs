//! The instance: overview, settings, signing keys.

use app::pages::credential::usage::read_period;
use app::pages::operations::about::{self, About};
use app::pages::operations::policies::{self, TypedPolicy};
use app::pages::operations::signing_keys::{self, TypedRotation};
use app::pages::operations::{overview, search, settings};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{self, RotationMode};
use domain::operations::policy;
use domain::person::team;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Response, Submission, links, read, respond,
};
use crate::state::Shared;

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::operations::docs::page as document;

/// `GET /docs`
pub(crate) async fn help(fields: Fields) -> PageResult {
    app::pages::operations::help::page(fields.get("q")).await
}

/// `GET /`
pub(crate) async fn overview(fields: Fields) -> PageResult {
    overview::page(read_period(fields.find("period")), fields.find("done")).await
}

/// `GET /search`
pub(crate) async fn search(fields: Fields) -> PageResult {
    search::page(&fields.get("q")).await
}

/// `GET /settings`
pub(crate) async fn settings(fields: Fields) -> PageResult {
    settings::page(fields.find("done")).await
}

/// `GET /settings/about`
pub(crate) async fn about(form: Submission) -> Response {
    let Shared { started_at, settings, .. } = &*form.state;
    let version = env!("CARGO_PKG_VERSION");
    let about = About { version, started_at: *started_at, settings: settings.to_vec() };
    respond(form.visit, async { about::page(about).await }).await
}

/// `GET /settings/policies`
pub(crate) async fn policies(fields: Fields) -> PageResult {
    policies::list(fields.find("done")).await
}

/// `GET /settings/policies/{name}`
pub(crate) async fn policy_form(name: String, _: Fields) -> PageResult {
    policies::form(name, Form::new(None)).await
}

/// `POST /settings/policies/{name}`: changes a policy.
pub(crate) async fn set_policy(form: Submission, name: String) -> Response {
    let typed = read!(form.fields => TypedPolicy { mode, limit, words: "word", teams, accept });
    form.run_of(name, typed, policies::form, async |form, name, typed| {
        let teams = team::list(form.context(), form.visit.authority()?).await?;
        let edit = typed.edit(policies::read_name(name)?, &teams)?;
        let (_, changed) = policy::set(form.context(), &form.actor().await?, &edit).await?;
        let done = if changed { Done::PolicySaved } else { Done::PolicyUnchanged };
        Ok(Answer::Next(done.at(links::POLICIES)))
    })
    .await
}

/// `GET /settings/keys`: asks before a signing key is replaced.
pub(crate) async fn signing_keys(fields: Fields) -> PageResult {
    let typed = TypedRotation {
        algorithm: fields.find("algorithm").unwrap_or(TokenAlgorithm::default().as_str()).to_owned(),
        haste: fields.find("haste").unwrap_or("ordered").to_owned(),
    };
    signing_keys::page(Form::new(typed)).await
}

/// `POST /settings/keys`: replaces a signing key.
pub(crate) async fn rotate_key(form: Submission) -> Response {
    let typed = read!(form.fields => TypedRotation { algorithm, haste });
    form.run(typed, signing_keys::page, async |form, typed| {
        let algorithm = TokenAlgorithm::parse(&typed.algorithm).ok_or(ActionError::NotFound)?;
        let haste = signing_keys::read_haste(&typed.haste).ok_or(ActionError::NotFound)?;
        let rotated = key_rotation::rotate(form.context(), &form.actor().await?, algorithm, haste).await;
        rotated.map_err(ActionError::from)?;
        let done = if haste == RotationMode::Emergency { Done::SettingsKeyReplaced } else { Done::SettingsKeyRotated };
        Ok(Answer::Next(done.at(links::SETTINGS)))
    })
    .await
}
