//! The second step of a sign-in.

use std::time::Duration;

use domain::model::person::Factors;
use domain::person::sign_in::wait_words;

use crate::pages::person::sign_in::passkey_form;
use crate::prelude::*;

/// Why the second step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The code is wrong, or was used before.
    WrongCode,
    /// The passkey was not accepted.
    WrongPasskey,
    /// The form was opened before the browser's session changed. Nothing was checked.
    Stale,
    /// Too many failures from this address or in this browser. No code or passkey is checked.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Too many wrong codes of the app. Recovery codes and passkeys are still checked.
    TooManyCodes {
        /// How long to wait.
        retry_after: Duration,
    },
    /// An internal error.
    Unavailable,
}

/// The page for a person who has `factors`. It asks for a recovery code when `recovery` is set or the person has no
/// app. `next` is the address after the sign-in. It is kept when the sign-in must start over because this step took too
/// long.
pub fn page(factors: Factors, recovery: bool, next: &str, problem: Option<Problem>) -> Page {
    let recovery = recovery || !factors.app;
    let say = |status: u16, title: &'static str, text: &str| (status, title, text.to_owned());
    let refused = |text: &str| say(422, "Not signed in", text);
    let problem = problem.map(|problem| match problem {
        Problem::WrongCode if recovery => {
            refused("This is not one of your unused recovery codes. Check the code and try again.")
        }
        Problem::WrongCode => refused("This code is wrong, or was used before. Wait for the next code and try again."),
        Problem::WrongPasskey => {
            refused("That passkey is not registered here, or it timed out. Try again, or use a recovery code.")
        }
        Problem::Stale => {
            refused("You signed in or out in this browser after you opened this form. Send the form again.")
        }
        Problem::Throttled { retry_after } => {
            say(429, "Too many failed sign-ins", &format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        Problem::TooManyCodes { retry_after } => {
            say(429, "Too many wrong codes", &format!("Wait {}, or use a recovery code.", wait_words(retry_after)))
        }
        Problem::Unavailable => {
            say(503, "Not available right now", "The code could not be checked. Try again in a moment.")
        }
    });
    let status = problem.as_ref().map_or(200, |(status, ..)| *status);
    let (label, hint, autocomplete) = match recovery {
        true => ("Recovery code", "Each works once.", "off"),
        false => ("Code from your authenticator app", "", "one-time-code"),
    };
    let (words, with) = match recovery {
        true => ("Use your authenticator app", ""),
        false => ("Use a recovery code", "recovery-code"),
    };
    let other = links::on_the_way_to(next, links::SECOND_STEP, &[("with", with)]);
    let other = factors.app.then(|| view! { <p><a href=other>{words}</a></p> });
    let challenge = format!("{}?for=second-step", links::SIGN_IN_WITH_PASSKEY);
    let passkey = factors.passkeys.then(|| passkey_form(links::SECOND_STEP, next, challenge));
    let form = view! {
        <form method="post" action=links::SECOND_STEP class="stack">
            <FormToken/>
            <input type="hidden" name="with" value=recovery.then_some("recovery-code")/>
            {hidden("next", next)}
            <TextField id="code" label autocomplete required=true hint autofocus=true/>
            <button class="button" data-kind="primary">"Sign in"</button>
        </form>
    };
    let body = view! {
        {problem.map(|(_, title, text)| view! { <Alert title text/> })}
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Second factor"</h1>
            {form}
            {passkey}
            {other}
        </section>
        <p class="sub"><a href=links::SIGN_IN>"Sign in as somebody else"</a>
            " · Lost your second factor? An administrator can remove it. So can the operator of the server, with "
            <code>"countersign admin reset-second-factor"</code>"."</p>
    };
    Page::new("Second factor", body).framed(Frame::Gate).answering(status)
}
