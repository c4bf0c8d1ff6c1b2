//! `countersign token`

use std::io::Read;
use std::path::{Path, PathBuf};

use app::pages::token::look_up::end_words;
use clap::Subcommand;
use domain::model::person::authority::Authority;
use domain::token::look_up::{LookUp, TokenOwner, TokenReport, look_up};
use zeroize::Zeroizing;

use crate::cli::shared::{CliError, in_file, instance, line};
use crate::config::Config;

/// Maximum size of a text that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say whose a token is, what it is for, and whether it is accepted
    Show {
        /// The token: a file, or - for standard input. A token in the command itself would stay in the shell's history
        file: PathBuf,
    },
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let Command::Show { file } = command;
    let token = read(&file)?;
    instance::with(config, async |context| {
        match look_up(context, &Authority::Everything, &token).await? {
            LookUp::Ours(report) => print!("{}", described(*report)),
            LookUp::Foreign(token) => {
                println!("Not issued by this Countersign. Nothing below was checked.");
                token.claims.iter().for_each(|(name, value)| print!("{}", line(name, value)));
            }
            LookUp::NoToken(_) => return Err(CliError::failed("this is neither a JWT nor a personal token of ours")),
        }
        Ok(())
    })
    .await
}

fn read(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::new());
    let problem = |problem: std::io::Error| in_file("FILE", file, problem);
    if file.as_os_str() == "-" {
        std::io::stdin().take(LARGEST).read_to_string(&mut text).map_err(problem)?;
    } else {
        std::fs::File::open(file).map_err(problem)?.take(LARGEST).read_to_string(&mut text).map_err(problem)?;
    }
    Ok(text)
}

fn described(report: TokenReport) -> String {
    let state = match &report.end {
        None => "accepted".to_owned(),
        Some(end) => {
            let since = end.at.map(|at| format!(" since {}", at.rfc3339())).unwrap_or_default();
            format!("not accepted{since}. {}", end_words(&end.cause))
        }
    };
    let owner = match &report.owner {
        TokenOwner::Credential { client_id, name, exchanged } => {
            format!("the credential {name} ({client_id}), exchanged with {exchanged}")
        }
        TokenOwner::App { client_id, name, person } => format!("the app {name} ({client_id}), for {person}"),
        TokenOwner::Person { name, person } => format!("the personal token {name} of {person}"),
        TokenOwner::AnotherTeam | TokenOwner::AnotherPerson => "not known".to_owned(),
    };
    let mut lines = [
        line("State", state),
        line("Belongs to", owner),
        line("MCP server", &report.audience),
        line("Scopes", &report.scope),
        line("Issued", report.issued_at.rfc3339()),
        line("Expires", report.expires_at.rfc3339()),
        line("Token ID", &report.id),
    ]
    .concat();
    if let Some(address) = &report.issued_to {
        lines += &line("Issued to", address);
    }
    if let Some((kid, algorithm)) = &report.key {
        lines += &line("Signature", format!("valid, {algorithm}, key {kid}"));
    }
    lines
}
