//! Why a client got no token, in words.

use domain::base::id::AppClientId;
use domain::client::usage;
use domain::model::client::refusal::AppRefusal;

use crate::prelude::*;

/// The cause, and what helps against it.
fn words(cause: AppRefusal) -> (&'static str, &'static str) {
    match cause {
        AppRefusal::NotProven => {
            ("Did not prove itself", "Compare the secret or the key of the program with this client.")
        }
        AppRefusal::AssertionReplayed => {
            ("Assertion used twice", "The program must sign a new assertion for each request.")
        }
        AppRefusal::KeysUnavailable => {
            ("Keys not available", "The address of the keys must answer with a set of keys (JWKS).")
        }
        AppRefusal::DocumentUnusable => (
            "Document cannot be used",
            "The client’s host must publish a valid document, and this server must accept documents.",
        ),
        AppRefusal::ClientDisabled => ("Tried while disabled", "Enable the client, or let people stop the program."),
        AppRefusal::CodeUnknown => {
            ("Unknown code", "A code is for one client and one server. The program may ask again.")
        }
        AppRefusal::CodeUsed => {
            ("Code used twice", "The access that the code gave was ended. Two programs may share the code.")
        }
        AppRefusal::CodeExpired => ("Code expired", "The program redeemed the code too late. The person starts again."),
        AppRefusal::WrongVerifier => {
            ("Wrong code_verifier", "The program must send the verifier of the request that it began (PKCE).")
        }
        AppRefusal::OtherRedirectUri => {
            ("Other redirect_uri", "The program must send the redirect URI with which it asked the person.")
        }
        AppRefusal::Denied => ("Denied by the person", "The person denied the device, or ended its request."),
        AppRefusal::TokenUnknown => {
            ("Unknown refresh token", "The program keeps a token of another client or another server.")
        }
        AppRefusal::TokenUsed => (
            "Refresh token used twice",
            "Two programs may share the token. The access was ended, or the program was too fast.",
        ),
        AppRefusal::AccessEnded => ("Access ended", "The person must allow the app again."),
        AppRefusal::PersonDisabled => ("Person disabled", "Enable the person, if they shall use the app."),
        AppRefusal::ServerRemoved => ("MCP server removed", "The person must allow the app for another MCP server."),
        AppRefusal::ServerArchived => ("MCP server archived", "Unarchive the MCP server, or use another one."),
        AppRefusal::TeamsNotAllowed => {
            ("MCP server not open to the person", "Open the MCP server to a team of the person.")
        }
        AppRefusal::OtherServer => {
            ("Other MCP server", "The program must ask for the resource that the person allowed.")
        }
        AppRefusal::ScopeNotAllowed => {
            ("Scope not allowed", "The program must ask for a scope that the person allowed.")
        }
        AppRefusal::ScopeMalformed => ("Malformed scope", "Separate scopes by one space in the program’s request."),
    }
}

/// The refusals of the last 30 days by cause, each with what to do. Nothing when there are none.
pub(super) async fn refused(visit: &Visit, id: &AppClientId) -> Result<Option<AnyView>, ActionError> {
    let refusals = usage::refusals(&visit.context, id).await?;
    if refusals.is_empty() || !visit.authority()?.is_administrator() {
        return Ok(None);
    }
    let rows = refusals.into_iter().map(|refusal| {
        let (cause, advice) = words(refusal.cause);
        let from = refusal.last_address.map(|address| sub(format!("from {address}")));
        cells![
            html! { {cause}{refusal.last_detail.map(sub)}{sub(advice)} },
            grouped(refusal.count),
            html! { {distance(refusal.last_at)}{from}{refusal.last_agent.map(sub)} },
        ]
    });
    let rows = table(["Cause and what to do".into(), Column::number("Times"), "Latest".into()], rows);
    Ok(Some(panel("refused", "Refused requests", muted("last 30 days"), rows)))
}
