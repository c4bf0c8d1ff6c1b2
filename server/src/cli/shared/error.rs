//! Why a command failed, and with which exit code.

use std::process::ExitCode;

use domain::client::ClientError;
use domain::credential::CredentialError;
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::operations::backup::BackupError;
use domain::person::PersonError;
use domain::server::McpServerError;
use domain::store::StoreError;

use crate::config::error::ConfigError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A setting or an argument is wrong.
    #[error("{0}")]
    Usage(#[from] ConfigError),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// Prints what is wrong, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("countersign: {self}");
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

/// The fields that an operation refused, on one line. They have the names of options, after `prefix`.
fn invalid(command: &str, prefix: &str, errors: Vec<FieldError>) -> CliError {
    let problem = |error: FieldError| format!("{prefix}{}: {}", error.field.replace('_', "-"), error.message);
    ConfigError::new(command, errors.into_iter().map(problem).collect::<Vec<_>>().join(" ")).into()
}

impl From<CredentialError> for CliError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Invalid(errors) => invalid("credential", "--", errors),
            error => Self::failed(error),
        }
    }
}

impl From<PersonError> for CliError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Invalid(errors) => invalid("admin", "", errors),
            error => Self::failed(error),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Invalid(errors) => invalid("client", "", errors),
            error => Self::failed(error),
        }
    }
}

impl From<McpServerError> for CliError {
    fn from(error: McpServerError) -> Self {
        match error {
            McpServerError::Invalid(errors) => invalid("server", "", errors),
            error => Self::failed(error),
        }
    }
}

impl From<Fault> for CliError {
    fn from(error: Fault) -> Self {
        Self::failed(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::failed(error)
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        Self::failed(error)
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
