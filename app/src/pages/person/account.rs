//! The account of the signed-in person: name, password, second factor, sign-in with an OpenID provider, sessions.

use domain::base::id::SessionId;
use domain::person::{passkey, second_factor, session};
use leptos::prelude::*;

use crate::components::form::field::{CodeField, TextField};
use crate::components::form::passkey::PasskeyButton;
use crate::components::form::post_button::{one_of_many, post_button};
use crate::components::layout::FormToken;
use crate::components::notice::{ErrorSummary, Receipt};
use crate::components::sessions::session_table;
use crate::done::{Done, On};
use crate::error::ActionError;
use crate::form::Form;
use crate::links;
use crate::page::Page;
use crate::pages::person::openid;
use crate::pages::person::passkeys::section as passkeys_section;
use crate::pages::person::second_factor::section as second_factor_section;
use crate::pages::team::role::membership_words;
use crate::visit::signed_in;

/// Ends another session of the signed-in person.
#[server(prefix = "/fn", endpoint = "end_session")]
pub async fn end_session(session: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?;
    let id = SessionId::parse(&session).ok_or(ActionError::NotFound)?;
    if !session::end(&visit.context, &visit.actor()?, &viewer.id, &id).await? {
        return Err(ActionError::NotFound);
    }
    Ok(Done::AccountSessionEnded.at(links::ACCOUNT))
}

/// The page. `done` names the receipt. The form holds a name that was not accepted.
pub async fn page(done: Option<&str>, form: Form<Option<String>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?.clone();
    let sessions = session::list(&visit.context, &viewer.id).await?;
    let passkeys = passkey::list(&visit.context, &viewer.id).await?;
    let possible = passkey::is_possible(&visit.context.settings);
    let recovery = second_factor::find_recovery(&visit.context, &viewer.id).await?;
    let Form { typed: name, errors, .. } = form;
    let status = errors.status();
    let openid = openid::section(&visit, errors.clone()).await?;
    let table = session_table(sessions, |session, browser| {
        if session.id == viewer.session {
            return view! { <span class="chip" data-tone="ok">"This session"</span> }.into_any();
        }
        post_button(
            links::END_SESSION,
            [("session", session.id.to_string())],
            None,
            true,
            one_of_many("End session", format!(" on {browser}")),
        )
    });
    let passkey = viewer.factors.passkeys.then(|| {
        view! { <PasskeyButton challenge=format!("{}?for=confirm", links::PASSKEY_CHALLENGE) words="Use a passkey"/> }
    });
    let body = view! {
        <ErrorSummary errors=errors.clone()/>
        <Receipt on=On::Account done/>
        <div class="head"><div><h1>"Account"</h1><p>{format!("{} · {}", viewer.email, membership_words(&viewer.authority))}</p></div></div>
        <div class="split">
            <section class="panel" aria-labelledby="you">
                <header><h2 id="you">"Your name"</h2></header>
                <form method="post" action=links::ACCOUNT_NAME class="body">
                    <FormToken/>
                    <TextField id="name" label="Name" value=name.unwrap_or(viewer.name) autocomplete="name" required=true
                        error=errors.at("name")/>
                    <div class="row"><button class="button">"Save name"</button></div>
                </form>
            </section>
            <section class="panel" aria-labelledby="pw">
                <header><h2 id="pw">"Password"</h2></header>
                <form method="post" action=links::ACCOUNT_PASSWORD class="body">
                    <FormToken/>
                    <input type="hidden" name="username" value=viewer.email autocomplete="username"/>
                    <TextField id="new_password" label="New password" kind="password" autocomplete="new-password"
                        required=true hint="At least 15 characters. Your other sessions end." error=errors.at("new_password")/>
                    <div class="stack" data-proof="">
                        <TextField id="current_password" label="Current password" kind="password"
                            autocomplete="current-password" required=true error=errors.at("current_password")/>
                        <CodeField id="code" factors=viewer.factors error=errors.at("code")/>
                        {passkey}
                    </div>
                    <div class="row"><button class="button" data-kind="primary">"Change password"</button></div>
                </form>
            </section>
        </div>
        <section class="panel" aria-labelledby="tokens">
            <header><h2 id="tokens">"Personal tokens"</h2><a href=links::PERSONAL_TOKENS>"Generate a token"</a></header>
            <div class="body"><p class="muted">
                "For programs into which you paste a token. Programs that can sign you in need none: they are under "
                <a href=links::APPS>"Connected apps"</a>"."
            </p></div>
        </section>
        {second_factor_section(viewer.factors, recovery)}
        {passkeys_section(passkeys, possible)}
        {openid}
        <section class="panel" aria-labelledby="sessions">
            <header><h2 id="sessions">"Sessions"</h2><span class="muted">"They end after 30 minutes without use, and 12 hours after sign-in."</span></header>
            {table}
        </section>
    };
    Ok(Page::new("Account", body).answering(status))
}
