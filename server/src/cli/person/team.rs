//! `countersign team`

use clap::{Args, Subcommand};
use domain::context::Context;
use domain::credential::usage;
use domain::model::credential::usage::{Period, Whose};
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::{InvitedRole, Member, Summary, Team};
use domain::person::invitation;
use domain::person::team::{self, TeamError};
use domain::server::{self, callers};
use serde_json::json;

use crate::cli::shared::{CliError, Format, Printing, instance, line, operator, person_named, team_named};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the teams
    List(Printing),
    /// Show a team: its people, credentials, MCP servers and use
    Show {
        #[command(flatten)]
        team: OneTeam,
        #[command(flatten)]
        printing: Printing,
    },
    /// Create a team
    Create {
        /// Its name
        #[arg(long)]
        name: String,
    },
    /// Give a team another name
    Rename {
        #[command(flatten)]
        team: OneTeam,
        /// The new name
        #[arg(long)]
        name: String,
    },
    /// Remove a team that owns no credential
    Remove(OneTeam),
    /// Add a person who has an account, or print an invitation link for everybody else
    AddPerson {
        #[command(flatten)]
        membership: Membership,
        /// viewer, member or manager
        #[arg(long, value_name = "ROLE", default_value = "member", value_parser = role)]
        role: Role,
    },
    /// Change the role of a person in a team
    SetRole {
        #[command(flatten)]
        membership: Membership,
        /// viewer, member or manager
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
    },
    /// Remove a person from a team; their credentials stay
    RemovePerson(Membership),
}

/// The team that a command is about.
#[derive(Args)]
pub(crate) struct OneTeam {
    /// Its name or its ID
    #[arg(value_name = "TEAM")]
    team: String,
}

impl OneTeam {
    async fn find(&self, context: &Context) -> Result<Team, CliError> {
        team_named(context, "TEAM", &self.team).await
    }
}

/// A team and a person.
#[derive(Args)]
pub(crate) struct Membership {
    #[command(flatten)]
    team: OneTeam,
    /// The email address of the person
    #[arg(long)]
    email: String,
}

impl Membership {
    /// The team, and the person who is in it.
    async fn find(&self, context: &Context) -> Result<(Team, Person), CliError> {
        let team = self.team.find(context).await?;
        let person = person_named(context, "--email", &self.email).await?;
        let members = team::members(context, &team.id).await?;
        if !members.iter().any(|member| member.person == person.id) {
            let message = format!("{} is not in the team {}; add-person adds them", person.email, team.name);
            return Err(ConfigError::new("--email", message).into());
        }
        Ok((team, person))
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "this is none of viewer, member and manager".to_owned())
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| match command {
        Command::List(Printing { format }) => list(context, format).await,
        Command::Show { team, printing } => show(context, &team.find(context).await?, printing.format).await,
        Command::Create { name } => {
            let team = team::create(context, &operator(), &name).await?;
            println!("Created {} {}", team.id, team.name);
            Ok(())
        }
        Command::Rename { team, name } => {
            let team = team.find(context).await?;
            team::rename(context, &operator(), &team.id, &name).await?;
            println!("Renamed {} to {}", team.name, name.trim());
            Ok(())
        }
        Command::Remove(team) => {
            let team = team.find(context).await?;
            team::remove(context, &operator(), &team.id).await?;
            println!("Removed {} {}", team.id, team.name);
            Ok(())
        }
        Command::AddPerson { membership, role } => add_person(context, membership, role).await,
        Command::SetRole { membership, role } => {
            let (team, person) = membership.find(context).await?;
            team::set_role(context, &operator(), &team.id, &person.id, Some(role)).await?;
            println!("{} is {} of {}", person.email, role.as_str(), team.name);
            Ok(())
        }
        Command::RemovePerson(membership) => {
            let (team, person) = membership.find(context).await?;
            team::set_role(context, &operator(), &team.id, &person.id, None).await?;
            println!(
                "Removed {} from {}. Credentials that they generated stay with the team.",
                person.email, team.name
            );
            Ok(())
        }
    })
    .await
}

async fn add_person(context: &Context, membership: Membership, role: Role) -> Result<(), CliError> {
    let (team, email) = (membership.team.find(context).await?, membership.email);
    if let Some(person) = team::add(context, &operator(), &team.id, &email, role).await? {
        println!("Added {} to {}, as {}", person.email, team.name, role.as_str());
        return Ok(());
    }
    let invited = InvitedRole::Team(team.id, role);
    let (invitation, token) = invitation::invite(context, &operator(), &email, invited).await?;
    println!("Invited {} to {}, as {}. Hand over this link:", invitation.email, team.name, role.as_str());
    println!("{}/invitation?token={token}", context.settings.public_url);
    println!("\nThe link is shown this once. It works once, until {}.", invitation.expires_at.rfc3339());
    Ok(())
}

async fn list(context: &Context, format: Format) -> Result<(), CliError> {
    let teams = team::summaries(context, &Authority::Everything).await?;
    match format {
        Format::Json => {
            let object = |Summary { team, people, credentials }: &Summary| json!({ "id": team.id.as_str(), "name": team.name, "people": people, "working_credentials": credentials });
            println!("{:#}", json!(teams.iter().map(object).collect::<Vec<_>>()));
        }
        Format::Text => {
            for Summary { team, people, credentials } in &teams {
                println!("{}  {}  (people: {people}, working credentials: {credentials})", team.id, team.name);
            }
        }
    }
    Ok(())
}

async fn show(context: &Context, team: &Team, format: Format) -> Result<(), CliError> {
    let summaries = team::summaries(context, &Authority::Everything).await?;
    let summary = summaries.into_iter().find(|summary| summary.team.id == team.id).ok_or(TeamError::NotFound)?;
    let members = team::members(context, &team.id).await?;
    let mut servers = server::list(context).await?;
    servers.retain(|server| !server.is_archived() && server.access.admits_team(&team.id));
    let counts = callers::count_by_server(context, &Authority::Team(team.id.clone()), &servers).await?;
    let of_server = |id| counts.get(id).copied().unwrap_or_default();
    let bars = usage::bars(context, Whose::Team(&team.id), Period::Month).await?;
    let (accepted, refused) = bars.iter().fold((0, 0), |(all, no), bar| (all + bar.exchanges, no + bar.refusals));
    match format {
        Format::Json => {
            let member = |member: &Member| {
                json!({
                    "id": member.person.as_str(),
                    "name": member.name,
                    "email": member.email,
                    "role": member.role.as_str(),
                    "disabled": member.disabled,
                })
            };
            let servers = servers.iter().map(|server| {
                json!({ "id": server.id.as_str(), "resource": server.resource, "credentials": of_server(&server.id) })
            });
            println!(
                "{:#}",
                json!({
                    "id": team.id.as_str(),
                    "name": team.name,
                    "people": members.iter().map(member).collect::<Vec<_>>(),
                    "working_credentials": summary.credentials,
                    "servers": servers.collect::<Vec<_>>(),
                    "exchanges_30d": accepted,
                    "refused_30d": refused,
                })
            );
        }
        Format::Text => {
            print!("{}{}", line("Team", &team.id), line("Name", &team.name));
            for member in &members {
                let disabled = if member.disabled { ", disabled" } else { "" };
                print!(
                    "{}",
                    line("Person", format!("{} {} ({}{disabled})", member.email, member.name, member.role.as_str()))
                );
            }
            print!("{}", line("Credentials", format!("{} working", summary.credentials)));
            for server in &servers {
                print!(
                    "{}",
                    line("MCP server", format!("{} (credentials: {})", server.resource, of_server(&server.id)))
                );
            }
            print!("{}", line("Last 30 days", format!("exchanges: {accepted}, refused: {refused}")));
        }
    }
    Ok(())
}
