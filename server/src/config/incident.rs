//! Settings: reports of leaked secrets.

use clap::Args;
use domain::crypto::public_key::PublicKey;
use domain::model::incident::Policy;

use super::values::{List, choice};
use crate::incident::report_policy::{LeakReports, read_github_keys};

/// Reports of leaked secrets.
#[derive(Args, Debug, Clone)]
pub(crate) struct Incident {
    /// What happens to a secret that is reported as leaked: revoke or alert
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    leak_policy: Policy,
    /// File of the keys that sign reports of GitHub's secret scanning; its reports are not taken when not set
    #[arg(long, value_name = "FILE", value_parser = github_keys)]
    github_keys_file: List<(String, PublicKey)>,
}

impl Incident {
    /// The policy for reports.
    pub(crate) fn leak_reports(&self) -> LeakReports {
        LeakReports { policy: self.leak_policy, github_keys: self.github_keys_file.clone() }
    }
}

fn policy(text: &str) -> Result<Policy, String> {
    choice(text, &[("revoke", Policy::Revoke), ("alert", Policy::Alert)])
}

/// Reads the keys from the file.
fn github_keys(file: &str) -> Result<List<(String, PublicKey)>, String> {
    if file.is_empty() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    read_github_keys(&text).map_err(|problem| format!("{file}: {problem}"))
}
