//! Replacing a client’s secret, and the only page that shows it.

use domain::base::id::AppClientId;
use domain::client::{self, consent};
use domain::crypto::secret::PlainSecret;
use domain::model::client::AppClient;

use crate::pages::message::message;
use crate::prelude::*;

/// The answer to the form of a confidential client. It is the only page that shows the secret.
pub fn reveal(client: &AppClient, secret: &PlainSecret) -> Page {
    Reveal::new("Save your client secret", "Client ID and secret", links::client(&client.id))
        .lead(shown_once(&client.name))
        .if_lost("Countersign keeps only a fingerprint of it. If the secret is lost, replace it.")
        .identifier("client-id", "Client ID", client.id.to_string())
        .secret("client-secret", "Client secret", secret.expose())
        .page()
}

/// The page that asks before a client's secret is replaced.
pub async fn form(id: String, form: Form) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
    let client = client::find(&visit.context, &id).await?.filter(AppClient::takes_secret);
    let client = client.ok_or(ActionError::NotFound)?;
    let (_, consents) = consent::list_of_client(&visit.context, visit.authority()?, &id, None, 1).await?;
    let facts = view! {
        <section class="panel" aria-label="What depends on it">
            <dl class="facts">
                <div><dt>"Allowed by"</dt><dd>{counted(consents, "consent", "consents")}</dd></div>
                <div><dt>"Last token"</dt><dd>{distance_or(client.last_used_at, "Never")}</dd></div>
            </dl>
        </section>
    };
    let page = FormPage::new("Replace the secret?", links::client_secret(&id), "Replace secret")
        .back(links::client(&id), client.name)
        .above(facts)
        .question(
            "The old secret stops now. Until the client has the new one, it can neither redeem what people allow nor refresh \
             its tokens. The access that people gave stays.",
        );
    Ok(page.confirm(visit.must_confirm()).page(form.errors))
}

/// The page for a client's form that was sent again.
pub fn already_added(id: &str) -> Page {
    let text = "This form was sent before, and nothing was done a second time. The client’s secret was shown once and cannot be \
                shown again. If it is lost, replace it on the client’s page.";
    message(409, "Already done", text, (links::client(id), "Open the client"))
}
