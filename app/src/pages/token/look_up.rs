//! Looking up a token: whose it is, what it is for, whether it is accepted, and why not.

use domain::crypto::secret::SecretKind;
use domain::model::client::consent::EndCause;
use domain::token::look_up::{ForeignToken, LookUp, TokenEnd, TokenEndCause, TokenOwner, TokenReport};

use crate::prelude::*;

/// The page without a result.
pub async fn form() -> Result<Page, ActionError> {
    page(Form::default(), None).await
}

/// The page, with what is known about the pasted token. The token itself is not in it.
pub async fn page(form: Form, found: Option<LookUp>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let error = form.errors.at("token");
    let fields = view! {
        <TextArea id="token" label="Token" value="" error
            hint="An access token (eyJ…) or a personal token (csp_…). It is read once and not stored."/>
    };
    let page = FormPage::new("Look up a token", links::TOKENS, "Look up")
        .lead("Whose a token is, what it is for, and whether it is accepted.")
        .above(found.map(|found| result(&visit, found)))
        .panel("Token", fields);
    Ok(page.page(form.errors))
}

fn result(visit: &Visit, found: LookUp) -> AnyView {
    match found {
        LookUp::NoToken(kind) => notice("warn", view! { <p>{no_token(kind)}</p> }),
        LookUp::Foreign(token) => foreign(token),
        LookUp::Ours(report) => ours(visit, *report),
    }
}

fn no_token(kind: Option<SecretKind>) -> AnyView {
    let leaks = || view! { <a href=links::LEAKS>"Respond to a leak"</a> };
    match kind {
        None => {
            "This is not a token: it is neither a JWT nor a personal token. Check that you copied all of it.".into_any()
        }
        Some(SecretKind::PersonalToken) => {
            "This looks like a personal token, but this Countersign does not know it.".into_any()
        }
        Some(SecretKind::Client) => {
            html! { "This is a client secret, not a token. "{leaks()}" finds its credential." }
        }
        Some(SecretKind::RefreshToken) => html! { "This is a refresh token of an app. "{leaks()}" finds its owner." },
        Some(SecretKind::AuthorizationCode) => {
            "This is an authorization code. It is used up within a minute.".into_any()
        }
        Some(SecretKind::RegistrationToken) => {
            html! { "With this token an app manages its registration. "{leaks()}" finds the app." }
        }
    }
}

fn foreign(token: ForeignToken) -> AnyView {
    let words = match token.claims_to_be_ours {
        true => {
            "It names this Countersign as its issuer, but no present key verifies its signature. The key was removed, or the \
             token was changed or made up."
        }
        false => "Another issuer signed it. Nothing below was checked.",
    };
    let expiry = token
        .expires_at
        .map(|at| view! { <p class="muted">"As the token states, it expires: "{moment(at)}" ("{distance(at)}")."</p> });
    let rows = token.claims.into_iter().map(|(name, value)| cells![html! { <code>{name}</code> }, value]);
    html! {
        <section class="panel" aria-labelledby="result">
            <header><h2 id="result">"Not issued by this Countersign"</h2>{chip("Unknown", "warn")}</header>
            <div class="body"><p>{words}</p>{expiry}</div>
            {table(["Claim", "Value"], rows)}
        </section>
    }
}

fn ours(visit: &Visit, report: TokenReport) -> AnyView {
    let TokenReport { id, owner, audience, scope, issued_at, expires_at, issued_to, key, end, may_end } = report;
    let is_personal = matches!(owner, TokenOwner::Person { .. });
    let word = match &end {
        None => chip("Accepted", "ok"),
        Some(_) => chip("Not accepted", "danger"),
    };
    let state = match end {
        None => html! { "The token is accepted until "{moment(expires_at)}"." },
        Some(end) => why(end),
    };
    let revoke = may_end.then(|| {
        let question = match is_personal {
            true => html! { "Revoke this personal token? The programs that have it lose access. This cannot be undone." },
            false => html! {
                "Revoke this token? Introspection and the built-in MCP server refuse it at once. MCP servers that check only the signature accept it until "
                {moment(expires_at)}". This cannot be undone."
            },
        };
        let action = if is_personal { links::REVOKE_PERSONAL_TOKEN } else { links::REVOKE_TOKEN };
        asking_button(action, [("token", id.clone())], false, ("Revoke this token", String::new()), question)
    });
    let from = issued_to.map(|address| sub(format!("to {address}")));
    let signature = key.map(|(kid, algorithm)| {
        view! { <div><dt>"Signature"</dt><dd>"Valid, "{algorithm}{sub(view! { "key "<code>{kid}</code> })}</dd></div> }
    });
    html! {
        <section class="panel" aria-labelledby="result">
            <header><h2 id="result">"Issued by this Countersign"</h2>{word}</header>
            <div class="body"><p>{state}</p>{revoke}</div>
            <dl class="facts">
                <div><dt>"Belongs to"</dt><dd>{belongs_to(visit, owner)}</dd></div>
                <div><dt>"For the MCP server"</dt><dd><code>{audience}</code></dd></div>
                <div><dt>"Scopes"</dt><dd>{scope_tags(scope.split(' '))}</dd></div>
                <div><dt>"Issued"</dt><dd>{moment(issued_at)}{sub(distance(issued_at))}{from}</dd></div>
                <div><dt>"Expires"</dt><dd>{moment(expires_at)}{sub(distance(expires_at))}</dd></div>
                {signature}
                <div><dt>"Token ID"</dt><dd><code>{id}</code></dd></div>
            </dl>
        </section>
    }
}

fn belongs_to(visit: &Visit, owner: TokenOwner) -> AnyView {
    let administers = visit.viewer.as_ref().is_some_and(|viewer| viewer.authority.is_administrator());
    match owner {
        TokenOwner::Credential { client_id, name, exchanged } => html! {
            <a href=links::credential(&client_id)>{name}</a>{sub(format!("exchanged with {exchanged}"))}
        },
        TokenOwner::App { client_id, name, person } => {
            let name = match administers {
                true => html! { <a href=links::client(&client_id)>{name}</a> },
                false => name.into_any(),
            };
            html! { {name}{sub(format!("an app, for {person}"))} }
        }
        TokenOwner::Person { name, person } => html! {
            <a href=links::PERSONAL_TOKENS>{name}</a>{sub(format!("a personal token of {person}"))}
        },
        TokenOwner::AnotherTeam => "A credential of a team you are not in".into_any(),
        TokenOwner::AnotherPerson => "Another person".into_any(),
    }
}

/// Why the token is not accepted, and since when.
fn why(end: TokenEnd) -> AnyView {
    let because = |cause: Option<EndCause>| cause.map(|cause| format!(" {}", cause_words(cause)));
    let words = match end.cause {
        TokenEndCause::Expired => "The token has expired.".to_owned(),
        TokenEndCause::Revoked => "The token was revoked.".to_owned(),
        TokenEndCause::CredentialRevoked(reason) => {
            let reason = reason.filter(|reason| !reason.is_empty());
            format!(
                "Its credential was revoked.{}",
                reason.map(|reason| format!(" Reason: {reason}.")).unwrap_or_default()
            )
        }
        TokenEndCause::CredentialDisabled => {
            "Its credential is disabled. Enabling it makes the token work again.".to_owned()
        }
        TokenEndCause::CredentialEnded => "Its credential has expired.".to_owned(),
        TokenEndCause::AuthenticatorRevoked => "The secret or key that it was exchanged for was revoked.".to_owned(),
        TokenEndCause::AuthenticatorReplaced => {
            "The secret or key that it was exchanged for was replaced, and the overlap is over.".to_owned()
        }
        TokenEndCause::AccessEnded(cause) => {
            format!("The access of the app has ended.{}", because(cause).unwrap_or_default())
        }
        TokenEndCause::TokenEnded(cause) => {
            format!("The personal token was revoked.{}", because(cause).unwrap_or_default())
        }
        TokenEndCause::AppRemoved => "The app was removed.".to_owned(),
        TokenEndCause::PersonDisabled => "Its person is disabled.".to_owned(),
        TokenEndCause::ServerClosed => "The MCP server is not open to the teams of its person.".to_owned(),
        TokenEndCause::FormerIssuer(issuer) => format!("It was issued under the former address {issuer}."),
        TokenEndCause::NotRecorded => {
            "It is not in the ledger. The database was restored from a backup that is older than the token.".to_owned()
        }
        TokenEndCause::Withheld => "The token is not accepted. Only people who may see its owner learn why.".to_owned(),
    };
    let since = end.at.map(|at| view! { " Not accepted since "{moment(at)}" ("{distance(at)}")." });
    html! { {words}{since} }
}

fn cause_words(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Person => "Its person ended it.",
        EndCause::Administrator => "An administrator ended it.",
        EndCause::Client => "The app ended it.",
        EndCause::ClientRemoved => "The app was removed.",
        EndCause::PersonDisabled => "Its person was disabled.",
        EndCause::CodeReused => "An authorization code was used twice.",
        EndCause::TokenReused => "A refresh token was used twice.",
        EndCause::Leaked => "It was reported as leaked.",
        EndCause::Emergency => "An emergency stop ended it.",
        EndCause::Restored => "It ended when the database was restored.",
    }
}
