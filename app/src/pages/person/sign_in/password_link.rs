//! Password links: the page on which an administrator makes one, the only page that shows it, and the page that it
//! opens.

use domain::base::id::PersonId;
use domain::model::person::Person;
use domain::person::access::{self, Access, EndAlso, EndedAccess};
use domain::person::password_link::{self, PasswordLink};

use crate::components::parts::gate_panel;
use crate::components::sessions::end_with_password;
use crate::pages::message::message;
use crate::pages::person::people::find;
use crate::pages::person::setup::PASSWORD_HINT;
use crate::prelude::*;

/// Withdraws the link of a person.
#[server(prefix = "/fn", endpoint = "withdraw_password_link")]
pub(crate) async fn withdraw_password_link(person: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let id = PersonId::parse(&person).ok_or(ActionError::NotFound)?;
    password_link::withdraw(&visit.context, &visit.actor()?, &id).await?;
    Ok(Done::PersonLinkWithdrawn.at(links::person(&id)))
}

/// The line on the page of a person who has a link that works.
pub(crate) async fn open_link(visit: &Visit, person: &Person) -> Result<Option<AnyView>, ActionError> {
    let Some(link) = password_link::of_person(&visit.context, person).await? else { return Ok(None) };
    let by = match link.is_by_mail() {
        true => "A password link that the person asked for by email".to_owned(),
        false => format!("A password link that {} made", link.made_by),
    };
    let button = post_button(
        links::WITHDRAW_PASSWORD_LINK,
        [("person", person.id.to_string())],
        None,
        true,
        "Withdraw the link",
    );
    let words = view! {
        <p>{by}" works until "{moment(link.expires_at)}"."</p>
        <div class="row">{button}</div>
    };
    Ok(Some(notice("warn", words)))
}

/// The question before a link is made.
pub async fn question(id: String, form: Form<()>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let person = find(&visit, &id).await?.person;
    let factor = match person.factors.any() {
        true => "Their second factor stays: the next sign-in asks for it.",
        false => "They have no second factor: whoever has the link can sign in with the new password.",
    };
    let words = view! {
        <section class="panel body" id="person" tabindex="-1" aria-label="What happens">
            <p>"The link sets another password for "<b>{person.email.clone()}</b>" and signs out every browser of this person. "{factor}</p>
            <p>"It works once, for 24 hours. An earlier link of this person stops working."</p>
            <p>"Make it only after you have checked who is asking."</p>
        </section>
    };
    let title = format!("Make a password link for {}?", person.name);
    let page = FormPage::new(title, links::password_link_for(&id), "Make password link")
        .back(links::person(&id), person.name.clone())
        .fields(words);
    Ok(page.confirm(visit.must_confirm()).page(form.errors))
}

/// The link. The answer to the form that made it is the only place where it appears.
pub fn link_page(link: &PasswordLink, token: &str) -> Page {
    let url = format!("{}{}?token={token}", Visit::current().context.settings.public_url, links::SET_PASSWORD);
    let warning = view! {
        "This link is not sent by email. The link sets the password of "{link.person.email.clone()}" for the first person who \
        opens it. It works once, until "{moment(link.expires_at)}"."
    };
    one_time_link(
        "Save the password link",
        "Password link",
        &link.person.email,
        url,
        ("Hand the link over yourself. ", warning),
        links::person(&link.person.id),
    )
}

/// The page that the link opens. `ends` is what was chosen to end, if the form comes back.
pub async fn page(
    link: PasswordLink,
    token: String,
    ends: Option<EndAlso>,
    errors: Errors,
) -> Result<Page, ActionError> {
    let held = access::count(&Visit::current().context, &link.person.id).await?;
    let status = errors.status();
    let fields = view! {
        {hidden("token", token)}
        <input type="hidden" name="username" value=link.person.email.clone() autocomplete="username"/>
        <TextField id="password" label="New password" kind="password" autocomplete="new-password" required=true
            autofocus=true hint=PASSWORD_HINT error=errors.at("password")/>
        {end_with_password("ends", held, ends, link.may_end_passkeys())}
        <div class="row"><button class="button" data-kind="primary">"Set password"</button></div>
    };
    let by = match link.is_by_mail() {
        true => "You asked for this link by email.".to_owned(),
        false => format!("{} made this link.", link.made_by),
    };
    let words = view! {
        "For "<b>{link.person.email.clone()}</b>". "{by}" It works once, until "
        {moment(link.expires_at)}". Every browser that is signed in to this account will be signed out."
    };
    let body = view! {
        <ErrorSummary errors/>
        {gate_panel("Set a new password", words, post_form(links::SET_PASSWORD, "stack", fields))}
    };
    Ok(Page::new("Set a new password", body).framed(Frame::Gate).answering(status).with_secret())
}

/// The form of a person who forgot the password. `email` is what was typed.
pub async fn forgotten(form: Form<String>) -> Result<Page, ActionError> {
    if Visit::current().context.mail.is_none() {
        return Err(ActionError::NotFound);
    }
    let Form { typed: email, errors, .. } = form;
    let status = errors.status();
    let fields = view! {
        <TextField id="email" label="Email" kind="email" value=email autocomplete="username" required=true
            autofocus=true error=errors.at("email")/>
        <div class="row">
            <button class="button" data-kind="primary">"Send link"</button>
            <a class="button" data-kind="quiet" href=links::SIGN_IN>"Cancel"</a>
        </div>
    };
    let words = "You get an email with a link that sets a new password.";
    let body = view! {
        <ErrorSummary errors/>
        {gate_panel("Forgot your password?", words, post_form(links::FORGOT_PASSWORD, "stack", fields))}
    };
    Ok(Page::new("Forgot your password?", body).framed(Frame::Gate).answering(status))
}

/// What the form answers, whether or not there is such an account.
pub fn asked() -> Page {
    let body = view! {
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Look into your mailbox"</h1>
            <div role="status">{notice("ok", view! {
                <p>"If this address has an account with a password, an email with a link is on its way. The link works for 1 hour."</p>
            })}</div>
            <p class="muted">
                "No email after some minutes? Look into the spam folder, or ask an administrator for a password link. "
                "You can ask again after 15 minutes."
            </p>
            <div class="row">{button_link(links::SIGN_IN, "Sign in")}</div>
        </section>
    };
    Page::new("Look into your mailbox", body).framed(Frame::Gate)
}

/// The page after the password was set.
pub fn done(ended: &EndedAccess) -> Page {
    let EndedAccess { sessions, also: Access { personal_tokens, apps, passkeys }, .. } = ended;
    let ended = [
        (*sessions, "session", "sessions"),
        (*personal_tokens, "personal token", "personal tokens"),
        (*apps, "connected app", "connected apps"),
        (*passkeys, "passkey", "passkeys"),
    ];
    let ended = ended.into_iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(count, one, many));
    let ended = ended.collect::<Vec<_>>().join(", ");
    let ended = if ended.is_empty() { ended } else { format!(" Ended: {ended}.") };
    let body = view! {
        <section class="panel body" aria-labelledby="title">
            <h1 id="title">"Your new password works"</h1>
            <div role="status">{notice("ok", view! { <p>"The password is set."{ended}</p> })}</div>
            <div class="row">{primary_link(links::SIGN_IN, "Sign in")}</div>
        </section>
    };
    Page::new("Your new password works", body).framed(Frame::Gate)
}

/// The page for a link that does not work.
pub fn unusable() -> Page {
    let text = "The link was used, it has expired, or a newer one replaced it. Ask for a new one.";
    message(410, "This password link no longer works", text, (links::SIGN_IN, "Sign in")).framed(Frame::Gate)
}
