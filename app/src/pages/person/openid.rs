//! Signing in with an OpenID provider: the button, the part of the account page, and the page for failures.

use domain::model::person::Link;
use domain::person::access::{Access, EndAlso};
use domain::person::openid::OpenIdError;
use domain::person::openid::link;
use domain::person::sign_in::wait_words;
use domain::services::relying_party::Provider;

use crate::components::sessions::end_also;
use crate::pages::message::message;
use crate::prelude::*;

/// The button that leads to the provider to sign in. Nothing when there is no provider. `next` is the address after the
/// sign-in.
#[component]
pub(crate) fn SignInWithProvider(next: String) -> AnyView {
    let relying_party = Visit::current().context.openid;
    let form = relying_party.map(|relying_party| {
        let words = format!("Sign in with {}", relying_party.provider().name);
        let fields = view! { {hidden("next", next)}<button class="button">{words}</button> };
        post_form(links::SIGN_IN_WITH_OPENID, "stack", fields)
    });
    form.into_any()
}

/// The part of the account page that connects and disconnects an OpenID account. Nothing when there is no provider.
pub(crate) async fn section(
    visit: &Visit,
    errors: Errors,
    access: Access,
    ends: Option<EndAlso>,
) -> Result<Option<AnyView>, ActionError> {
    let Some(relying_party) = &visit.context.openid else { return Ok(None) };
    let link = link::of(&visit.context, relying_party, &visit.viewer()?.id).await?;
    let name = relying_party.provider().name.clone();
    let (action, words, ends, verb) = match link {
        None => (links::CONNECT_OPENID, not_connected(&name), None, "Connect"),
        Some(link) => {
            let ends = end_also("openid-ends", access, ends);
            (links::DISCONNECT_OPENID, connected(&name, link), Some(ends), "Disconnect")
        }
    };
    let confirm = visit.must_confirm().then(|| view! { <ConfirmPassword errors/> });
    let form = post_form(action, "body", view! { {words}{confirm}{ends}{submit(None, verb)} });
    Ok(Some(panel("openid", format!("Sign in with {name}"), (), form)))
}

fn not_connected(name: &str) -> AnyView {
    let words = format!(
        "Connect your account at {name} to sign in with it. Your password still works. Signing in with {name} does not ask for \
         your second factor here: protect your account there too."
    );
    html! { <p class="muted">{words}</p> }
}

fn connected(name: &str, link: Link) -> AnyView {
    let account = if link.account.is_empty() { "Your account".to_owned() } else { link.account };
    html! {
        <p>{account}{format!(" at {name} has been connected since ")}{moment(link.connected_at)}"."</p>
        <p class="muted">
            {format!("Signing in with {name} does not ask for your second factor here. ")}
            "After disconnecting you sign in with your password, and your other sessions end."
        </p>
    }
}

/// The page that says why the sign-in or the connection failed. It links back to where the person can try again.
///
/// # Errors
///
/// An internal error is passed on.
pub fn problem(provider: &Provider, error: OpenIdError, back: String) -> Result<Page, ActionError> {
    let name = &provider.name;
    let is_account = back.starts_with(links::ACCOUNT);
    let way_on = (back, if is_account { "Open your account" } else { "Sign in" });
    let (status, title, text) = match error {
        OpenIdError::Fault(fault) => return Err(fault.into()),
        OpenIdError::Unavailable(_) => (
            503,
            "The provider is not available",
            format!("{name} does not answer right now. Sign in with your password, or try again in a moment."),
        ),
        OpenIdError::Throttled { retry_after } => {
            (429, "Too many failed sign-ins", format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        OpenIdError::NoAttempt => {
            let text = format!(
                "The sign-in was started in another browser or session, took longer than ten minutes, or was finished before. \
                 Start again. Nothing was changed at {name} or here."
            );
            (400, "This sign-in cannot be finished here", text)
        }
        OpenIdError::Cancelled => {
            let text = format!(
                "{name} says that the sign-in was cancelled there, or that you may not use {name} for this. Start again, or sign in \
                 with your password."
            );
            (403, "Sign-in cancelled", text)
        }
        OpenIdError::Refused(code) => {
            let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
            (403, "The provider refused", format!("{name} did not accept the request{code}. Ask an administrator."))
        }
        OpenIdError::NotProved(_) => {
            let text = format!(
                "The answer from {name} does not prove who you are. Start again. If that does not help, ask an administrator: the \
                 server’s log says what is wrong."
            );
            (403, "Not accepted", text)
        }
        OpenIdError::NotConnected => {
            let text = format!(
                "Nobody here has connected this account at {name}. Sign in with your password and connect it under Account, or ask \
                 an administrator to invite you."
            );
            (403, "No account is connected", text)
        }
        OpenIdError::Disabled => (403, "Your account is disabled", "Ask an administrator to enable it.".to_owned()),
        OpenIdError::Taken => {
            let text = format!(
                "Another person signs in with this account at {name}. They can disconnect it under Account. Or use another \
                 account there."
            );
            (409, "Already connected to somebody else", text)
        }
        OpenIdError::OtherAccount => (
            409,
            "You have connected another account",
            format!("You sign in with another account at {name}. Disconnect that one first."),
        ),
    };
    Ok(message(status, title, text, way_on))
}
