//! What a server function answers when it does not do what it was asked: small, typed, without internals. The server
//! turns it into a page with the right status.

use domain::client::ClientError;
use domain::client::consent::ConsentError;
use domain::credential::CredentialError;
use domain::credential::list::ListError;
use domain::error::Fault;
use domain::person::PersonError;
use domain::person::invitation::InvitationError;
use domain::person::team::TeamError;
use domain::server::McpServerError;
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// Why a server function did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionError {
    /// Nobody is signed in.
    SignedOut,
    /// There is no such thing, or it is not for this person to see.
    NotFound,
    /// It can be looked at, and needs a role that the person does not have.
    Forbidden,
    /// The input is wrong; the message says what to do.
    Invalid(String),
    /// A fault of ours; it was logged.
    Unavailable,
}

impl FromServerFnError for ActionError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                Self::Invalid("The request is not complete. Go back, reload the page and try again.".to_owned())
            }
            _ => Self::Unavailable,
        }
    }
}

impl From<Fault> for ActionError {
    fn from(fault: Fault) -> Self {
        tracing::error!(%fault, "a page could not be served");
        Self::Unavailable
    }
}

impl From<ListError> for ActionError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::BadCursor => Self::Invalid("This link to a page of the list is not valid any more.".to_owned()),
            ListError::Fault(fault) => fault.into(),
        }
    }
}

impl From<McpServerError> for ActionError {
    fn from(error: McpServerError) -> Self {
        match error {
            McpServerError::Invalid(errors) => CredentialError::Invalid(errors).into(),
            McpServerError::NotFound => Self::NotFound,
            McpServerError::Fault(fault) => fault.into(),
        }
    }
}

impl From<PersonError> for ActionError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::NotFound => Self::NotFound,
            PersonError::Invalid(errors) => CredentialError::Invalid(errors).into(),
            PersonError::Fault(fault) => fault.into(),
        }
    }
}

impl From<TeamError> for ActionError {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::NotFound => Self::NotFound,
            TeamError::Forbidden => Self::Forbidden,
            TeamError::Invalid(errors) => CredentialError::Invalid(errors).into(),
            TeamError::Fault(fault) => fault.into(),
        }
    }
}

impl From<InvitationError> for ActionError {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::NotFound => Self::NotFound,
            InvitationError::Forbidden => Self::Forbidden,
            InvitationError::LinkUnusable => Self::Invalid("This invitation does not work any more.".to_owned()),
            InvitationError::ForSomebodyElse => Self::Invalid("This invitation is for somebody else.".to_owned()),
            InvitationError::AccountExists => Self::Invalid("Sign in first, then open the link again.".to_owned()),
            InvitationError::Invalid(errors) => CredentialError::Invalid(errors).into(),
            InvitationError::Fault(fault) => fault.into(),
        }
    }
}

impl From<CredentialError> for ActionError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::NotFound => Self::NotFound,
            CredentialError::Forbidden => Self::Forbidden,
            CredentialError::Invalid(errors) => {
                Self::Invalid(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            CredentialError::Revoked => {
                Self::Invalid("This credential is revoked. Revoking is final; generate another one.".to_owned())
            }
            CredentialError::RotationUnderWay => {
                Self::Invalid("A rotation is under way. Finish or cancel it before you start another.".to_owned())
            }
            CredentialError::OtherMethod => Self::Invalid(
                "This credential proves itself in another way. Generate one of the kind you need.".to_owned(),
            ),
            CredentialError::AlreadySubmitted(_) => Self::Invalid("This form was sent before.".to_owned()),
            CredentialError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ConsentError> for ActionError {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::NotFound => Self::NotFound,
            ConsentError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ClientError> for ActionError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotFound => Self::NotFound,
            ClientError::Invalid(errors) => {
                Self::Invalid(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
            }
            ClientError::AlreadySubmitted(_) => Self::Invalid("This form was sent before.".to_owned()),
            ClientError::Fault(fault) => fault.into(),
        }
    }
}
