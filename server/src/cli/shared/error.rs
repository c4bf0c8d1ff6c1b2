//! Why a command failed, and with which exit code.

use std::process::ExitCode;

use domain::client::ClientError;
use domain::credential::CredentialError;
use domain::credential::list::ListError;
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::operations::backup::BackupError;
use domain::operations::key_rotation::RotationError;
use domain::operations::restore::RestoreError;
use domain::person::PersonError;
use domain::server::McpServerError;
use domain::store::StoreError;

use crate::config::ConfigError;

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

/// Converts errors of operations. Each has a command, and the prefix of the fields that the operation refused.
macro_rules! refused {
    ($($error:ident => $command:literal, $prefix:literal;)*) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Invalid(errors) => invalid($command, $prefix, errors),
                    error => Self::failed(error),
                }
            }
        })*
    };
}

/// Converts errors that refuse no field.
macro_rules! failed {
    ($($error:ty),*) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::failed(error)
            }
        })*
    };
}

refused! {
    CredentialError => "credential", "--";
    PersonError => "admin", "";
    ClientError => "client", "";
    McpServerError => "server", "";
}
failed!(Fault, StoreError, BackupError, ListError, RestoreError, RotationError, std::io::Error);
