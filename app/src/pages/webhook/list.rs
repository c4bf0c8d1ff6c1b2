//! The list of webhooks.

use domain::model::webhook::{EventKind, Webhook};
use domain::webhook;

use crate::pages::audit::receipt::receipt;
use crate::pages::operations::settings::settings_views;
use crate::prelude::*;

/// The name of an event for people, and when it happens.
pub fn words(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::Generated => ("Generated", "A credential was generated."),
        EventKind::Rotated => ("Rotated", "A secret or key was rotated, at once or with an overlap."),
        EventKind::Revoked => ("Revoked", "A credential was revoked, or an emergency stop ended many at once."),
        EventKind::Leaked => ("Leaked", "A secret or token was reported as leaked."),
        EventKind::Incidents => ("Incidents", "An incident was opened, contained, closed or opened again."),
        EventKind::Opened => ("Handed over", "A receiver opened a secret by its link, or nobody did in time."),
        EventKind::Expiring => ("Expiring", "14, 3 and 1 days before a credential expires."),
        EventKind::RetiredSecretTried => {
            ("Ended secret tried", "A secret was tried after it was revoked or replaced, or after it had expired.")
        }
        EventKind::ToolsChanged => {
            ("Tools changed", "An MCP server behind the gateway sends definitions of tools that nobody accepted.")
        }
        EventKind::DestructiveTool => (
            "Destructive tool used",
            "A caller used a destructive tool for the first time, at a server whose gateway settings ask for that.",
        ),
    }
}

/// The events in a few words.
pub fn summary(events: &[EventKind]) -> String {
    if events.len() == EventKind::ALL.len() {
        return "All events".to_owned();
    }
    events.iter().map(|kind| words(*kind).0).collect::<Vec<_>>().join(", ")
}

/// Whether the webhook works.
pub fn state(webhook: &Webhook) -> AnyView {
    match (webhook.paused_at, webhook.failing_since) {
        (Some(_), _) => chip("Paused", "warn"),
        (None, Some(_)) => chip("Failing", "danger"),
        (None, None) if webhook.last_attempt_at.is_none() => chip("Nothing sent yet", "idle"),
        (None, None) => chip("Active", "ok"),
    }
}

/// The page.
pub async fn page(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhooks = webhook::list(&visit.context).await?;
    let list = if webhooks.is_empty() {
        html! {
            <section class="panel body" aria-label="No webhooks">
                <p>"No webhooks yet. Add one to be told when a credential is generated, rotated, revoked, leaked or about to expire."</p>
            </section>
        }
    } else {
        let rows = webhooks.into_iter().map(|webhook| {
            let href = links::webhook(&webhook.id);
            cells![
                html! { <a class="name" href=href>{webhook.name.clone()}</a>{sub(webhook.host.clone())} },
                html! { <span>{summary(&webhook.events)}</span> },
                state(&webhook),
                html! { {distance_or(webhook.last_attempt_at, "Never")}{webhook.last_problem.map(sub)} },
            ]
        });
        let rows = table(["Name", "Events", "State", "Last sent"], rows);
        html! { <section class="panel" aria-label="Webhooks">{rows}</section> }
    };
    let lead = "Send signed messages about credentials to your own programs.";
    let add = primary_link(links::NEW_WEBHOOK, "Add a webhook");
    let body = view! {
        {receipt(&visit, On::Webhooks, done, String::new(), None).await?}
        {head((), "Webhooks", lead, add)}
        {settings_views(links::WEBHOOKS)}
        {list}
    };
    Ok(Page::new("Webhooks", body))
}
