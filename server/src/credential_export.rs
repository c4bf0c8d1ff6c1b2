//! The list of credentials as a file: CSV for spreadsheets, JSON for programs. The file is written while the list is
//! read, so a long list needs no memory. It holds no secret.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::base::clock::Timestamp;
use domain::base::id::ClientId;
use domain::base::text::csv_cell;
use domain::context::Context;
use domain::credential::{inspect, list};
use domain::error::Fault;
use domain::model::actor::Actor;
use domain::model::credential::Credential;
use domain::model::credential::query::Query;
use domain::model::person::authority::Authority;
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::person::{authority, team};
use domain::server;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::mcp::status_word;

const PAGE: u16 = 500;

/// The columns of the CSV file: members of [`Names::object`].
const COLUMNS: [&str; 15] = [
    "client_id",
    "name",
    "status",
    "auth_method",
    "mcp_servers",
    "scope",
    "team",
    "owner",
    "tags",
    "created_at",
    "created_by",
    "expires_at",
    "rotation_ends_at",
    "last_used_at",
    "last_used_from",
];

/// The format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180.
    Csv,
    /// One list of objects.
    Json,
}

impl Format {
    /// Reads the format from a form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Csv, Self::Json].into_iter().find(|format| format.as_str() == text)
    }

    /// Its word in forms and in the audit log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    const fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"countersign-credentials.csv\""),
            Self::Json => ("application/json", "attachment; filename=\"countersign-credentials.json\""),
        }
    }

    fn head(self) -> String {
        match self {
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Self::Json => "[".to_owned(),
        }
    }

    fn tail(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "\n]\n",
        }
    }

    fn line(self, object: &Value, is_first: bool) -> String {
        match self {
            Self::Csv => {
                let cells = COLUMNS.map(|column| match &object[column] {
                    Value::String(text) => csv_cell(text),
                    Value::Array(list) => {
                        csv_cell(&list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
                    }
                    _ => String::new(),
                });
                format!("{}\r\n", cells.join(","))
            }
            Self::Json => format!("{}\n{object}", if is_first { "" } else { "," }),
        }
    }
}

/// The names of what credentials refer to.
pub(crate) struct Names {
    teams: Vec<Team>,
    servers: Vec<McpServer>,
}

impl Names {
    pub(crate) async fn read(context: &Context, authority: &Authority) -> Result<Self, Fault> {
        Ok(Self { teams: team::list(context, authority).await?, servers: server::list(context).await? })
    }

    /// The credential in JSON, as the command line lists it too.
    pub(crate) fn object(&self, credential: &Credential, now: Timestamp) -> Value {
        let moment = |moment: Option<Timestamp>| moment.map(Timestamp::rfc3339);
        let servers = self.servers.iter().filter(|server| credential.servers.contains(&server.id));
        json!({
            "client_id": credential.client_id.as_str(),
            "name": credential.name,
            "status": status_word(credential.status(now)),
            "auth_method": credential.auth_method.as_str(),
            "mcp_servers": servers.map(|server| server.resource.as_str()).collect::<Vec<_>>(),
            "scope": credential.scopes.to_string(),
            "team": self.teams.iter().find(|team| team.id == credential.team).map(|team| &team.name),
            "owner": credential.owner.as_ref().map(|owner| &owner.name),
            "tags": credential.tags,
            "created_at": credential.created_at.rfc3339(),
            "created_by": credential.created_by,
            "expires_at": moment(credential.ends_at),
            "rotation_ends_at": moment(credential.rotation_ends_at.filter(|_| credential.is_rotating(now))),
            "last_used_at": moment(credential.last_used_at),
            "last_used_from": credential.last_used_from.map(|address| address.to_string()),
            "last_used_agent": credential.last_used_agent,
        })
    }
}

/// What is left to write.
enum Rest {
    Credentials(Vec<ClientId>),
    Pages(Query),
}

/// The file: these credentials, or, if there are none, those of the query.
pub(crate) fn file(context: Context, actor: Actor, ids: Vec<ClientId>, query: Query, format: Format) -> Response {
    let rest = if ids.is_empty() { Rest::Pages(query) } else { Rest::Credentials(ids) };
    let pages = stream::try_unfold((Some(rest), true), move |(rest, is_first)| {
        let (context, actor) = (context.clone(), actor.clone());
        async move {
            let Some(rest) = rest else { return Ok(None) };
            let (rows, next) = part(&context, &actor, rest).await.map_err(|fault| {
                // The answer has already begun. The server can only break it off, so that the browser does not take it
                // for complete.
                tracing::error!(%fault, "an export of the list of credentials broke off");
                std::io::Error::other("the database does not answer")
            })?;
            let is_still_first = is_first && rows.is_empty();
            let lines = rows.iter().enumerate();
            let lines: String = lines.map(|(place, row)| format.line(row, is_first && place == 0)).collect();
            Ok(Some((Bytes::from(lines), (next, is_still_first))))
        }
    });
    let head = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(format.head())) });
    let tail = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(format.tail())) });
    let body = Body::from_stream(head.chain(pages).chain(tail));
    let (media_type, disposition) = format.headers();
    let headers = [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, disposition)];
    ([(header::CACHE_CONTROL, "no-store")], headers, body).into_response()
}

/// The next rows, and what is left after them.
async fn part(context: &Context, actor: &Actor, rest: Rest) -> Result<(Vec<Value>, Option<Rest>), Fault> {
    // A person who loses a role while the file is written gets no more credentials of that team.
    let authority = authority::of(context, actor).await?;
    let (names, now) = (Names::read(context, &authority).await?, context.now());
    let (credentials, rest) = match rest {
        Rest::Credentials(ids) => {
            let mut found = Vec::new();
            for id in &ids {
                found.extend(inspect::find(context, &authority, id).await?);
            }
            (found, None)
        }
        Rest::Pages(mut query) => {
            let page = list::list(context, &authority, &query, PAGE).await.map_err(|error| match error {
                list::ListError::Fault(fault) => fault,
                list::ListError::BadCursor => Fault::Damaged,
            })?;
            query.cursor = page.next;
            query.backward = false;
            (page.credentials, query.cursor.is_some().then_some(Rest::Pages(query)))
        }
    };
    Ok((credentials.iter().map(|credential| names.object(credential, now)).collect(), rest))
}
