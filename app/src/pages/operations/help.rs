//! Help: the first steps, the endpoints of this instance, commands, the meaning of statuses and errors, shortcuts.

use crate::pages::operations::docs;
use crate::prelude::*;

/// The page. `words` are what the documents are searched for.
pub async fn page(words: String) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let issuer = visit.context.settings.public_url.clone();
    let body = view! {
        {head((), "Help", concat!("Countersign ", env!("CARGO_PKG_VERSION")), ())}
        {docs::panels(words.trim())}
        {start(&issuer)}
        {endpoints(&issuer)}
        {commands()}
        {statuses()}
        {errors()}
        {shortcuts()}
    };
    Ok(Page::new("Help", body).framed(Frame::Narrow))
}

fn start(issuer: &str) -> AnyView {
    let exchange = format!(
        "curl -u \"$MCP_CLIENT_ID:$MCP_CLIENT_SECRET\" \\\n    -d grant_type=client_credentials {issuer}/mcp/oauth/token"
    );
    let steps = view! {
        <div class="body">
            <ol>
                <li><a href=links::NEW_CREDENTIAL>"Generate a credential"</a>". The page shows its secret once."</li>
                <li>"Exchange the secret for an access token:"</li>
            </ol>
            <pre tabindex="0" role="region" aria-label="Exchange">{exchange}</pre>
            <ol start="3">
                <li>
                    "Call your MCP server with the header "<code>"Authorization: Bearer TOKEN"</code>
                    ". The view “Connect” of each credential has complete programs."
                </li>
                <li>
                    "A secret leaked? Paste it on the page "<a href=links::LEAKS>"Leaks"</a>
                    ": one click revokes the secret and the tokens issued with it."
                </li>
            </ol>
        </div>
    };
    panel("start", "Quick start", (), steps)
}

fn endpoints(issuer: &str) -> AnyView {
    let rows = [
        ("Issuer", "", "The issuer of every token"),
        ("Token endpoint", "/mcp/oauth/token", "RFC 6749, 7523"),
        ("Signing keys", "/mcp/oauth/jwks", "RFC 7517"),
        ("Introspection", "/mcp/oauth/introspect", "RFC 7662"),
        ("Revocation", "/mcp/oauth/revoke", "RFC 7009"),
        ("Metadata", "/.well-known/oauth-authorization-server", "RFC 8414"),
        ("Authorization of apps", "/mcp/oauth/authorize", "OAuth 2.1, PKCE"),
        ("Codes for devices", "/mcp/oauth/device_authorization", "RFC 8628"),
        ("Registration of apps", "/mcp/oauth/register", "RFC 7591"),
        ("Report of a leak", "/leaks/report", "POST token=…"),
        ("Built-in MCP server", "/mcp", "Streamable HTTP"),
    ];
    let rows = rows.map(|(what, path, standard)| {
        let address = address(&format!("{issuer}{path}"));
        cells![what, address, standard]
    });
    panel("endpoints", "Endpoints", (), table(["What", "Address", "Standard"], rows))
}

fn commands() -> AnyView {
    let rows = [
        ("countersign credential create --name NAME", "Generates a credential and prints its secret once."),
        ("countersign credential list", "Lists the credentials."),
        ("countersign credential rotate CLIENT_ID", "Replaces a secret; the old secret works for 24 hours."),
        ("countersign credential revoke CLIENT_ID", "Revokes a credential."),
        ("countersign leak FILE", "Finds and revokes what a text gives away."),
        ("countersign server add --name NAME --resource URI", "Registers an MCP server."),
        ("countersign backup FILE", "Writes a backup of the database."),
        ("countersign --help", "Lists all commands."),
    ];
    let rows = rows.map(|(command, what)| cells![html! { <code class="words">{command}</code> }, what]);
    panel(
        "commands",
        "Command line",
        muted("on the server, also while it runs"),
        table(["Command", "What it does"], rows),
    )
}

fn statuses() -> AnyView {
    let rows = [
        (
            "Leaked",
            "danger",
            "Somebody reported a secret of the credential, and the credential still works. Revoke it.",
        ),
        ("In use", "ok", "The credential works and was exchanged at least once."),
        ("Unverified", "idle", "The credential works and was never exchanged."),
        ("Expiring", "warn", "The credential expires within 14 days."),
        ("Rotating", "warn", "Two secrets or keys work until the rotation is finished or its deadline is over."),
        (
            "Server archived",
            "warn",
            "The credential works, but each of its MCP servers is archived. It gets no tokens.",
        ),
        ("Disabled", "warn", "Exchanges are refused until somebody enables the credential."),
        ("Expired", "idle", "All secrets and keys have expired. Rotate to get a new one."),
        ("Revoked", "idle", "The credential was stopped. This cannot be undone."),
    ];
    let rows = rows.map(|(word, tone, meaning)| cells![chip(word, tone), meaning]);
    panel("statuses", "Statuses of credentials", (), table(["Status", "Meaning"], rows))
}

fn errors() -> AnyView {
    let rows = [
        (
            "401 invalid_client",
            "The client ID or its secret, key or token is wrong, expired, disabled or revoked. The credential’s page shows \
             the cause.",
        ),
        ("400 invalid_scope", "The credential may not ask for this scope."),
        ("400 invalid_target", "The credential may not call this MCP server (RFC 8707)."),
        ("400 invalid_grant", "The code, refresh token or assertion does not work, or was used before."),
        ("400 unauthorized_client", "The client may not use this grant type."),
        ("429", "Too many requests. Wait for the seconds in the header Retry-After."),
        ("503", "Countersign cannot answer right now. Try again; the secret is not the reason."),
    ];
    let rows = rows.map(|(answer, meaning)| cells![html! { <code>{answer}</code> }, meaning]);
    panel("errors", "Answers of the token endpoint", (), table(["Answer", "Meaning"], rows))
}

fn shortcuts() -> AnyView {
    let rows = [
        (vec!["Ctrl K", "/"], "Search, and jump to a page"),
        (vec!["↑", "↓", "Enter"], "Choose a hit, and open it"),
        (vec!["Ctrl Enter"], "Find credentials in a leaked text"),
        (vec!["Esc"], "Close a menu or the search"),
    ];
    let rows = rows.map(|(keys, what)| {
        let keys = keys.into_iter().map(|key| view! { <kbd>{key}</kbd>" " }).collect_view();
        cells![keys, what]
    });
    panel("shortcuts", "Keyboard shortcuts", (), table(["Keys", "What they do"], rows))
}
