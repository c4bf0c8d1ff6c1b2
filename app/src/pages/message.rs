//! Pages with one message: not found, refused, not available, already done.

use crate::components::parts::Back;
use crate::prelude::*;

/// A page with a heading, a sentence, and a link to go on.
pub fn message(status: u16, title: &'static str, text: impl Into<String>, onward: impl Into<Back>) -> Page {
    let text: String = text.into();
    let link = onward.into().0.map(|(href, words)| view! { <p class="row">{primary_link(href, words)}</p> });
    let body = view! {
        <section class="panel body" aria-labelledby="message">
            <h1 id="message">{title}</h1>
            <p class="muted">{text}</p>
            {link}
        </section>
    };
    Page::new(title, body).framed(Frame::Narrow).with_status(status)
}

const TO_OVERVIEW: (&str, &str) = (links::OVERVIEW, "Go to the overview");

/// The page of an error.
pub fn of_error(error: ActionError) -> Page {
    let status = error.status();
    match error {
        ActionError::SignedOut => {
            message(status, "Not signed in", "Your session has ended.", (links::SIGN_IN, "Sign in"))
        }
        ActionError::StaleForm => form_refused(),
        ActionError::NotFound => {
            message(status, "Not found", "There is nothing at this address, or you do not have access.", TO_OVERVIEW)
        }
        ActionError::Forbidden => forbidden(status),
        ActionError::Invalid(text) => message(status, "That did not work", text, TO_OVERVIEW),
        ActionError::Unavailable => {
            let text = "The database does not answer, so nothing was changed. Try again in a moment.";
            message(status, "Not available right now", text, ())
        }
    }
}

/// The page for a person whose role is too low. For things of a team it names who can help.
fn forbidden(status: u16) -> Page {
    let path = Visit::current().path;
    let is_of_team = [links::TEAMS, links::CREDENTIALS].iter().any(|page| path.starts_with(&format!("{page}/")));
    if is_of_team || path.starts_with("/fn/") {
        let text = "You can look at this team, not change it. Ask a manager of the team or an administrator.";
        return message(status, "Your role does not allow this", text, (links::TEAMS, "See your teams"));
    }
    let text = "Only administrators, or people with a higher role in a team, can open this page.";
    message(status, "Your role does not allow this", text, TO_OVERVIEW)
}

/// The page for a person who must add a second factor first.
pub fn second_factor_first() -> Page {
    let text = "A policy of this installation needs a second factor for your role, so nothing was changed. Add an \
                authenticator app or a passkey to your account, then begin here once more.";
    message(403, "Add a second factor first", text, (links::ACCOUNT, "Open your account"))
}

/// The page for an address that only takes a form. `page` is the page with the form.
pub fn form_only(page: String) -> Page {
    let text = "This address takes a form and has no page. Nothing was changed.";
    message(405, "Nothing to see here", text, (page, "Open the page with the form".to_owned()))
}

/// The page for a form that is larger than the limit.
pub fn too_large() -> Page {
    let text = "The form is too large, so nothing was changed. To search a whole file for leaked secrets, use the command line: \
                countersign leak FILE.";
    message(413, "Too much text", text, (links::LEAKS, "Search a shorter text"))
}

/// The page for a form that no page of this session sent.
pub fn form_refused() -> Page {
    let text = "The form did not come from a current page of this site, so nothing was changed. Go back, reload the page and \
                try again.";
    message(403, "Form not accepted", text, TO_OVERVIEW)
}

/// Asks for the password again. Then the form with these fields is sent to `action`.
pub fn confirm(action: String, fields: Vec<(String, String)>, errors: Errors) -> Page {
    let fields = fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> });
    FormPage::new("Confirm it is you", action, "Continue")
        .cancel(links::OVERVIEW)
        .fields(fields.collect_view())
        .confirm(true)
        .page(errors)
}

/// The page for a form of a signed-in browser that does not say which site sent it.
pub fn sender_unknown() -> Page {
    let text = "The request has neither a Sec-Fetch-Site nor an Origin header, so it does not say which site sent the form. \
                Nothing was changed. Use a current browser. If a proxy removes these headers, let it pass them on.";
    message(403, "Sender of the form not known", text, TO_OVERVIEW)
}

/// The page for a rotation form that was sent again.
pub fn already_rotated(client_id: &str) -> Page {
    let text = "This form was sent before. The new secret was shown once and cannot be shown again, and no second secret was \
                created. If you lost it, cancel the rotation and start again.";
    message(409, "Already rotated", text, (links::credential(client_id), "Open the credential"))
}

/// The page for a form that created a webhook's signing secret and was sent again.
pub fn already_signed(webhook_id: &str) -> Page {
    let text = "This form was sent before. The signing secret was shown once and cannot be shown again. If you lost it, replace the \
                signing secret.";
    message(409, "Already done", text, (links::webhook(webhook_id), "Open the webhook"))
}

/// The page for a form that was sent again, when nothing more is known about it.
pub fn sent_before() -> Page {
    of_error(ActionError::Invalid("This form was sent before.".to_owned()))
}

/// The page for a form that may be sent only once and was sent again.
pub fn already_generated(client_id: &str) -> Page {
    let text = "This form was sent before. Its secret was shown once and cannot be shown again, and no second credential was \
                created. If you lost the secret, rotate it or revoke this credential.";
    message(409, "Already generated", text, (links::credential(client_id), "Open the credential"))
}
