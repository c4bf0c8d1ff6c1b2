//! The account of the signed-in person: name, password, second factor, sign-in with an OpenID provider, sessions.

use domain::base::id::SessionId;
use domain::model::webhook::mail::MailKind;
use domain::person::access::{self, EndAlso};
use domain::person::{passkey, second_factor, session};
use domain::webhook::mail;

use crate::components::form::field::{CodeField, confirming_passkey};
use crate::components::sessions::{EndedNumbers, end_also, session_table};
use crate::pages::audit::receipt::receipt;
use crate::pages::person::openid;
use crate::pages::person::passkeys::section as passkeys_section;
use crate::pages::person::second_factor::section as second_factor_section;
use crate::pages::team::role::membership_words;
use crate::prelude::*;

/// Ends another session of the signed-in person.
#[server(prefix = "/fn", endpoint = "end_session")]
pub(crate) async fn end_session(session: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?;
    let id = SessionId::parse(&session).ok_or(ActionError::NotFound)?;
    if !session::end(&visit.context, &visit.actor()?, &viewer.id, &id).await? {
        return Err(ActionError::NotFound);
    }
    Ok(Done::AccountSessionEnded.at(links::ACCOUNT))
}

/// What was typed into a form of the page that was not accepted.
#[derive(Debug, Clone, Default)]
pub struct TypedAccount {
    /// The name.
    pub name: Option<String>,
    /// What ends together with the password or the OpenID account.
    pub ends: Option<EndAlso>,
}

/// The page. `done` names the receipt, and `ended` the numbers in it.
pub async fn page(done: Option<&str>, ended: EndedNumbers, form: Form<TypedAccount>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?.clone();
    let sessions = session::list(&visit.context, &viewer.id).await?;
    let passkeys = passkey::list(&visit.context, &viewer.id).await?;
    let possible = passkey::is_possible(&visit.context.settings);
    let recovery = second_factor::find_recovery(&visit.context, &viewer.id).await?;
    let access = access::count(&visit.context, &viewer.id).await?;
    let Form { typed: TypedAccount { name, ends }, errors, .. } = form;
    let status = errors.status();
    let openid = openid::section(&visit, errors.clone(), access, ends).await?;
    let sessions = session_table(sessions, |session, browser| {
        if session.id == viewer.session {
            return chip("This session", "ok");
        }
        let of = format!(" on {browser}");
        let fields = [("session", session.id.to_string())];
        let end = post_button(links::END_SESSION, fields, Some("danger"), true, one_of_many("End session", of.clone()));
        ask(true, one_of_many("End", of), "That browser is signed out.", end)
    });
    let lead = format!("{} · {}", viewer.email, membership_words(&viewer.authority));
    let name = view! {
        <TextField id="name" label="Name" value=name.unwrap_or(viewer.name) autocomplete="name" required=true
            error=errors.at("name")/>
        {submit(None, "Save name")}
    };
    let password = view! {
        <input type="hidden" name="username" value=viewer.email autocomplete="username"/>
        <TextField id="new_password" label="New password" kind="password" autocomplete="new-password"
            required=true hint="At least 15 characters. Your other sessions end." error=errors.at("new_password")/>
        {viewer.has_password.then(|| view! {
            <div class="stack" data-proof="">
                <TextField id="current_password" label="Current password" kind="password"
                    autocomplete="current-password" required=true error=errors.at("current_password")/>
                <CodeField id="code" factors=viewer.factors error=errors.at("code")/>
                {confirming_passkey(viewer.factors)}
            </div>
            {end_also("password-ends", access, ends)}
        })}
        {(!viewer.has_password).then(|| muted("You have no password. You can set one within 5 minutes of signing in."))}
        <div class="row">
            <button class="button" data-kind="primary">
                {if viewer.has_password { "Change password" } else { "Set a password" }}
            </button>
        </div>
    };
    let generate = view! { <a href=links::PERSONAL_TOKENS>"Open personal tokens"</a> };
    let tokens = view! {
        <div class="body"><p class="muted">
            "For programs that take a pasted token. Programs that can sign you in do not need one: see "
            <a href=links::APPS>"Connected apps"</a>"."
        </p></div>
    };
    let owes_factor = viewer.owes_factor.then(|| {
        let words = " A policy of this installation needs it for your role. The other pages open when you have one.";
        let begin = html! { <b>"Add a second factor to go on: an authenticator app or a passkey."</b> };
        let add = primary_link(links::AUTHENTICATOR, "Set up an authenticator app");
        notice("warn", view! { <p>{begin}{words}</p><div class="row">{add}</div> })
    });
    let end = muted("A session ends after 30 minutes without use, or 12 hours after sign-in.");
    let body = view! {
        <ErrorSummary errors/>
        {receipt(&visit, On::Account, done, ended.words(), Some(visit.viewer()?.id.to_string())).await?}
        {head((), "Account", lead, ())}
        {owes_factor}
        <div class="split">
            {panel("you", "Your name", (), post_form(links::ACCOUNT_NAME, "body", name))}
            {panel("pw", "Password", (), post_form(links::ACCOUNT_PASSWORD, "body", password))}
        </div>
        {panel("tokens", "Personal tokens", generate, tokens)}
        {second_factor_section(viewer.factors, recovery)}
        {passkeys_section(passkeys, possible)}
        {openid}
        {mails(&visit).await?}
        {panel("sessions", "Sessions", end, sessions)}
    };
    Ok(Page::new("Account", body).answering(status))
}

/// The name of a kind of e-mail, and when it comes.
fn mail_words(kind: MailKind) -> (&'static str, &'static str) {
    match kind {
        MailKind::Incidents => ("Leaks", "A secret of one of your teams leaked, or works again after a leak."),
        MailKind::Expiring => ("Expiring", "14, 3 and 1 days before a credential that you own expires."),
        MailKind::Generated => (
            "Generated",
            "Somebody else generated a credential for a team that you manage, or asks for one; and what became of your own \
             request.",
        ),
        MailKind::SignIn => ("Sign-ins", "Somebody signed in as you with a browser that you had not used before."),
    }
}

/// The choice of e-mails; nothing where none are sent.
async fn mails(visit: &Visit) -> Result<Option<AnyView>, ActionError> {
    if visit.context.mail.is_none() {
        return Ok(None);
    }
    let chosen = mail::choice(&visit.context, &visit.viewer()?.id).await?;
    let boxes = MailKind::ALL.map(|kind| {
        let (name, when) = mail_words(kind);
        let words = html! { <span>{name}</span><span class="hint">{when}</span> };
        choice("checkbox", "mail", kind.as_str(), chosen.contains(&kind), words)
    });
    let fields = view! { {choices("mails", "Send me an email about", None, boxes, None)}{submit(None, "Save emails")} };
    Ok(Some(panel("mail", "Emails", (), post_form(links::ACCOUNT_MAIL, "body", fields))))
}
