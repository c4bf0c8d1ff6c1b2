//! What the answers that show a secret have in common.

use app::pages::credential::reveal::{Occasion, Reveal};
use app::pages::credential::show::connection;
use app::visit::Visit;
use domain::base::id::ClientId;
use domain::credential::CredentialError;
use domain::credential::generate::Generated;

use crate::dashboard::auth::confirm::Refused;

/// Why no secret is shown.
pub(super) enum NotShown {
    /// The form was sent before, and made this credential or its secret.
    AlreadySubmitted(ClientId),
    Refused(Refused),
}

impl From<CredentialError> for NotShown {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::AlreadySubmitted(client_id) => Self::AlreadySubmitted(client_id),
            error => Self::Refused(error.into()),
        }
    }
}

impl From<Refused> for NotShown {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What the page of a secret shows; nothing when there is no secret.
pub(super) fn revealed(visit: &Visit, generated: &Generated, occasion: Occasion) -> Option<Reveal> {
    let secret = generated.secret.as_ref()?;
    let mut connection = connection(visit, &generated.credential, Some(&generated.server));
    connection.secret = Some(secret.expose().to_owned());
    Some(Reveal { connection, expires_at: generated.expires_at, occasion })
}
