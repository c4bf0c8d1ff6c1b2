//! The first run: the one-time link creates the first administrator.

use domain::crypto::password::SHORTEST_PASSWORD;

use crate::components::parts::gate_panel;
use crate::pages::message::message;
use crate::prelude::*;

/// The fields to show again. The password is never shown again.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// The rule for a new password.
pub(crate) const PASSWORD_HINT: &str = "At least 15 characters. A few unrelated words work well.";
const _: () = assert!(SHORTEST_PASSWORD == 15, "the hint names the length");

/// The form. `token` comes from the link.
pub fn page(token: String, form: Form<Typed>) -> Page {
    let Form { typed, errors, .. } = form;
    let status = errors.status();
    let form = html! {
        <form method="post" action=links::SETUP class="stack">
            <FormToken/>{hidden("token", token)}
            <TextField id="name" label="Name" value=typed.name autocomplete="name" error=errors.at("name")/>
            <TextField id="email" label="Email" kind="email" value=typed.email autocomplete="username" required=true
                error=errors.at("email")/>
            <TextField id="password" label="Password" kind="password" autocomplete="new-password" required=true
                hint=PASSWORD_HINT error=errors.at("password")/>
            <button class="button" data-kind="primary">"Create administrator"</button>
        </form>
    };
    let words = "This link works once. Afterwards you are signed in and can generate your first credential.";
    let body = view! { <ErrorSummary errors/>{gate_panel("Create the first administrator", words, form)} };
    Page::new("Set up", body).framed(Frame::Gate).answering(status).with_secret()
}

/// The page for a link that does not work.
pub fn unusable() -> Page {
    let text = "The link was used, it is older than 30 minutes, or a restart replaced it. If you have an account, sign in. If \
                not, restart the server and open the link that it prints.";
    message(410, "This setup link no longer works", text, (links::SIGN_IN, "Sign in")).framed(Frame::Gate)
}
