//! Asks the person to prove again who they are, before a sensitive action. Otherwise another person who finds the
//! browser open could take a secret, or change how the account signs in.

use app::error::ActionError;
use app::form::Refused;
use app::visit::Visit;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::person::Person;
use domain::person::passkey::PasskeyAnswer;
use domain::person::sign_in::{ConfirmationProof, SignInError};
use domain::person::{self, sign_in};
use tower_sessions::Session;

use crate::dashboard::auth::signed_in::SignedIn;
use crate::http::fields::Fields;

/// When the last proof is too old, asks for a passkey, or for the password. With the password, a person who has a
/// second factor also types a code.
pub(crate) async fn confirm_unless_fresh(visit: &Visit, session: &Session, fields: &Fields) -> Result<(), Refused> {
    if !visit.must_confirm() {
        return Ok(());
    }
    let (person, actor) = viewer(visit).await?;
    let proof = match passkey_answer(fields) {
        Some(answer) => ConfirmationProof::Passkey(answer),
        None => typed(&person, fields).map_err(Refused::Unconfirmed)?,
    };
    sign_in::confirm(&visit.context, &actor, &person, proof).await.map_err(|error| {
        let field = match error {
            SignInError::Fault(fault) => return fault.into(),
            SignInError::WrongCode | SignInError::TooManyCodes { .. } => "your_code",
            _ => "your_password",
        };
        Refused::Unconfirmed(vec![FieldError::new(field, error.to_words())])
    })?;
    SignedIn::renew(session, visit.now()).await;
    Ok(())
}

fn typed(person: &Person, fields: &Fields) -> Result<ConfirmationProof, Vec<FieldError>> {
    let (password, code) = (fields.get("your_password"), fields.get("your_code"));
    let no_password = password.is_empty().then(|| FieldError::new("your_password", "Enter your password to go on."));
    let no_code = person.factors.any() && code.is_empty();
    let no_code = no_code.then(|| FieldError::new("your_code", "Enter a code to go on."));
    match no_password.into_iter().chain(no_code).collect::<Vec<_>>() {
        missing if missing.is_empty() => Ok(ConfirmationProof::Password { password: Password::new(password), code }),
        missing => Err(missing),
    }
}

/// The signed-in person, as stored in the database.
pub(crate) async fn viewer(visit: &Visit) -> Result<(Person, Actor), ActionError> {
    let actor = visit.actor()?;
    let found = person::find(&visit.context, &visit.viewer()?.id).await?;
    Ok((found.ok_or(ActionError::SignedOut)?, actor))
}

/// The passkey's answer that the browser sent, if any.
pub(crate) fn passkey_answer(fields: &Fields) -> Option<PasskeyAnswer> {
    let credential = fields.get("passkey_answer");
    (!credential.is_empty()).then(|| PasskeyAnswer { state: fields.get("passkey_state"), credential })
}
