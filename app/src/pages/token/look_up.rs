//! Looking up a token: whose it is, what it is for, whether it is accepted, and why not.

use domain::crypto::secret::SecretKind;
use domain::model::client::consent::EndCause;
use domain::token::look_up::{ForeignToken, LookUp, TokenEnd, TokenEndCause, TokenOwner, TokenReport};

use crate::components::parts::{copied_code, pairs};
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
        Some(SecretKind::DeviceCode) => {
            html! { "With this code a program waits for somebody to allow it access. "{leaks()}" ends it." }
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
    let from = issued_to.map(|address| muted(format!(", to {address}")));
    let code = |text: String| html! { <code>{text}</code> };
    let mut facts = vec![
        ("Belongs to", belongs_to(visit, owner)),
        ("MCP server", code(audience)),
        ("Scopes", scope_tags(scope.split(' '))),
        ("Issued", html! { {moment(issued_at)}" "{muted("(")}{distance(issued_at)}{muted(")")}{from} }),
        ("Expires", html! { {moment(expires_at)}" "{muted("(")}{distance(expires_at)}{muted(")")} }),
        ("Token ID", copied_code("token-id", id, "Copy token ID")),
    ];
    if let Some((kid, algorithm)) = key {
        facts.push(("Signature", html! { "Valid, "{algorithm}", key "<code>{kid}</code> }));
    }
    html! {
        <section class="panel" aria-labelledby="result">
            <header><h2 id="result">"Issued by this Countersign"</h2>{word}</header>
            <div class="body"><p>{state}</p>{revoke}</div>
            {pairs(facts)}
        </section>
    }
}

fn belongs_to(visit: &Visit, owner: TokenOwner) -> AnyView {
    let administers = visit.viewer.as_ref().is_some_and(|viewer| viewer.authority.is_administrator());
    match owner {
        TokenOwner::Credential { client_id, name, exchanged } => html! {
            <a href=links::credential(&client_id)>{name}</a>{muted(", exchanged with ")}<code>{exchanged}</code>
        },
        TokenOwner::App { client_id, name, person } => {
            let name = match administers {
                true => html! { <a href=links::client(&client_id)>{name}</a> },
                false => name.into_any(),
            };
            html! { {name}{muted(format!(", an app, for {person}"))} }
        }
        TokenOwner::Person { name, person } => html! {
            <a href=links::PERSONAL_TOKENS>{name}</a>{muted(format!(", a personal token of {person}"))}
        },
        TokenOwner::AnotherTeam => "A credential of a team you are not in".into_any(),
        TokenOwner::AnotherPerson => "Another person".into_any(),
    }
}

/// Why the token is not accepted, and since when.
fn why(end: TokenEnd) -> AnyView {
    let since = end.at.map(|at| view! { " Not accepted since "{moment(at)}" ("{distance(at)}")." });
    html! { {end_words(&end.cause)}{since} }
}

/// Why a token is not accepted, as a sentence.
pub fn end_words(cause: &TokenEndCause) -> String {
    let because = |words: &str, cause: &Option<EndCause>| {
        cause.map_or_else(|| words.to_owned(), |cause| format!("{words} {}", cause_words(cause)))
    };
    let words = match cause {
        TokenEndCause::CredentialRevoked(reason) => {
            let reason = reason.as_ref().filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" Reason: {reason}.")).unwrap_or_default();
            return format!("Its credential was revoked.{reason}");
        }
        TokenEndCause::AccessEnded(cause) => return because("The access of the app has ended.", cause),
        TokenEndCause::TokenEnded(cause) => return because("The personal token was revoked.", cause),
        TokenEndCause::FormerIssuer(issuer) => return format!("It was issued under the former address {issuer}."),
        TokenEndCause::Expired => "The token has expired.",
        TokenEndCause::Revoked => "The token was revoked.",
        TokenEndCause::CredentialDisabled => "Its credential is disabled. When you enable it, the token works again.",
        TokenEndCause::CredentialEnded => "Its credential has expired.",
        TokenEndCause::AuthenticatorRevoked => "The secret or key that it was exchanged for was revoked.",
        TokenEndCause::AuthenticatorReplaced => {
            "The secret or key that it was exchanged for was replaced, and the overlap is over."
        }
        TokenEndCause::AppRemoved => "The app was removed.",
        TokenEndCause::AppDisabled => "Its app is disabled. When you enable it, the token works again.",
        TokenEndCause::PersonDisabled => "Its person is disabled.",
        TokenEndCause::ServerClosed => "The MCP server is not open to the teams of its person.",
        TokenEndCause::NotRecorded => {
            "It is not in the ledger. The database was restored from a backup that is older than the token."
        }
        TokenEndCause::Withheld => "The token is not accepted. Only people who may see its owner learn why.",
    };
    words.to_owned()
}

/// Why a consent or personal token ended.
pub(crate) fn cause_words(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Person => "Its person ended it.",
        EndCause::Administrator => "An administrator ended it.",
        EndCause::Client => "The app ended it.",
        EndCause::ClientRemoved => "The app was removed.",
        EndCause::PersonDisabled => "Its person was disabled.",
        EndCause::CodeReused => "The code with which the app got it was used twice.",
        EndCause::TokenReused => "A refresh token was used twice.",
        EndCause::Leaked => "It was reported as leaked.",
        EndCause::Emergency => "An emergency stop ended it.",
        EndCause::Restored => "It ended when the database was restored.",
    }
}
