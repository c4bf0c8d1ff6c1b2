//! `countersign person`, and the commands about administrators and teams.

pub(crate) mod admin;
pub(crate) mod team;

use clap::{Args, Subcommand};
use domain::audit;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::credential::inspect;
use domain::credential::several::{self, Kept};
use domain::model::audit::AuditEntry;
use domain::model::credential::Credential;
use domain::model::person::Person;
use domain::person::manage::{self, Listed};
use domain::person::{PersonError, access};
use serde_json::{Value, json};

use crate::cli::shared::{CliError, Format, Printing, instance, line, operator, person_named};
use crate::config::Config;
use crate::mcp::status_word;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the people
    List(Printing),
    /// Show a person: teams, credentials, apps, tokens, the newest audit entries
    Show {
        #[command(flatten)]
        person: OnePerson,
        #[command(flatten)]
        printing: Printing,
    },
    /// Shut a person out: sessions, connected apps and personal tokens end
    Disable(OnePerson),
    /// Let a disabled person sign in again
    Enable(OnePerson),
    /// Give the credentials that a person owns to another person
    GiveCredentials {
        #[command(flatten)]
        person: OnePerson,
        /// The email address or the ID of the new owner
        #[arg(long, value_name = "EMAIL")]
        to: String,
    },
}

/// The person that a command is about.
#[derive(Args)]
pub(crate) struct OnePerson {
    /// The email address or the ID
    #[arg(value_name = "PERSON")]
    person: String,
}

impl OnePerson {
    async fn find(&self, context: &Context) -> Result<Person, CliError> {
        person_named(context, "PERSON", &self.person).await
    }
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| match command {
        Command::List(Printing { format }) => list(context, format).await,
        Command::Show { person, printing } => show(context, &person.find(context).await?, printing.format).await,
        Command::Disable(person) => {
            let person = person.find(context).await?;
            manage::disable(context, &operator(), &person.id).await?;
            println!("Disabled {}. Their sessions, connected apps and personal tokens have ended.", person.email);
            Ok(())
        }
        Command::Enable(person) => {
            let person = person.find(context).await?;
            manage::enable(context, &operator(), &person.id).await?;
            println!("Enabled {}", person.email);
            Ok(())
        }
        Command::GiveCredentials { person, to } => {
            let (from, to) = (person.find(context).await?, person_named(context, "--to", &to).await?);
            let receipt = several::give_all(context, &operator(), &from.id, &to.id).await?;
            println!("Given to {}: {}", to.email, receipt.entries.len());
            let stay = receipt.kept.iter().filter(|(_, why)| *why == Kept::Owner).count();
            if stay > 0 {
                println!("Stayed, because the new owner is not in their teams: {stay}");
            }
            Ok(())
        }
    })
    .await
}

fn state(person: &Person) -> &'static str {
    if person.disabled_at.is_some() { "disabled" } else { "active" }
}

/// The roles of a person, in words.
fn roles(listed: &Listed) -> String {
    if listed.person.administrator_since.is_some() {
        return "administrator".to_owned();
    }
    let roles: Vec<_> = listed.teams.iter().map(|own| format!("{} of {}", own.role.as_str(), own.team.name)).collect();
    if roles.is_empty() { "no team".to_owned() } else { roles.join(", ") }
}

fn object(listed: &Listed) -> Value {
    let person = &listed.person;
    let teams = listed.teams.iter();
    json!({
        "id": person.id.as_str(),
        "name": person.name,
        "email": person.email,
        "administrator": person.administrator_since.is_some(),
        "teams": teams.map(|own| json!({ "team": own.team.name, "role": own.role.as_str() })).collect::<Vec<_>>(),
        "second_factor": person.factors.any(),
        "last_active_at": listed.seen_at.map(Timestamp::rfc3339),
        "disabled_at": person.disabled_at.map(Timestamp::rfc3339),
    })
}

async fn list(context: &Context, format: Format) -> Result<(), CliError> {
    let people = manage::list(context).await?;
    match format {
        Format::Json => println!("{:#}", json!(people.iter().map(object).collect::<Vec<_>>())),
        Format::Text => {
            for listed in &people {
                let person = &listed.person;
                println!("{}  {:<8}  {}  {}  ({})", person.id, state(person), person.email, person.name, roles(listed));
            }
        }
    }
    Ok(())
}

/// How many credentials and audit entries `person show` names.
const NAMED: u16 = 20;

async fn show(context: &Context, person: &Person, format: Format) -> Result<(), CliError> {
    let people = manage::list(context).await?;
    let listed = people.into_iter().find(|listed| listed.person.id == person.id).ok_or(PersonError::NotFound)?;
    let (owned, owned_count) = inspect::owned_by(context, &person.id, NAMED).await?;
    let (generated, _) = manage::generated_by(context, &person.id, NAMED).await?;
    let held = access::count(context, &person.id).await?;
    let entries = audit::of_person(context, &person.id, NAMED).await?;
    let now = context.now();
    match format {
        Format::Json => {
            let credential = |credential: &Credential| {
                json!({
                    "client_id": credential.client_id.as_str(),
                    "name": credential.name,
                    "status": status_word(credential.status(now)),
                })
            };
            let entry = |entry: &AuditEntry| json!({ "seq": entry.seq, "at": entry.at.rfc3339(), "action": entry.action, "target": entry.target_name });
            let mut object = object(&listed);
            object["owned_credentials"] = json!(owned_count);
            object["owned"] = owned.iter().map(credential).collect();
            object["generated"] = generated.iter().map(credential).collect();
            object["connected_apps"] = json!(held.apps);
            object["personal_tokens"] = json!(held.personal_tokens);
            object["passkeys"] = json!(held.passkeys);
            object["entries"] = entries.iter().map(entry).collect();
            println!("{object:#}");
        }
        Format::Text => {
            print!("{}{}", line("Person", &person.id), line("Name", &person.name));
            print!("{}{}", line("Email", &person.email), line("State", state(person)));
            print!("{}", line("Roles", roles(&listed)));
            print!(
                "{}",
                line("Last active", listed.seen_at.map_or_else(|| "not recently".to_owned(), Timestamp::rfc3339))
            );
            print!("{}{}", line("Connected apps", held.apps), line("Personal tokens", held.personal_tokens));
            print!("{}", line("Owns", format!("{owned_count} credentials")));
            let row = |credential: &Credential| {
                println!(
                    "  {}  {:<10}  {}",
                    credential.client_id,
                    status_word(credential.status(now)),
                    credential.name
                );
            };
            owned.iter().for_each(row);
            print!("{}", line("Generated", "the newest credentials"));
            generated.iter().for_each(row);
            print!("{}", line("Audit log", "the newest entries"));
            for entry in &entries {
                println!("  {}  {}  {}", entry.at.rfc3339(), entry.action, entry.target_name);
            }
        }
    }
    Ok(())
}
