//! Passkeys of the signed-in person: the list on the account page, adding one, removing one.

use domain::base::id::PasskeyId;
use domain::model::person::Passkey;
use domain::person::passkey;

use crate::pages::message::message;
use crate::prelude::*;

/// The field that keeps the passkey's name while the page asks the person to prove who they are.
pub const KEPT_NAME: &str = "kept_name";

/// The passkey part of the account page. Nothing where passkeys are not possible.
pub(crate) fn section(passkeys: Vec<Passkey>, possible: bool) -> AnyView {
    if !possible && passkeys.is_empty() {
        return ().into_any();
    }
    let is_empty = passkeys.is_empty();
    let rows = passkeys.into_iter().map(|passkey| {
        let words = one_of_many("Remove", format!(" passkey {}", passkey.name));
        cells![
            passkey.name,
            distance(passkey.created_at),
            distance_or(passkey.last_used_at, "Never"),
            small_link(links::remove_passkey(&passkey.id), words),
        ]
    });
    let content = if is_empty {
        html! {
            <div class="body"><p class="muted">
                "A passkey signs you in with a fingerprint, a face or a PIN instead of password and code. It works only on this \
                 site, so a forged page cannot use it."
            </p></div>
        }
    } else {
        table(["Name", "Added", "Last used", ""], rows)
    };
    panel("passkeys", "Passkeys", possible.then(|| small_link(links::NEW_PASSKEY, "Add a passkey")), content)
}

/// The form that adds a passkey. If a new proof of the person is due, it asks for that first. Then it shows the name
/// and the button.
pub async fn new(form: Form<String>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    if !passkey::is_possible(&visit.context.settings) {
        return Err(ActionError::NotFound);
    }
    let Form { typed: name, errors, .. } = form;
    let page =
        FormPage::new("Add a passkey", links::NEW_PASSKEY, "Continue").back(links::ACCOUNT, "Account").without_cancel();
    if visit.must_confirm() {
        return Ok(page.hidden(KEPT_NAME, name).confirm(true).page(errors));
    }
    let fields = view! {
        <TextField id="name" label="Name" value=name required=true hint="Where the passkey is, such as work laptop or blue key."
            error=errors.at("name")/>
        <p id="passkey" tabindex="-1" class="muted">"Your browser asks where to store the passkey, and for your fingerprint, face or PIN."</p>
        <PasskeyButton challenge=format!("{}?for=add", links::PASSKEY_CHALLENGE) words="Add a passkey" kind=Some("primary")/>
        <noscript><p>"Adding a passkey needs JavaScript. An authenticator app does not."</p></noscript>
    };
    Ok(page.without_button().panel("New passkey", fields).page(errors))
}

/// The page for a form that was sent again after it added a passkey.
pub fn already_added(_: &str) -> Page {
    let text = "The passkey was added when this form was sent before. Recovery codes that came with it were shown once and \
                cannot be shown again: if you did not store them, create new ones.";
    message(409, "Already added", text, (links::ACCOUNT, "Go to your account"))
}

/// The page that asks before a passkey is removed.
pub async fn remove(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let passkey = PasskeyId::parse(&id).ok_or(ActionError::NotFound)?;
    let passkey = passkey::find(&visit.context, &visit.viewer()?.id, &passkey).await?.ok_or(ActionError::NotFound)?;
    let title = format!("Remove the passkey {}?", passkey.name);
    let page = FormPage::new(title, links::remove_passkey(&id), "Remove passkey")
        .back(links::ACCOUNT, "Account")
        .question(
            "You can no longer sign in with it. If it is your only second factor, your password alone signs you in and your \
             recovery codes stop working. Remove the passkey from your device too.",
        );
    Ok(page.danger().confirm(visit.must_confirm()).page(form.errors))
}
