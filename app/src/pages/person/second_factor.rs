//! One's own second factor: setting it up, recovery codes, removing it.

use domain::crypto::recovery_code::RecoveryCode;
use domain::crypto::totp::TotpSecret;
use domain::model::field_error::FieldError;
use domain::model::person::{Factors, Recovery};
use domain::person::second_factor;
use leptos::prelude::*;

use crate::components::chart::counted;
use crate::components::field::{ConfirmPassword, Errors, TextField};
use crate::components::icon::{Drawing, Icon};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::qr_code::QrCode;
use crate::components::time::Moment;
use crate::error::ActionError;
use crate::links::percent_encoded;
use crate::page::{Frame, Page};
use crate::pages::message::message;
use crate::visit::{Visit, signed_in};

/// Fewer recovery codes than this are worth a warning.
const FEW: i64 = 3;

/// The part of the account's page.
pub fn section(factors: Factors, recovery: Recovery) -> AnyView {
    let state = match recovery.app_since {
        Some(at) => view! {
            <p>"Signing in asks for your password and a code of your authenticator app, since "<Moment at/>"."</p>
        }
        .into_any(),
        None if factors.any() => view! {
            <p>"Signing in with your password asks for a passkey as well, or for a recovery code."</p>
        }
        .into_any(),
        None => view! {
            <p class="muted">"Whoever learns your password can sign in as you. With a code from your telephone as well they cannot."</p>
        }
        .into_any(),
    };
    let left = factors.any().then(|| {
        let few = recovery.codes_left < FEW;
        let left = counted(recovery.codes_left, "recovery code is left.", "recovery codes are left.");
        let advice = few.then_some(" Make new ones before you need them.");
        view! { <p>{left}{advice}</p> }
    });
    let actions = match recovery.app_since {
        Some(_) => {
            view! { <a class="button" href="/account/authenticator/remove">"Remove authenticator app"</a> }.into_any()
        }
        None => view! {
            <a class="button" data-kind="primary" href="/account/authenticator">"Set up an authenticator app"</a>
        }
        .into_any(),
    };
    let codes =
        factors.any().then(|| view! { <a class="button" href="/account/recovery-codes">"Make new recovery codes"</a> });
    let chip = if factors.any() {
        view! { <span class="chip" data-tone="ok">"On"</span> }.into_any()
    } else {
        view! { <span class="chip">"Off"</span> }.into_any()
    };
    view! {
        <section class="panel" aria-labelledby="second-factor">
            <header><h2 id="second-factor">"Second factor"</h2>{chip}</header>
            <div class="body">
                {state}{left}
                <p class="muted">"Adding or removing a factor ends none of your sessions: end the others below."</p>
                <div class="row">{codes}{actions}</div>
            </div>
        </section>
    }
    .into_any()
}

/// What a page asks before it does something about one's own factors.
struct Question {
    title: &'static str,
    words: &'static str,
    action: &'static str,
    verb: &'static str,
    kind: &'static str,
}

fn ask(question: Question, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Question { title, words, action, verb, kind } = question;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/account">"Back to your account"</a><h1>{title}</h1></div></div>
        <form method="post" action=action class="stack">
            <FormToken/>
            <section class="panel body" aria-label="What happens"><p>{words}</p></section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of/>
            <div class="row">
                <button class="button" data-kind=kind>{verb}</button>
                <a class="button" data-kind="quiet" href="/account">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}

/// Explains what will be needed, before the secret is shown.
pub async fn begin(errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let question = Question {
        title: "Set up an authenticator app",
        words: "You need an app that makes codes, on a telephone or in a password manager. The next page shows what to scan \
                with it; nothing changes until you have entered a code from it.",
        action: "/account/authenticator",
        verb: "Show the QR code",
        kind: "primary",
    };
    ask(question, errors, ask_password)
}

/// The one page that shows the secret of an app, with a field for its first code.
pub fn scan(visit: &Visit, secret: &TotpSecret, error: Option<String>) -> Result<Page, ActionError> {
    let viewer = visit.viewer()?;
    let email = &viewer.email;
    let shown = second_factor::shown_token(&visit.context, &viewer.id, secret);
    let text = secret.to_base32();
    let link = otpauth_link(email, &visit.context.settings.public_url, &text);
    let grouped: Vec<&str> =
        (0..text.len()).step_by(4).map(|start| &text[start..(start + 4).min(text.len())]).collect();
    let status = if error.is_none() { 200 } else { 422 };
    let errors: Vec<FieldError> = error.iter().map(|message| FieldError::new("code", message)).collect();
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/account">"Back to your account"</a><h1>"Scan this with your app"</h1></div></div>
        <section class="panel body" aria-label="What the app needs">
            <QrCode text=link.clone() label="QR code for your authenticator app"/>
            <div class="field">
                <label for="secret">"Or type this secret"</label>
                <div class="copy">
                    <input id="secret" type="text" readonly=true autocomplete="off" spellcheck="false" value=grouped.join(" ")/>
                    <button type="button" class="button needs-script" data-copy="secret">
                        <Drawing icon=Icon::Copy/><span>"Copy secret"</span>
                    </button>
                </div>
            </div>
            <p><a href=link>"Open it in an app on this device"</a></p>
        </section>
        <form method="post" action="/account/authenticator/confirm" class="stack">
            <FormToken/>
            <input type="hidden" name="shown" value=shown/>
            <section class="panel body" aria-label="First code">
                <TextField id="code" label="Code from your authenticator app" autocomplete="one-time-code" required=true
                    hint="Six digits. They change every 30 seconds." error/>
            </section>
            <div class="row">
                <button class="button" data-kind="primary">"Turn on"</button>
                <a class="button" data-kind="quiet" href="/account">"Cancel"</a>
            </div>
        </form>
    };
    let mut page = Page::new("Scan this with your app", body).framed(Frame::Narrow).answering(status);
    page.secret = true;
    Ok(page)
}

/// What apps read out of a QR code.
fn otpauth_link(email: &str, public_url: &str, secret: &str) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    let issuer = percent_encoded(&format!("Countersign {host}"));
    let account = percent_encoded(email);
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}

/// The one page that shows recovery codes: the answer to the form that made them.
pub fn reveal(title: &'static str, codes: &[RecoveryCode]) -> Page {
    let lines: Vec<String> = codes.iter().map(RecoveryCode::expose).collect();
    let text = format!("{}\n", lines.join("\n"));
    // The download is part of the page: fetching it would mean that the server still knew the codes.
    let href = format!("data:text/plain;charset=utf-8,{}", percent_encoded(&text));
    let body = view! {
        <div class="head"><div><h1>{title}</h1>
            <p>"Each lets you in once when you have lost your other factor. This is the only time they are shown."</p></div></div>
        <div class="notice" data-tone="warn">
            <Drawing icon=Icon::Warning/>
            <div><p><b>"Shown once. "</b>"Only fingerprints are kept here. Store the codes where you find them without your telephone."</p></div>
        </div>
        <section class="panel body" aria-label="Your recovery codes">
            <pre id="recovery-codes" tabindex="0" role="region" aria-label="Recovery codes">{text}</pre>
            <div class="row" data-spread="">
                <div class="row">
                    <button type="button" class="button needs-script" data-copy="recovery-codes" data-stored="">
                        <Drawing icon=Icon::Copy/><span>"Copy recovery codes"</span>
                    </button>
                    <a class="button" data-stored="" download="countersign-recovery-codes.txt" href=href>
                        <Drawing icon=Icon::Download/>"Download recovery codes"
                    </a>
                </div>
                <a class="button" data-stored="" href="/account"><Drawing icon=Icon::Check/>"I have stored these codes"</a>
            </div>
        </section>
    };
    let mut page = Page::new(title, body).framed(Frame::Guarded);
    page.secret = true;
    page
}

/// Asks before recovery codes are made anew.
pub async fn new_codes(errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    having(|factors| factors.any())?;
    let question = Question {
        title: "Make new recovery codes?",
        words: "Ten new codes are shown once. The ones you have stop working.",
        action: "/account/recovery-codes",
        verb: "Make new recovery codes",
        kind: "primary",
    };
    ask(question, errors, ask_password)
}

/// Asks before the app is removed.
pub async fn remove_app(errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    having(|factors| factors.app)?;
    let question = Question {
        title: "Remove the authenticator app?",
        words: "It is not asked for any more. If you have no passkey, your password alone signs you in, and your recovery codes stop \
                working. To move to another telephone, remove the app and set it up again.",
        action: "/account/authenticator/remove",
        verb: "Remove authenticator app",
        kind: "danger",
    };
    ask(question, errors, ask_password)
}

/// Not found, unless the person has what the page is about.
fn having(enough: impl Fn(Factors) -> bool) -> Result<(), ActionError> {
    if enough(signed_in()?.viewer()?.factors) { Ok(()) } else { Err(ActionError::NotFound) }
}

/// A form whose answer showed something once was sent again.
pub fn already_shown() -> Page {
    message(
        409,
        "Already done",
        "This form was sent before. What it showed was shown once and cannot be shown again. If you did not store your recovery \
         codes, make new ones.",
        Some(("/account".to_owned(), "Go to your account")),
    )
}

/// A code for an app whose secret was shown elsewhere.
pub fn not_shown() -> Page {
    message(
        422,
        "Not confirmed",
        "This form does not come from the page that showed the secret of the app. Nothing was changed. Set the app up again.",
        Some(("/account/authenticator".to_owned(), "Set up an authenticator app")),
    )
}

/// An app was begun too long ago, or is set up already.
pub fn begin_again() -> Page {
    message(
        409,
        "Nothing to confirm",
        "An authenticator app is set up already, or setting it up took longer than 15 minutes. Nothing was changed.",
        Some(("/account".to_owned(), "Go to your account")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_for_apps_names_the_instance_and_the_account() {
        let link = otpauth_link("ada+x@example.com", "https://id.example:8443", "ABC");
        let label = "otpauth://totp/Countersign%20id.example%3A8443:ada%2Bx%40example.com";
        let rest = "secret=ABC&issuer=Countersign%20id.example%3A8443&algorithm=SHA1&digits=6&period=30";
        assert_eq!(link, format!("{label}?{rest}"));
    }
}
