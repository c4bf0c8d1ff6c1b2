//! `countersign leak`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::revoke;
use domain::incident::leak::{self, DelegatedLeak, Evidence, Findings, Leak, LeakSubject};
use domain::model::incident::record::Source;
use domain::model::person::authority::Authority;
use domain::server;
use zeroize::Zeroizing;

use crate::cli::shared::{CliError, call_lines, called, duration, in_file, instance, operator};
use crate::config::Config;
use crate::mcp::status_word;

/// Maximum size of a text that is searched, in bytes.
const LARGEST: u64 = 256 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The text to search: a file, or - for standard input
    file: PathBuf,
    /// How far back the use of what is found is shown: 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    since: Duration,
    /// Revoke every credential of which a working secret or token is found, and end what was found of apps and people
    #[arg(long)]
    revoke: bool,
}

pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    let text = read(&arguments.file)?;
    instance::with(config, async |context| respond(context, &text, arguments).await).await
}

fn read(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let problem = |problem: std::io::Error| in_file("FILE", file, problem);
    let mut bytes = Zeroizing::new(Vec::new());
    if file.as_os_str() == "-" {
        std::io::stdin().take(LARGEST).read_to_end(&mut bytes).map_err(problem)?;
    } else {
        std::fs::File::open(file).map_err(problem)?.take(LARGEST).read_to_end(&mut bytes).map_err(problem)?;
    }
    // Secrets and tokens are ASCII, but a log may hold any bytes.
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

async fn respond(context: &Context, text: &str, arguments: &Arguments) -> Result<(), CliError> {
    let since = context.now().minus(arguments.since);
    let findings = leak::find(context, &Authority::Everything, text, [since; 4]).await?;
    print(context, &findings).await?;
    // What works is on record before it ends, so that the record tells what the leak was.
    let number = leak::record(context, &operator(), &Authority::Everything, text, Source::CommandLine).await?;
    if let Some(number) = number {
        println!("Incident {number}: {}/incidents/{number}", context.settings.public_url);
    }
    if arguments.revoke {
        end(context, &findings).await?;
    }
    if findings.more {
        return Err(CliError::failed("there is more in the text than is looked up at once: run it again, or in parts"));
    }
    Ok(())
}

async fn print(context: &Context, findings: &Findings) -> Result<(), CliError> {
    let servers = server::list(context).await?;
    let name = |id: &str| servers.iter().find(|server| server.id.as_str() == id).map(|server| server.resource.as_str());
    for Leak { credential, evidence, impact, reach, calls, called_from } in &findings.leaks {
        println!("{}  {}  {}", credential.client_id, status_word(credential.status(context.now())), credential.name);
        evidence.iter().for_each(|evidence| println!("  {}", describe(evidence)));
        println!("  live tokens: {}; exchanges: {}", impact.live_tokens, reach.exchanges[0]);
        println!("  scopes: {}", credential.scopes);
        for server in &reach.servers {
            println!("  {} × {}", server.exchanges[0], name(&server.name).unwrap_or_default());
        }
        for address in &reach.addresses {
            println!("  {} × from {}", address.exchanges[0], address.name);
        }
        call_lines(calls, &servers).iter().for_each(|line| println!("{line}"));
        for from in called_from {
            let server = name(from.server.as_str()).unwrap_or_default();
            println!("  {} × {} at {server} from {}", from.calls, called(from.kind, &from.name), from.address);
        }
    }
    for leak in &findings.delegated {
        println!("{}  {}", leak.id(), describe_of_people(leak));
    }
    if findings.leaks.is_empty() && findings.delegated.is_empty() {
        println!("No Countersign secret, token or client ID found.");
    }
    if findings.unknown > 0 {
        println!("Secrets of the right form that are not known here: {}", findings.unknown);
    }
    if findings.damaged > 0 {
        println!("Texts that look like a secret that is cut off: {}", findings.damaged);
    }
    Ok(())
}

/// Ends what was found and still works.
async fn end(context: &Context, findings: &Findings) -> Result<(), CliError> {
    let works = |leak: &&Leak| leak.credential.revoked_at.is_none() && leak.evidence.iter().any(Evidence::works);
    let working: Vec<ClientId> =
        findings.leaks.iter().filter(works).map(|leak| leak.credential.client_id.clone()).collect();
    let entries = revoke::revoke_all(context, &operator(), &working, "Leaked").await?;
    println!("Revoked: {}", entries.len());
    let delegated: Vec<_> = findings.delegated.iter().filter(|leak| leak.works).collect();
    for leak in &delegated {
        leak::end_delegated(context, &operator(), leak, None).await?;
    }
    println!("Ended of apps and people: {}", delegated.len());
    Ok(())
}

fn describe_of_people(leak: &DelegatedLeak) -> String {
    let what = match &leak.found {
        LeakSubject::PersonalToken(listed) => format!("personal token {} of {}", listed.token.name, listed.person_name),
        LeakSubject::Consent(listed) => format!("a token of {} for {}", listed.client_name, listed.person_name),
        LeakSubject::Client(client) => format!("the secret of the client {}", client.name),
        LeakSubject::Device(request, client) => {
            let name = client.as_ref().map_or(request.client_id.as_str(), |client| client.name.as_str());
            format!("the device code of a request of {name}")
        }
        LeakSubject::Registration(client) => format!("the registration access token of the client {}", client.name),
    };
    let state = if leak.works { "works" } else { "does not work" };
    format!("{what} is in the text; it {state}")
}

fn describe(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Secret { hint, works: true } => format!("its secret css_…{hint} is in the text, and works"),
        Evidence::Secret { hint, works: false } => format!("its secret css_…{hint} is in the text; it does not work"),
        Evidence::Token { ends_at, works: true } => {
            format!("an access token of it is in the text, and works until {}", ends_at.rfc3339())
        }
        Evidence::Token { .. } => "an access token of it is in the text; it does not work".to_owned(),
        Evidence::ClientId => "its client ID is in the text; that is no secret".to_owned(),
    }
}
