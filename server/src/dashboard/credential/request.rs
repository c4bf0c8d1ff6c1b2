//! Requests of members for credentials, and the review of credentials.

use app::pages::credential::list::review;
use app::pages::credential::new::request::{self, TypedDecision};
use app::pages::credential::read_ids;
use app::pages::credential::reveal::{NewSecret, Occasion};
use app::pages::message;
use domain::base::id::RequestId;
use domain::credential::generate::request as requests_of;
use domain::model::field_error::FieldError;
use domain::operations::policy;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Response, Submission, links, read,
};

fn read_request(id: &str) -> Result<RequestId, ActionError> {
    RequestId::parse(id).ok_or(ActionError::NotFound)
}

/// `GET /requests`
pub(crate) async fn requests(_: Fields) -> PageResult {
    request::list().await
}

/// `GET /requests/{request_id}`
pub(crate) async fn request_page(id: String, fields: Fields) -> PageResult {
    request::show(id, Form::default(), fields.find("done").map(str::to_owned)).await
}

/// The page after a form of it was refused.
async fn refused(id: String, form: Form<TypedDecision>) -> PageResult {
    request::show(id, form, None).await
}

/// `POST /requests/{request_id}/decide`: a manager approves or declines.
pub(crate) async fn decide_request(form: Submission, id: String) -> Response {
    let typed = read!(form.fields => TypedDecision { answer });
    form.run_of(id, typed, refused, async |form, id, typed| {
        let (approves, done) = match form.get("decision").as_str() {
            "approve" => (true, Done::RequestApproved),
            "decline" => (false, Done::RequestDeclined),
            _ => return Err(FieldError::new("main", "Approve the request or decline it.").into()),
        };
        let (id, actor) = (read_request(id)?, form.actor().await?);
        requests_of::decide(form.context(), &actor, &id, approves, &typed.answer).await?;
        Ok(Answer::Next(done.at(links::request(id))))
    })
    .await
}

/// `POST /requests/{request_id}/withdraw`
pub(crate) async fn withdraw_request(form: Submission, id: String) -> Response {
    form.run_of(id, TypedDecision::default(), refused, async |form, id, _| {
        let id = read_request(id)?;
        requests_of::withdraw(form.context(), &form.actor().await?, &id).await?;
        Ok(Answer::Next(Done::RequestWithdrawn.at(links::request(id))))
    })
    .await
}

/// `POST /requests/{request_id}/generate`: generates what was approved. The answer is the only page that shows the
/// secret.
pub(crate) async fn generate_requested(form: Submission, id: String) -> Response {
    let form = form.once(message::already_generated);
    form.run_of(id, TypedDecision::default(), refused, async |form, id, _| {
        let (id, actor) = (read_request(id)?, form.actor().await?);
        let generated = requests_of::generate(form.context(), &actor, &id, Some(&form.token())).await?;
        Ok(match NewSecret::of(&form.visit, &generated, Occasion::Generated) {
            Some(secret) => Answer::page(|| secret.page(None)),
            None => Answer::Next(Done::CredentialGenerated.at(links::connect(&generated.credential.client_id))),
        })
    })
    .await
}

/// `GET /reviews`
pub(crate) async fn reviews(fields: Fields) -> PageResult {
    let (done, confirmed) = (fields.find("done").map(str::to_owned), fields.find("confirmed").map(str::to_owned));
    review::page(done, confirmed, app::form::Errors::default()).await
}

/// `POST /reviews`: confirms what is ticked.
pub(crate) async fn confirm_needed(form: Submission) -> Response {
    let ids = form.fields.all("client_id");
    form.run(
        (),
        async |form: Form| review::page(None, None, form.errors).await,
        async |form, ()| {
            let ids = read_ids(ids.iter().map(String::as_str))?;
            let count = policy::confirm(form.context(), &form.actor().await?, &ids).await?;
            Ok(Answer::Next(format!("{}&confirmed={count}", Done::ReviewConfirmed.at(links::REVIEWS))))
        },
    )
    .await
}
