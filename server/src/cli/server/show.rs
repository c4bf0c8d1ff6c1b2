//! `countersign server list` and `show`

use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::model::credential::usage::Period;
use domain::model::person::authority::Authority;
use domain::model::server::McpServer;
use domain::model::server::access::ServerAccess;
use domain::model::server::check::ServerCheck;
use domain::person::team;
use domain::server::{self, callers, check, gateway};
use serde_json::{Value, json};

use crate::cli::shared::{CliError, Format, call_lines, call_objects, line};

/// `server list`
pub(super) async fn list(context: &Context, archived: bool, format: Format) -> Result<(), CliError> {
    let mut servers = server::list(context).await?;
    servers.retain(|server| archived || !server.is_archived());
    match format {
        Format::Json => {
            let mut objects = Vec::new();
            for server in &servers {
                objects.push(object(context, server).await?);
            }
            println!("{:#}", json!(objects));
        }
        Format::Text => {
            for server in servers {
                let mark = if server.is_archived() { "  (archived)" } else { "" };
                println!("{}  {}  {}  {}{mark}", server.id, server.alg.as_str(), server.resource, server.name);
            }
        }
    }
    Ok(())
}

async fn object(context: &Context, server: &McpServer) -> Result<Value, CliError> {
    let teams = match &server.access {
        ServerAccess::All => json!("all"),
        ServerAccess::Teams(chosen) => {
            let teams = team::list(context, &Authority::Everything).await?;
            teams.iter().filter(|team| chosen.contains(&team.id)).map(|team| team.name.as_str()).collect()
        }
    };
    let scopes = server
        .scopes
        .iter()
        .map(|scope| json!({ "name": scope.name, "allows": scope.description, "implies": scope.implies }));
    let behind = gateway::find(context, &server.id).await?.map(|gateway| {
        json!({
            "slug": gateway.slug,
            "upstream": gateway.upstream,
            "header": gateway.header,
            "identity": gateway.sends_identity,
            "on_change": gateway.on_change.as_str(),
            "report_destructive": gateway.reports_destructive,
            "calls_per_minute": gateway.limits.per_minute,
            "concurrent_calls": gateway.limits.concurrent,
            "calls_per_minute_each": gateway.limits.per_minute_each,
            "concurrent_calls_each": gateway.limits.concurrent_each,
            "limits_enforced": gateway.limits.is_enforced,
            "rules": gateway.rules,
        })
    });
    Ok(json!({
        "id": server.id.as_str(),
        "gateway": behind,
        "name": server.name,
        "resource": server.resource,
        "scopes": scopes.collect::<Vec<_>>(),
        "token_lifetime": server.token_lifetime.as_secs(),
        "alg": server.alg.as_str(),
        "teams": teams,
        "built_in": server.built_in,
        "archived_at": server.archived_at.map(Timestamp::rfc3339),
    }))
}

/// The result of a check.
pub(super) fn check_object(check: &ServerCheck) -> Value {
    let steps = check
        .steps
        .iter()
        .map(|step| json!({ "step": step.step.as_str(), "outcome": step.outcome.as_str(), "received": step.received }));
    json!({ "at": check.at.rfc3339(), "by": check.by, "steps": steps.collect::<Vec<_>>() })
}

/// `server show`
pub(super) async fn show(context: &Context, server: &McpServer, format: Format) -> Result<(), CliError> {
    let callers = callers::count(context, &Authority::Everything, server).await?;
    let last = check::last(context, &server.id).await?;
    let behind = gateway::find(context, &server.id).await?;
    let week = Period::Week.first_hour(context.now());
    let calls = gateway::usage::by_name(context, &Authority::Everything, &server.id, week).await?;
    match format {
        Format::Json => {
            let mut object = object(context, server).await?;
            object["metadata_url"] = json!(server.metadata_url());
            object["credentials"] = json!(callers.all.credentials);
            object["apps"] = json!(callers.all.apps);
            object["personal_tokens"] = json!(callers.all.personal_tokens);
            object["last_check"] = last.as_ref().map_or(Value::Null, check_object);
            object["calls"] = call_objects(&calls, std::slice::from_ref(server));
            println!("{object:#}");
        }
        Format::Text => {
            let all = callers.all;
            print!(
                "{}{}{}",
                line("Server", &server.id),
                line("Name", &server.name),
                line("Resource", &server.resource)
            );
            for (scope, (_, counts)) in server.scopes.iter().zip(&callers.by_scope) {
                print!("{}", line("Scope", format!("{scope} (credentials: {})", counts.credentials)));
            }
            if let Some(behind) = &behind {
                print!("{}", line("Upstream", &behind.upstream));
                print!("{}", line("Header", behind.header.as_deref().unwrap_or("-")));
                print!("{}", line("Changed tools", behind.on_change.as_str()));
            }
            print!("{}", line("Token lifetime", format!("{} s", server.token_lifetime.as_secs())));
            print!("{}", line("Signature", server.alg.as_str()));
            print!("{}", line("Credentials", all.credentials));
            print!("{}", line("Apps", all.apps));
            print!("{}", line("Personal tokens", all.personal_tokens));
            if let Some(at) = server.archived_at {
                print!("{}", line("Archived", at.rfc3339()));
            }
            if let Some(last) = last {
                let result = if last.problems() == 0 { "passed" } else { "failed" };
                print!("{}", line("Last check", format!("{result} {}", last.at.rfc3339())));
            }
            if !calls.is_empty() {
                println!("Calls in the last 7 days:");
                call_lines(&calls, std::slice::from_ref(server)).iter().for_each(|line| println!("{line}"));
            }
        }
    }
    Ok(())
}
