//! The one page that shows a secret: the answer to the form that generated it.

use domain::base::clock::Timestamp;
use leptos::prelude::*;

use crate::components::icon::{Drawing, Icon};
use crate::components::snippet::{Snippets, TryIt};
use crate::components::status::ScopeTags;
use crate::components::time::Moment;
use crate::page::{Frame, Page};
use crate::pages::credential::list::short_resource;
use crate::snippets::Connection;

/// What is shown. The secret in `connection` is in this answer and nowhere else.
pub struct Reveal {
    /// The credential and its secret.
    pub connection: Connection,
    /// When the secret stops working.
    pub expires_at: Option<Timestamp>,
    /// Why there is a secret to show.
    pub occasion: Occasion,
}

/// Why there is a secret to show.
#[derive(Debug, Clone, Copy)]
pub enum Occasion {
    /// The credential is new.
    Generated,
    /// The secret takes the place of another one, which works up to this moment, or not any more.
    Rotated(Option<Timestamp>),
}

/// The page.
pub fn page(reveal: Reveal) -> Page {
    let Reveal { connection, expires_at, occasion } = reveal;
    let secret = connection.secret_or_placeholder().to_owned();
    let onward = format!("/credentials/{}", connection.client_id);
    let expiry = match expires_at {
        Some(at) => view! { "Expires "<Moment at/> }.into_any(),
        None => "Never expires".into_any(),
    };
    let scopes = connection.scope.split(' ').map(str::to_owned).collect();
    let (title, steps, old) = match occasion {
        Occasion::Generated => ("Save your client secret", ["Generate", "Store the secret", "Connect"], ().into_any()),
        Occasion::Rotated(until) => {
            let old = match until {
                Some(at) => view! { " The old one works until "<Moment at/>"." }.into_any(),
                None => " The old one stopped working.".into_any(),
            };
            ("Save your new client secret", ["Rotate", "Store the new secret", "Move the program to it"], old)
        }
    };
    let [first, second, third] = steps;
    let is_new = matches!(occasion, Occasion::Generated);
    let body = view! {
        <ol class="steps"><li data-done="">{first}</li><li aria-current="step">{second}</li><li>{third}</li></ol>
        <div class="head">
            <div>
                <h1>{title}</h1>
                <p>"For "<b>{connection.name.clone()}</b>". This is the only time it is shown."{old}</p>
            </div>
        </div>
        <div class="notice" data-tone="warn">
            <Drawing icon=Icon::Warning/>
            <div><p>
                <b>"Shown once. "</b>"Only a fingerprint is kept here. If the secret is lost, rotate it again or revoke the credential."
            </p></div>
        </div>
        <section class="panel body" aria-label="Client ID and secret">
            <div class="field">
                <label for="client-id">"Client ID"</label>
                <div class="copy">
                    <input id="client-id" type="text" readonly=true value=connection.client_id.clone()/>
                    <button type="button" class="button needs-script" data-copy="client-id">
                        <Drawing icon=Icon::Copy/><span>"Copy client ID"</span>
                    </button>
                </div>
            </div>
            <div class="field">
                <label for="client-secret">"Client secret"</label>
                <input id="client-secret" type="text" readonly=true data-secret="" autocomplete="off" spellcheck="false"
                    value=secret/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="client-secret">
                        <Drawing icon=Icon::Copy/><span>"Copy client secret"</span>
                    </button>
                    <button type="button" class="button needs-script" data-unmask="">
                        <span>"Show client secret"</span>
                    </button>
                </div>
            </div>
            <div class="row" data-spread="">
                <div class="row muted">
                    <span>{expiry}</span><ScopeTags scopes/><span>{short_resource(&connection.mcp_server)}</span>
                </div>
                <a class="button" data-stored="" href=onward><Drawing icon=Icon::Check/>"I have stored this secret"</a>
            </div>
        </section>
        <Snippets connection=connection.clone() about="Ready to paste, with the secret."/>
        {is_new.then(|| view! { <TryIt connection reload=None/> })}
    };
    let mut page = Page::new(title, body).framed(Frame::Guarded);
    page.secret = true;
    page
}
