//! Errors of server functions: small, typed, without internals. The server turns each error into a page with the right
//! status.
//!
//! This module maps the errors of operations once: to [`Refused`] for the forms, and from there to [`ActionError`].

use domain::credential::list::ListError;
use domain::error::Fault;
use domain::operations::key_rotation::RotationError;
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::form::Refused;

/// Why a server function changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionError {
    /// The visitor is not signed in.
    SignedOut,
    /// The form was opened before the present session began.
    StaleForm,
    /// The thing does not exist, or this person may not see it.
    NotFound,
    /// The person may see the thing, but lacks the role to change it.
    Forbidden,
    /// The input is wrong; the message says what to do.
    Invalid(String),
    /// An internal error. It was logged.
    Unavailable,
}

impl ActionError {
    /// The HTTP status that tells people and programs about this error.
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::NotFound => 404,
            Self::Forbidden | Self::StaleForm => 403,
            Self::Invalid(_) => 422,
            Self::Unavailable => 503,
        }
    }
}

impl FromServerFnError for ActionError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                instead("The request is not complete. Go back, reload the page and try again.")
            }
            _ => Self::Unavailable,
        }
    }
}

impl From<Fault> for ActionError {
    fn from(fault: Fault) -> Self {
        if matches!(fault, Fault::ActorEnded) {
            return Self::SignedOut;
        }
        tracing::error!(%fault, "a page could not be served");
        Self::Unavailable
    }
}

impl From<ListError> for ActionError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::BadCursor => instead("This link to a page of the list is no longer valid."),
            ListError::Fault(fault) => fault.into(),
        }
    }
}

impl From<Refused> for ActionError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(errors) | Refused::Unconfirmed(errors) => {
                Self::Invalid(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            Refused::AlreadySubmitted(_) => instead("This form was sent before."),
            Refused::Action(error) => error,
        }
    }
}

/// Maps errors of operations to [`Refused`]. Every such error has the variants `NotFound` and `Fault`, which the macro
/// maps itself. A row gives the other variants.
macro_rules! refused {
    ($($error:ty { $($variant:ident $(($detail:pat))? => $refused:expr),* $(,)? })*) => {$(
        impl From<$error> for Refused {
            fn from(error: $error) -> Self {
                type Error = $error;
                match error {
                    Error::NotFound => ActionError::NotFound.into(),
                    Error::Fault(fault) => fault.into(),
                    $(Error::$variant $(($detail))? => $refused.into(),)*
                }
            }
        }

        impl From<$error> for ActionError {
            fn from(error: $error) -> Self {
                Refused::from(error).into()
            }
        }
    )*};
}

/// Says what cannot be done, and what to do instead.
fn instead(words: &str) -> ActionError {
    ActionError::Invalid(words.to_owned())
}

/// The form was sent before and made `earlier` that time.
fn sent_before(earlier: impl ToString) -> Refused {
    Refused::AlreadySubmitted(earlier.to_string())
}

refused! {
    domain::client::consent::ConsentError {}
    domain::token::live::TokenError { Forbidden => ActionError::Forbidden }
    domain::operations::checklist::ChecklistError {}
    domain::person::PersonError { Invalid(errors) => errors }
    domain::server::McpServerError { Invalid(errors) => errors }
    domain::person::team::TeamError { Forbidden => ActionError::Forbidden, Invalid(errors) => errors }
    domain::client::ClientError { Invalid(errors) => errors, AlreadySubmitted(id) => sent_before(id) }
    domain::client::personal_token::PersonalTokenError {
        Invalid(errors) => errors,
        AlreadySubmitted => sent_before(""),
    }
    domain::person::passkey::PasskeyError { Invalid(errors) => errors, AlreadySubmitted => sent_before("") }
    domain::webhook::WebhookError {
        Invalid(errors) => errors,
        AlreadySubmitted(id) => sent_before(id),
        Paused => instead("This webhook is paused, so nothing is sent. Resume it first."),
    }
    domain::person::invitation::InvitationError {
        Forbidden => ActionError::Forbidden,
        Invalid(errors) => errors,
        LinkUnusable => instead("This invitation no longer works."),
        ForSomebodyElse => instead("This invitation is for somebody else."),
        AccountExists => instead("Sign in first, then open the link again."),
    }
    domain::operations::policy::PolicyError { Forbidden => ActionError::Forbidden, Invalid(errors) => errors }
    domain::credential::CredentialError {
        Forbidden => ActionError::Forbidden,
        Invalid(errors) => errors,
        AlreadySubmitted(id) => sent_before(id),
        Revoked => instead("This credential is revoked, which cannot be undone. Generate a new credential."),
        NeedsApproval => instead("A policy lets a manager of the team approve this first. Ask on the page “New credential”."),
        RotationUnderWay => instead("A rotation is under way. Finish or cancel it before you start another."),
        OtherMethod => instead("This credential proves itself in another way. Generate one of the kind you need."),
    }
}

impl From<RotationError> for ActionError {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::NoSuchKey => Self::NotFound,
            RotationError::UnderWay => instead(
                "A new key is already published and used within a day. If a key has leaked, replace the key instead.",
            ),
            RotationError::Fault(fault) => fault.into(),
        }
    }
}
