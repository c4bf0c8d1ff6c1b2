//! The page that shows a credential’s secret: the answer to the form that made it. From here the secret can be handed
//! over.

pub mod handover;

use domain::base::clock::Timestamp;
use domain::credential::generate::Generated;
use domain::model::credential::Credential;
use domain::model::server::McpServer;

use crate::components::snippet::Snippets;
use crate::pages::credential::list::short_resource;
use crate::pages::credential::show::connection;
use crate::prelude::*;
use crate::snippets::Connection;

/// The content of the page. The secret in `connection` is in this answer and nowhere else.
pub struct NewSecret {
    connection: Connection,
    expires_at: Option<Timestamp>,
    occasion: Occasion,
}

/// Why there is a secret to show.
#[derive(Debug, Clone, Copy)]
pub enum Occasion {
    /// The credential is new.
    Generated,
    /// The secret is a second one. The other secret stays.
    Added,
    /// The secret replaces another one. The old secret works until this time, or no longer works.
    Rotated(Option<Timestamp>),
}

impl Occasion {
    /// The occasion as a form of the page carries it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Added => "added",
            Self::Rotated(_) => "rotated",
        }
    }

    /// Reads what [`Self::word`] wrote.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "generated" => Some(Self::Generated),
            "added" => Some(Self::Added),
            "rotated" => Some(Self::Rotated(None)),
            _ => None,
        }
    }

    /// The same occasion. A rotation ends at this moment.
    pub(crate) fn until(self, rotation_ends_at: Option<Timestamp>) -> Self {
        match self {
            Self::Rotated(_) => Self::Rotated(rotation_ends_at),
            other => other,
        }
    }
}

impl NewSecret {
    /// The new secret. Nothing when the credential has no secret.
    pub fn of(visit: &Visit, generated: &Generated, occasion: Occasion) -> Option<Self> {
        let secret = generated.secret.as_ref()?.expose().to_owned();
        let (credential, server) = (&generated.credential, Some(&generated.server));
        Some(Self::again(visit, credential, server, secret, generated.expires_at, occasion))
    }

    /// The same secret once more, for the answer to a form of the page that showed it.
    pub(crate) fn again(
        visit: &Visit,
        credential: &Credential,
        server: Option<&McpServer>,
        secret: String,
        expires_at: Option<Timestamp>,
        occasion: Occasion,
    ) -> Self {
        let connection = Connection { secret: Some(secret), ..connection(visit, credential, server) };
        Self { connection, expires_at, occasion }
    }

    /// The page, with the result of a test.
    pub fn page(self, result: Option<AnyView>) -> Page {
        let Self { connection, expires_at, occasion } = self;
        let expiry = match expires_at {
            Some(at) => html! { "Expires "{distance(at)} },
            None => "Never expires".into_any(),
        };
        let (title, [first, second, third], old) = match occasion {
            Occasion::Generated => {
                ("Save your client secret", ["Generate", "Store the secret", "Connect"], ().into_any())
            }
            Occasion::Added => (
                "Save your new client secret",
                ["Add a secret", "Store the new secret", "Give it to a program"],
                " The other secret still works.".into_any(),
            ),
            Occasion::Rotated(until) => {
                let old = match until {
                    Some(at) => html! { " The old secret works until "{moment(at)}"." },
                    None => " The old secret no longer works.".into_any(),
                };
                ("Save your new client secret", ["Rotate", "Store the new secret", "Move the program to it"], old)
            }
        };
        let facts = view! {
            <div class="row muted">
                <span>{expiry}</span>{scope_tags(connection.scope.split(' '))}
                <span>{short_resource(&connection.mcp_server)}</span>
            </div>
        };
        let secret = connection.secret_or_placeholder().to_owned();
        let is_tested = result.is_some();
        Reveal::new(title, "Client ID and secret", links::credential(&connection.client_id))
        .above(view! { <ol class="steps"><li data-done="">{first}</li><li aria-current="step">{second}</li><li>{third}</li></ol> })
        .lead(view! { {shown_once(&connection.name)}{old} })
        .if_lost("Countersign keeps only a fingerprint of it. If the secret is lost, rotate it or revoke the credential.")
        .identifier("client-id", "Client ID", connection.client_id.clone())
        .secret("client-secret", "Client secret", &secret)
        .facts(facts)
        .below(view! {
            <div id="result" role="status">{result}</div>
            {test_panel(&connection, &secret, occasion, is_tested)}
            {handover::panel_of(&connection.client_id, &secret)}
            <Snippets connection about="Ready to paste, with the secret."/>
        })
        .page()
    }
}

/// The panel that tests the secret, and waits for the first exchange of a new credential.
fn test_panel(connection: &Connection, secret: &str, occasion: Occasion, is_tested: bool) -> AnyView {
    let poll = links::with_query(links::FIRST_EXCHANGE, &[("client_id", &connection.client_id)]);
    let waits = (matches!(occasion, Occasion::Generated) && !is_tested).then(|| {
        view! {
            <p class="wait" data-poll=poll data-done="It works. The first exchange arrived.">
                "Waiting for the first exchange…"
            </p>
        }
    });
    let content = view! {
        <div class="body">
            {waits}
            <p class="muted">
                "Countersign exchanges the secret for a token, calls the MCP server with it, and says what worked. Or start the program, or run the curl lines below."
            </p>
            {test_form(&connection.client_id, secret, occasion, is_tested)}
        </div>
    };
    panel("try", "Try it", (), content)
}

/// The same form on the page that shows the secret. Its answer shows the secret again. With script the page stays, and
/// takes the result out of the answer.
fn test_form(client_id: &str, secret: &str, occasion: Occasion, is_tested: bool) -> AnyView {
    let content = view! {
        {hidden("client_secret", secret)}{hidden("occasion", occasion.word())}
        {submit((!is_tested).then_some("primary"), "Test now")}
    };
    let action = format!("{}#result", links::test_credential(client_id));
    html! { <form method="post" action=action class="stack" data-inplace=""><FormToken/>{content}</form> }
}
