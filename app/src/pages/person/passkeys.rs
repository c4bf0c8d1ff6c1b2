//! Passkeys of the signed-in person: the list on the account page, adding one, removing one.

use domain::base::id::PasskeyId;
use domain::model::person::Passkey;
use domain::person::passkey;
use leptos::prelude::*;

use crate::components::form::field::TextField;
use crate::components::form::form_page::FormPage;
use crate::components::form::passkey::PasskeyButton;
use crate::components::table::table;
use crate::components::time::{Moment, MomentOr};
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::pages::message::message;
use crate::visit::signed_in;

/// The field that keeps the passkey's name while the page asks the person to prove who they are.
pub const KEPT_NAME: &str = "kept_name";

/// The passkey part of the account page. Nothing where passkeys are not possible.
pub fn section(passkeys: Vec<Passkey>, possible: bool) -> AnyView {
    if !possible && passkeys.is_empty() {
        return ().into_any();
    }
    let rows = passkeys
        .into_iter()
        .map(|passkey| {
            let remove = links::remove_passkey(&passkey.id);
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
    let table = (!rows.is_empty()).then(|| table(["Name", "Added", "Last used", ""], rows));
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
                {possible.then(|| view! { <a class="button" data-size="small" href=links::NEW_PASSKEY>"Add a passkey"</a> })}
            </header>
            {about}{table}
        </section>
    }
    .into_any()
}

/// The form that adds a passkey. If a new proof of the person is due, it asks for that first. Then it shows the name
/// and the button.
pub async fn new(form: Form<String>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    if !passkey::is_possible(&visit.context.settings) {
        return Err(ActionError::NotFound);
    }
    let Form { typed: name, errors, .. } = form;
    let page = FormPage::new("Add a passkey", links::NEW_PASSKEY, "Go on")
        .back(links::ACCOUNT, "Back to your account")
        .without_cancel();
    if visit.must_confirm() {
        return Ok(page.hidden(KEPT_NAME, name).confirm(true).page(errors));
    }
    let fields = view! {
        <TextField id="name" label="Name" value=name required=true hint="Where it is, such as work laptop or blue key."
            error=errors.at("name")/>
        <p id="passkey" tabindex="-1" class="muted">"Your browser asks where to keep it, and for your finger, face or PIN."</p>
        <PasskeyButton challenge=format!("{}?for=add", links::PASSKEY_CHALLENGE) words="Add a passkey" kind=Some("primary")/>
        <noscript><p>"Adding a passkey needs JavaScript. An authenticator app does not."</p></noscript>
    };
    Ok(page.without_button().panel("New passkey", fields).page(errors))
}

/// The page for a form that was sent again after it added a passkey.
pub fn already_added(_: &str) -> Page {
    message(
        409,
        "Already added",
        "The passkey was added when this form was sent before. If recovery codes came with it, they were shown once and cannot be \
         shown again: if you did not store them, make new ones.",
        Some((links::ACCOUNT.to_owned(), "Go to your account")),
    )
}

/// The page that asks before a passkey is removed.
pub async fn remove(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let passkey = PasskeyId::parse(&id).ok_or(ActionError::NotFound)?;
    let passkey = passkey::find(&visit.context, &visit.viewer()?.id, &passkey).await?.ok_or(ActionError::NotFound)?;
    let title = format!("Remove the passkey {}?", passkey.name);
    let page = FormPage::new(title, links::remove_passkey(&id), "Remove passkey")
        .back(links::ACCOUNT, "Back to your account")
        .question(
            "It signs you in no more. If it is your only second factor, your password alone signs you in then, and your recovery \
             codes stop working. Remove it from your device too: that does not happen by itself.",
        );
    Ok(page.danger().confirm(visit.must_confirm()).page(form.errors))
}
