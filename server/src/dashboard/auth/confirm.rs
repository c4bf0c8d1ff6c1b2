//! Asking who is at the browser again, before what somebody else could do harm with: whoever finds it open must not take a secret
//! away, nor change what the account is proved by.

use app::error::ActionError;
use app::visit::Visit;
use domain::credential::CredentialError;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::person::Person;
use domain::person;
use domain::person::invitation::InvitationError;
use domain::person::sign_in::{self, ConfirmationProof, SignInError};
use domain::person::team::TeamError;
use tower_sessions::Session;

use crate::dashboard::auth::passkey_answer;
use crate::dashboard::auth::signed_in::SignedIn;
use crate::http::fields::Fields;

/// Why a form was answered with itself, or with a message.
pub enum Refused {
    /// Something typed is wrong, or it is asked who is there.
    Fields {
        /// What is wrong.
        errors: Vec<FieldError>,
        /// Whether to ask who is there.
        ask_password: bool,
    },
    /// The rules or the database refused.
    Action(ActionError),
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<CredentialError> for Refused {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
    }
}

/// Asks for a passkey, or for the password again and a code of whoever has a second factor, when the last proof is too old.
pub async fn confirm_unless_fresh(visit: &Visit, session: &Session, fields: &Fields) -> Result<(), Refused> {
    if visit.is_fresh() {
        return Ok(());
    }
    let (person, actor) = viewer(visit).await?;
    let proof = match passkey_answer::read(fields) {
        Some(answer) => ConfirmationProof::Passkey(answer),
        None => typed(&person, fields).map_err(asked)?,
    };
    match sign_in::confirm(&visit.context, &actor, &person, proof).await {
        Ok(()) => {
            SignedIn::renew(session, visit.now()).await;
            Ok(())
        }
        Err(SignInError::Fault(fault)) => Err(ActionError::from(fault).into()),
        Err(error) => {
            let field = match error {
                SignInError::WrongCode | SignInError::TooManyCodes { .. } => "your_code",
                _ => "your_password",
            };
            Err(asked(vec![FieldError::new(field, error.to_words())]))
        }
    }
}

fn asked(errors: Vec<FieldError>) -> Refused {
    Refused::Fields { errors, ask_password: true }
}

fn typed(person: &Person, fields: &Fields) -> Result<ConfirmationProof, Vec<FieldError>> {
    let (password, code) = (fields.get("your_password"), fields.get("your_code"));
    let mut missing = Vec::new();
    if password.is_empty() {
        missing.push(FieldError::new("your_password", "Enter your password to go on."));
    }
    if person.factors.any() && code.is_empty() {
        missing.push(FieldError::new("your_code", "Enter a code to go on."));
    }
    if missing.is_empty() {
        Ok(ConfirmationProof::Password { password: Password::new(password), code })
    } else {
        Err(missing)
    }
}

/// The person who is signed in, as the database knows them.
pub async fn viewer(visit: &Visit) -> Result<(Person, Actor), ActionError> {
    let actor = visit.actor()?;
    let found = person::find(&visit.context, &visit.viewer()?.id).await?;
    Ok((found.ok_or(ActionError::SignedOut)?, actor))
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Fields { errors: vec![error], ask_password: false }
    }
}

impl From<TeamError> for Refused {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
    }
}

impl From<InvitationError> for Refused {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
    }
}
