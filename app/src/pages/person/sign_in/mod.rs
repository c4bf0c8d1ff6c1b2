//! Signing in: the password, the second step, and the link for people who lost their password.

pub mod password_link;
pub mod second_step;

use std::time::Duration;

use domain::person::sign_in::wait_words;

use crate::pages::person::openid::SignInWithProvider;
use crate::prelude::*;

/// Why a sign-in failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Wrong e-mail address or password. The page never says which one is wrong.
    Refused,
    /// The passkey was not accepted. The page never says why.
    WrongPasskey,
    /// Nobody was signed in when a form arrived.
    Unsaved,
    /// The second step took too long.
    TooLate,
    /// The form was opened before the browser's session changed.
    Stale,
    /// Too many failures.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// An internal error.
    Unavailable,
}

/// The form. `next` is the address after the sign-in. `email` is what the person typed. `passkeys` adds the sign-in
/// with a passkey.
pub fn page(next: String, email: String, problem: Option<Problem>, passkeys: bool) -> Page {
    let say = |status: u16, title: &'static str, text: &str| (status, title, text.to_owned());
    let refused = |text: &str| say(422, "Not signed in", text);
    let problem = problem.map(|problem| match problem {
        Problem::Refused => {
            refused("The email address and the password do not match an account. Check both and try again.")
        }
        Problem::WrongPasskey => {
            refused("That passkey is not registered here, or it timed out. Try again, or use your password.")
        }
        Problem::Unsaved => say(
            200,
            "Nothing was saved",
            "You were signed out before your form arrived. Sign in, and the form opens again with what you typed. Type \
             passwords and secrets again.",
        ),
        Problem::TooLate => refused(
            "The second step took longer than five minutes, or was finished elsewhere. Start again with your password.",
        ),
        Problem::Stale => refused("You signed in or out in this browser after you opened this form. Sign in here."),
        Problem::Throttled { retry_after } => {
            say(429, "Too many failed sign-ins", &format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        Problem::Unavailable => {
            say(503, "Not available right now", "The sign-in could not be checked. Try again in a moment.")
        }
    });
    let status = problem.as_ref().map_or(200, |(status, ..)| *status);
    // Not “Sign in with…”, because the password button has that name.
    let passkey = passkeys.then(|| passkey_form(links::SIGN_IN_WITH_PASSKEY, &next, links::SIGN_IN_WITH_PASSKEY));
    let form = view! {
        <form method="post" action=links::SIGN_IN class="stack">
            <FormToken/>{hidden("next", next.clone())}
            <TextField id="email" label="Email" kind="email" value=email autocomplete="username" required=true autofocus=true/>
            <TextField id="password" label="Password" kind="password" autocomplete="current-password" required=true/>
            <button class="button" data-kind="primary">"Sign in"</button>
        </form>
    };
    let body = view! {
        {problem.map(|(_, title, text)| view! { <Alert title text/> })}
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Sign in"</h1>
            {form}
            {passkey}
            <SignInWithProvider next/>
        </section>
        <p class="sub">
            "Did you find a leaked secret? "<a href=links::REPORT>"Report and stop it"</a>". You need no account."
        </p>
        {forgotten()}
    };
    Page::new("Sign in", body).framed(Frame::Gate).answering(status)
}

/// The way of a person who lost the password.
fn forgotten() -> AnyView {
    if Visit::current().context.mail.is_some() {
        return html! { <p class="sub"><a href=links::FORGOT_PASSWORD>"Forgot your password?"</a></p> };
    }
    html! { <p class="sub">"Forgot your password? Use a passkey, or ask an administrator for a password link."</p> }
}

/// The form that signs in with a passkey. Its script gets the challenge from the address `challenge`.
pub(super) fn passkey_form(action: &'static str, next: &str, challenge: impl Into<String>) -> AnyView {
    let challenge: String = challenge.into();
    html! {
        <form method="post" action=action>
            <FormToken/>{hidden("next", next)}<PasskeyButton challenge words="Use a passkey"/>
        </form>
    }
}
