//! The forms of webhooks, and the one page that shows a signing secret.

use domain::model::field_error::FieldError;
use domain::model::webhook::{EventKind, Webhook};
use domain::webhook::secret::SigningSecret;
use domain::webhook::{self, WebhookDraft};
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::time::Moment;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::webhook::list::words;
use crate::pages::webhook::show::{find, read_id};
use crate::visit::signed_in;

/// What was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// Address.
    pub url: String,
    /// Ticked events.
    pub events: Vec<String>,
}

impl Default for Typed {
    fn default() -> Self {
        let events = EventKind::ALL.map(|kind| kind.as_str().to_owned()).into();
        Self { name: String::new(), url: String::new(), events }
    }
}

impl Typed {
    /// What the rules understand.
    pub fn draft(&self) -> WebhookDraft {
        WebhookDraft {
            name: self.name.clone(),
            url: self.url.clone(),
            events: self.events.iter().filter_map(|name| EventKind::parse(name)).collect(),
        }
    }
}

fn fields(typed: Typed, of: &Errors) -> AnyView {
    let choices = EventKind::ALL
        .into_iter()
        .map(|kind| {
            let (word, when) = words(kind);
            let checked = typed.events.iter().any(|name| name == kind.as_str());
            view! {
                <label class="choice">
                    <input type="checkbox" name="event" value=kind.as_str() checked=checked/>
                    <span>{word}</span><span class="hint">{when}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <TextField id="name" label="Name" value=typed.name required=true error=of.at("name")
            hint="What receives the messages, such as the on-call channel."/>
        <TextField id="url" label="Address" value=typed.url required=true error=of.at("url")
            hint="Messages are sent there by POST: https://alerts.example.com/hook. It is kept encrypted."/>
        <fieldset class="stack" id="events">
            <legend>"Events"</legend>
            <div>{choices}</div>
            {of.at("events").map(|error| view! { <p class="error">{error}</p> })}
        </fieldset>
    }
    .into_any()
}

/// The form that adds one.
pub async fn new(typed: Typed, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div>
            <a href="/settings/webhooks">"Back to the list"</a><h1>"New webhook"</h1>
            <p>"It is told of what happens from now on. The next page shows its signing secret, once."</p>
        </div></div>
        <form method="post" action="/settings/webhooks/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">{fields(typed, &of)}</section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Add webhook"</button>
                <a class="button" data-kind="quiet" href="/settings/webhooks">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New webhook", body).framed(Frame::Narrow).answering(status))
}

/// The form that changes one. Without anything typed it shows what is so now.
pub async fn edit(
    id: String,
    typed: Option<Typed>,
    errors: Vec<FieldError>,
    ask_password: bool,
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    let webhook = find(&visit, &id).await?;
    let typed = match typed {
        Some(typed) => typed,
        None => Typed {
            name: webhook.name.clone(),
            url: webhook::address(&visit.context, &id).await?,
            events: webhook.events.iter().map(|kind| kind.as_str().to_owned()).collect(),
        },
    };
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = format!("/settings/webhooks/{id}");
    let action = format!("{address}/edit");
    let title = format!("Edit {}", webhook.name);
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div>
            <a href=address.clone()>{format!("Back to {}", webhook.name)}</a><h1>{title.clone()}</h1>
            <p>"What waits is sent to the new address too."</p>
        </div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">{fields(typed, &of)}</section>
            <ConfirmPassword asked=ask_password errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Save changes"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// Asks before the signing secret is replaced.
pub async fn secret(id: String, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = read_id(&id)?;
    let webhook = find(&visit, &id).await?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let address = format!("/settings/webhooks/{id}");
    let action = format!("{address}/secret");
    let title = "Replace the signing secret?";
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href=address.clone()>{format!("Back to {}", webhook.name)}</a><h1>{title}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="What happens">
                <p>
                    "A new secret is made and shown once. For 24 hours each message is signed with both, so no alert is lost
                    while the receiver changes over. If the old one has leaked, change the receiver now: from then on it
                    believes the new one alone."
                </p>
            </section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Replace signing secret"</button>
                <a class="button" data-kind="quiet" href=address>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// Shows the signing secret. It is in this answer and nowhere else.
pub fn reveal(webhook: &Webhook, secret: &SigningSecret) -> Page {
    let onward = format!("/settings/webhooks/{}", webhook.id);
    let (title, old) = match webhook.previous_until {
        Some(at) => {
            let old = view! { " The one before signs too until "<Moment at/>"." }.into_any();
            ("Save your new signing secret", old)
        }
        None => ("Save your signing secret", ().into_any()),
    };
    let body = view! {
        <div class="head">
            <div>
                <h1>{title}</h1>
                <p>"For "<b>{webhook.name.clone()}</b>". This is the only time it is shown."{old}</p>
            </div>
        </div>
        <div class="notice" data-tone="warn">
            <Drawing icon=Icon::Warning/>
            <div><p>
                <b>"Shown once. "</b>"It is kept encrypted, to sign with. If you lose it, replace it."
            </p></div>
        </div>
        <section class="panel body" aria-label="Signing secret">
            <div class="field">
                <label for="signing-secret">"Signing secret"</label>
                <input id="signing-secret" type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false"
                    value=secret.expose().to_string()/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="signing-secret">
                        <Drawing icon=Icon::Copy/><span>"Copy signing secret"</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask=""
                        aria-label="Show or hide the signing secret">"Show or hide"</button>
                </div>
            </div>
            <p class="muted">
                "The receiver checks each message with it; the webhook’s page has programs for that."
            </p>
            <div class="row">
                <a class="button" data-stored="" href=onward><Drawing icon=Icon::Check/>"I have stored this secret"</a>
            </div>
        </section>
    };
    let mut page = Page::new(title, body).framed(Frame::Guarded);
    page.secret = true;
    page
}
