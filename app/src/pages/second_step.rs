//! The second step of a sign-in.

use leptos::prelude::*;

use crate::components::field::TextField;
use crate::components::layout::FormToken;
use crate::components::notice::Alert;
use crate::render::{Frame, Page};

/// What went wrong, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The code is wrong, or was used before.
    WrongCode,
    /// Too many wrong codes.
    Throttled {
        /// Minutes to wait.
        minutes: u64,
    },
    /// A fault of ours.
    Unavailable,
}

/// Where it is.
pub const PATH: &str = "/login/second-factor";

/// The page; it asks for a recovery code instead when `recovery` says so.
pub fn page(recovery: bool, problem: Option<Problem>) -> Page {
    let status = match problem {
        None => 200,
        Some(Problem::WrongCode) => 422,
        Some(Problem::Throttled { .. }) => 429,
        Some(Problem::Unavailable) => 503,
    };
    let alert = problem.map(|problem| match problem {
        Problem::WrongCode if recovery => {
            ("Not signed in", "This is none of your unused recovery codes. Check it and try again.".to_owned())
        }
        Problem::WrongCode => {
            ("Not signed in", "This code is wrong, or was used before. Wait for the next one and try again.".to_owned())
        }
        Problem::Throttled { minutes } => (
            "Too many wrong codes",
            format!("Wait {minutes} {}, or use a recovery code.", if minutes == 1 { "minute" } else { "minutes" }),
        ),
        Problem::Unavailable => {
            ("Not available right now", "The code could not be checked. Try again in a moment.".to_owned())
        }
    });
    let (field, other) = if recovery {
        let field = view! { <TextField id="code" label="Recovery code" required=true hint="Each works once."/> };
        (field.into_any(), view! { <a href=PATH.to_owned()>"Use your authenticator app"</a> })
    } else {
        let field = view! {
            <TextField id="code" label="Code from your authenticator app" autocomplete="one-time-code" required=true/>
        };
        (field.into_any(), view! { <a href=format!("{PATH}?with=recovery-code")>"Use a recovery code"</a> })
    };
    let body = view! {
        {alert.map(|(title, text)| view! { <Alert title text/> })}
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Second factor"</h1>
            <form method="post" action=PATH class="stack">
                <FormToken/>
                <input type="hidden" name="with" value=recovery.then_some("recovery-code")/>
                {field}
                <button class="button" data-kind="primary">"Sign in"</button>
            </form>
            <p>{other}</p>
        </section>
        <p class="sub"><a href="/login">"Sign in as somebody else"</a>
            " · Lost everything? An administrator can remove your second factor, or "
            <code>"countersign admin reset-second-factor"</code>" on the server."</p>
    };
    let title = if status == 200 { "Second factor" } else { "Error: Second factor" };
    Page::new(title, body).framed(Frame::Gate).with_status(status)
}
