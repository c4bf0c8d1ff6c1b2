//! Signing in.

use std::time::Duration;

use domain::person::sign_in::wait_words;
use leptos::prelude::*;

use crate::components::form::field::TextField;
use crate::components::form::passkey::PasskeyButton;
use crate::components::layout::FormToken;
use crate::components::notice::Alert;
use crate::links;
use crate::page::{Frame, Page};
use crate::pages::person::openid::SignInWithProvider;

/// Why a sign-in failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Wrong e-mail address or password. The page never says which one is wrong.
    Refused,
    /// The passkey was not accepted. The page never says why.
    WrongPasskey,
    /// The second step took too long.
    TooLate,
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
    let status = match problem {
        None => 200,
        Some(Problem::Refused | Problem::WrongPasskey | Problem::TooLate) => 422,
        Some(Problem::Throttled { .. }) => 429,
        Some(Problem::Unavailable) => 503,
    };
    let alert = problem.map(|problem| match problem {
        Problem::Refused => (
            "Not signed in",
            "The email address and the password do not match an account. Check both and try again.".to_owned(),
        ),
        Problem::WrongPasskey => (
            "Not signed in",
            "This passkey does not match an account here, or took too long. Try again, or use your password."
                .to_owned(),
        ),
        Problem::TooLate => (
            "Not signed in",
            "The second step took longer than five minutes, or was finished elsewhere. Begin again with your password."
                .to_owned(),
        ),
        Problem::Throttled { retry_after } => {
            ("Too many failed sign-ins", format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        Problem::Unavailable => {
            ("Not available right now", "The sign-in could not be checked. Try again in a moment.".to_owned())
        }
    });
    // Not “Sign in with…”, because the password button has that name.
    let passkey = passkeys.then(|| {
        view! {
            <form method="post" action=links::SIGN_IN_WITH_PASSKEY>
                <FormToken/>
                <input type="hidden" name="next" value=next.clone()/>
                <PasskeyButton challenge=links::SIGN_IN_WITH_PASSKEY words="Use a passkey"/>
            </form>
        }
    });
    let body = view! {
        {alert.map(|(title, text)| view! { <Alert title text/> })}
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Sign in"</h1>
            <form method="post" action=links::SIGN_IN class="stack">
                <FormToken/>
                <input type="hidden" name="next" value=next.clone()/>
                <TextField id="email" label="Email" kind="email" value=email autocomplete="username" required=true/>
                <TextField id="password" label="Password" kind="password" autocomplete="current-password" required=true/>
                <button class="button" data-kind="primary">"Sign in"</button>
            </form>
            {passkey}
            <SignInWithProvider next/>
        </section>
        <p class="sub">"Lost access? Run "<code>"countersign admin create"</code>" on the server."</p>
    };
    Page::new("Sign in", body).framed(Frame::Gate).answering(status)
}
