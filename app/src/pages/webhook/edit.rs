//! The forms of webhooks, and the one page that shows a signing secret.

use domain::model::webhook::{EventKind, Webhook, WebhookFormat};
use domain::webhook::secret::SigningSecret;
use domain::webhook::{self, WebhookDraft};

use crate::pages::webhook::list::words;
use crate::pages::webhook::show::find;
use crate::prelude::*;

/// What was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// Address.
    pub url: String,
    /// Ticked events.
    pub events: Vec<String>,
    /// The format.
    pub format: String,
}

impl Default for Typed {
    fn default() -> Self {
        let events = EventKind::ALL.map(|kind| kind.as_str().to_owned()).into();
        Self { name: String::new(), url: String::new(), events, format: String::new() }
    }
}

impl Typed {
    /// Converts the fields to the input of the domain rules.
    pub fn draft(&self) -> WebhookDraft {
        WebhookDraft {
            name: self.name.clone(),
            url: self.url.clone(),
            events: self.events.iter().filter_map(|name| EventKind::parse(name)).collect(),
            format: WebhookFormat::parse(&self.format).unwrap_or_default(),
        }
    }
}

fn fields(typed: Typed, errors: &Errors) -> AnyView {
    let events = EventKind::ALL.map(|kind| {
        let (word, when) = words(kind);
        let checked = typed.events.iter().any(|name| name == kind.as_str());
        let words = view! { <span>{word}</span><span class="hint">{when}</span> };
        choice("checkbox", "event", kind.as_str(), checked, words)
    });
    let formats = options([("standard", "Standard Webhooks: signed JSON"), ("slack", "Slack: a text message")]);
    html! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")
            hint="The receiver, such as the on-call channel."/>
        <TextField id="url" label="Address" value=typed.url required=true error=errors.at("url")
            hint="Receives messages by POST, such as https://alerts.example.com/hook. Stored encrypted."/>
        <Select id="format" label="Format" options=formats chosen=typed.format otherwise="standard"
            hint="Slack, and chats that read its messages, check no signature: keep the address secret."/>
        {choices("events", "Events", None, events, errors.at("events"))}
    }
}

/// The form that adds a webhook.
pub async fn new(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let page = FormPage::new("New webhook", links::NEW_WEBHOOK, "Add webhook")
        .back(links::WEBHOOKS, "Webhooks")
        .lead("Sends events from now on. The next page shows the signing secret, once.")
        .panel("Settings", fields(typed, &errors));
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// The form that changes a webhook. When nothing was typed it shows the present values. Only a changed address needs a
/// new proof of who the person is, so the form asks for it after it was sent.
pub async fn edit(id: String, form: Form<Option<Typed>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhook = find(&visit, &id).await?;
    let Form { typed, errors, confirm } = form;
    let typed = match typed {
        Some(typed) => typed,
        None => Typed {
            name: webhook.name.clone(),
            url: webhook::address(&visit.context, &webhook.id).await?,
            events: webhook.events.iter().map(|kind| kind.as_str().to_owned()).collect(),
            format: webhook.format.as_str().to_owned(),
        },
    };
    let page = FormPage::new(format!("Edit {}", webhook.name), links::edit_webhook(&id), "Save changes")
        .back(links::webhook(&id), webhook.name.clone())
        .lead("Waiting deliveries are sent to the new address too.")
        .panel("Settings", fields(typed, &errors));
    Ok(page.confirm(confirm).page(errors))
}

/// The page that asks before the signing secret is replaced.
pub async fn secret(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let webhook = find(&visit, &id).await?;
    let page = FormPage::new("Replace the signing secret?", links::webhook_secret(&id), "Replace signing secret")
        .back(links::webhook(&id), webhook.name.clone())
        .question(
            "The new secret is shown once. For 24 hours each message is signed with both secrets, so no alert is lost while you \
             change the receiver. If the old secret has leaked, change the receiver now, so that it trusts only the new secret.",
        );
    Ok(page.confirm(visit.must_confirm()).page(form.errors))
}

/// Shows the signing secret. This answer is the only place where it appears.
pub fn reveal(webhook: &Webhook, secret: &SigningSecret) -> Page {
    let (title, old) = match webhook.previous_until {
        Some(at) => {
            ("Save your new signing secret", Some(view! { " The previous secret also signs until "{moment(at)}"." }))
        }
        None => ("Save your signing secret", None),
    };
    let checks = view! { <p class="muted">"The receiver verifies each message with this secret. The page of the webhook has code for that."</p> };
    Reveal::new(title, "Signing secret", links::webhook(&webhook.id))
        .lead(view! { {shown_once(&webhook.name)}{old} })
        .if_lost("Countersign keeps it encrypted, to sign messages. If you lose the secret, replace it.")
        .secret("signing-secret", "Signing secret", secret.expose().as_str())
        .inside(checks)
        .page()
}
