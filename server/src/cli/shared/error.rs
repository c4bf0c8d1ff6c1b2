//! Why a command failed, and with which exit code.

use std::io::{Error, ErrorKind};
use std::process::ExitCode;

use domain::client::ClientError;
use domain::credential::CredentialError;
use domain::credential::list::ListError;
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::operations::backup::BackupError;
use domain::operations::key_rotation::RotationError;
use domain::operations::policy::PolicyError;
use domain::operations::restore::RestoreError;
use domain::person::PersonError;
use domain::person::invitation::InvitationError;
use domain::person::team::TeamError;
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

    /// An error of the system about what `setting` names. A setting or a file is to blame when another start would meet
    /// the same error. Otherwise a service manager shall try again: an address, a port or space on the disk may be
    /// there a moment later.
    pub(crate) fn of_system(setting: &str, problem: String, error: &Error) -> Self {
        let problem = ConfigError::new(setting, problem);
        match error.kind() {
            ErrorKind::PermissionDenied
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidData
            | ErrorKind::ReadOnlyFilesystem => Self::Usage(problem),
            _ => Self::failed(problem),
        }
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

/// The option that fills a field of an operation; `None`: the field has no option of its own. A field without a line
/// here has an option of its own name.
fn option(field: &str) -> Option<String> {
    Some(match field {
        "algorithm" => "--alg".to_owned(),
        "audience" => "--federated-audience".to_owned(),
        "claims" => "--federated-claim".to_owned(),
        "expiry" => "--expires-in".to_owned(),
        "ip_ranges" => "--allow-ip".to_owned(),
        "issuer" => "--federated-issuer".to_owned(),
        "jwks" => "--federated-jwks".to_owned(),
        "accept" => "--yes".to_owned(),
        "words" => "--word".to_owned(),
        "teams" => "--team".to_owned(),
        "password" => "--password-stdin".to_owned(),
        "person" => "--email".to_owned(),
        "redirect_uris" => "--redirect-uri".to_owned(),
        "removes" => "--yes".to_owned(),
        "scopes" => "--scope".to_owned(),
        "server" => "--mcp-server".to_owned(),
        "subject" => "--federated-subject".to_owned(),
        "tags" => "--tag".to_owned(),
        // A problem of the whole, and not of an option.
        "step" | "main" | "method" => return None,
        field => format!("--{}", field.replace('_', "-")),
    })
}

/// The fields that an operation refused, on one line. They have the names of options.
fn invalid(command: &str, errors: Vec<FieldError>) -> CliError {
    let problem = |error: FieldError| match option(error.field) {
        Some(option) => format!("{option}: {}", error.message),
        None => error.message,
    };
    ConfigError::new(command, errors.into_iter().map(problem).collect::<Vec<_>>().join(" ")).into()
}

/// Converts errors of operations. Each has a command.
macro_rules! refused {
    ($($error:ident => $command:literal;)*) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Invalid(errors) => invalid($command, errors),
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
    CredentialError => "credential";
    PersonError => "admin";
    ClientError => "client";
    McpServerError => "server";
    TeamError => "team";
    InvitationError => "team";
    PolicyError => "policy";
}
failed!(Fault, StoreError, BackupError, ListError, RestoreError, RotationError, std::io::Error);
