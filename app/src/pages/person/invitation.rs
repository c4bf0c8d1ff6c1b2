//! Invitations: the one page that shows a link, and what the link opens.

use domain::model::field_error::FieldError;
use domain::model::team::{Invitation, InvitedRole, Team};
use domain::person::team;
use leptos::prelude::*;

use crate::components::field::{Errors, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::time::Moment;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::message::message;
use crate::pages::person::setup::PASSWORD_HINT;
use crate::pages::team::role::role_word;
use crate::visit::Visit;

/// The link, in the answer to the form that made it and nowhere else.
pub fn link_page(invitation: &Invitation, token: &str, onward: String) -> Page {
    let link = format!("{}/invitation?token={token}", Visit::current().context.settings.public_url);
    let body = view! {
        <div class="head">
            <div>
                <h1>"Save the invitation link"</h1>
                <p>"For "<b>{invitation.email.clone()}</b>". This is the only time it is shown."</p>
            </div>
        </div>
        <div class="notice" data-tone="warn">
            <Drawing icon=Icon::Warning/>
            <div><p>
                <b>"Hand it over yourself. "</b>
                "Countersign sends no email. The link works once, until "<Moment at=invitation.expires_at/>"; whoever has it first comes in."
            </p></div>
        </div>
        <section class="panel body" aria-label="Invitation link">
            <div class="field">
                <label for="link">"Invitation link"</label>
                <input id="link" type="text" readonly=true autocomplete="off" spellcheck="false" value=link/>
                <div class="row">
                    <button type="button" class="button needs-script" data-kind="primary" data-copy="link" data-stored="">
                        <Drawing icon=Icon::Copy/><span>"Copy invitation link"</span>
                    </button>
                </div>
            </div>
            <div class="row">
                <a class="button" data-stored="" href=onward><Drawing icon=Icon::Check/>"I have handed it over"</a>
            </div>
        </section>
    };
    let mut page = Page::new("Save the invitation link", body).framed(Frame::Guarded);
    page.secret = true;
    page
}

/// What an invitation gives, in words.
async fn gives(visit: &Visit, invitation: &Invitation) -> Result<String, ActionError> {
    Ok(match &invitation.grant {
        InvitedRole::Administrator => "You will be an administrator of this Countersign.".to_owned(),
        InvitedRole::Team(id, role) => {
            let teams = team::list(&visit.context, &domain::model::authority::Authority::Everything).await?;
            let name = teams.into_iter().find(|team: &Team| team.id == *id).map(|team| team.name).unwrap_or_default();
            format!("You will be in the team {name}, as a {}.", role_word(*role).to_lowercase())
        }
    })
}

/// What somebody sees who is not signed in and has no account: name and password are all that is asked.
pub async fn account_page(
    invitation: Invitation,
    token: String,
    name: String,
    errors: Vec<FieldError>,
) -> Result<Page, ActionError> {
    let gives = gives(&Visit::current(), &invitation).await?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <section class="panel body" aria-labelledby="title">
            <div class="stack">
                <h1 id="title">"You are invited"</h1>
                <p class="muted">{format!("By {}, for {}. {gives}", invitation.invited_by, invitation.email)}</p>
            </div>
            <form method="post" action="/invitation" class="stack">
                <FormToken/>
                <input type="hidden" name="token" value=token/>
                <input type="hidden" name="username" value=invitation.email autocomplete="username"/>
                <TextField id="name" label="Name" value=name autocomplete="name" error=of.at("name")/>
                <TextField id="password" label="Password" kind="password" autocomplete="new-password" required=true
                    hint=PASSWORD_HINT error=of.at("password")/>
                <button class="button" data-kind="primary">"Create account"</button>
            </form>
        </section>
    };
    Ok(secret(Page::new("You are invited", body).framed(Frame::Gate).answering(status)))
}

/// What the invited person sees who is signed in.
pub async fn join_page(invitation: Invitation, token: String) -> Result<Page, ActionError> {
    let gives = gives(&Visit::current(), &invitation).await?;
    let body = view! {
        <section class="panel body" aria-labelledby="title">
            <div class="stack">
                <h1 id="title">"You are invited"</h1>
                <p class="muted">{format!("By {}. {gives}", invitation.invited_by)}</p>
            </div>
            <form method="post" action="/invitation" class="row">
                <FormToken/>
                <input type="hidden" name="token" value=token/>
                <button class="button" data-kind="primary">"Accept invitation"</button>
                <a class="button" data-kind="quiet" href="/">"Not now"</a>
            </form>
        </section>
    };
    Ok(secret(Page::new("You are invited", body).framed(Frame::Gate)))
}

/// An account of the invited address exists and nobody is signed in.
pub fn sign_in_first(email: &str) -> Page {
    let text = format!("{email} has an account here. Sign in with it, then open the link again.");
    secret(message(200, "Sign in first", text, Some(("/login".to_owned(), "Sign in"))).framed(Frame::Gate))
}

/// Somebody else is signed in.
pub fn for_somebody_else(email: &str) -> Page {
    let text = format!("This invitation is for {email}. Sign out, then open the link again.");
    secret(message(403, "For somebody else", text, Some(("/".to_owned(), "Go to the overview"))))
}

/// The link does not work.
pub fn unusable() -> Page {
    message(
        410,
        "This invitation does not work any more",
        "It was used or withdrawn, it is older than seven days, or a newer one replaced it. Ask for another one.",
        Some(("/login".to_owned(), "Sign in")),
    )
    .framed(Frame::Gate)
}

/// The address of these pages is a secret.
fn secret(mut page: Page) -> Page {
    page.secret = true;
    page
}
