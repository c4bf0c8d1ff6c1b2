//! `countersign credential list`

use app::pages::credential::list::{SORTS, STATUSES};
use clap::Args;
use clap::builder::PossibleValuesParser;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::credential::list;
use domain::model::credential::query::{OwnedBy, Query};
use domain::model::person::authority::Authority;
use domain::server;
use serde_json::json;

use crate::cli::shared::{CliError, Format, person_named, team_named};
use crate::config::ConfigError;
use crate::credential_export::Names;
use crate::mcp::status_word;

/// Number of credentials that are read at a time.
const PAGE: u16 = 500;

#[derive(Args)]
pub(crate) struct List {
    /// Only with this status; the words are those of the list in the dashboard
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    status: Option<String>,
    /// Only of this team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Only for this MCP server: its resource identifier or its name
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Only with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only of the person with this e-mail address; none: without an owner
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// Only with this text in the name, the client ID or a tag, or at the end of a secret
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// The order; newest first without it
    #[arg(long, value_name = "ORDER", value_parser = sorts())]
    sort: Option<String>,
    /// At most so many; all without it
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(STATUSES.map(|(word, ..)| word).into_iter().filter(|word| !word.is_empty()))
}

fn sorts() -> PossibleValuesParser {
    PossibleValuesParser::new(SORTS.map(|(word, ..)| word).into_iter().filter(|word| !word.is_empty()))
}

impl List {
    async fn query(&self, context: &Context) -> Result<Query, CliError> {
        let status = self.status.as_deref().and_then(|status| STATUSES.iter().find(|(word, ..)| *word == status));
        let sort = self.sort.as_deref().and_then(|sort| SORTS.iter().find(|(word, ..)| *word == sort));
        let mut query = Query {
            search: self.search.clone(),
            tag: self.tag.clone(),
            show: status.map(|(_, _, show)| *show).unwrap_or_default(),
            sort: sort.map(|(_, sort, _)| *sort).unwrap_or_default(),
            reversed: sort.is_some_and(|(_, _, reversed)| *reversed),
            ..Query::default()
        };
        if let Some(team) = &self.team {
            query.team = Some(team_named(context, "--team", team).await?.id);
        }
        if let Some(named) = &self.server {
            let found = server::list(context).await?.into_iter();
            let mut found = found.filter(|server| server.resource == *named || server.name == *named);
            let server = found.next();
            let server =
                server.ok_or_else(|| ConfigError::new("--server", format!("there is no MCP server {named}")))?;
            query.server = Some(server.id);
        }
        if let Some(email) = &self.owner {
            query.owner = Some(match email.as_str() {
                OwnedBy::NOBODY => OwnedBy::Nobody,
                email => OwnedBy::Person(person_named(context, "--owner", email).await?.id),
            });
        }
        Ok(query)
    }
}

pub(super) async fn run(context: &Context, arguments: List) -> Result<(), CliError> {
    let mut query = arguments.query(context).await?;
    let is_whole = query.has_only_show() && arguments.status.is_none();
    let limit = arguments.limit.unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    loop {
        let page = list::list(context, &Authority::Everything, &query, PAGE).await?;
        rows.extend(page.credentials);
        query.cursor = page.next;
        if query.cursor.is_none() || rows.len() >= limit {
            break;
        }
    }
    rows.truncate(limit);
    let now = context.now();
    match arguments.format {
        Format::Json => {
            let names = Names::read(context, &Authority::Everything).await?;
            let objects: Vec<_> = rows.iter().map(|row| names.object(row, now)).collect();
            println!("{:#}", json!(objects));
        }
        Format::Text if rows.is_empty() && is_whole => println!("No credentials yet."),
        Format::Text if rows.is_empty() => println!("No credential matches."),
        Format::Text => {
            for row in &rows {
                println!(
                    "{}  {:<10}  {:<20}  {}",
                    row.client_id,
                    status_word(row.status(now)),
                    row.last_used_at.map_or_else(|| "never used".to_owned(), Timestamp::rfc3339),
                    row.name
                );
            }
        }
    }
    Ok(())
}
