//! The page that shows a credential’s secret: the answer to the form that made it.

use domain::base::clock::Timestamp;
use domain::credential::generate::Generated;

use crate::components::snippet::{Snippets, TryIt};
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

impl NewSecret {
    /// The new secret. Nothing when the credential has no secret.
    pub fn of(visit: &Visit, generated: &Generated, occasion: Occasion) -> Option<Self> {
        let secret = generated.secret.as_ref()?;
        let mut connection = connection(visit, &generated.credential, Some(&generated.server));
        connection.secret = Some(secret.expose().to_owned());
        Some(Self { connection, expires_at: generated.expires_at, occasion })
    }

    /// The page.
    pub fn page(self) -> Page {
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
                    Some(at) => html! { " The old one works until "{moment(at)}"." },
                    None => " The old one stopped working.".into_any(),
                };
                ("Save your new client secret", ["Rotate", "Store the new secret", "Move the program to it"], old)
            }
        };
        let is_new = matches!(occasion, Occasion::Generated);
        let facts = view! {
            <div class="row muted">
                <span>{expiry}</span>{scope_tags(connection.scope.split(' '))}
                <span>{short_resource(&connection.mcp_server)}</span>
            </div>
        };
        Reveal::new(title, "Client ID and secret", links::credential(&connection.client_id))
        .above(view! { <ol class="steps"><li data-done="">{first}</li><li aria-current="step">{second}</li><li>{third}</li></ol> })
        .lead(view! { {shown_once(&connection.name)}{old} })
        .warning(
            "Shown once. ",
            "Only a fingerprint is kept here. If the secret is lost, rotate it again or revoke the credential.",
        )
        .identifier("client-id", "Client ID", connection.client_id.clone())
        .secret("client-secret", "Client secret", connection.secret_or_placeholder())
        .facts(facts)
        .below(view! {
            <Snippets connection=connection.clone() about="Ready to paste, with the secret."/>
            {is_new.then(|| view! { <TryIt connection reload=None/> })}
        })
        .page()
    }
}
