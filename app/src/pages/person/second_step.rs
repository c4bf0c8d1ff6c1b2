//! The second step of a sign-in.

use std::time::Duration;

use domain::model::person::Factors;
use domain::person::sign_in::wait_words;
use leptos::prelude::*;

use crate::components::form::field::TextField;
use crate::components::form::passkey::PasskeyButton;
use crate::components::layout::FormToken;
use crate::components::notice::Alert;
use crate::links;
use crate::page::{Frame, Page};

/// Why the second step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The code is wrong, or was used before.
    WrongCode,
    /// The passkey was not accepted.
    WrongPasskey,
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
    let status = match problem {
        None => 200,
        Some(Problem::WrongCode | Problem::WrongPasskey) => 422,
        Some(Problem::Throttled { .. } | Problem::TooManyCodes { .. }) => 429,
        Some(Problem::Unavailable) => 503,
    };
    let alert = problem.map(|problem| match problem {
        Problem::WrongCode if recovery => {
            ("Not signed in", "This is none of your unused recovery codes. Check it and try again.".to_owned())
        }
        Problem::WrongCode => {
            ("Not signed in", "This code is wrong, or was used before. Wait for the next one and try again.".to_owned())
        }
        Problem::WrongPasskey => (
            "Not signed in",
            "This passkey is none of yours, or took too long. Try again, or use a recovery code.".to_owned(),
        ),
        Problem::Throttled { retry_after } => {
            ("Too many failed sign-ins", format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        Problem::TooManyCodes { retry_after } => {
            ("Too many wrong codes", format!("Wait {}, or use a recovery code.", wait_words(retry_after)))
        }
        Problem::Unavailable => {
            ("Not available right now", "The code could not be checked. Try again in a moment.".to_owned())
        }
    });
    let (field, other) = if recovery {
        let field = view! { <TextField id="code" label="Recovery code" required=true hint="Each works once."/> };
        let other = factors.app.then(|| {
            let href = links::with_query(links::SECOND_STEP, &[("next", next)]);
            view! { <p><a href=href>"Use your authenticator app"</a></p> }.into_any()
        });
        (field.into_any(), other)
    } else {
        let field = view! {
            <TextField id="code" label="Code from your authenticator app" autocomplete="one-time-code" required=true/>
        };
        let href = links::with_query(links::SECOND_STEP, &[("with", "recovery-code"), ("next", next)]);
        (field.into_any(), Some(view! { <p><a href=href>"Use a recovery code"</a></p> }.into_any()))
    };
    let passkey = factors.passkeys.then(|| {
        view! {
            <form method="post" action=links::SECOND_STEP>
                <FormToken/>
                <input type="hidden" name="next" value=next.to_owned()/>
                <PasskeyButton challenge=format!("{}?for=second-step", links::SIGN_IN_WITH_PASSKEY) words="Use a passkey"/>
            </form>
        }
    });
    let body = view! {
        {alert.map(|(title, text)| view! { <Alert title text/> })}
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Second factor"</h1>
            <form method="post" action=links::SECOND_STEP class="stack">
                <FormToken/>
                <input type="hidden" name="with" value=recovery.then_some("recovery-code")/>
                <input type="hidden" name="next" value=next.to_owned()/>
                {field}
                <button class="button" data-kind="primary">"Sign in"</button>
            </form>
            {passkey}
            {other}
        </section>
        <p class="sub"><a href=links::SIGN_IN>"Sign in as somebody else"</a>
            " · Lost everything? An administrator can remove your second factor, or "
            <code>"countersign admin reset-second-factor"</code>" on the server."</p>
    };
    Page::new("Second factor", body).framed(Frame::Gate).answering(status)
}
