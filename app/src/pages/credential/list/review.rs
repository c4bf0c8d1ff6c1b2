//! The review of credentials: teams confirm that each is still needed.

use domain::model::credential::Credential;
use domain::model::person::authority::Role;
use domain::operations::policy::{self, Affected, ReviewState};

use crate::prelude::*;

/// `GET /reviews`: what was not confirmed in time. `confirmed` is the number of the receipt.
pub async fn page(done: Option<String>, confirmed: Option<String>, errors: Errors) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let ReviewState { policy, due, more } = policy::review(&visit.context, visit.authority()?).await?;
    let confirmed = confirmed.and_then(|count| count.parse().ok()).unwrap_or(0);
    let status = errors.status();
    let lead = match &policy {
        None => "Reviews are off: an administrator turns them on under Settings, Policies.".to_owned(),
        Some(policy) => format!(
            "Each team confirms its credentials every {}. Confirm what is still needed, and revoke the rest.",
            counted(i64::from(policy.terms.limit), "day", "days")
        ),
    };
    let content = match policy {
        Some(policy) if !due.is_empty() => {
            let can_tick = due.iter().any(|one| visit.may(&one.team_id, Role::Member));
            let rows = due.into_iter().map(|one| row(&visit, &policy, one));
            let last = Column::when("Disabled on", policy.disabled_at(visit.now()).is_some());
            let columns = [
                Column::ticks(can_tick),
                "Credential".into(),
                "Team".into(),
                "Confirmed".into(),
                "Last used".into(),
                "Due".into(),
                last,
            ];
            let rows = table(columns, rows);
            let button =
                can_tick.then(|| html! { <div class="body row">{submit(Some("primary"), "Confirm selected")}</div> });
            html! {
                <form id="bulk" method="post" action=links::REVIEWS><FormToken/>{rows}{button}</form>
            }
        }
        _ => empty("Nothing is due."),
    };
    let more = more.then(|| muted("The first 100 are shown. The others follow as you confirm these."));
    let body = view! {
        <ErrorSummary errors/>
        <Receipt on=On::Reviews done=done.as_deref() more=format!("{}.", counted(confirmed, "credential", "credentials"))/>
        {head((links::CREDENTIALS, "Credentials"), "Review", lead, ())}
        <section class="panel" id="credentials" aria-label="Credentials to confirm">{content}</section>
        {more}
    };
    Ok(Page::new("Review", body).answering(status))
}

fn row(visit: &Visit, policy: &domain::model::operations::policy::Policy, one: Affected) -> Vec<AnyView> {
    let due = policy.review_due(one.confirmed_at);
    let tick = visit.may(&one.team_id, Role::Member).then(|| {
        let label = format!("Select {}", one.name);
        view! { <input type="checkbox" name="client_id" value=one.client_id.to_string() aria-label=label/> }
    });
    let confirmed = match one.confirmed_by {
        Some(by) => html! { {distance(one.confirmed_at)}{sub(format!("by {by}"))} },
        None => html! { "Never"{sub(html! { "generated "{distance(one.confirmed_at)} })} },
    };
    cells![
        tick,
        html! { <a class="name" href=links::credential(&one.client_id)>{one.name}</a> },
        one.team,
        confirmed,
        distance_or(one.last_used_at, "Never"),
        distance(due),
        policy.disabled_at(due).map(moment),
    ]
}

/// The line on the page of a credential that its team should have confirmed.
pub(crate) async fn notice_of(visit: &Visit, credential: &Credential) -> Result<Option<AnyView>, ActionError> {
    let works = credential.revoked_at.is_none() && credential.disabled_at.is_none();
    let review = policy::review_of(&visit.context, &credential.client_id, credential.created_at).await?;
    let Some(review) = review.filter(|review| works && review.due <= visit.now()) else { return Ok(None) };
    let confirmed = match review.confirmed {
        Some((at, by)) => html! { "It was confirmed last "{distance(at)}" by "{by}"." },
        None => "Nobody has confirmed it yet.".into_any(),
    };
    let end = review.disabled_at.map(|at| html! { " It is disabled on "{moment(at)}" unless somebody confirms it." });
    let act = visit.may(&credential.team, Role::Member).then(|| {
        post_button(links::REVIEWS, [("client_id", credential.client_id.to_string())], None, true, "It is still needed")
    });
    Ok(Some(notice(
        "warn",
        view! {
            <div class="row" data-spread=""><p><b>"Is this credential still needed? "</b>{confirmed}{end}</p>{act}</div>
        },
    )))
}
