//! The second factor of the signed-in person: setting it up, recovery codes, removing it.

use domain::crypto::recovery_code::RecoveryCode;
use domain::crypto::totp::TotpSecret;
use domain::model::field_error::FieldError;
use domain::model::person::{Factors, Recovery};
use domain::person::second_factor;

use crate::components::qr_code::QrCode;
use crate::links::percent_encoded;
use crate::pages::message::message;
use crate::prelude::*;

/// Below this number of unused recovery codes the page warns.
const FEW: i64 = 3;

/// The second-factor part of the account page.
pub(crate) fn section(factors: Factors, recovery: Recovery) -> AnyView {
    let about = match recovery.app_since {
        Some(at) => html! {
            <p>"Since "{moment(at)}", signing in asks for your password and a code from your authenticator app."</p>
        },
        None if factors.any() => html! {
            <p>"Signing in with your password also asks for a passkey or a recovery code."</p>
        },
        None => html! {
            <p class="muted">"A second factor keeps your account safe if your password leaks."</p>
        },
    };
    let action = match recovery.app_since {
        Some(_) => button_link(links::REMOVE_AUTHENTICATOR, "Remove authenticator app"),
        None => primary_link(links::AUTHENTICATOR, "Set up an authenticator app"),
    };
    let left = counted(recovery.codes_left, "recovery code is left.", "recovery codes are left.");
    let advice = (recovery.codes_left < FEW).then_some(" Create new ones before you need them.");
    let (chip, left, codes) = if factors.any() {
        let codes = button_link(links::RECOVERY_CODES, "Create new recovery codes");
        (chip("On", "ok"), Some(view! { <p>{left}{advice}</p> }), Some(codes))
    } else {
        (html! { <span class="chip">"Off"</span> }, None, None)
    };
    let content = view! {
        <div class="body">
            {about}{left}
            <p class="muted">"This does not sign you out elsewhere. You can end other sessions below."</p>
            <div class="row">{codes}{action}</div>
        </div>
    };
    panel("second-factor", "Second factor", chip, content)
}

/// The frame of a page that asks before a factor of the signed-in person changes.
fn ask(page: FormPage, form: Form) -> Result<Page, ActionError> {
    let page = page.back(links::ACCOUNT, "Account");
    Ok(page.confirm(signed_in()?.must_confirm()).page(form.errors))
}

/// Explains what the person will need, before the secret is shown.
pub async fn begin(form: Form) -> Result<Page, ActionError> {
    let page = FormPage::new("Set up an authenticator app", links::AUTHENTICATOR, "Show the QR code").question(
        "You need an app that shows codes, on a phone or in a password manager. The next page shows a QR code for the app. \
         Nothing changes until you have entered a code from the app.",
    );
    ask(page, form)
}

/// The only page that shows the secret of an authenticator app. It has a field for the app's first code.
pub fn scan(visit: &Visit, secret: &TotpSecret, error: Option<String>) -> Result<Page, ActionError> {
    let viewer = visit.viewer()?;
    let shown = second_factor::shown_token(&visit.context, &viewer.id, secret);
    let text = secret.to_base32();
    let link = otpauth_link(&viewer.email, &visit.context.settings.public_url, &text);
    let grouped: Vec<&str> =
        (0..text.len()).step_by(4).map(|start| &text[start..(start + 4).min(text.len())]).collect();
    let errors = Errors(error.iter().map(|message| FieldError::new("code", message)).collect());
    let needed = view! {
        <section class="panel body" aria-label="What the app needs">
            <QrCode text=link.clone() label="QR code for your authenticator app"/>
            <div class="field">
                <label for="secret">"Or type this secret"</label>
                <div class="copy">
                    <input id="secret" type="text" readonly=true autocomplete="off" spellcheck="false" value=grouped.join(" ")/>
                    {copy_button("secret", "Copy secret")}
                </div>
            </div>
            <p><a href=link>"Open in an app on this device"</a></p>
        </section>
    };
    let code = view! {
        <TextField id="code" label="Code from your authenticator app" autocomplete="one-time-code" required=true
            hint="Six digits. They change every 30 seconds." error/>
    };
    let page = FormPage::new("Scan this with your app", links::CONFIRM_AUTHENTICATOR, "Turn on")
        .back(links::ACCOUNT, "Account")
        .above(needed)
        .hidden("shown", shown)
        .panel("First code", code);
    Ok(page.page(errors).with_secret())
}

/// The `otpauth:` address in the QR code, which authenticator apps read.
fn otpauth_link(email: &str, public_url: &str, secret: &str) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    let issuer = percent_encoded(&format!("Countersign {host}"));
    let account = percent_encoded(email);
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}

/// The only page that shows recovery codes: the answer to the form that created them.
pub fn reveal(title: &'static str, codes: &[RecoveryCode]) -> Page {
    let lines: Vec<String> = codes.iter().map(RecoveryCode::expose).collect();
    let text = format!("{}\n", lines.join("\n"));
    // The download is part of the page. To fetch it later, the server would have to still know the codes.
    let href = format!("data:text/plain;charset=utf-8,{}", percent_encoded(&text));
    let codes = view! { <pre id="recovery-codes" data-once="" tabindex="0" role="region" aria-label="Recovery codes">{text}</pre> };
    let save = view! {
        <div class="row">
            <button type="button" class="button needs-script" data-copy="recovery-codes">
                <Drawing icon=Icon::Copy/><span>"Copy recovery codes"</span>
            </button>
            <a class="button" data-stored="" download="countersign-recovery-codes.txt" href=href>
                <Drawing icon=Icon::Download/>"Download recovery codes"
            </a>
        </div>
    };
    Reveal::new(title, "Your recovery codes", links::ACCOUNT)
        .lead("Each code works once, if you lose your other factor.")
        .if_lost("Store the codes where you can find them without your phone. If you lose them, create new ones.")
        .inside(codes)
        .facts(save)
        .stored("I have stored these codes")
        .page()
}

/// The page that asks before new recovery codes replace the present ones.
pub async fn new_codes(form: Form) -> Result<Page, ActionError> {
    having(|factors| factors.any())?;
    let verb = "Create new recovery codes";
    let page = FormPage::new("Create new recovery codes?", links::RECOVERY_CODES, verb)
        .question("Ten new codes are shown once. Your current codes stop working.");
    ask(page, form)
}

/// The page that asks before the authenticator app is removed.
pub async fn remove_app(form: Form) -> Result<Page, ActionError> {
    having(|factors| factors.app)?;
    let verb = "Remove authenticator app";
    let page = FormPage::new("Remove the authenticator app?", links::REMOVE_AUTHENTICATOR, verb).danger().question(
        "Signing in no longer asks for a code from the app. If you have no passkey, your password alone signs you in and your \
         recovery codes stop working. To move to another phone, remove the app and set it up again.",
    );
    ask(page, form)
}

/// "Not found", unless the person has the factor that the page is about.
fn having(enough: impl Fn(Factors) -> bool) -> Result<(), ActionError> {
    if enough(signed_in()?.viewer()?.factors) { Ok(()) } else { Err(ActionError::NotFound) }
}

/// The page for a form that was sent again after its answer showed a secret once.
pub fn already_shown() -> Page {
    let text = "This form was sent before. Its answer was shown once and cannot be shown again. If you did not store your \
                recovery codes, create new ones.";
    message(409, "Already done", text, (links::ACCOUNT, "Go to your account"))
}

/// The page for a form that does not come from the page that showed the app's secret.
pub fn not_shown() -> Page {
    let text = "This form does not come from the page that showed the secret of the app. Nothing was changed. Set the app up again.";
    message(422, "Not confirmed", text, (links::AUTHENTICATOR, "Set up an authenticator app"))
}

/// The page for a setup that was started too long ago or is complete already.
pub fn begin_again() -> Page {
    let text =
        "An authenticator app is set up already, or setting it up took longer than 15 minutes. Nothing was changed.";
    message(409, "Nothing to confirm", text, (links::ACCOUNT, "Go to your account"))
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
