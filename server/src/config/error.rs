//! A setting or an argument that cannot be used.

use std::error::Error;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A setting or an argument that cannot be used: one line that names it and says what is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub(crate) struct ConfigError {
    setting: String,
    problem: String,
}

impl ConfigError {
    /// A problem with `setting`.
    pub(crate) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// The error of one of our parsers, under the name of its argument: `--expires-in` or `CLIENT_ID`. None for an
    /// error of `clap` itself, such as a missing argument.
    pub(crate) fn from_parser(error: &clap::Error) -> Option<Self> {
        let (ErrorKind::ValueValidation, Some(ContextValue::String(argument)), Some(problem)) =
            (error.kind(), error.get(ContextKind::InvalidArg), error.source())
        else {
            return None;
        };
        // `clap` writes the argument with its value: `--expires-in <TIME>` or `<CLIENT_ID>`.
        let name = argument.split(' ').next().unwrap_or_default().trim_matches(['<', '>']);
        Some(Self::new(name, problem.to_string()))
    }

    /// The same error under the name of the setting: `listen`, not `--listen`.
    pub(super) fn of_setting(self) -> Self {
        Self { setting: self.setting.trim_start_matches('-').replace('-', "_"), ..self }
    }
}
