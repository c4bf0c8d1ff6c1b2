//! Handing a secret over: the form, the link, and the page that the link opens.

use std::time::Duration;

use domain::base::id::ClientId;
use domain::credential::handover::{self, Handover, Opened};
use domain::model::server::McpServer;

use crate::components::parts::gate_panel;
use crate::components::reveal::secret_field;
use crate::components::snippet::Snippets;
use crate::pages::credential::find;
use crate::pages::credential::show::connection;
use crate::pages::message::message;
use crate::prelude::*;
use crate::snippets::Connection;

/// What was chosen and typed. The secret is the one that the page before shows.
#[derive(Clone, Default)]
pub struct Typed {
    /// The secret.
    pub secret: String,
    /// The word of a [`within`].
    pub within: String,
    /// The word that the receiver needs.
    pub word: String,
    /// For whom it is.
    pub made_for: String,
}

/// Within which time the secret must be opened: the word of the choice, its text, and hours.
const TIMES: [(&str, &str, u64); 3] = [("1h", "1 hour", 1), ("24h", "24 hours", 24), ("7d", "7 days", 7 * 24)];

/// Reads the time.
pub fn within(word: &str) -> Option<Duration> {
    TIMES.iter().find(|(known, ..)| *known == word).map(|(.., hours)| Duration::from_secs(hours * 3600))
}

/// The panel of the page that shows a secret. The form sends the secret back, because no server keeps it.
pub(crate) fn panel_of(client_id: &str, secret: &str) -> AnyView {
    let content = html! {
        <div class="body">
            <p class="muted">
                "Give the secret to somebody without an account: by a link that opens once. If nobody opens it in time, the secret ends."
            </p>
            {form(client_id, &Typed { secret: secret.to_owned(), ..Typed::default() }, &Errors::default())}
        </div>
    };
    panel("handover", "Hand it over", (), content)
}

/// The links for secrets of a credential; nothing when there is none.
pub(crate) async fn links_panel(visit: &Visit, id: &ClientId) -> Result<Option<AnyView>, ActionError> {
    let made = handover::list(&visit.context, id).await?;
    if made.is_empty() {
        return Ok(None);
    }
    let now = visit.now();
    let rows = made.into_iter().map(|one| {
        let name = if one.made_for.is_empty() { muted("Not said") } else { one.made_for.clone().into_any() };
        let state = match one.opened_at {
            Some(at) => html! { {chip("Opened", "ok")}" "{distance(at)} },
            None if one.expires_at <= now => chip("Ended", "idle"),
            None => html! { {chip("Not opened", "warn")}" until "{moment(one.expires_at)} },
        };
        cells![name, one.made_by.clone(), if one.has_word { "Yes" } else { "No" }, state]
    });
    let rows = table(["For", "Made by", "Word", "State"], rows);
    Ok(Some(panel("handovers", "Secrets handed over by link", (), rows)))
}

fn form(client_id: &str, typed: &Typed, errors: &Errors) -> AnyView {
    let times = options(TIMES.map(|(word, text, _)| (word, text)));
    let content = view! {
        {hidden("client_secret", typed.secret.clone())}
        <Select id="within" label="Open within" options=times chosen=typed.within.clone() otherwise="24h"
            error=errors.at("within")/>
        <TextField id="made_for" label="For whom" value=typed.made_for.clone() error=errors.at("made_for")
            hint="Optional. Shown in the audit log, and to the receiver."/>
        <TextField id="word" label="Word" value=typed.word.clone() error=errors.at("word")
            hint="Optional. The receiver must type this word to open the secret. Tell them the word by telephone, not beside the link."/>
        {submit(None, "Make link")}
    };
    post_form(links::handover_of(client_id), "stack", content)
}

/// The form again, with what is wrong. It shows the secret again: no other page does.
pub async fn page(client_id: String, form_of: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let Form { typed, errors, .. } = form_of;
    let status = errors.status();
    let secret =
        (!typed.secret.is_empty()).then(|| secret_field("client-secret", "Client secret", None, &typed.secret));
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        {head((links::credential(&client_id), credential.name), "Hand the secret over", (), ())}
        <section class="panel body" aria-label="Secret">{secret}{form(&client_id, &typed, &errors)}</section>
    };
    Ok(Page::new("Hand the secret over", body).framed(Frame::Guarded).answering(status).with_secret())
}

/// The link. The answer to the form that made it is the only place where it appears.
pub fn link_page(client_id: &str, handover: &Handover, token: &str) -> Page {
    let url = format!("{}{}?token={token}", Visit::current().context.settings.public_url, links::HANDOVER);
    let word = handover.has_word.then_some(" The receiver needs the word: tell it in another way than the link.");
    let warning = view! {
        "The link opens the secret once, until "{moment(handover.expires_at)}". If nobody opens it, the secret ends."{word}
    };
    let name = if handover.made_for.is_empty() { "the receiver".to_owned() } else { handover.made_for.clone() };
    one_time_link(
        "Save the link",
        "Link to the secret",
        &name,
        url,
        ("Hand the link over yourself. ", warning),
        links::credential(client_id),
    )
}

/// The page that the link opens. It shows nothing yet: programs that preview links must not open the secret.
pub fn closed(handover: &Handover, token: String, errors: Errors) -> Page {
    let status = errors.status();
    let word = handover.has_word.then(|| {
        view! {
            <TextField id="word" label="Word" required=true autofocus=true error=errors.at("word")
                hint="The sender told it to you separately."/>
        }
    });
    let fields = view! {
        {hidden("token", token)}
        {word}
        <div class="row"><button class="button" data-kind="primary">"Open the secret"</button></div>
    };
    let by = handover.made_by.clone();
    let made_for = (!handover.made_for.is_empty()).then(|| format!(" for {}", handover.made_for));
    let words = view! {
        {by}" hands a secret over"{made_for}". It opens once, until "{moment(handover.expires_at)}". Have a place ready to store it."
    };
    let body = view! {
        <ErrorSummary errors/>
        {gate_panel("A secret for you", words, post_form(links::HANDOVER, "stack", fields))}
    };
    Page::new("A secret for you", body).framed(Frame::Gate).answering(status).with_secret()
}

/// The opened secret, and what a program needs with it.
pub fn opened(opened: &Opened, server: Option<&McpServer>) -> Page {
    let visit = Visit::current();
    let secret = opened.secret.expose().to_owned();
    let connection = Connection { secret: Some(secret.clone()), ..connection(&visit, &opened.credential, server) };
    let expiry = match opened.expires_at {
        Some(at) => html! { "The secret expires on "{moment(at)}"." },
        None => "The secret does not expire.".into_any(),
    };
    Reveal::new("Save the secret", "Client ID and secret", format!("{}?done", links::HANDOVER))
        .lead(view! { "For the program "<b>{connection.name.clone()}</b>". "{expiry} })
        .if_lost("The link does not work any more. If the secret is lost, ask the sender for another one.")
        .identifier("client-id", "Client ID", connection.client_id.clone())
        .secret("client-secret", "Client secret", &secret)
        .below(view! { <Snippets connection about="Ready to paste, with the secret."/> })
        .page()
}

/// The page for a link that does not open, and after a secret was stored.
pub fn gone(done: bool) -> Page {
    let (status, title, text) = match done {
        true => (200, "You can close this page", "The secret is in no other page. The link does not work any more."),
        false => (
            410,
            "This link does not open",
            "It was opened before, its time is over, or its secret ended. Ask the sender for a new one.",
        ),
    };
    message(status, title, text, (links::SIGN_IN, "Sign in")).framed(Frame::Gate)
}
