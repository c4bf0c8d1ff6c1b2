//! One's own account: name, password, second factor, sign-in with an OpenID provider, sessions.

use domain::base::id::SessionId;
use domain::model::field_error::FieldError;
use domain::person::{passkey, second_factor, session};
use leptos::prelude::*;

use crate::components::field::{CodeField, Errors, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::{Done, ErrorSummary};
use crate::components::passkey::PasskeyButton;
use crate::components::sessions::session_table;
use crate::error::ActionError;
use crate::page::Page;
use crate::pages::person::openid;
use crate::pages::person::passkeys::section as passkeys_section;
use crate::pages::person::second_factor::section as second_factor_section;
use crate::pages::team::role::membership_words;
use crate::visit::signed_in;

/// Ends one of one's own other sessions.
#[server(prefix = "/fn", endpoint = "end_session")]
pub async fn end_session(session: String) -> Result<String, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?;
    let id = SessionId::parse(&session).ok_or(ActionError::NotFound)?;
    if !session::end(&visit.context, &visit.actor()?, &viewer.id, &id).await? {
        return Err(ActionError::NotFound);
    }
    Ok("/account?done=ended".to_owned())
}

/// The page. `done` names what was just done; `name` is what was typed when it was not accepted.
pub async fn page(done: Option<&str>, name: Option<String>, errors: Vec<FieldError>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let viewer = visit.viewer()?.clone();
    let sessions = session::list(&visit.context, &viewer.id).await?;
    let passkeys = passkey::list(&visit.context, &viewer.id).await?;
    let possible = passkey::is_possible(&visit.context.settings);
    let recovery = second_factor::find_recovery(&visit.context, &viewer.id).await?;
    let failed = !errors.is_empty();
    let of = Errors(errors.clone());
    let openid = openid::section(&visit, errors.clone()).await?;
    let done = match done {
        Some("name") => Some("Name saved."),
        Some("password") => Some("Password changed. Your other sessions have ended."),
        Some("ended") => Some("Session ended."),
        Some("connected") => Some("OpenID account connected."),
        Some("disconnected") => Some("OpenID account disconnected. Your other sessions have ended."),
        Some("app-added") => Some("Authenticator app added. The recovery codes you have still work."),
        Some("app-removed") => Some("Authenticator app removed."),
        Some("passkey-added") => Some("Passkey added."),
        Some("passkey-removed") => Some("Passkey removed. Remove it from your device too."),
        _ => None,
    };
    let table = session_table(sessions, |session, browser| {
        if session.id == viewer.session {
            return view! { <span class="chip" data-tone="ok">"This session"</span> }.into_any();
        }
        view! {
            <form method="post" action="/fn/end_session">
                <FormToken/>
                <input type="hidden" name="session" value=session.id.to_string()/>
                <button class="button" data-size="small">
                    "End session"<span class="vh">{format!(" on {browser}")}</span>
                </button>
            </form>
        }
        .into_any()
    });
    let passkey = viewer.factors.passkeys.then(|| {
        view! { <PasskeyButton challenge="/account/passkeys/challenge?for=confirm" words="Use a passkey"/> }
    });
    let body = view! {
        <ErrorSummary errors/>
        {done.map(|text| view! { <Done text=text.to_owned()/> })}
        <div class="head"><div><h1>"Account"</h1><p>{format!("{} · {}", viewer.email, membership_words(&viewer.authority))}</p></div></div>
        <div class="split">
            <section class="panel" aria-labelledby="you">
                <header><h2 id="you">"Your name"</h2></header>
                <form method="post" action="/account/name" class="body">
                    <FormToken/>
                    <TextField id="name" label="Name" value=name.unwrap_or(viewer.name) autocomplete="name" required=true
                        error=of.at("name")/>
                    <div class="row"><button class="button">"Save name"</button></div>
                </form>
            </section>
            <section class="panel" aria-labelledby="pw">
                <header><h2 id="pw">"Password"</h2></header>
                <form method="post" action="/account/password" class="body">
                    <FormToken/>
                    <input type="hidden" name="username" value=viewer.email autocomplete="username"/>
                    <TextField id="new_password" label="New password" kind="password" autocomplete="new-password"
                        required=true hint="At least 15 characters. Your other sessions end." error=of.at("new_password")/>
                    <div class="stack" data-proof="">
                        <TextField id="current_password" label="Current password" kind="password"
                            autocomplete="current-password" required=true error=of.at("current_password")/>
                        <CodeField id="code" factors=viewer.factors error=of.at("code")/>
                        {passkey}
                    </div>
                    <div class="row"><button class="button" data-kind="primary">"Change password"</button></div>
                </form>
            </section>
        </div>
        <section class="panel" aria-labelledby="tokens">
            <header><h2 id="tokens">"Personal tokens"</h2><a href="/account/tokens">"Generate a token"</a></header>
            <div class="body"><p class="muted">
                "For programs into which you paste a token. Programs that can sign you in need none: they are under "
                <a href="/apps">"Connected apps"</a>"."
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
    let status = if failed { 422 } else { 200 };
    Ok(Page::new("Account", body).answering(status))
}
