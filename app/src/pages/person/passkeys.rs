//! One's own passkeys: the list on the account's page, adding one, removing one.

use domain::base::id::PasskeyId;
use domain::model::field_error::FieldError;
use domain::model::person::Passkey;
use domain::person::passkey;
use leptos::prelude::*;

use crate::components::field::{ConfirmPassword, Errors, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::passkey::PasskeyButton;
use crate::components::time::{Moment, MomentOr};
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::message::message;
use crate::visit::signed_in;

/// Where what a new passkey signs comes from.
const ADDING: &str = "/account/passkeys/challenge?for=add";

/// The field that keeps the name while it is asked again who somebody is.
pub const KEPT_NAME: &str = "kept_name";

/// The part of the account's page; nothing where there can be no passkeys.
pub fn section(passkeys: Vec<Passkey>, possible: bool) -> AnyView {
    if !possible && passkeys.is_empty() {
        return ().into_any();
    }
    let rows = passkeys
        .into_iter()
        .map(|passkey| {
            let remove = format!("/account/passkeys/{}/remove", passkey.id);
            view! {
                <tr>
                    <th scope="row">{passkey.name.clone()}</th>
                    <td data-label="Added"><Moment at=passkey.created_at/></td>
                    <td data-label="Last used"><MomentOr at=passkey.last_used_at otherwise="Never"/></td>
                    <td class="corner"><a class="button" data-size="small" href=remove>
                        "Remove"<span class="vh">{format!(" passkey {}", passkey.name)}</span></a></td>
                </tr>
            }
        })
        .collect_view();
    let table = (!rows.is_empty()).then(|| {
        view! {
            <table>
                <thead><tr>
                    <th scope="col">"Name"</th><th scope="col">"Added"</th><th scope="col">"Last used"</th>
                    <td class="corner"><span class="vh">"Actions"</span></td>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
    });
    let about = table.is_none().then(|| {
        view! {
            <div class="body"><p class="muted">
                "A passkey signs you in with a finger, a face or a PIN instead of password and code. It works here only, so no \
                 forged page can take it."
            </p></div>
        }
    });
    view! {
        <section class="panel" aria-labelledby="passkeys">
            <header>
                <h2 id="passkeys">"Passkeys"</h2>
                {possible.then(|| view! { <a class="button" data-size="small" href="/account/passkeys/new">"Add a passkey"</a> })}
            </header>
            {about}{table}
        </section>
    }
    .into_any()
}

/// The form that adds one: first who it is, when that is due, then the name and the button.
pub async fn new(name: String, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    if !passkey::is_possible(&visit.context.settings) {
        return Err(ActionError::NotFound);
    }
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let asked = ask_password || !visit.is_fresh();
    let inside = if asked {
        view! {
            <input type="hidden" name=KEPT_NAME value=name/>
            <ConfirmPassword asked errors=of/>
            <div class="row"><button class="button" data-kind="primary">"Go on"</button></div>
        }
        .into_any()
    } else {
        view! {
            <section class="panel body" aria-label="New passkey">
                <TextField id="name" label="Name" value=name required=true hint="Where it is, such as work laptop or blue key."
                    error=of.at("name")/>
                <p id="passkey" tabindex="-1" class="muted">"Your browser asks where to keep it, and for your finger, face or PIN."</p>
                <PasskeyButton challenge=ADDING words="Add a passkey" kind=Some("primary")/>
                <noscript><p>"Adding a passkey needs JavaScript. An authenticator app does not."</p></noscript>
            </section>
        }
        .into_any()
    };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/account">"Back to your account"</a><h1>"Add a passkey"</h1></div></div>
        <form method="post" action="/account/passkeys/new" class="stack"><FormToken/>{inside}</form>
    };
    Ok(Page::new("Add a passkey", body).framed(Frame::Narrow).answering(status))
}

/// The form that added one was sent again.
pub fn already_added() -> Page {
    message(
        409,
        "Already added",
        "The passkey was added when this form was sent before. If recovery codes came with it, they were shown once and cannot be \
         shown again: if you did not store them, make new ones.",
        Some(("/account".to_owned(), "Go to your account")),
    )
}

/// Asks before one is removed.
pub async fn remove(id: String, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let passkey = PasskeyId::parse(&id).ok_or(ActionError::NotFound)?;
    let passkey = passkey::find(&visit.context, &visit.viewer()?.id, &passkey).await?.ok_or(ActionError::NotFound)?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let title = format!("Remove the passkey {}?", passkey.name);
    let body = view! {
        <ErrorSummary errors/>
        <div class="head"><div><a href="/account">"Back to your account"</a><h1>{title.clone()}</h1></div></div>
        <form method="post" action=format!("/account/passkeys/{id}/remove") class="stack">
            <FormToken/>
            <section class="panel body" aria-label="What happens"><p>
                "It signs you in no more. If it is your only second factor, your password alone signs you in then, and your "
                "recovery codes stop working. Remove it from your device too: that does not happen by itself."
            </p></section>
            <ConfirmPassword asked={ask_password || !visit.is_fresh()} errors=of/>
            <div class="row">
                <button class="button" data-kind="danger">"Remove passkey"</button>
                <a class="button" data-kind="quiet" href="/account">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).framed(Frame::Narrow).answering(status))
}
