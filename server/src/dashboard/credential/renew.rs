//! New secrets for several credentials at once. Only the answer shows them.

use app::form::{Form, Refused};
use app::pages::credential::renew as page;
use app::pages::credential::renew::Typed;
use app::pages::credential::stop::read_ids;
use axum::response::Response;
use domain::credential::renew::renew_all;
use domain::error::Fault;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `POST /leaks/renew`: asks for confirmation first. After the confirmation it shows the new secrets.
pub async fn renew(form: Submission) -> Response {
    let typed = Typed {
        client_ids: form.get("client_ids"),
        how: form.get("how"),
        overlap: form.get("overlap"),
        overlap_until: form.get("overlap_until"),
    };
    if form.fields.find("confirmed").is_none() {
        return respond(form.visit, || page::page(Form::new(typed))).await;
    }
    let outcome = renewed(&form, &typed).await;
    form.answer(outcome, typed, page::page).await
}

async fn renewed(form: &Submission, typed: &Typed) -> Result<Answer, Refused> {
    let renewal = typed.renewal()?;
    form.confirm().await?;
    let ids = read_ids(typed.client_ids.split_whitespace())?;
    let (actor, authority) = (form.actor()?, form.visit.authority()?.clone());
    let (context, form_token) = (form.context().clone(), form.token());
    // This runs in a task of its own: a closed browser must not leave only half of the credentials rotated.
    let work = tokio::spawn(async move { renew_all(&context, &authority, &actor, &ids, renewal, &form_token).await });
    match work.await {
        Ok(renewed) => {
            let renewed = renewed?;
            Ok(Answer::page(|| page::reveal(renewed)))
        }
        Err(_) => Err(Fault::Overloaded("the renewal broke off").into()),
    }
}
