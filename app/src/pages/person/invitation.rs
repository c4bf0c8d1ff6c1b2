//! Invitations: the only page that shows an invitation's link, and the page that the link opens.

use domain::model::person::authority::Authority;
use domain::model::person::team::{Invitation, InvitedRole};
use domain::person::team;
use domain::webhook::mail::Mailed;

use crate::components::parts::gate_panel;
use crate::pages::message::message;
use crate::pages::person::setup::PASSWORD_HINT;
use crate::pages::team::role::role_word;
use crate::prelude::*;

/// The address that an invitation's link has.
pub fn address(public_url: &str, token: &str) -> String {
    format!("{public_url}{}?token={token}", links::INVITATION)
}

/// The link. `mailed` says what the mail server answered. The answer to the form that created it is the only place
/// where it appears.
pub fn link_page(invitation: &Invitation, link: String, onward: String, mailed: &Mailed) -> Page {
    const BY_HAND: &str = "Hand the link over yourself. ";
    let (head, sent) = match mailed {
        Mailed::No => (BY_HAND, "Countersign sends no email.".to_owned()),
        Mailed::NotAgain => (BY_HAND, format!("{} got an email a few minutes ago.", invitation.email)),
        Mailed::Yes => ("Sent by email. ", format!("The link was sent to {}.", invitation.email)),
        Mailed::UnderWay => (BY_HAND, "The email is being sent, and the mail server is slow.".to_owned()),
        Mailed::Refused(problem) => (BY_HAND, format!("The email could not be sent ({problem}).")),
    };
    let warning = view! {
        {sent}" The link creates the account of "{invitation.email.clone()}" for the first person who opens it. It works once, until "
        {moment(invitation.expires_at)}"."
    };
    one_time_link("Save the invitation link", "Invitation link", &invitation.email, link, (head, warning), onward)
}

/// The role that an invitation gives, in words.
async fn gives(visit: &Visit, invitation: &Invitation) -> Result<String, ActionError> {
    Ok(match &invitation.role {
        InvitedRole::Administrator => "You will be an administrator of this Countersign.".to_owned(),
        InvitedRole::Team(id, role) => {
            let teams = team::list(&visit.context, &Authority::Everything).await?;
            let name = teams.into_iter().find(|team| team.id == *id).map(|team| team.name).unwrap_or_default();
            format!("You will be in the team {name}, as a {}.", role_word(*role).to_lowercase())
        }
    })
}

/// The page for a person who is not signed in and has no account. It asks only for a name and a password.
pub async fn account_page(invitation: Invitation, token: String, form: Form<String>) -> Result<Page, ActionError> {
    let gives = gives(&Visit::current(), &invitation).await?;
    let Form { typed: name, errors, .. } = form;
    let status = errors.status();
    let form = html! {
        <form method="post" action=links::INVITATION class="stack">
            <FormToken/>{hidden("token", token)}
            <input type="hidden" name="username" value=invitation.email.clone() autocomplete="username"/>
            <TextField id="name" label="Name" value=name autocomplete="name" error=errors.at("name")/>
            <TextField id="password" label="Password" kind="password" autocomplete="new-password" required=true
                hint=PASSWORD_HINT error=errors.at("password")/>
            <button class="button" data-kind="primary">"Create account"</button>
        </form>
    };
    let words = format!("By {}, for {}. {gives}", invitation.invited_by, invitation.email);
    Ok(invited(errors, words, form).answering(status))
}

/// The page for the invited person when they are signed in.
pub async fn join_page(invitation: Invitation, token: String) -> Result<Page, ActionError> {
    let gives = gives(&Visit::current(), &invitation).await?;
    let form = html! {
        <form method="post" action=links::INVITATION class="row">
            <FormToken/>{hidden("token", token)}
            <button class="button" data-kind="primary">"Accept invitation"</button>
            <a class="button" data-kind="quiet" href=links::OVERVIEW>"Not now"</a>
        </form>
    };
    let words = format!("By {}. {gives}", invitation.invited_by);
    Ok(invited(Errors::default(), words, form))
}

fn invited(errors: Errors, words: String, form: AnyView) -> Page {
    let title = "You are invited";
    let body = view! { <ErrorSummary errors/>{gate_panel(title, words, form)} };
    Page::new(title, body).framed(Frame::Gate).with_secret()
}

/// The page when the invited address has an account and the visitor is not signed in.
pub fn sign_in_first(email: &str) -> Page {
    let text = format!("{email} has an account here. Sign in with it, then open the link again.");
    message(200, "Sign in first", text, (links::SIGN_IN, "Sign in")).framed(Frame::Gate).with_secret()
}

/// The page when another person is signed in.
pub fn for_somebody_else(email: &str) -> Page {
    let text = format!("This invitation is for {email}. Sign out, then open the link again.");
    message(403, "For somebody else", text, (links::OVERVIEW, "Go to the overview")).with_secret()
}

/// The page for a link that does not work.
pub fn unusable() -> Page {
    let text = "The invitation was used or withdrawn, it is older than seven days, or a newer one replaced it. Ask for a new one.";
    message(410, "This invitation no longer works", text, (links::SIGN_IN, "Sign in")).framed(Frame::Gate)
}
