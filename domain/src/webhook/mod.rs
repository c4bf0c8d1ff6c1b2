//! Webhooks: messages to other programs about events.
//!
//! | module | step |
//! |---|---|
//! | this one | adding, editing, pausing and removing webhooks |
//! | [`alert`] | audit entries for events without an actor: an end that is near, a retired secret that is tried |
//! | [`outbox`] | from new audit entries to deliveries |
//! | [`event`] | the body of a message |
//! | [`sender`], [`secret`] | one attempt to deliver, signed |
//! | [`dispatcher`] | the loop that the server runs |

pub mod alert;
pub mod dispatcher;
pub mod event;
pub mod mail;
pub mod outbox;
pub mod secret;
pub mod sender;

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::base::id::WebhookId;
use crate::crypto::keys::purpose::WEBHOOK_URL;
use crate::idempotency;
use crate::model::credential::draft::check_name;
use crate::model::webhook::{EventKind, Webhook, WebhookFormat};
use crate::prelude::{Action, Actor, Change, Changes, Context, Errors, Fault, FieldError, operation_error};
use crate::store;
use crate::webhook::secret::SigningSecret;

pub use crate::store::webhook::Delivery;

/// Most webhooks of an instance. This also limits the requests to receivers at one time.
pub const MOST: usize = 20;
/// Longest address, in bytes.
const LONGEST_URL: usize = 2000;
/// How long a replaced secret still signs beside the new one.
pub(crate) const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// The values of a webhook, as an administrator enters them.
#[derive(Debug, Clone, Default)]
pub struct WebhookDraft {
    /// Its name for people.
    pub name: String,
    /// The address to which messages are sent.
    pub url: String,
    /// The kinds of events to send.
    pub events: Vec<EventKind>,
    /// What its messages look like.
    pub format: WebhookFormat,
}

operation_error! {
    /// Why an operation on a webhook was not done.
    pub enum WebhookError: Invalid {
        /// The webhook does not exist, or the actor may not see it.
        #[error("there is no such webhook")]
        NotFound,
        /// The webhook is paused, so nothing is sent.
        #[error("the webhook is paused")]
        Paused,
        /// The form was sent before, and its secret was shown at that time.
        #[error("the form was sent before")]
        AlreadySubmitted(WebhookId),
    }
}

/// The checked values of a draft.
struct Checked {
    name: String,
    url: String,
    host: String,
    events: Vec<EventKind>,
}

impl WebhookDraft {
    fn check(&self, context: &Context) -> Result<Checked, WebhookError> {
        let mut errors = Errors::default();
        let name = if self.name.trim().is_empty() {
            Err("Enter a name, such as the system that receives the alerts.".to_owned())
        } else {
            check_name(&self.name)
        };
        let name = errors.take("name", name);
        let url = self.url.trim();
        let host = errors.take("url", check_url(url).and_then(|host| context.post.check(url).map(|()| host)));
        let events: Vec<_> = EventKind::ALL.into_iter().filter(|kind| self.events.contains(kind)).collect();
        if events.is_empty() {
            errors.push("events", "Choose at least one event.");
        }
        match (name, host) {
            (Some(name), Some(host)) if errors.0.is_empty() => Ok(Checked { name, url: url.to_owned(), host, events }),
            _ => Err(errors.0.into()),
        }
    }
}

/// Checks the form of an address and returns its host. [`Post`](crate::model::ports::Post) decides whether we may send
/// to it.
fn check_url(text: &str) -> Result<String, String> {
    if text.len() > LONGEST_URL {
        return Err(format!("Use at most {LONGEST_URL} characters."));
    }
    let url = Url::parse(text).map_err(|_| "Enter an address such as https://alerts.example.com/hook.".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("Leave user name and password out of the address: the signature proves who sends.".to_owned());
    }
    if url.fragment().is_some() {
        return Err("Leave out the # and what follows it: it is never sent.".to_owned());
    }
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
        (Some(host), None) => Ok(host.to_owned()),
        (None, _) => Err("Enter an address such as https://alerts.example.com/hook.".to_owned()),
    }
}

/// The webhook that an earlier submission of this form was for. So a reload makes no second webhook and no second
/// secret.
pub async fn made_by_form(context: &Context, form_token: &str) -> Result<Option<WebhookId>, Fault> {
    Ok(idempotency::result_of(context, form_token).await?.as_deref().and_then(WebhookId::parse))
}

/// Why a form that was sent before is refused: it made or changed this webhook.
fn sent_before(id: &str) -> Option<WebhookError> {
    WebhookId::parse(id).map(WebhookError::AlreadySubmitted)
}

/// Adds a webhook, which gets the events from now on. Its signing secret is in the answer and, wrapped, in the
/// database.
pub async fn add(
    context: &Context,
    actor: &Actor,
    draft: &WebhookDraft,
    form_token: Option<&str>,
) -> Result<(Webhook, SigningSecret), WebhookError> {
    let checked = draft.check(context)?;
    let secret = SigningSecret::generate(context.random.as_ref());
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, WebhookError::NotFound).await?;
    let now = change.now();
    let webhook = Webhook {
        id: WebhookId::generate(context.random.as_ref()),
        name: checked.name,
        host: checked.host,
        format: draft.format,
        events: checked.events,
        secret_made_at: now,
        previous_until: None,
        after_seq: store::audit::head_in(&mut change).await?.0,
        created_by: actor.name().to_owned(),
        created_at: now,
        paused_at: None,
        gone_at: None,
        last_attempt_at: None,
        last_status: None,
        last_problem: None,
        failing_since: None,
    };
    change.use_form_token(form_token, webhook.id.as_str(), sent_before).await?;
    if store::webhook::count(&mut change).await? >= MOST as i64 {
        let message = format!("There are {MOST} webhooks already. Remove one first.");
        return Err(FieldError::new("name", message).into());
    }
    let url =
        context.keys.master.wrap(WEBHOOK_URL, webhook.id.as_str(), checked.url.as_bytes(), context.random.as_ref())?;
    let wrapped = secret.wrap(&context.keys.master, &webhook.id, context.random.as_ref())?;
    store::webhook::insert(&mut change, &webhook, &url, &wrapped).await?;
    // The event holds only the host: the rest of an address may be a secret that gives access.
    let details = json!({
        "host": webhook.host, "format": webhook.format.as_str(), "events": EventKind::names(&webhook.events),
    });
    change.commit(actor, &webhook.event(Action::WebhookAdded).with(details)).await?;
    Ok((webhook, secret))
}

/// Every webhook, in the order in which they were added.
pub async fn list(context: &Context) -> Result<Vec<Webhook>, Fault> {
    Ok(store::webhook::list(&context.store).await?)
}

/// The webhook with this identifier, if it exists.
pub async fn find(context: &Context, id: &WebhookId) -> Result<Option<Webhook>, Fault> {
    Ok(store::webhook::find(&context.store, id).await?)
}

/// The address of a webhook.
pub async fn address(context: &Context, id: &WebhookId) -> Result<String, WebhookError> {
    Ok(crate::webhook::sender::Route::open(context, id).await?.ok_or(WebhookError::NotFound)?.into_url())
}

/// The deliveries of a webhook, newest first.
pub async fn deliveries(context: &Context, id: &WebhookId, limit: u16) -> Result<Vec<Delivery>, Fault> {
    Ok(store::webhook::deliveries(&context.store, id, i64::from(limit)).await?)
}

/// How many deliveries of a webhook wait for an attempt.
pub async fn waiting(context: &Context, id: &WebhookId) -> Result<i64, Fault> {
    Ok(store::webhook::waiting(&context.store, id).await?)
}

/// Begins a change by an administrator, and reads the webhook.
pub(crate) async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &WebhookId,
) -> Result<(Change<'context>, Webhook), WebhookError> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, WebhookError::NotFound).await?;
    let webhook = store::webhook::find(&mut change, id).await?.ok_or(WebhookError::NotFound)?;
    Ok((change, webhook))
}

/// Changes the name, the address and the kinds of events.
pub async fn edit(context: &Context, actor: &Actor, id: &WebhookId, draft: &WebhookDraft) -> Result<(), WebhookError> {
    let checked = draft.check(context)?;
    let url_before = address(context, id).await?;
    let (mut change, before) = begin_for(context, actor, id).await?;
    let url = context.keys.master.wrap(WEBHOOK_URL, id.as_str(), checked.url.as_bytes(), context.random.as_ref())?;
    let after = Webhook {
        name: checked.name,
        host: checked.host,
        events: checked.events,
        format: draft.format,
        ..before.clone()
    };
    let mut changes = Changes::default();
    changes.note("name", &before.name, &after.name);
    changes.note("host", &before.host, &after.host);
    changes.note("format", before.format.as_str(), after.format.as_str());
    changes.note("events", EventKind::names(&before.events), EventKind::names(&after.events));
    if url_before != checked.url && before.host == after.host {
        changes.add("address", json!("changed"));
    }
    if changes.is_empty() {
        return Ok(());
    }
    store::webhook::update(&mut change, &after, &url).await?;
    Ok(change.commit(actor, &after.event(Action::WebhookEdited).with(changes.into())).await?)
}

/// Pauses a webhook: no new deliveries are made, and none are sent. Deliveries that wait already go on waiting. `gone`:
/// the receiver asked for the pause, with the status 410.
pub async fn pause(context: &Context, actor: &Actor, id: &WebhookId, gone: bool) -> Result<(), WebhookError> {
    let (mut change, webhook) = begin_for(context, actor, id).await?;
    if webhook.paused_at.is_some() {
        return Ok(());
    }
    let now = change.now();
    store::webhook::pause(&mut change, id, now, gone).await?;
    let reason = gone.then_some("the receiver answered 410 Gone");
    Ok(change.commit(actor, &webhook.event(Action::WebhookPaused).with(json!({ "reason": reason }))).await?)
}

/// Resumes a webhook from the present moment. Events during the pause are not sent.
pub async fn resume(context: &Context, actor: &Actor, id: &WebhookId) -> Result<(), WebhookError> {
    let (mut change, webhook) = begin_for(context, actor, id).await?;
    if webhook.paused_at.is_none() {
        return Ok(());
    }
    let (head, _) = store::audit::head_in(&mut change).await?;
    store::webhook::resume(&mut change, id, head).await?;
    Ok(change.commit(actor, &webhook.event(Action::WebhookResumed)).await?)
}

/// Makes a new signing secret. The old secret signs beside it for [`SECRET_OVERLAP`], so that the receiver can change
/// over without losing an alert. The receiver decides when it stops accepting the old secret.
pub async fn replace_secret(
    context: &Context,
    actor: &Actor,
    id: &WebhookId,
    form_token: Option<&str>,
) -> Result<(Webhook, SigningSecret), WebhookError> {
    let secret = SigningSecret::generate(context.random.as_ref());
    let wrapped = secret.wrap(&context.keys.master, id, context.random.as_ref())?;
    let (mut change, mut webhook) = begin_for(context, actor, id).await?;
    change.use_form_token(form_token, id.as_str(), sent_before).await?;
    let now = change.now();
    (webhook.secret_made_at, webhook.previous_until) = (now, Some(now.plus(SECRET_OVERLAP)));
    store::webhook::replace_secret(&mut change, id, &wrapped, now, now.plus(SECRET_OVERLAP)).await?;
    change.commit(actor, &webhook.event(Action::WebhookSecretReplaced)).await?;
    Ok((webhook, secret))
}

/// Removes the webhook and its deliveries.
pub async fn remove(context: &Context, actor: &Actor, id: &WebhookId) -> Result<(), WebhookError> {
    let (mut change, webhook) = begin_for(context, actor, id).await?;
    store::webhook::remove(&mut change, id).await?;
    Ok(change.commit(actor, &webhook.event(Action::WebhookRemoved).with(json!({ "host": webhook.host }))).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_without_credentials_and_fragment() {
        assert_eq!(check_url("https://alerts.example.com/hook?key=1"), Ok("alerts.example.com".to_owned()));
        assert_eq!(check_url("https://alerts.example.com:8443"), Ok("alerts.example.com:8443".to_owned()));
        let long = format!("https://example.com/{}", "x".repeat(LONGEST_URL));
        for wrong in [
            "",
            "alerts",
            "https://",
            "https://me@example.com/",
            "https://a:b@example.com",
            "https://a.example/#x",
            &long,
        ] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
    }
}
