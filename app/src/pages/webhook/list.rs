//! The list of webhooks.

use domain::model::webhook::{EventKind, Webhook};
use domain::webhook;
use leptos::prelude::*;

use crate::components::notice::Receipt;
use crate::components::table::table;
use crate::components::time::MomentOr;
use crate::done::On;
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::visit::signed_in;

/// The name of an event for people, and when it happens.
pub fn words(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::Generated => ("Generated", "A credential was generated."),
        EventKind::Rotated => ("Rotated", "A secret or key was replaced, at once or with an overlap."),
        EventKind::Revoked => ("Revoked", "A credential was revoked, or an emergency stop ended many at once."),
        EventKind::Leaked => ("Leaked", "A secret or token was reported as leaked."),
        EventKind::Expiring => ("Expiring", "A credential ends in 14, 3 or 1 days."),
        EventKind::RetiredSecretTried => {
            ("Retired secret tried", "A secret was tried after it was revoked, replaced or had expired.")
        }
    }
}

/// The events in a few words.
pub fn summary(events: &[EventKind]) -> String {
    if events.len() == EventKind::ALL.len() {
        return "Everything".to_owned();
    }
    events.iter().map(|kind| words(*kind).0).collect::<Vec<_>>().join(", ")
}

/// Whether the webhook works.
#[component]
pub fn State(webhook: Webhook) -> AnyView {
    let (word, tone) = match (webhook.paused_at, webhook.failing_since) {
        (Some(_), _) => ("Paused", "warn"),
        (None, Some(_)) => ("Failing", "danger"),
        (None, None) if webhook.last_attempt_at.is_none() => ("Nothing sent yet", "idle"),
        (None, None) => ("Active", "ok"),
    };
    view! { <span class="chip" data-tone=tone>{word}</span> }.into_any()
}

/// The page.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhooks = webhook::list(&visit.context).await?;
    let list = if webhooks.is_empty() {
        view! {
            <section class="panel body" aria-label="No webhooks">
                <p>"No program is told yet when a credential is generated, rotated, revoked, leaked or about to expire."</p>
            </section>
        }
        .into_any()
    } else {
        webhook_table(webhooks)
    };
    let body = view! {
        <Receipt on=On::Webhooks done/>
        <div class="head">
            <div>
                <a href=links::SETTINGS>"Back to the settings"</a><h1>"Webhooks"</h1>
                <p>"Programs that are told what happens to credentials, by signed messages."</p>
            </div>
            <a class="button" data-kind="primary" href=links::NEW_WEBHOOK>"Add a webhook"</a>
        </div>
        {list}
    };
    Ok(Page::new("Webhooks", body))
}

fn webhook_table(webhooks: Vec<Webhook>) -> AnyView {
    let rows = webhooks
        .into_iter()
        .map(|webhook| {
            let href = links::webhook(&webhook.id);
            let problem = webhook.last_problem.clone().map(|problem| view! { <div class="sub">{problem}</div> });
            view! {
                <tr>
                    <th scope="row">
                        <a class="name" href=href>{webhook.name.clone()}</a><div class="sub">{webhook.host.clone()}</div>
                    </th>
                    <td data-label="Events"><span>{summary(&webhook.events)}</span></td>
                    <td data-label="State"><State webhook=webhook.clone()/></td>
                    <td data-label="Last sent"><MomentOr at=webhook.last_attempt_at otherwise="Never"/>{problem}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel" aria-label="Webhooks">
            {table(["Name", "Events", "State", "Last sent"], rows)}
        </section>
    }
    .into_any()
}
