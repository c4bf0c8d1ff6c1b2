//! The page of one webhook: whether it works, what was sent, and how a receiver checks it.

use domain::base::clock::Timestamp;
use domain::base::id::{DeliveryId, WebhookId};
use domain::model::webhook::Webhook;
use domain::webhook::{self, Delivery, sender};

use crate::pages::audit::receipt::{receipt, recorded};
use crate::pages::webhook::list::{state, summary};
use crate::prelude::*;
use crate::snippets;

/// Maximum number of deliveries on the page.
const SHOWN: u16 = 50;

/// Sends a test message now. The browser goes to the page that shows the result.
#[server(prefix = "/fn", endpoint = "test_webhook")]
pub(crate) async fn test_webhook(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    let delivery = sender::test(&visit.context, &visit.actor()?, &id).await?;
    Ok(format!("{}&delivery={delivery}", Done::WebhookTested.at(links::webhook(&id))))
}

/// Pauses the webhook: events are neither collected nor sent.
#[server(prefix = "/fn", endpoint = "pause_webhook")]
pub(crate) async fn pause_webhook(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    webhook::pause(&visit.context, &visit.actor()?, &id, false).await?;
    Ok(Done::WebhookPaused.at(links::webhook(&id)))
}

/// Resumes the webhook.
#[server(prefix = "/fn", endpoint = "resume_webhook")]
pub(crate) async fn resume_webhook(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    webhook::resume(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::WebhookResumed.at(links::webhook(&id)))
}

/// Removes the webhook and its deliveries.
#[server(prefix = "/fn", endpoint = "remove_webhook")]
pub(crate) async fn remove_webhook(id: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    webhook::remove(&visit.context, &visit.actor()?, &id).await?;
    Ok(recorded(&visit, Done::WebhooksRemoved.at(links::WEBHOOKS), &id).await)
}

/// Sends one delivery again. A delivery that waits for a later attempt is sent now.
#[server(prefix = "/fn", endpoint = "send_delivery_again")]
pub(crate) async fn send_delivery_again(id: String, delivery: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    let delivery = DeliveryId::parse(&delivery).ok_or(ActionError::NotFound)?;
    sender::send_again(&visit.context, &visit.actor()?, &id, &delivery).await?;
    Ok(Done::WebhookSentAgain.at(links::webhook(&id)))
}

/// Reads the identifier of an address or a form.
pub fn read_id(id: &str) -> Result<WebhookId, ActionError> {
    WebhookId::parse(id).ok_or(ActionError::NotFound)
}

/// The webhook with this identifier.
pub(super) async fn find(visit: &Visit, id: &str) -> Result<Webhook, ActionError> {
    webhook::find(&visit.context, &read_id(id)?).await?.ok_or(ActionError::NotFound)
}

/// The page. `done` names the receipt; `tested` is the delivery of a test.
pub async fn page(id: String, done: Option<&str>, tested: &str) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhook = find(&visit, &id).await?;
    let deliveries = webhook::deliveries(&visit.context, &webhook.id, SHOWN).await?;
    let waiting = webhook::waiting(&visit.context, &webhook.id).await?;
    let test = deliveries.iter().find(|delivery| delivery.id.as_str() == tested);
    let what_was_done = match Done::read(On::Webhook, done) {
        Some(Done::WebhookTested) => receipt_of_test(test),
        _ => receipt(&visit, On::Webhook, done, String::new(), Some(webhook.id.to_string())).await?,
    };
    let old_secret = webhook.previous_until.filter(|until| *until > visit.now());
    let body = view! {
        {what_was_done}
        {condition(&webhook, waiting)}
        {head((links::WEBHOOKS, "Webhooks"), webhook.name.clone(), (), actions(&webhook))}
        <dl class="panel facts">
            <div><dt>"State"</dt><dd>{state(&webhook)}</dd></div>
            <div><dt>"Sends to"</dt><dd>{webhook.host.clone()}</dd></div>
            <div><dt>"Events"</dt><dd>{summary(&webhook.events)}</dd></div>
            <div><dt>"Added"</dt><dd>{distance(webhook.created_at)}{sub(format!("by {}", webhook.created_by))}</dd></div>
            <div><dt>"Signing secret created"</dt><dd>{distance(webhook.secret_made_at)}</dd></div>
            {old_secret.map(|at| view! { <div><dt>"Previous secret signs until"</dt><dd>{moment(at)}</dd></div> })}
            <div><dt>"Waiting"</dt><dd>{counted(waiting, "delivery", "deliveries")}</dd></div>
        </dl>
        {deliveries_panel(&webhook.id, deliveries, webhook.paused_at.is_some(), visit.now())}
        <Texts title="Verify the signature" about="Verify the signature before you trust a message.".to_owned()
            texts=snippets::webhook_verification()/>
    };
    Ok(Page::new(webhook.name, body))
}

/// The receipt of a test: whether the message arrived.
fn receipt_of_test(test: Option<&Delivery>) -> AnyView {
    match test {
        Some(Delivery { delivered_at: Some(_), last_status, .. }) => {
            let text = format!("{}{}.", Done::WebhookTested.receipt(), last_status.unwrap_or_default());
            html! { <DoneNotice text/> }
        }
        Some(test) => {
            let text = test.last_problem.clone().unwrap_or_else(|| "The receiver has not answered yet.".to_owned());
            html! { <Alert title="The test was not delivered" text/> }
        }
        None => ().into_any(),
    }
}

/// The problem of the webhook, if any.
fn condition(webhook: &Webhook, waiting: i64) -> AnyView {
    if let Some(at) = webhook.paused_at {
        let why = if webhook.gone_at.is_some() { "Receiver returned 410 Gone. " } else { "" };
        let words = view! {
            <p>
                <b>"Paused "{distance(at)}". "</b>{why}
                "Events that happen while the webhook is paused are never sent. Deliveries that were waiting are sent when you resume."
            </p>
        };
        return notice("warn", words);
    }
    let Some(since) = webhook.failing_since else { return ().into_any() };
    let problem = webhook.last_problem.clone().unwrap_or_default();
    let waiting = (waiting > 0)
        .then(|| format!(" {} for the next attempt.", counted(waiting, "delivery waits", "deliveries wait")));
    let since = view! { <b>"No message has arrived since "{moment(since)}". "</b> };
    notice("danger", view! { <p>{since}"Last problem: "{problem}{waiting}</p> })
}

fn actions(webhook: &Webhook) -> AnyView {
    let (function, word) = match webhook.paused_at {
        Some(_) => (links::RESUME_WEBHOOK, "Resume"),
        None => (links::PAUSE_WEBHOOK, "Pause"),
    };
    let button = |action: &'static str, word: &'static str, kind: Option<&'static str>| {
        post_button(action, [("id", webhook.id.to_string())], kind, false, word)
    };
    html! {
        <div class="row">
            {button(links::TEST_WEBHOOK, "Send test", Some("primary"))}
            {button_link(links::edit_webhook(&webhook.id), "Edit")}
            {button(function, word, None)}
            {button_link(links::webhook_secret(&webhook.id), "Replace signing secret")}
            {button_link(links::remove_webhook(&webhook.id), "Remove")}
        </div>
    }
}

fn deliveries_panel(id: &WebhookId, deliveries: Vec<Delivery>, paused: bool, now: Timestamp) -> AnyView {
    let list = if deliveries.is_empty() {
        html! { <div class="body"><p class="muted">"Nothing has been sent yet."</p></div> }
    } else {
        let columns = ["Event", "When", "Attempts", "Outcome"].map(Column::from);
        let rows = deliveries.into_iter().map(|delivery| row(id, delivery, paused, now));
        table(columns.into_iter().chain([Column::buttons_inline()]), rows)
    };
    panel("deliveries", "Deliveries", muted("The newest 50, kept for 30 days"), list)
}

fn row(id: &WebhookId, delivery: Delivery, paused: bool, now: Timestamp) -> Vec<AnyView> {
    let (word, tone) = match (delivery.delivered_at, delivery.next_attempt_at) {
        (Some(_), _) => ("Delivered", "ok"),
        (None, Some(_)) if delivery.last_attempt_at.is_some() => ("Retrying", "warn"),
        (None, Some(_)) => ("Waiting", "idle"),
        (None, None) => ("Failed", "danger"),
    };
    let detail =
        delivery.last_problem.or_else(|| delivery.last_status.map(|status| format!("Receiver returned {status}.")));
    let next = match delivery.next_attempt_at {
        None => None,
        Some(_) if paused => Some("Next attempt when resumed.".into_any()),
        Some(at) if at <= now => Some("Next attempt now.".into_any()),
        Some(at) => Some(html! { "Next attempt "{distance(at)}"." }),
    };
    let outcome =
        (detail.is_some() || next.is_some()).then(|| sub(html! { {detail.map(|text| format!("{text} "))}{next} }));
    let again = if delivery.next_attempt_at.is_some() { "Send now" } else { "Send again" };
    let ids = [("id", id.to_string()), ("delivery", delivery.id.to_string())];
    cells![
        html! { {delivery.event}{sub(delivery.subject)} },
        distance(delivery.created_at),
        html! { <span>{delivery.attempts}</span> },
        html! { {chip(word, tone)}{outcome} },
        (!paused).then(|| post_button(links::SEND_DELIVERY_AGAIN, ids, None, true, again)),
    ]
}

/// The page that asks before a webhook is removed.
pub async fn remove_page(id: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhook = find(&visit, &id).await?;
    let page = FormPage::new(format!("Remove {}?", webhook.name), links::REMOVE_WEBHOOK, "Remove webhook")
        .back(links::webhook(&id), webhook.name.clone())
        .hidden("id", webhook.id.to_string())
        .question(format!(
            "Countersign sends nothing more to {}. The deliveries and the signing secret are removed too. This cannot be undone.",
            webhook.host
        ));
    Ok(page.danger().page(Errors::default()))
}
