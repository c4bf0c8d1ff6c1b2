//! Signing in with an OpenID provider: the button, the part of the account page, and the page for failures.

use domain::model::person::Link;
use domain::person::openid::OpenIdError;
use domain::person::openid::link;
use domain::person::sign_in::wait_words;
use domain::services::relying_party::Provider;
use leptos::prelude::*;

use crate::components::form::field::ConfirmPassword;
use crate::components::layout::FormToken;
use crate::components::time::Moment;
use crate::error::ActionError;
use crate::form::Errors;
use crate::links;
use crate::page::Page;
use crate::pages::message::message;
use crate::visit::Visit;

/// The button that leads to the provider to sign in. Nothing when there is no provider. `next` is the address after the
/// sign-in.
#[component]
pub fn SignInWithProvider(next: String) -> AnyView {
    let relying_party = Visit::current().context.openid;
    relying_party
        .map(|relying_party| {
            view! {
                <form method="post" action=links::SIGN_IN_WITH_OPENID class="stack">
                    <FormToken/>
                    <input type="hidden" name="next" value=next/>
                    <button class="button">{format!("Sign in with {}", relying_party.provider().name)}</button>
                </form>
            }
        })
        .into_any()
}

/// The part of the account page that connects and disconnects an OpenID account. Nothing when there is no provider.
pub async fn section(visit: &Visit, errors: Errors) -> Result<Option<AnyView>, ActionError> {
    let Some(relying_party) = &visit.context.openid else { return Ok(None) };
    let link = link::of(&visit.context, relying_party, &visit.viewer()?.id).await?;
    let name = relying_party.provider().name.clone();
    let (action, words, verb) = match link {
        None => (links::CONNECT_OPENID, not_connected(&name), "Connect"),
        Some(link) => (links::DISCONNECT_OPENID, connected(&name, link), "Disconnect"),
    };
    Ok(Some(
        view! {
            <section class="panel" aria-labelledby="openid">
                <header><h2 id="openid">{format!("Sign in with {name}")}</h2></header>
                <form method="post" action=action class="body">
                    <FormToken/>
                    {words}
                    {visit.must_confirm().then(|| view! { <ConfirmPassword errors/> })}
                    <div class="row"><button class="button">{verb}</button></div>
                </form>
            </section>
        }
        .into_any(),
    ))
}

fn not_connected(name: &str) -> AnyView {
    let words = format!(
        "Connect your account at {name} to sign in with it. Your password goes on working. Signing in with {name} does not ask \
         for your second factor here: protect the account there as well."
    );
    view! { <p class="muted">{words}</p> }.into_any()
}

fn connected(name: &str, link: Link) -> AnyView {
    let account = if link.account.is_empty() { "Your account".to_owned() } else { link.account };
    view! {
        <p>{account}{format!(" at {name} is connected since ")}<Moment at=link.connected_at/>"."</p>
        <p class="muted">
            "Without it you sign in with your password. Signing in with it does not ask for your second factor here. "
            "Disconnecting it ends your other sessions."
        </p>
    }
    .into_any()
}

/// The page that says why the sign-in or the connection failed. It links back to where the person can try again.
///
/// # Errors
///
/// An internal error is passed on.
pub fn problem(provider: &Provider, error: OpenIdError, back: String) -> Result<Page, ActionError> {
    let name = &provider.name;
    let is_account = back.starts_with(links::ACCOUNT);
    let way_on = (back, if is_account { "Back to your account" } else { "Sign in" });
    let (status, title, text) = match error {
        OpenIdError::Fault(fault) => return Err(fault.into()),
        OpenIdError::Unavailable(_) => (
            503,
            "The provider is not available",
            format!("{name} does not answer right now. Your password works as ever; or try again in a moment."),
        ),
        OpenIdError::Throttled { retry_after } => {
            (429, "Too many failed sign-ins", format!("Wait {}, then try again.", wait_words(retry_after)))
        }
        OpenIdError::NoAttempt => (
            400,
            "This cannot be finished here",
            format!(
                "It was begun in another browser or session, took longer than ten minutes, or was finished before. Begin again; \
                 nothing was changed at {name} or here."
            ),
        ),
        OpenIdError::Cancelled => (
            403,
            "It was cancelled",
            format!(
                "{name} says that it was cancelled there, or that you may not use it for this. Begin again, or sign in with your \
                 password."
            ),
        ),
        OpenIdError::Refused(code) => {
            let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
            (403, "The provider refused", format!("{name} did not accept the request{code}. Ask an administrator."))
        }
        OpenIdError::NotProved(_) => (
            403,
            "Not accepted",
            format!(
                "What {name} sent does not prove who you are. Begin again. If that does not help, ask an administrator: the server’s log says what is wrong."
            ),
        ),
        OpenIdError::NotConnected => (
            403,
            "No account is connected",
            format!(
                "Nobody here has connected this account at {name}. Sign in with your password and connect it under Account, or ask \
                 an administrator to invite you."
            ),
        ),
        OpenIdError::Disabled => (403, "Your account is disabled", "Ask an administrator to enable it.".to_owned()),
        OpenIdError::Taken => (
            409,
            "Already connected to somebody else",
            format!(
                "Another person signs in with this account at {name}. They can disconnect it under Account. Or use another account there."
            ),
        ),
        OpenIdError::OtherAccount => (
            409,
            "You have connected another account",
            format!("You sign in with another account at {name}. Disconnect that one first."),
        ),
    };
    Ok(message(status, title, text, Some(way_on)))
}
